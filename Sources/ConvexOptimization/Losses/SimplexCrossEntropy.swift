import LinearAlgebra
import RealModule

/// Cross-entropy of predicted probabilities, f(Z) = −Σ_k s_k Σ_i Y_ki log Z_ki for rows Z_k of the simplex, z ≥ 0 and
/// Σ z = 1, and +∞ elsewhere: the loss of a last layer that projects onto the simplex (Askari, Negiar, Sambharya & El
/// Ghaoui 2018, eq. 15 and appendix A).
///
/// As a layer that minimises f(Z) + λ‖Z − U‖² over Z it is `MoreauEnvelope(f, 1/(2λ))` of the pre-activations U: convex,
/// and smooth with constant 2λ.
public struct SimplexCrossEntropy<Element: Scalar>: ProximableFunction {
  private let data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, rows of class probabilities (≥ 0, sum 1), such as one-hot rows.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(targets, weights: weights, allowed: "probabilities of at least 0") { $0 >= 0 }
    if let k = data.rowOffSimplex { throw .rowSum(row: k, sum: Double(targets.row(k).reduce(0, +))) }
  }

  public var targets: Matrix<Element> { data.targets }
  public var weights: [Element] { data.weights }

  /// Cost nc.
  public func value(at z: Matrix<Element>) -> Element {
    sweep(z) { row, y, s in Self.value(row, y, s, count: z.columns) }
  }

  /// Z ← argmin_Z γf(Z) + ½‖Z − X‖², row by row through one scalar equation; returns f(Z). Cost: some 5 to 10 steps of
  /// nc square roots.
  ///
  /// With t = γs and a multiplier ν for Σ z = 1 the optimum is z_i = a_i/2 + √(a_i²/4 + t y_i), a = x + ν. Their sum is
  /// convex and rises in ν, and is at least 1 where the largest z_i is 1, ν = 1 − max(x + t y): from there Newton's steps
  /// go down to the root without passing it, and need no lower bracket (the one printed in the paper overflows).
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into z: inout Matrix<Element>) -> Element {
    let c = x.columns
    return z.withMutablePointer { z in
      x.withPointer { x in
        sweep(count: c) { y, s, first in
          Self.minimise(near: x + first, y, step: γ * s, into: z + first, count: c)
          return Self.value(z + first, y, s, count: c)
        }
      }
    }
  }

  /// s times −Σ y log z of one row.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  private static func value(
    _ z: UnsafePointer<Element>, _ y: UnsafePointer<Element>, _ s: Element, count c: Int
  ) -> Element {
    guard UnsafeBufferPointer(start: z, count: c).isOnSimplex else { return .infinity }
    guard s > 0 else { return 0 }
    var sum: Element = 0
    for i in 0..<c where y[i] > 0 { sum -= y[i] * .log(z[i]) }
    return s * sum
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  private static func minimise(
    near x: UnsafePointer<Element>, _ y: UnsafePointer<Element>, step t: Element,
    into z: UnsafeMutablePointer<Element>, count c: Int
  ) {
    var m = 0
    for i in 1..<max(c, 1) where x[i] + t * y[i] > x[m] + t * y[m] { m = i }
    var (δ, sum): (Element, Element) = (0, 1)
    for _ in 0..<100 {
      var slope: Element = 0
      sum = 0
      for i in 0..<c {
        let (half, product) = ((x[i] - x[m] + (1 - t * y[m]) + δ) / 2, t * y[i])
        let root = (half * half + product).squareRoot()
        // Without cancellation for either sign, and max(a, 0) where t y = 0.
        let value = half > 0 ? half + root : product > 0 ? product / (root - half) : 0
        z[i] = value
        sum += value
        if value > 0 { slope += value / (2 * root) }
      }
      let next = δ - (sum - 1) / slope
      guard next < δ, δ - next > .ulpOfOne * abs(next) else { break }
      δ = next
    }
    Element.scale(c, 1 / sum, z)
  }

  /// Σ_k body(row k of the input, Y_k, s_k) over fixed tiles of rows, in order.
  private func sweep(
    _ input: Matrix<Element>, _ body: (UnsafePointer<Element>, UnsafePointer<Element>, Element) -> Element
  ) -> Element {
    precondition(input.columns == targets.columns, "predictions and targets differ in shape")
    return input.withPointer { input in
      sweep(count: targets.columns) { y, s, first in body(input + first, y, s) }
    }
  }

  private func sweep(count c: Int, _ body: (UnsafePointer<Element>, Element, Int) -> Element) -> Element {
    precondition(c == targets.columns, "predictions and targets differ in shape")
    let (n, size) = (targets.rows, max(1, 4096 / max(1, c)))
    return targets.withPointer { y in
      weights.withPointer { s in
        Element(
          Parallel.sum(tiles: Parallel.tiles(of: size, covering: n)) { tile in
            var total = 0.0
            for k in Parallel.range(ofTile: tile, size: size, count: n) {
              total += Double(body(y + k * c, s[k], k * c))
            }
            return total
          })
      }
    }
  }
}
