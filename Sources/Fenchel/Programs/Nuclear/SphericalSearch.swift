import ConvexOptimization
import LinearAlgebra

/// An upper bound on max_{‖e‖ = 1} b(e) for the function b of a `ReducedCone`, by branch and bound over simplicial cones.
///
/// On the cone of unit vectors e_s, b(Σ t_s e_s) ≤ Σ t_s b(e_s) for t ≥ 0, as b is convex and positively homogeneous, and the
/// maximum of the right side over the unit ball is that of a linear function (`SimplicialCone`). The cone with the largest bound
/// is cut at the midpoint of its longest edge; cones have their vertices in common. Each vertex costs a projection.
struct SphericalSearch {
  private let problem: ReducedCone
  private let dimension: Int
  /// Bounds up to it count as small enough.
  private let target: Double
  /// Cones that wait at most: the largest is looked for among all of them.
  private static var mostCones: Int { 20_000 }
  private(set) var vertices: [ReducedCone.Vertex] = []
  private var middles: [Edge: Int] = [:]
  private var open: [Cone] = []
  /// The largest bound of the cones that are settled.
  private var settled = 0.0

  private struct Edge: Hashable {
    var ends: Set<Int>
  }

  private struct Cone {
    var vertices: [Int]
    var bound: Double
  }

  /// Searches the first few dimensions of a problem.
  init(_ problem: ReducedCone, dimension: Int, target: Double) {
    (self.problem, self.dimension, self.target) = (problem, dimension, target)
  }

  /// The bound, with so many vertices at most (those of the axes are always there) and 20,000 cones.
  mutating func bound(vertices limit: Int) -> Double {
    guard dimension > 0 else { return 0 }
    var state = problem.makeRoom()
    for k in 0..<dimension {
      for sign in [1.0, -1.0] {
        var e = [Double](repeating: 0, count: problem.dimension)
        e[k] = sign
        vertices.append(problem.vertex(e, from: nil, in: &state))
      }
    }
    for orthant in 0..<1 << dimension { add((0..<dimension).map { 2 * $0 + orthant >> $0 & 1 }) }
    while vertices.count < limit, open.count < Self.mostCones,
      let next = open.indices.max(by: { open[$0].bound < open[$1].bound })
    {
      let cone = open[next]
      open.swapAt(next, open.count - 1)
      open.removeLast()
      let (j, k) = longestEdge(cone)
      guard let middle = middle(cone.vertices[j], cone.vertices[k], &state) else {
        settled = max(settled, cone.bound)
        continue
      }
      for end in [j, k] {
        var half = cone.vertices
        half[end] = middle
        add(half, atMost: cone.bound)
      }
    }
    return open.reduce(settled) { max($0, $1.bound) }
  }

  private mutating func add(_ members: [Int], atMost parent: Double = .infinity) {
    var cone = SimplicialCone(dimension: dimension)
    cone.set(members.flatMap { vertices[$0].direction.prefix(dimension) })
    var p = [Double](repeating: 0, count: dimension)
    let bound = min(parent, cone.maximum(of: members.map { vertices[$0].bound }, at: &p))
    if bound <= target {
      settled = max(settled, bound)
    } else {
      open.append(Cone(vertices: members, bound: bound))
    }
  }

  /// The edge with the least cosine.
  private func longestEdge(_ cone: Cone) -> (Int, Int) {
    var (edge, least) = ((0, 0), Double.infinity)
    for j in 1..<max(dimension, 1) {
      for k in 0..<j {
        let (first, second) = (
          vertices[cone.vertices[j]].direction, vertices[cone.vertices[k]].direction
        )
        let cosine = zip(first, second).reduce(0) { $0 + $1.0 * $1.1 }
        if cosine < least { (edge, least) = ((j, k), cosine) }
      }
    }
    return edge
  }

  /// The vertex between two others; nil where they are too near to tell.
  private mutating func middle(_ j: Int, _ k: Int, _ state: inout ActiveSet<Double>) -> Int? {
    let edge = Edge(ends: [j, k])
    if let known = middles[edge] { return known }
    let sum = zip(vertices[j].direction, vertices[k].direction).map { $0 + $1 }
    let norm = StrictArithmetic.norm(sum)
    let distance = StrictArithmetic.norm(zip(vertices[j].direction, vertices[k].direction).map { $0 - $1 })
    guard j != k, norm > 0, distance > 1e-9 else { return nil }
    let nearest = vertices[j].bound >= vertices[k].bound ? vertices[j] : vertices[k]
    middles[edge] = vertices.count
    vertices.append(problem.vertex(sum.map { $0 / norm }, from: nearest, in: &state))
    return vertices.count - 1
  }
}
