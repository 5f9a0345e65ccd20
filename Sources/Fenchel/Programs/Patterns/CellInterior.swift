import LinearAlgebra

/// Chooses a point well inside a cell of an arrangement of planes through the origin.
///
/// The margin of a point p is min_k |a_kᵀp| / (‖a_k‖‖p‖), the sine of its least angle to a plane. Cells whose best
/// candidate has a margin below `resolution` are slivers that rounding in the data makes (rows that are
/// multiples of each other up to rounding, three planes that nearly share a line): they are left out, which
/// leaves the arrangement of the data before they were rounded.
struct CellInterior: Sendable {
  /// 500 times the rounding of a unit vector; real cells of data are far wider.
  static let resolution = 1e-13

  private let normals: [SIMD3<Double>]

  /// For the normals of the planes, none zero.
  init(_ normals: [SIMD3<Double>]) { self.normals = normals.map(\.unit) }

  /// The unit vector along the candidate of largest margin among those that `isInside` accepts, given which
  /// planes' positive sides it lies on; nil if none has margin `resolution`.
  func best(_ candidates: [SIMD3<Double>], isInside: ((Int) -> Bool) -> Bool) -> SIMD3<Double>? {
    var best: (margin: Double, point: SIMD3<Double>)?
    for candidate in candidates where candidate != .zero {
      let point = candidate.unit
      let margin = normals.reduce(Double.infinity) { min($0, abs($1.dot(point))) }
      guard margin >= CellInterior.resolution, margin > best?.margin ?? 0 else { continue }
      if isInside({ normals[$0].dot(point) > 0 }) { best = (margin, point) }
    }
    return best?.point
  }
}

extension SIMD3<Double> {
  func dot(_ other: SIMD3<Double>) -> Double { x * other.x + y * other.y + z * other.z }

  /// The unit vector of its direction, without overflow of the squares; not for zero.
  var unit: SIMD3<Double> {
    let scaled = self / Swift.max(abs(x), abs(y), abs(z))
    return scaled / scaled.dot(scaled).squareRoot()
  }
}
