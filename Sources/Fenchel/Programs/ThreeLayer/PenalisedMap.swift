import ConvexOptimization
import LinearAlgebra

/// The maps A and R of a three-layer program for all groups at once: u ↦ F, and u ↦ the sides of its rows' inputs.
///
/// All of them follow from the products of X with the m vectors of each group, inputs Z: Gm × n. The rows of a group are n for
/// each neuron, (2D_j − I) X u_j, and n of the second layer, (2E − I) Σ_j s_j D_j X u_j, where more than one neuron is active.
struct PenalisedMap {
  private let x: Matrix<Double>
  private let loss: any Loss<Double>
  private let patterns: SubnetworkPatterns
  private let groups: Int
  /// E ∧ D_j: Bm × n.
  private let passing: BitMatrix
  /// 2D_j − I: Bm × n, and 2E − I, 0 where at most one neuron is active: B × n.
  private var sides: Matrix<Double>
  private var turns: Matrix<Double>

  private var width: Int { patterns.width }
  private var outputs: Int { loss.outputs }
  private var samples: Int { x.rows }

  init(_ program: ThreeLayerProgram) {
    (x, loss, patterns, groups) = (program.x, program.loss, program.patterns, program.groups)
    let (n, m, count) = (program.samples, program.width, program.patterns.count)
    let patterns = program.patterns
    passing = patterns.passing
    sides = Matrix(count * m, n, fill: -1)
    turns = Matrix(count, n)
    for b in 0..<count {
      for k in 0..<n {
        let active = (0..<m).filter { patterns.first[b * m + $0, k] }
        for j in active { sides[b * m + j, k] = 1 }
        if active.count > 1 { turns[b, k] = patterns.second[b, k] ? 1 : -1 }
      }
    }
  }

  /// Numbers α: (m + 1)n for each group.
  var rows: Int { groups * (width + 1) * samples }

  /// A point with what is linear in it.
  struct Place: Sendable {
    /// U: G × md.
    var coefficients: Matrix<Double>
    /// Z: Gm × n.
    var inputs: Matrix<Double>
    /// F: n × c.
    var predictions: Matrix<Double>

    /// This one + β(this one − `last`), which loses no digits where the two are near.
    func beyond(from last: Place, _ β: Double) -> Place {
      func beyond(_ x₊: Matrix<Double>, _ x: Matrix<Double>) -> Matrix<Double> {
        var step = x₊
        step.add(-1, x)
        var result = x₊
        result.add(β, step)
        return result
      }
      return Place(
        coefficients: beyond(coefficients, last.coefficients), inputs: beyond(inputs, last.inputs),
        predictions: beyond(predictions, last.predictions))
    }
  }

  /// U with its inputs and predictions. Cost 2ndm a group.
  func place(_ u: Matrix<Double>) -> Place {
    let z = inputs(u)
    let f = predictions(z)
    return Place(coefficients: u, inputs: z, predictions: f)
  }

  /// What the smoothed program is at a point.
  struct Differential {
    var loss: Double
    /// ∇ℓ(F), and θ = −∇ℓ(F).
    var slope: Matrix<Double>
    var θ: Matrix<Double>
    /// Σ (−R u)₊.
    var violation: Double
    /// A_gᵀθ + R_gᵀβ_g, the negative gradient of its smooth part: G × md.
    var ascent: Matrix<Double>
  }

  /// ℓ(F) with θ, and the gradient for β = min(max(α − Ru/μ, 0), ρ), which becomes α where that is asked for. Cost 2ndm a group.
  func differentiate(
    _ place: Place, _ ρ: Double, _ μ: Double, _ multipliers: inout [Double], movesMultipliers: Bool
  ) -> Differential {
    var z = place.inputs
    var slope = Matrix<Double>(samples, outputs)
    let value = loss.gradient(at: place.predictions, into: &slope)
    var θ = slope
    θ.scale(by: -1)
    let spread = θ.transposed
    var violations = [Double](repeating: 0, count: groups)
    let hinges = Hinges(ρ: ρ, μ: μ, movesMultipliers: movesMultipliers)
    withPointers(spread, sides, &violations) { θ, sides, violations in
      withPointers(turns, turns, &multipliers) { turns, _, α in
        z.withMutablePointer { z in
          Parallel.forEach(tiles: groups, work: groups * width * samples) { g in
            violations[g] = weigh(g, θ: θ, sides: sides, turns: turns, z: z, α: α, hinges)
          }
        }
      }
    }
    return Differential(
      loss: value, slope: slope, θ: θ, violation: violations.reduce(0, +), ascent: images(z))
  }

