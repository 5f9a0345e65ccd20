import ConvexOptimization
import LinearAlgebra

/// Searches for violated activation patterns: local maxima of f(w) = σ Σ_k θ_k (x_kᵀw)₊ over ‖w‖ ≤ 1.
///
/// Any w with a value above λ is a neuron whose pattern the program lacks. A search finds lower bounds on the
/// true maximum only: its result steers refinement and is never printed as a bound.
///
/// From every start the fixed point w ← XᵀD(w)σθ/‖·‖ climbs first, then rounds that linearise the convex part of f
/// and solve the concave rest exactly; f never falls. Deterministic, with the same bits for any number of threads.
/// Cost of a sweep: 4nd for each start.
package struct Pricing: Sendable {
  let x: Matrix<Double>
  /// Random starts; data points and their differences are as many again.
  package var randomStarts = 128
  /// Sweeps of the fixed point.
  package var sweeps = 20
  /// Rounds of convex linearisation, and coordinate sweeps in each.
  package var rounds = 12
  package var coordinateSweeps = 20
  package var seed: UInt64 = 0
  /// What ends a search early, between tiles of starts.
  package var deadline = Deadline.none

  package init(x: Matrix<Double>) { self.x = x }

  /// A local maximum.
  package struct Maximum: Sendable {
    /// A unit vector.
    package var direction: [Double]
    package var value: Double
  }

  /// Distinct local maxima for one sign and one column of θ, by value, largest first: the best of each
  /// activation pattern. Starts: the given directions (rows), random ones, data points ±x_i and differences x_i − x_j.
  package func maxima(θ: [Double], sign: Double, starts: Matrix<Double>) -> [Maximum] {
    let problem = PanelAscent.Problem(x: x, θ: θ.map { sign * $0 })
    let climbed = distinct(
      ascend(problem, from: allStarts(starts)) { $0.followFixedPoint(sweeps: sweeps) })
    guard rounds > 0 else { return climbed }
    let finalists = climbed.prefix(max(2 * RectifiedProducts.lanes, climbed.count / 4))
    let finished = ascend(problem, from: finalists.map(\.direction)) {
      $0.climbConvexParts(rounds: rounds, sweeps: coordinateSweeps)
    }
    return distinct(finished + climbed.dropFirst(finalists.count))
  }

  /// Runs an ascent from all starts, two panels a tile.
  private func ascend(
    _ problem: PanelAscent.Problem, from starts: [[Double]], _ climb: (inout PanelAscent) -> Void
  ) -> [Maximum] {
    let batch = 2 * RectifiedProducts.lanes
    let tiles = Parallel.tiles(of: batch, covering: starts.count)
    var found = [[Maximum]](repeating: [], count: tiles)
    found.withMutablePointer { found in
      Parallel.forEach(tiles: tiles) { tile in
        guard !deadline.hasPassed else { return }
        let range = Parallel.range(ofTile: tile, size: batch, count: starts.count)
        var ascent = PanelAscent(problem, starts: Array(starts[range]))
        climb(&ascent)
        found[tile] = range.indices.map {
          Maximum(direction: ascent.point($0 - range.lowerBound), value: ascent.values[$0 - range.lowerBound])
        }
      }
    }
    return found.flatMap { $0 }
  }

  private func allStarts(_ given: Matrix<Double>) -> [[Double]] {
    let random: Matrix<Double> = Philox(seed: seed, stream: 0x7072_6963_65).normalMatrix(
      randomStarts, x.columns)
    var starts = (0..<given.rows).map(given.row) + (0..<random.rows).map(random.row)
    let choice = Philox(seed: seed, stream: 0x6461_7461)
    for i in 0..<(x.rows > 0 ? randomStarts / 4 : 0) {
      let a = x.row(choice.integer(below: x.rows, at: UInt64(2 * i)))
      let b = x.row(choice.integer(below: x.rows, at: UInt64(2 * i + 1)))
      starts += [a, b.map { -$0 }, zip(a, b).map { $0 - $1 }, zip(a, b).map { $1 - $0 }]
    }
    return starts
  }

  /// The best of every activation pattern, best first.
  private func distinct(_ maxima: [Maximum]) -> [Maximum] {
    let order = maxima.indices.filter { maxima[$0].value > 0 }
      .sorted { (maxima[$0].value, $1) > (maxima[$1].value, $0) }
    guard !order.isEmpty else { return [] }
    let gates = Matrix(rows: order.map { maxima[$0].direction })
    return BitMatrix(signsOf: x, timesTransposed: gates).transposed.distinctRows.map { maxima[order[$0]] }
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
