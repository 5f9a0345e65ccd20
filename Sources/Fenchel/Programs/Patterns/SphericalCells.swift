import ConvexOptimization
import LinearAlgebra

/// The cells of m distinct planes through the origin of ℝ³ that do not share a line: the polygons into which
/// their great circles cut the sphere.
///
/// Every cell has an arc of some circle on its border. So each circle i is walked: the other planes cross it
/// along ±(a_i × a_j), which are sorted by angle around a_i (the sign of det(a_i, a_j, a_k), exact, so that planes
/// through one line are one crossing); each arc between crossings borders two cells, one on either side of
/// plane i. A cell is known by the set of planes whose positive side it is on, as a 128-bit sum of random keys
/// that one crossing updates; opposite cells are found together. Cost m² log m, and m for the check of each of
/// the at most m² − m + 2 cells.
struct SphericalCells {
  private typealias Key = SIMD2<UInt64>

  /// What a cell's arcs say of it. Of two opposite cells the one on the positive side of plane 0.
  private struct Cell {
    var key: Key
    /// Sum of the unit vectors to the ends of its arcs.
    var corners = SIMD3<Double>()
    /// Sum of the inward unit normals of its arcs.
    var inward = SIMD3<Double>()
  }

  private let normals: [SIMD3<Double>]
  private let keys: [Key]
  private let allPositive: Key
  private var cells: [Cell] = []
  private var index: [Key: Int] = [:]

  /// A point inside each cell; those found when the deadline comes.
  static func interiors(_ normals: [SIMD3<Double>], _ deadline: Deadline = .none) -> [SIMD3<Double>] {
    var walk = SphericalCells(normals)
    for i in normals.indices where !deadline.hasPassed { walk.walkCircle(i) }
    return walk.interiors(deadline)
  }

  private init(_ normals: [SIMD3<Double>]) {
    self.normals = normals
    let random = Philox(seed: 0x63_656C_6C73)
    keys = normals.indices.map {
      Key(random.bits(at: UInt64(2 * $0)), random.bits(at: UInt64(2 * $0 + 1)))
    }
    allPositive = keys.reduce(.zero, ^)
  }

  /// A crossing of circle i: all planes through one line, each with the sign that turns a_i × a_j along it.
  private struct Crossing {
    var direction: SIMD3<Double>
    var planes: [(plane: Int, sign: Int)]
  }

  /// The crossings of half of circle i, in the order of a walk around a_i; the other half is opposite.
  private func crossings(of i: Int) -> [Crossing] {
    let a = normals[i]
    let first = i == 0 ? 1 : 0
    let start = ExactSign.cross(a, normals[first])
    var onStart = [(plane: first, sign: 1)]
    var others: [(plane: Int, sign: Int, normal: SIMD3<Double>)] = []
    for j in normals.indices where j != i && j != first {
      let side = ExactSign.determinant(a, normals[first], normals[j])
      if side == 0 {
        onStart.append((j, ExactSign.cross(a, normals[j]).dot(start) > 0 ? 1 : -1))
      } else {
        others.append((j, side, side > 0 ? normals[j] : -normals[j]))
      }
    }
    others.sort { ExactSign.determinant(a, $0.normal, $1.normal) > 0 }
    var result = [Crossing(direction: start.unit, planes: onStart)]
    for (place, other) in others.enumerated() {
      let isSame = place > 0 && ExactSign.determinant(a, others[place - 1].normal, other.normal) == 0
      if isSame {
        result[result.count - 1].planes.append((other.plane, other.sign))
      } else {
        let direction = ExactSign.cross(a, other.normal).unit
        result.append(Crossing(direction: direction, planes: [(other.plane, other.sign)]))
      }
    }
    return result
  }

  private mutating func walkCircle(_ i: Int) {
    let crossings = crossings(of: i)
    // sign · a_j is positive before the walk crosses plane j and negative after.
    var isPositive = [Bool](repeating: false, count: normals.count)
    for (place, crossing) in crossings.enumerated() {
      for (plane, sign) in crossing.planes { isPositive[plane] = place == 0 ? sign < 0 : sign > 0 }
    }
    var key = normals.indices.reduce(Key.zero) { isPositive[$1] ? $0 ^ keys[$1] : $0 }
    for (place, crossing) in crossings.enumerated() {
      if place > 0 {
        for (plane, _) in crossing.planes {
          isPositive[plane].toggle()
          key ^= keys[plane]
        }
      }
      let end = place + 1 < crossings.count ? crossings[place + 1].direction : -crossings[0].direction
      for side in [false, true] {
        isPositive[i] = side
        let corners = crossing.direction + end
        let inward = side ? normals[i].unit : -normals[i].unit
        note(side ? key ^ keys[i] : key, isPositive: isPositive[0], corners, inward)
      }
      isPositive[i] = false
    }
  }

  private mutating func note(
    _ key: Key, isPositive: Bool, _ corners: SIMD3<Double>, _ inward: SIMD3<Double>
  ) {
    let canonical = isPositive ? key : key ^ allPositive
    let place = index[canonical] ?? cells.count
    if place == cells.count {
      index[canonical] = place
      cells.append(Cell(key: canonical))
    }
    cells[place].corners += isPositive ? corners : -corners
    cells[place].inward += isPositive ? inward : -inward
  }

  /// A point inside each cell and the opposite one inside the opposite cell, slivers left out.
  private func interiors(_ deadline: Deadline) -> [SIMD3<Double>] {
    let chooser = CellInterior(normals)
    var points = [SIMD3<Double>](repeating: .zero, count: cells.count)
    let tile = 256
    points.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let points = buffer
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: cells.count)) { index in
        for place in Parallel.range(ofTile: index, size: tile, count: cells.count)
        where !deadline.hasPassed {
          let cell = cells[place]
          let candidates = [cell.corners, cell.inward]
          points[place] =
            chooser.best(candidates) { isPositive in
              keys.indices.reduce(Key.zero) { isPositive($1) ? $0 ^ keys[$1] : $0 } == cell.key
            } ?? .zero
        }
      }
    }
    return points.filter { $0 != .zero }.flatMap { [$0, -$0] }
  }
}
