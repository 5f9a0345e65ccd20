import LinearAlgebra

/// Searches for violated activation patterns: local maxima of σ Σ_k θ_k (x_kᵀw)_+ over ‖w‖ ≤ 1.
///
/// Any w with a value above λ is a neuron whose pattern the program lacks. A search finds lower bounds on the
/// true maximum only: its result steers refinement and is never printed as a bound.
///
/// All starts move together by the fixed point w ← XᵀD(w)σθ/‖·‖, halving the step towards the old point until the
/// value does not fall. Cost of a sweep: 4 n d for each start.
struct Pricing {
  let x: Matrix<Double>
  var randomStarts = 128
  var sweeps = 40
  var seed: UInt64 = 0

  /// A local maximum.
  struct Maximum: Sendable {
    var direction: [Double]
    var value: Double
  }

  /// Distinct local maxima for one sign and one column of θ, by value, largest first. Starts: the given
  /// directions, random ones, and up to as many data points and their differences.
  func maxima(θ: [Double], sign: Double, starts: Matrix<Double>) -> [Maximum] {
    var w = allStarts(starts)
    let signed = θ.map { sign * $0 }
    var (values, images) = evaluate(w, signed)
    var steps = [Double](repeating: 1, count: w.rows)
    for _ in 0..<sweeps {
      let trial = moved(w, towards: images, steps)
      let (trialValues, trialImages) = evaluate(trial, signed)
      var largestGain = 0.0
      for s in 0..<w.rows {
        if trialValues[s] > values[s] {
          largestGain = max(largestGain, trialValues[s] - values[s])
          values[s] = trialValues[s]
          for j in 0..<x.columns {
            w[s, j] = trial[s, j]
            images[s, j] = trialImages[s, j]
          }
          steps[s] = min(1, steps[s] * 2)
        } else {
          steps[s] /= 2
        }
      }
      if largestGain <= 1e-9 * (values.max() ?? 0), steps.allSatisfy({ $0 < 1e-3 }) { break }
    }
    return distinct(w, values)
  }

  /// f(w_s) and XᵀD(w_s)σθ for every start, one row each.
  private func evaluate(_ w: Matrix<Double>, _ θ: [Double]) -> ([Double], Matrix<Double>) {
    let (n, d, count) = (x.rows, x.columns, w.rows)
    var images = Matrix<Double>(count, d)
    let batch = 64
    withPointers(x, w, &images.storage) { x, w, images in
      Parallel.forEach(tiles: Parallel.tiles(of: batch, covering: count), work: n * d * count) { tile in
        let range = Parallel.range(ofTile: tile, size: batch, count: count)
        let width = range.count
        let (w, images) = (w + range.lowerBound * d, images + range.lowerBound * d)
        images.update(repeating: 0, count: width * d)
        withTemporary(Double.self, 512 * width) { z in
          for start in stride(from: 0, to: n, by: 512) {
            let height = min(512, n - start)
            Double.gemm(
              .no, .yes, m: height, n: width, k: d, alpha: 1, a: x + start * d, lda: max(d, 1), b: w,
              ldb: max(d, 1), beta: 0, c: z, ldc: width)
            for k in 0..<height {
              let (row, value) = (z + k * width, θ[start + k])
              for s in 0..<width { row[s] = row[s] > 0 ? value : 0 }
            }
            Double.gemm(
              .yes, .no, m: width, n: d, k: height, alpha: 1, a: z, lda: width, b: x + start * d,
              ldb: max(d, 1), beta: 1, c: images, ldc: max(d, 1))
          }
        }
      }
    }
    var values = [Double](repeating: 0, count: count)
    for s in 0..<count { for j in 0..<d { values[s] += images[s, j] * w[s, j] } }
    return (values, images)
  }

  /// Unit vectors on the way from w_s to images_s/‖images_s‖, as far as steps_s says.
  private func moved(_ w: Matrix<Double>, towards images: Matrix<Double>, _ steps: [Double]) -> Matrix<Double>
  {
    var result = w
    for s in 0..<w.rows {
      let norm = images.row(s).withPointer { Double.norm2(x.columns, $0) }
      guard norm > 0 else { continue }
      for j in 0..<x.columns { result[s, j] += steps[s] * (images[s, j] / norm - w[s, j]) }
    }
    return result.withUnitRows
  }

  private func allStarts(_ given: Matrix<Double>) -> Matrix<Double> {
    let d = x.columns
    let random: Matrix<Double> = Philox(seed: seed, stream: 0x7072_6963_65).normalMatrix(randomStarts, d)
    var storage = given.storage + random.storage
    let count = min(randomStarts / 2, x.rows)
    for i in 0..<count {
      let (a, b) = (x.row(i * x.rows / count), x.row((i * 7 + 3) % x.rows))
      storage += a
      storage += zip(a, b).map { $0 - $1 }
    }
    return Matrix(storage.count / max(d, 1), d, storage: storage).withUnitRows
  }

  /// The best start of every activation pattern, best first.
  private func distinct(_ w: Matrix<Double>, _ values: [Double]) -> [Maximum] {
    let bits = BitMatrix(signsOf: x, times: w.transposed).transposed
    var seen = Set<[UInt64]>()
    return values.indices.sorted { (values[$0], $1) > (values[$1], $0) }.compactMap { s in
      guard values[s] > 0, seen.insert(Array(bits.row(s))).inserted else { return nil }
      return Maximum(direction: w.row(s), value: values[s])
    }
  }
}

extension Matrix where Element == Double {
  /// The rows scaled to unit length; zero rows stay.
  var withUnitRows: Matrix {
    var result = self
    for i in 0..<rows {
      let norm = row(i).withPointer { Double.norm2(columns, $0) }
      guard norm > 0 else { continue }
      for j in 0..<columns { result[i, j] /= norm }
    }
    return result
  }
}
