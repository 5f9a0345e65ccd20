import LinearAlgebra
import RealModule

/// max_{‖w‖ ≤ 1} Σ_i c_i (x_iᵀw)₊ for two features, by turning w once around.
///
/// The sum is linear, gᵀw, between the directions at which a sample's hyperplane is met; on such an arc its maximum is ‖g‖
/// where g lies on the arc, else at an end. Cost some n log n.
package struct AngularSweep {
  /// An upper bound on the maximum, tight to rounding.
  package private(set) var bound = 0.0
  /// The largest value met.
  package private(set) var largestValue = 0.0
  /// Directions whose values are above a target, the largest that were met, at most one an arc.
  package private(set) var violations: [(value: Double, direction: [Double])] = []

  /// - Parameters:
  ///   - x: n × 2.
  ///   - c: one for each row.
  ///   - target: above which directions are violations.
  package init(x: Matrix<Double>, c: [Double], target: Double) {
    precondition(x.columns == 2 && c.count == x.rows, "two features, and a factor for each sample")
    // The axes are among the events so that no arc is longer than π/2.
    var events = [-1.0, -0.5, 0, 0.5].map { Event(angle: $0 * .pi, change: (0, 0)) }
    events.reserveCapacity(2 * x.rows + 4)
    var (sums, size) = ((CompensatedSum(), CompensatedSum()), 0.0)
    for i in 0..<x.rows where c[i] != 0 && (x[i, 0] != 0 || x[i, 1] != 0) {
      let (a, b) = (x[i, 0], x[i, 1])
      size += abs(c[i]) * Double.hypot(a, b)
      // x is positive from the direction (b, −a) on, and negative from (−b, a) on.
      let (rise, fall) = (Self.angle(b, -a), Self.angle(-b, a))
      events.append(Event(angle: rise, change: (c[i] * a, c[i] * b)))
      events.append(Event(angle: fall, change: (-c[i] * a, -c[i] * b)))
      if fall < rise {
        sums.0 += c[i] * a
        sums.1 += c[i] * b
      }
    }
    events.sort { $0.angle < $1.angle }
    var found: [(value: Double, direction: [Double])] = []
    for (place, event) in events.enumerated() {
      sums.0 += event.change.0
      sums.1 += event.change.1
      let end = place + 1 < events.count ? events[place + 1].angle : events[0].angle + 2 * .pi
      let best = Self.maximum(of: (sums.0.value, sums.1.value), from: event.angle, to: end)
      largestValue = max(largestValue, best.value)
      if best.value > target { found.append(best) }
    }
    // Angles are rounded, so that samples change sign a little too soon or too late; the sums are rounded as well.
    bound = largestValue + max(1e-12, 4 * Double(x.rows + 18) * Double.ulpOfOne) * size
    violations = Array(found.sorted { $0.value > $1.value }.prefix(10))
  }

  /// What a turn meets: where, and what the gradient of the sum changes by.
  private struct Event {
    var angle: Double
    var change: (Double, Double)
  }

  /// In [−π, π).
  private static func angle(_ a: Double, _ b: Double) -> Double {
    let angle = Double.atan2(y: b, x: a)
    return angle >= .pi ? -.pi : angle
  }

  /// The largest gᵀw over an arc no longer than π/2.
  private static func maximum(
    of g: (Double, Double), from start: Double, to end: Double
  ) -> (value: Double, direction: [Double]) {
    let ends = [start, end].map { [Double.cos($0), Double.sin($0)] }
    let length = Double.hypot(g.0, g.1)
    let isInside =
      ends[0][0] * g.1 - ends[0][1] * g.0 >= 0 && g.0 * ends[1][1] - g.1 * ends[1][0] >= 0
      && g.0 * (ends[0][0] + ends[1][0]) + g.1 * (ends[0][1] + ends[1][1]) > 0
    if isInside, length > 0 { return (length, [g.0 / length, g.1 / length]) }
    let values = ends.map { g.0 * $0[0] + g.1 * $0[1] }
    return values[0] >= values[1] ? (values[0], ends[0]) : (values[1], ends[1])
  }
}