  /// Twice the Bregman distance of the smoothed hinges φ, φ(r₊) − φ(r) − φ′(r)(r₊ − r), row by row; a distance is never
  /// negative. Cost: a pass over the rows.
  func twiceBregman(
    at next: Place, from place: Place, _ ρ: Double, _ μ: Double, _ multipliers: [Double]
  ) -> Double {
    let (n, m) = (samples, width)
    var sums = [Double](repeating: 0, count: groups)
    withPointers(next.inputs, place.inputs, &sums) { next, z, sums in
      withPointers(sides, turns) { sides, turns in
        multipliers.withPointer { α in
          Parallel.forEach(tiles: groups, work: groups * m * n) { g in
            let b = g / (2 * outputs)
            let inverse = 1 / μ
            let α = α + g * (m + 1) * n
            var sum = 0.0
            withTemporary(Double.self, 2 * n) { second in
              let before = second + n
              for k in 0..<2 * n { second[k] = 0 }
              for j in 0..<m {
                let (s, row, sides) = (patterns.signs[b, j] / 2, (g * m + j) * n, sides + (b * m + j) * n)
                for k in 0..<n {
                  let (r₊, r) = (sides[k] * next[row + k], sides[k] * z[row + k])
                  sum += Self.distance(r₊, r, α[j * n + k], ρ, μ, inverse)
                  second[k] += s * (sides[k] + 1) * next[row + k]
                  before[k] += s * (sides[k] + 1) * z[row + k]
                }
              }
              let turns = turns + b * n
              for k in 0..<n {
                sum += Self.distance(
                  turns[k] * second[k], turns[k] * before[k], α[m * n + k], ρ, μ, inverse)
              }
            }
            sums[g] = sum
          }
        }
      }
    }
    return 2 * sums.reduce(0, +)
  }

  /// The Bregman distance of φ(r) = max_{0 ≤ β ≤ ρ} −βr − (μ/2)(β − α)² from r to r₊.
  @inline(__always)
  private static func distance(
    _ r₊: Double, _ r: Double, _ α: Double, _ ρ: Double, _ μ: Double, _ inverse: Double
  ) -> Double {
    let (β₊, β) = (min(max(α - r₊ * inverse, 0), ρ), min(max(α - r * inverse, 0), ρ))
    return max(0, (β - β₊) * (r₊ + μ / 2 * (β + β₊ - 2 * α)))
  }

  /// How hinges are smoothed.
  private struct Hinges {
    var ρ: Double
    var μ: Double
    var movesMultipliers: Bool
  }

  /// Turns the inputs of group g into the weights of X in its gradient; returns its violation.
  private func weigh(
    _ g: Int, θ: UnsafePointer<Double>, sides: UnsafePointer<Double>, turns: UnsafePointer<Double>,
    z: UnsafeMutablePointer<Double>, α: UnsafeMutablePointer<Double>, _ hinges: Hinges
  ) -> Double {
    let (n, m) = (samples, width)
    let (row, o) = g.quotientAndRemainder(dividingBy: outputs)
    let (b, σ) = (row / 2, row % 2 == 0 ? 1.0 : -1)
    let (ρ, inverse, moves) = (hinges.ρ, 1 / hinges.μ, hinges.movesMultipliers)
    let (z, α, θ, turns) = (z + g * m * n, α + g * (m + 1) * n, θ + o * n, turns + b * n)
    var violation = 0.0
    withTemporary(Double.self, 2 * n) { second in
      let passed = second + n
      for k in 0..<n { second[k] = 0 }
      for j in 0..<m {
        let (s, z, sides) = (patterns.signs[b, j] / 2, z + j * n, sides + (b * m + j) * n)
        for k in 0..<n { second[k] += s * (sides[k] + 1) * z[k] }
      }
      let own = α + m * n
      for k in 0..<n {
        let input = turns[k] * second[k]
        let β = min(max(own[k] - input * inverse, 0), ρ)
        if input < 0 { violation -= input }
        if moves { own[k] = β }
        second[k] = turns[k] * β
      }
      for j in 0..<m {
        let (s, z, sides, α) = (
          patterns.signs[b, j], z + j * n, sides + (b * m + j) * n, α + j * n
        )
        passing.words.withPointer {
          Double.maskedCopy(passed, θ, $0 + (b * m + j) * passing.wordsPerRow, n)
        }
        for k in 0..<n {
          let input = sides[k] * z[k]
          let β = min(max(α[k] - input * inverse, 0), ρ)
          if input < 0 { violation -= input }
          if moves { α[k] = β }
          z[k] = σ * s * passed[k] + sides[k] * β + 0.5 * s * (sides[k] + 1) * second[k]
        }
      }
    }
    return violation
  }

  /// Z = U Xᵀ, one row a neuron.
  private func inputs(_ u: Matrix<Double>) -> Matrix<Double> {
    let (n, d, neurons) = (samples, x.columns, groups * width)
    var z = Matrix<Double>(neurons, n)
    withPointers(u, x, &z.storage) { u, x, z in
      Parallel.gemm(
        .no, .yes, m: neurons, n: n, k: d, alpha: 1, a: u, lda: max(d, 1), b: x, ldb: max(d, 1), beta: 0,
        c: z,
        ldc: max(n, 1))
    }
    return z
  }

