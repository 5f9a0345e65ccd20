import ConvexOptimization
import LinearAlgebra

/// How much each group of a two-layer program violates its dual constraint at θ: fast arithmetic, for choosing
/// groups and for finding the multipliers of certificates.
public struct GroupPricing {
  private let program: TwoLayerProgram
  private let cones: PatternCones<Double>

  public init(_ program: TwoLayerProgram) {
    self.program = program
    cones = PatternCones(program.x, patterns: program.patterns.bits, outputs: program.outputs)
  }

  /// A group's price: the norm of its dual constraint (with cones: after the best multipliers found).
  public struct Price: Sendable {
    public var group: TwoLayerGroup
    public var norm: Double
    public var multipliers: SparseVector
  }

  /// Prices of all groups whose plain norm ‖σXᵀDθ‖ exceeds `threshold`, in the order of patterns, signs and
  /// outputs. Patterns go in tiles: the masked θ of 16 patterns times X is one product. Cost 2 n d P c, and one
  /// non-negative least squares problem for each cone that exceeds the threshold; these stop early once their
  /// norm is below it.
  public func prices(θ: Matrix<Double>, above threshold: Double) -> [Price] {
    let size = 16
    let tiles = Parallel.tiles(of: size, covering: program.patterns.count)
    let outputs = program.outputs
    var found = [[Price]](repeating: [], count: tiles * outputs)
    found.withMutablePointer { found in
      let work = program.x.count * program.patterns.count * outputs
      Parallel.forEach(tiles: tiles * outputs, work: work) { index in
        let range = Parallel.range(
          ofTile: index / outputs, size: size, count: program.patterns.count)
        found[index] = prices(range, output: index % outputs, θ: θ, above: threshold)
      }
    }
    return found.flatMap { $0 }
  }

  /// ‖XᵀD_iθ_j‖ for every pattern and output, P × c, in fast arithmetic.
  func plainNorms(θ: Matrix<Double>) -> Matrix<Double> {
    let size = 16
    let (count, outputs) = (program.patterns.count, program.outputs)
    let tiles = Parallel.tiles(of: size, covering: count)
    var norms = Matrix<Double>(count, outputs)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: tiles * outputs, work: program.x.count * count * outputs) { index in
        let (range, j) = (Parallel.range(ofTile: index / outputs, size: size, count: count), index % outputs)
        let images = images(range, output: j, θ: θ).rowNorms
        for (i, norm) in zip(range, images) { norms[i * outputs + j] = norm }
      }
    }
    return norms
  }

  private func prices(
    _ range: Range<Int>, output j: Int, θ: Matrix<Double>, above threshold: Double
  ) -> [Price] {
    let images = images(range, output: j, θ: θ)
    var state = ActiveSet(of: cones.rows)
    var result: [Price] = []
    for (offset, pattern) in range.enumerated() {
      let q = images.row(offset)
      let plain = q.withPointer { Double.norm2(q.count, $0) }
      guard plain > threshold else { continue }
      for sign in program.signs {
        let group = TwoLayerGroup(pattern: pattern, sign: sign, output: j)
        guard program.isConstrained else {
          result.append(Price(group: group, norm: plain, multipliers: SparseVector()))
          continue
        }
        let projection = q.withPointer {
          cones.projection(of: $0, pattern: pattern, sign: sign, threshold: threshold, in: &state)
        }
        let multipliers = SparseVector(indices: projection.support, values: projection.multipliers)
        result.append(Price(group: group, norm: projection.norm, multipliers: multipliers))
      }
    }
    return result
  }

  /// Xᵀ D_i θ_j for a range of patterns, one row each.
  private func images(_ range: Range<Int>, output j: Int, θ: Matrix<Double>) -> Matrix<Double> {
    let (x, gates) = (program.x, cones.gates)
    let (n, d, width) = (x.rows, x.columns, range.count)
    var result = Matrix<Double>(width, d)
    let column = θ.column(j)
    let rows = 2048  // whole words of bits
    withTemporary(Double.self, min(rows, n) * width) { masked in
      withPointers(x, Matrix(column: column), &result.storage) { x, θ, result in
        gates.words.withPointer { bits in
          for start in stride(from: 0, to: n, by: rows) {
            let height = min(rows, n - start)
            for (offset, i) in range.enumerated() {
              let mask = bits + i * gates.wordsPerRow + start / 64
              Double.maskedCopy(masked + offset * height, θ + start, mask, height)
            }
            Double.gemm(
              .no, .no, m: width, n: d, k: height, alpha: 1, a: masked, lda: height, b: x + start * d, ldb: d,
              beta: 1, c: result, ldc: d)
          }
        }
      }
    }
    return result
  }
}
