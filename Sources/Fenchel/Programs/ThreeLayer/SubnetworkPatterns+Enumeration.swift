import ConvexOptimization
import LinearAlgebra

extension SubnetworkPatterns {
  /// The patterns of all full-dimensional cells of the weights of sub-networks of m neurons, for small data of rank three
  /// at most (Ergen & Pilanci 2021, §2.1): every choice of m first-layer patterns with signs, and of each the cells into
  /// which the samples' second-layer inputs cut its cone, found by depth-first search.
  ///
  /// Errors: those of `ActivationPatterns.enumerated`, and `PatternError.tooMany` beyond `limit` patterns. Cost: a
  /// non-negative least squares problem of nm rows for each cell and sample. Where the deadline ends the search, the
  /// patterns found by then, at least one, that are not exact.
  public static func enumerated(
    _ x: Matrix<Double>, width m: Int, limit: Int = 200_000, deadline: Deadline = .none
  ) throws(PatternError) -> SubnetworkPatterns {
    let layer = try ActivationPatterns.enumerated(x, limit: limit, deadline: deadline)
    let choices = choices(layer.count, width: m, limit: limit)
    guard let choices else { throw tooMany(Double(limit) + 1, x, m, limit) }
    let search = CellSearch(x: x, bits: layer.bits, width: m, deadline: deadline)
    var (gates, signs): ([Double], [Double]) = ([], [])
    for choice in choices where !deadline.hasPassed {
      for cell in search.cells(choice) {
        gates += cell
        signs += choice.map(\.sign)
      }
      guard signs.count <= limit * m else { throw tooMany(Double(signs.count / m), x, m, limit) }
    }
    let count = signs.count / m
    let isExact = layer.isExact && !deadline.hasPassed
    guard isExact || count > 0 else { return try sampled(x, width: m, count: 1, seed: 0) }
    return try given(
      Matrix(count, m * x.columns, storage: gates), signs: Matrix(count, m, storage: signs), for: x,
      isExact: isExact)
  }

  /// The given patterns, as bits in the layout of `first` and `second`, by an inner point of each cone.
  ///
  /// Errors: `PatternError.noGates` where the cone of a pattern has no interior, so that no sub-network has it.
  package static func given(
    first: BitMatrix, second: BitMatrix, signs: Matrix<Double>, for x: Matrix<Double>
  ) throws(PatternError) -> SubnetworkPatterns {
    let m = signs.columns
    let search = CellSearch(x: x, bits: first.transposed, width: m)
    var gates: [Double] = []
    for b in 0..<signs.rows {
      let neurons = (0..<m).map { Neuron(pattern: b * m + $0, sign: signs[b, $0]) }
      guard let inner = search.interior(neurons, isPositive: { second[b, $0] }) else { throw .noGates }
      gates += inner
    }
    return try given(Matrix(signs.rows, m * x.columns, storage: gates), signs: signs, for: x)
  }

  private static func tooMany(_ count: Double, _ x: Matrix<Double>, _ m: Int, _ limit: Int) -> PatternError {
    let each = Double(8 * m * x.columns + (m + 1) * 8 * ((x.rows + 63) / 64))
    return .tooMany(patterns: count, bytes: count * each, limit: limit)
  }

  /// A neuron's first-layer pattern and its sign in the second layer.
  struct Neuron {
    var pattern: Int
    var sign: Double
  }

  /// All multisets of m neurons of which one is positive; nil where there are more than the limit.
  private static func choices(_ patterns: Int, width m: Int, limit: Int) -> [[Neuron]]? {
    let neurons = [1.0, -1.0].flatMap { sign in (0..<patterns).map { Neuron(pattern: $0, sign: sign) } }
    var found: [[Int]] = [[]]
    for _ in 0..<m {
      var longer: [[Int]] = []
      for choice in found {
        for next in (choice.last ?? 0)..<neurons.count where next < patterns || !choice.isEmpty {
          longer.append(choice + [next])
        }
        guard longer.count <= limit else { return nil }
      }
      found = longer
    }
    return found.map { choice in choice.map { neurons[$0] } }
  }
}

/// Finds the cells of the second layer within a cone of the first.
private struct CellSearch {
  let x: Matrix<Double>
  let bits: BitMatrix
  let width: Int
  private let norms: [Double]
  private let deadline: Deadline

  init(x: Matrix<Double>, bits: BitMatrix, width: Int, deadline: Deadline = .none) {
    (self.x, self.bits, self.width, self.deadline) = (x, bits, width, deadline)
    norms = x.rowNorms
  }

  /// Cells whose inner angle is below this are taken for rounding.
  private static var resolution: Double { 1e-9 }

  /// An inner point of each cell; of those found when the deadline comes.
  func cells(_ choice: [SubnetworkPatterns.Neuron]) -> [[Double]] {
    let (rows, open) = rows(choice)
    return interior(of: rows) == nil ? [] : cells(within: rows, cutBy: open.map(\.row)[...])
  }

  /// An inner point of the cell on the given sides of the second layer.
  func interior(_ choice: [SubnetworkPatterns.Neuron], isPositive: (Int) -> Bool) -> [Double]? {
    let (rows, open) = rows(choice)
    return interior(of: rows + open.map { isPositive($0.sample) ? $0.row : $0.row.map { -$0 } })
  }

  /// The rows that bound the cone of the first layer, and the inputs of the second whose signs are open in it.
  private func rows(
    _ choice: [SubnetworkPatterns.Neuron]
  ) -> (first: [[Double]], open: [(sample: Int, row: [Double])]) {
    var rows: [[Double]] = []
    var open: [(sample: Int, row: [Double])] = []
    for k in 0..<x.rows where norms[k] > 0 {
      let active = choice.map { bits[k, $0.pattern] }
      for j in 0..<width { rows.append(row(k, (0..<width).map { $0 != j ? 0 : active[j] ? 1 : -1 })) }
      let input = zip(choice, active).map { $1 ? $0.sign : 0 }
      if input.contains(1), input.contains(-1) { open.append((k, row(k, input))) }
    }
    return (rows, open)
  }

  private func cells(within rows: [[Double]], cutBy open: ArraySlice<[Double]>) -> [[Double]] {
    guard let next = open.first else { return interior(of: rows).map { [$0] } ?? [] }
    guard !deadline.hasPassed else { return [] }
    return [next, next.map { -$0 }].flatMap { side -> [[Double]] in
      let smaller = rows + [side]
      return interior(of: smaller) == nil ? [] : cells(within: smaller, cutBy: open.dropFirst())
    }
  }

  /// (c_1 x_k, …, c_m x_k) of length one.
  private func row(_ k: Int, _ c: [Double]) -> [Double] {
    let length = norms[k] * c.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return c.flatMap { factor in (0..<x.columns).map { factor * x[k, $0] / length } }
  }

  /// The w of least norm with aᵀw ≥ 1 for all rows a, as the projection (p, τ) of (0, 1) onto {(w, τ) : aᵀw ≥ τ}; nil
  /// where there is none.
  private func interior(of rows: [[Double]]) -> [Double]? {
    let d = width * x.columns
    let lifted = Matrix(rows.count, d + 1, storage: rows.flatMap { $0 + [-1] })
    let projection = NonnegativeLeastSquares(lifted).solve(
      [Double](repeating: 0, count: d) + [1], threshold: Self.resolution)
    let τ = projection.residual[d]
    guard projection.outcome != .belowThreshold, τ > Self.resolution * Self.resolution else { return nil }
    return projection.residual.dropLast().map { $0 / τ }
  }
}