  /// W X for weights of the samples, one row a neuron.
  private func images(_ weights: Matrix<Double>) -> Matrix<Double> {
    let (n, d, neurons) = (samples, x.columns, groups * width)
    var result = Matrix<Double>(groups, width * d)
    withPointers(weights, x, &result.storage) { w, x, g in
      Parallel.gemm(
        .no, .no, m: neurons, n: d, k: n, alpha: 1, a: w, lda: max(n, 1), b: x, ldb: max(d, 1), beta: 0, c: g,
        ldc: max(d, 1))
    }
    return result
  }

  /// F_o = Σ_{g: output o} σ_g E Σ_j s_j D_j z_gj.
  private func predictions(_ z: Matrix<Double>) -> Matrix<Double> {
    let (n, m, c, tile) = (samples, width, outputs, 1024)
    var f = Matrix<Double>(n, c)
    withPointers(z, z, &f.storage) { z, _, f in
      passing.words.withPointer { bits in
        Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: n), work: groups * m * n) { index in
          let range = Parallel.range(ofTile: index, size: tile, count: n)
          let (start, length) = (range.lowerBound, range.count)
          var sums = [Double](repeating: 0, count: 2 * c * length)
          sums.withMutablePointer { sums in
            for g in 0..<groups {
              let (row, o) = g.quotientAndRemainder(dividingBy: c)
              for j in 0..<m {
                let isNegative = (row % 2 == 1) != (patterns.signs[row / 2, j] < 0)
                Double.maskedAdd(
                  sums + (isNegative ? c + o : o) * length, z + (g * m + j) * n + start,
                  bits + (row / 2 * m + j) * passing.wordsPerRow + start / 64, length)
              }
            }
            for k in 0..<length {
              for o in 0..<c { f[(start + k) * c + o] = sums[o * length + k] - sums[(c + o) * length + k] }
            }
          }
        }
      }
    }
    return f
  }

  /// The rows that bound a cone with a multiplier, group by group, as `SubnetworkPatterns.ConeRows` numbers them.
  func sparse(_ multipliers: [Double]) -> [SparseVector] {
    let (n, m, c) = (samples, width, outputs)
    let rows = SubnetworkPatterns.ConeRows(patterns)
    let places = Dictionary(uniqueKeysWithValues: rows.combinations.enumerated().map { ($1, $0) })
    return (0..<groups).map { g in
      let b = g / (2 * c)
      var found = SparseVector()
      for j in 0...m {
        for k in 0..<n {
          let value = multipliers[(g * (m + 1) + j) * n + k]
          guard value > 0 else { continue }
          var combination = (0..<m).map { $0 == j ? 1.0 : 0 }
          if j == m {
            combination = (0..<m).map { patterns.first[b * m + $0, k] ? patterns.signs[b, $0] : 0 }
            let first = combination.first { $0 != 0 } ?? 1
            combination = combination.map { $0 == 0 ? 0 : $0 * first }
          }
          found.indices.append((places[combination] ?? 0) * n + k)
          found.values.append(value)
        }
      }
      return found
    }
  }

  /// ‖X‖², from below, by power iteration.
  var squareOfData: Double {
    var w = Matrix<Double>(column: (0..<x.columns).map { 1 + Double($0 % 7) / 7 })
    var square = 0.0
    for _ in 0..<12 {
      let norm = w.frobeniusNorm
      guard norm > 0 else { return square }
      w.scale(by: 1 / norm)
      let image = matrixProduct(x, .no, w, .no)
      square = image.inner(image)
      w = matrixProduct(x, .yes, image, .no)
    }
    return square
  }

  /// The largest eigenvalue of AᵀHA for the second derivative H of the loss at zero, from below, by power iteration.
  func curvature(of loss: any Loss<Double>) -> Double {
    let zero = Matrix<Double>(samples, outputs)
    var (h, θ) = (zero, zero)
    loss.secondDerivative(at: zero, into: &h)
    loss.gradient(at: zero, into: &θ)
    var largest = 0.0
    for _ in 0..<8 {
      var direction = images(spread(θ))
      let norm = direction.frobeniusNorm
      guard norm > 0 else { return largest }
      direction.scale(by: 1 / norm)
      θ = predictions(inputs(direction))
      let image = θ
      for i in 0..<θ.count { θ.storage[i] *= h.storage[i] }
      largest = max(largest, image.inner(θ))
    }
    return largest
  }

  /// The weights of X in A_gᵀθ.
  private func spread(_ θ: Matrix<Double>) -> Matrix<Double> {
    let (n, m, c) = (samples, width, outputs)
    var weights = Matrix<Double>(groups * m, n)
    withPointers(θ.transposed, θ, &weights.storage) { θ, _, w in
      passing.words.withPointer { bits in
        Parallel.forEach(tiles: groups, work: groups * m * n) { g in
          let (row, o) = g.quotientAndRemainder(dividingBy: c)
          for j in 0..<m {
            let target = w + (g * m + j) * n
            Double.maskedCopy(target, θ + o * n, bits + (row / 2 * m + j) * passing.wordsPerRow, n)
            Double.scale(n, (row % 2 == 0 ? 1 : -1) * patterns.signs[row / 2, j], target)
          }
        }
      }
    }
    return weights
  }
}
