import ConvexOptimization
import LinearAlgebra

/// The cells of m ≥ 2 distinct lines through the origin of the plane: 2m sectors.
///
/// Lines are sorted by angle with exact signs. Cost m log m, and m for the check of each point.
enum PlanarCells {
  /// A point inside each cell, for normals with z = 0; those found when the deadline comes.
  static func interiors(_ normals: [SIMD3<Double>], _ deadline: Deadline = .none) -> [SIMD3<Double>] {
    let upward = normals.map { $0.y < 0 || ($0.y == 0 && $0.x < 0) ? -$0 : $0 }
    let order = upward.indices.sorted {
      ExactSign.determinant(upward[$0].x, upward[$0].y, upward[$1].x, upward[$1].y) > 0
    }
    let chooser = CellInterior(upward)
    var result: [SIMD3<Double>] = []
    for (place, k) in order.enumerated() where !deadline.hasPassed {
      let isLast = place + 1 == order.count
      let next = order[isLast ? 0 : place + 1]
      let end = isLast ? -upward[next] : upward[next]
      // The sector from the ray at right angles to normal k to that of the next: inside, −a_k and `end` are > 0.
      let rays = upward[k].unit.turned + end.unit.turned
      let sides = end.unit - upward[k].unit
      let point = chooser.best([rays, sides]) { isPositive in
        !isPositive(k) && isPositive(next) != isLast
      }
      if let point { result += [point, -point] }
    }
    return result
  }
}

extension SIMD3<Double> {
  /// The vector turned left by a right angle in the plane z = 0.
  fileprivate var turned: SIMD3<Double> { SIMD3(-y, x, 0) }
}
