import LinearAlgebra

/// An upper bound on max_{‖w‖ ≤ 1} Σ_i c_i (x_iᵀw)₊ for few features, by branch and bound over simplicial cones.
///
/// A node is the cone of d vectors v_k. Samples of one sign on all of it are summed in one vector; of the others
/// those with c_i > 0 take their chord Σ_k a_k (x_iᵀv_k)₊ at w = Σ_k a_k v_k, a ≥ 0, the least concave function
/// above them, those with c_i < 0 any c_i α_i x_iᵀw with 0 ≤ α_i ≤ 1. A function linear in a has as its maximum over
/// the cone and the ball the length of its projection on the cone (`SimplicialCone`); the α_i come from coordinate
/// descent on it, and any of them give a bound. Cones are cut at the midpoint of the edge where chords lose most.
///
/// Nodes below the target, or below what is known to be reached, are pruned; the bound is the largest of all that
/// are pruned or left. The same result for any number of threads. Held for an open node: d² + d numbers and a list of
/// the samples that change sign on it. Cost of a node: about 10 d m for m such samples.
package struct SphericalBranchAndBound {
  private let x: Matrix<Double>
  private let c: [Double]
  private let target: Double
  private let squares: [Double]
  /// What rounding may come to in one bound.
  private let slack: Double
  /// Cones bounded so far.
  package private(set) var cones = 0
  /// The largest value met, a lower bound on the maximum, and where.
  package private(set) var largestValue = 0.0
  package private(set) var maximiser: [Double]
  /// Directions whose values are above the target, the largest that were met.
  package private(set) var violations: [(value: Double, direction: [Double])] = []
  /// Cones bounded when the first of them was met.
  private var firstViolation: Int?
  private var heap: [Node] = []
  private var prunedBound = 0.0
  /// Of the cones in the heap.
  private var bytes = 0

  /// Cones taken from the heap together.
  private static var batch: Int { 64 }
  /// Violations that are kept, and the cones that are bounded after the first one where they are what is looked for.
  private static var mostViolations: Int { 10 }
  private static var violationCones: Int { 1000 }
  /// Excess over the largest value met up to which a cone is pruned.
  private static var precision: Double { 1e-6 }
  /// Passes over the α_i of one cone at most. Loose bounds cost more cones than they save time.
  private static var sweeps: Int { 100 }

  private struct Node {
    var bound = Double.infinity
    /// One row a vector.
    var vectors: [Double]
    /// Σ c_i x_i over the samples that are positive on the cone.
    var linear: [Double]
    /// The samples that change sign on it.
    var crossing: [Int32]
    /// The edge to cut next.
    var edge = (0, 0)
    /// The direction where the relaxation has its maximum, and the value there.
    var direction: [Double] = []
    var value = 0.0

    var bytes: Int {
      8 * (vectors.count + linear.count + direction.count) + 4 * crossing.count + MemoryLayout<Node>.size
        + 128
    }
  }

  /// - Parameter target: a bound that is low enough.
  package init(x: Matrix<Double>, c: [Double], target: Double) {
    let samples = SphericalBranchAndBound.merged(x, c)
    (self.x, self.c, self.target) = (x.selectingRows(samples.rows), samples.coefficients, target)
    let (norms, d) = (self.x.rowNorms, x.columns)
    squares = norms.map { $0 * $0 }
    let rounding = max(1e-12, 4 * Double(x.rows + d + 16) * Double.ulpOfOne)
    slack = samples.excess + rounding * zip(self.c, norms).reduce(0) { $0 + abs($1.0) * $1.1 }
    maximiser = [Double](repeating: 0, count: d)
    add(
      (0..<1 << d).map { orthant in
        var v = [Double](repeating: 0, count: d * d)
        for k in 0..<d { v[k * d + k] = orthant >> k & 1 == 0 ? 1 : -1 }
        return Node(
          vectors: v, linear: [Double](repeating: 0, count: d), crossing: self.c.indices.map { Int32($0) })
      })
  }

  /// Samples of one direction as one, (t x)₊ = t (x)₊ for t > 0: their rows, their c, and what their directions differ by.
  private static func merged(
    _ x: Matrix<Double>, _ c: [Double]
  ) -> (rows: [Int], coefficients: [Double], excess: Double) {
    let norms = x.rowNorms
    var (rows, coefficients, excess) = ([Int](), [Double](), 0.0)
    var places: [[Int64]: Int] = [:]
    for i in 0..<x.rows where c[i] != 0 && norms[i] > 0 && norms[i].isFinite {
      let key = x.row(i).map { Int64(($0 / norms[i] * 1e10).rounded()) }
      guard let place = places[key] else {
        places[key] = rows.count
        rows.append(i)
        coefficients.append(c[i])
        continue
      }
      let scale = norms[i] / norms[rows[place]]
      coefficients[place] += c[i] * scale
      let difference = zip(x.row(i), x.row(rows[place])).map { $0 - scale * $1 }
      excess += abs(c[i]) * (StrictArithmetic.norm(difference) + 8 * Double.ulpOfOne * norms[i])
    }
    return (rows, coefficients, excess)
  }

  /// U: at least the maximum.
  package var bound: Double { max(prunedBound, heap.first?.bound ?? 0) }

  private var threshold: Double { max(target, largestValue * (1 + Self.precision)) + 2 * slack }
  /// Whether no cone is left to cut.
  package var isComplete: Bool { heap.isEmpty }

  /// Cuts cones until none is above the target, so many have been bounded, or those that are left take so many bytes; with
  /// `untilViolated` also soon after the target turned out to be too low.
  package mutating func run(
    cones limit: Int, bytes maximumBytes: Int = .max, untilViolated: Bool = false,
    shouldContinue: () -> Bool = { true }
  ) {
    while cones < limit, bytes < maximumBytes, !heap.isEmpty, shouldContinue() {
      if untilViolated, let first = firstViolation, cones > first + Self.violationCones { return }
      var children: [Node] = []
      while children.count < 2 * Self.batch, let node = pop() { children += halves(of: node) }
      add(children)
    }
  }

  /// Bounds cones side by side and keeps those above the threshold.
  private mutating func add(_ new: [Node]) {
    var new = new
    cones += new.count
    let (threshold, size, count) = (threshold, 4, new.count)
    new.withMutablePointer { cones in
      Parallel.forEach(tiles: Parallel.tiles(of: size, covering: count)) { tile in
        var room = Room(features: x.columns, samples: x.rows)
        for i in Parallel.range(ofTile: tile, size: size, count: count) {
          relax(&cones[i], above: threshold, &room)
        }
      }
    }
    for node in new where node.value > largestValue {
      (largestValue, maximiser) = (node.value, node.direction)
    }
    keepViolations(new)
    for node in new {
      if node.bound <= self.threshold || node.crossing.isEmpty {
        prunedBound = max(prunedBound, node.bound)
      } else {
        push(node)
      }
    }
  }

  private mutating func keepViolations(_ nodes: [Node]) {
    let new = nodes.filter { $0.value > target }.map { (value: $0.value, direction: $0.direction) }
    guard !new.isEmpty else { return }
    firstViolation = firstViolation ?? cones
    violations = Array((violations + new).sorted { $0.value > $1.value }.prefix(Self.mostViolations))
  }

  /// The two cones with the midpoint of an edge in place of one of its ends.
  private func halves(of node: Node) -> [Node] {
    let (d, (j, k)) = (x.columns, node.edge)
    var middle = (0..<d).map { node.vectors[j * d + $0] + node.vectors[k * d + $0] }
    let norm = StrictArithmetic.norm(middle)
    for a in 0..<d { middle[a] /= norm }
    return [j, k].map { end in
      var half = node
      half.vectors.replaceSubrange(end * d..<(end + 1) * d, with: middle)
      return half
    }
  }

  /// Room for the work on one cone.
  private struct Room {
    /// x_iᵀv_k of the samples that change sign.
    var values: [Double]
    var α: [Double]
    var cone: SimplicialCone

    init(features d: Int, samples n: Int) {
      values = [Double](repeating: 0, count: n * d)
      α = [Double](repeating: 0, count: n)
      cone = SimplicialCone(dimension: d)
    }
  }

  /// Sorts the samples of a cone by their signs and bounds the sum on it.
  private func relax(_ node: inout Node, above threshold: Double, _ room: inout Room) {
    let d = x.columns
    var chord = [Double](repeating: 0, count: d)
    var scores = [Double](repeating: 0, count: d * d)
    let count = sort(&node, &room, &chord, &scores)
    room.cone.set(node.vectors)
    var best = Double.infinity
    var coefficients = chord
    for s in 0..<count where c[Int(node.crossing[s])] < 0 {
      let i = Int(node.crossing[s])
      var total = 0.0
      for k in 0..<d { total += room.values[s * d + k] }
      room.α[s] = total > 0 ? 1 : 0
      if total > 0 { for k in 0..<d { coefficients[k] += c[i] * room.values[s * d + k] } }
    }
    var p = [Double](repeating: 0, count: d)
    for sweep in 0..<Self.sweeps {
      let bound = room.cone.maximum(of: coefficients, at: &p) + slack
      let gain = best - bound
      best = min(best, bound)
      if sweep > 0, gain < 1e-3 * (best - threshold) { break }
      if best <= threshold { break }
      descend(node, count, &room, &p, &coefficients)
    }
    node.bound = min(node.bound, best)
    guard node.bound > threshold else { return }
    _ = room.cone.maximum(of: coefficients, at: &p)
    measure(&node, p)
    node.edge = edge(node, scores)
  }

  /// Drops samples of one sign from the crossing ones; computes x_iᵀv_k of the others, the chords at the v_k, and for
  /// each edge what its chords lose.
  private func sort(
    _ node: inout Node, _ room: inout Room, _ chord: inout [Double], _ scores: inout [Double]
  ) -> Int {
    let d = x.columns
    var kept = 0
    var (linear, crossing) = (node.linear, node.crossing)
    room.values.withMutablePointer { values in
      withPointers(x, x, &scores) { x, _, scores in
        node.vectors.withPointer { v in
          for s in 0..<crossing.count {
            let i = Int(crossing[s])
            let (row, z) = (x + i * d, values + kept * d)
            var (least, most) = (Double.infinity, -Double.infinity)
            for k in 0..<d {
              var sum = 0.0
              for a in 0..<d { sum += row[a] * v[k * d + a] }
              z[k] = sum
              least = min(least, sum)
              most = max(most, sum)
            }
            if most <= 0 { continue }
            let factor = c[i]
            if least >= 0 {
              for a in 0..<d { linear[a] += factor * row[a] }
              continue
            }
            if factor > 0 {
              for k in 0..<d { chord[k] += factor * max(z[k], 0) }
              for j in 1..<d {
                for k in 0..<j where z[j] * z[k] < 0 {
                  scores[j * d + k] += factor * min(abs(z[j]), abs(z[k]))
                }
              }
            }
            crossing[kept] = crossing[s]
            kept += 1
          }
          for k in 0..<d {
            for a in 0..<d { chord[k] += linear[a] * v[k * d + a] }
          }
        }
      }
    }
    crossing.removeLast(crossing.count - kept)
    (node.linear, node.crossing) = (linear, crossing)
    return kept
  }

  /// One pass over the α_i: each to where the length of p would be least.
  private func descend(
    _ node: Node, _ count: Int, _ room: inout Room, _ p: inout [Double], _ coefficients: inout [Double]
  ) {
    let d = x.columns
    p.withMutablePointer { p in
      coefficients.withMutablePointer { coefficients in
        room.values.withPointer { values in
          room.α.withMutablePointer { α in
            x.withPointer { x in
              for s in 0..<count {
                let i = Int(node.crossing[s])
                guard c[i] < 0 else { continue }
                let (row, z) = (x + i * d, values + s * d)
                var along = 0.0
                for a in 0..<d { along += row[a] * p[a] }
                let new = max(0, min(1, α[s] + along / (-c[i] * squares[i])))
                let change = (new - α[s]) * c[i]
                guard change != 0 else { continue }
                α[s] = new
                for a in 0..<d { p[a] += change * row[a] }
                for k in 0..<d { coefficients[k] += change * z[k] }
              }
            }
          }
        }
      }
    }
  }

  /// The sum at p/‖p‖, from the parts of the cone that p lies in.
  private func measure(_ node: inout Node, _ p: [Double]) {
    let norm = StrictArithmetic.norm(p)
    guard norm > 0 else { return }
    let d = x.columns
    node.direction = p.map { $0 / norm }
    var value = 0.0
    for a in 0..<d { value += node.linear[a] * node.direction[a] }
    x.withPointer { x in
      for i in node.crossing {
        var z = 0.0
        for a in 0..<d { z += x[Int(i) * d + a] * node.direction[a] }
        value += c[Int(i)] * max(z, 0)
      }
    }
    node.value = value
  }

  private func edge(_ node: Node, _ scores: [Double]) -> (Int, Int) {
    let d = x.columns
    var (best, most, longest, length) = ((0, 0), 0.0, (0, 0), -1.0)
    for j in 1..<d {
      for k in 0..<j {
        var cosine = 0.0
        for a in 0..<d { cosine += node.vectors[j * d + a] * node.vectors[k * d + a] }
        let score = scores[j * d + k] * (1 - cosine).squareRoot()
        if score > most { (best, most) = ((j, k), score) }
        if 1 - cosine > length { (longest, length) = ((j, k), 1 - cosine) }
      }
    }
    return most > 0 ? best : longest
  }
}

// MARK: The heap

extension SphericalBranchAndBound {
  private mutating func push(_ node: Node) {
    heap.append(node)
    bytes += node.bytes
    var i = heap.count - 1
    while i > 0, heap[(i - 1) / 2].bound < heap[i].bound {
      heap.swapAt(i, (i - 1) / 2)
      i = (i - 1) / 2
    }
  }

  /// The cone with the largest bound, if that is above the threshold: the others are pruned then.
  private mutating func pop() -> Node? {
    guard let top = heap.first else { return nil }
    if top.bound <= threshold {
      prunedBound = max(prunedBound, top.bound)
      heap.removeAll()
      bytes = 0
      return nil
    }
    bytes -= top.bytes
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var i = 0
      while true {
        var largest = i
        for child in [2 * i + 1, 2 * i + 2] where child < heap.count {
          if heap[child].bound > heap[largest].bound { largest = child }
        }
        if largest == i { break }
        heap.swapAt(i, largest)
        i = largest
      }
    }
    return top
  }
}
