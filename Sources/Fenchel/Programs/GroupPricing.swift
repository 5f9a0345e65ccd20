import ConvexOptimization
import LinearAlgebra

/// How much each group of a two-layer program violates its dual constraint at θ: fast arithmetic, for choosing
/// groups and for finding the multipliers of certificates.
public struct GroupPricing {
  private let program: TwoLayerProgram
  private let cones: PatternCones<Double>

  /// - Parameters:
  ///   - deadline: when projections end early: the norms that they give hold as upper bounds.
  ///   - work: multiplications that the projections of all groups share, after which each ends early; nil for no
  ///     such limit.
  public init(_ program: TwoLayerProgram, deadline: Deadline = .none, work: Int? = nil) {
    self.program = program
    let groups = program.patterns.count * program.signs.count * program.outputs
    cones = PatternCones(
      program.x, patterns: program.patterns.bits, outputs: program.outputs, deadline: deadline,
      work: work.map { $0 / max(groups, 1) })
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
  /// norm is below it, at once where `known` multipliers bring it there.
  public func prices(
    θ: Matrix<Double>, above threshold: Double, known: [TwoLayerGroup: SparseVector] = [:]
  ) -> [Price] {
    let size = 16
    let tiles = Parallel.tiles(of: size, covering: program.patterns.count)
    let (θ, outputs) = (program.pooling.adjoint(θ), program.outputs)
    var found = [[Price]](repeating: [], count: tiles * outputs)
    found.withMutablePointer { found in
      let work = program.x.count * program.patterns.count * outputs
      Parallel.forEach(tiles: tiles * outputs, work: work) { index in
        let range = Parallel.range(
          ofTile: index / outputs, size: size, count: program.patterns.count)
        found[index] = prices(range, output: index % outputs, θ: θ, above: threshold, known)
      }
    }
    return found.flatMap { $0 }
  }

  /// ‖XᵀD_iθ_j‖ for every pattern and output, P × c, in fast arithmetic.
  func plainNorms(θ: Matrix<Double>) -> Matrix<Double> {
    Matrix(program.patterns.count, program.outputs, storage: imageNorms(θ).map(\.plain))
  }

  /// The largest dual norm of θ over all groups, as λ_max is of −∇ℓ(0): exact, or past the deadline an upper bound.
  ///
  /// With cones the gates, which lie in theirs, give lower bounds and the plain norms upper ones; groups are projected
  /// in the order of the latter, some at a time, until none can exceed the largest norm found.
  public func largestNorm(θ: Matrix<Double>) -> Double {
    let norms = imageNorms(θ)
    let spread = program.pooling.adjoint(θ)
    let plain = norms.map(\.plain)
    guard program.isConstrained else { return plain.reduce(0, max) }
    let outputs = program.outputs
    // Just below what gates attain, so that the maximum itself exceeds it.
    var largest = norms.reduce(0) { max($0, $1.atGate) } * (1 - 1e-9)
    let order = plain.indices.sorted { (plain[$1], $0) < (plain[$0], $1) }
    let size = 8
    for start in stride(from: 0, to: order.count, by: size) {
      let candidates = order[start..<min(start + size, order.count)].filter { plain[$0] > largest }
      if candidates.isEmpty { break }
      if cones.deadline.hasPassed { return max(largest, plain[candidates[0]]) }
      var norms = [Double](repeating: 0, count: candidates.count)
      norms.withMutablePointer { norms in
        Parallel.forEach(tiles: candidates.count, work: 10 * program.x.count * candidates.count) { tile in
          let (i, j) = candidates[tile].quotientAndRemainder(dividingBy: outputs)
          let prices = prices(i..<i + 1, output: j, θ: spread, above: largest, [:])
          norms[tile] = prices.reduce(0) { max($0, $1.norm) }
        }
      }
      largest = norms.reduce(largest, max)
    }
    return largest
  }

  /// ‖XᵀD_iθ_j‖ for every pattern and output, and |Σ_k θ_kj (x_kᵀg_i)₊|/‖g_i‖, which its gate attains; index i·c + j.
  private func imageNorms(_ θ: Matrix<Double>) -> [(plain: Double, atGate: Double)] {
    let (θ, size) = (program.pooling.adjoint(θ), 16)
    let (count, outputs) = (program.patterns.count, program.outputs)
    let gates = program.patterns.gates.withUnitRows
    var norms = [(plain: Double, atGate: Double)](repeating: (0, 0), count: count * outputs)
    let tiles = Parallel.tiles(of: size, covering: count)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: tiles * outputs, work: program.x.count * count * outputs) { index in
        let (range, j) = (Parallel.range(ofTile: index / outputs, size: size, count: count), index % outputs)
        let images = images(Array(range), output: j, θ: θ)
        let d = images.columns
        withPointers(images, gates) { image, gate in
          for (offset, i) in range.enumerated() {
            let q = image + offset * d
            norms[i * outputs + j] = (Double.norm2(d, q), abs(Double.dot(d, gate + i * d, q)))
          }
        }
      }
    }
    return norms
  }

  /// Prices of some patterns and one output, given Sᵀθ.
  private func prices(
    _ range: Range<Int>, output j: Int, θ: Matrix<Double>, above threshold: Double,
    _ known: [TwoLayerGroup: SparseVector]
  ) -> [Price] {
    let images = images(Array(range), output: j, θ: θ)
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
          cones.projection(
            of: $0, pattern: pattern, sign: sign,
            from: known[group].map { ConeProjection(support: $0.indices, multipliers: $0.values) },
            threshold: threshold, in: &state)
        }
        let multipliers = SparseVector(indices: projection.support, values: projection.multipliers)
        result.append(Price(group: group, norm: projection.norm, multipliers: multipliers))
      }
    }
    return result
  }

  /// Xᵀ D_i θ_j for some patterns i, one row each, given Sᵀθ.
  private func images(_ patterns: [Int], output j: Int, θ: Matrix<Double>) -> Matrix<Double> {
    let (x, gates) = (program.x, cones.gates)
    let (n, d, width) = (x.rows, x.columns, patterns.count)
    var result = Matrix<Double>(width, d)
    let column = θ.column(j)
    let rows = 2048  // whole words of bits
    withTemporary(Double.self, min(rows, n) * width) { masked in
      withPointers(x, Matrix(column: column), &result.storage) { x, θ, result in
        gates.words.withPointer { bits in
          for start in stride(from: 0, to: n, by: rows) {
            let height = min(rows, n - start)
            for (offset, i) in patterns.enumerated() {
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
