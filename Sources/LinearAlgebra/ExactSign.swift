/// Signs of small determinants of Doubles without rounding error, as exact arithmetic would give them.
///
/// Right as long as no product of the entries leaves the normal range (entries of size 2⁻²⁰⁰ … 2²⁰⁰, or 0).
///
/// Source: J. R. Shewchuk, *Adaptive precision floating-point arithmetic and fast robust geometric predicates*,
/// Discrete Comput. Geom. 18 (1997): the filter of orient3d and GROW-EXPANSION.
public enum ExactSign {
  /// The sign (−1, 0, 1) of the determinant with rows a, b, c.
  public static func determinant(_ a: SIMD3<Double>, _ b: SIMD3<Double>, _ c: SIMD3<Double>) -> Int {
    let (x1, x2) = (b.y * c.z, b.z * c.y)
    let (y1, y2) = (b.z * c.x, b.x * c.z)
    let (z1, z2) = (b.x * c.y, b.y * c.x)
    let value = a.x * (x1 - x2) + a.y * (y1 - y2) + a.z * (z1 - z2)
    let bound =
      abs(a.x) * (abs(x1) + abs(x2)) + abs(a.y) * (abs(y1) + abs(y2)) + abs(a.z) * (abs(z1) + abs(z2))
    if abs(value) > 1e-15 * bound { return value > 0 ? 1 : -1 }
    var sum = ExactSum()
    sum.add(a.x, b.y, c.z)
    sum.add(-a.x, b.z, c.y)
    sum.add(a.y, b.z, c.x)
    sum.add(-a.y, b.x, c.z)
    sum.add(a.z, b.x, c.y)
    sum.add(-a.z, b.y, c.x)
    return sum.sign
  }

  /// The sign (−1, 0, 1) of a d − b c.
  public static func determinant(_ a: Double, _ b: Double, _ c: Double, _ d: Double) -> Int {
    determinant(SIMD3(a, b, 0), SIMD3(c, d, 0), SIMD3(0, 0, 1))
  }

  /// a × b, every component within two units in the last place, however close to parallel they are.
  public static func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(
      difference(a.y, b.z, a.z, b.y), difference(a.z, b.x, a.x, b.z), difference(a.x, b.y, a.y, b.x))
  }

  /// a b − c d (Kahan's algorithm).
  private static func difference(_ a: Double, _ b: Double, _ c: Double, _ d: Double) -> Double {
    let product = c * d
    let error = product.addingProduct(-c, d)
    return (-product).addingProduct(a, b) + error
  }
}

/// A sum of Doubles held exactly, as components of growing size that do not overlap.
private struct ExactSum {
  private var components: [Double] = []

  init() { components.reserveCapacity(24) }

  /// Adds a b c.
  mutating func add(_ a: Double, _ b: Double, _ c: Double) {
    let high = a * b
    let low = (-high).addingProduct(a, b)
    for factor in [low, high] {
      let product = factor * c
      grow((-product).addingProduct(factor, c))
      grow(product)
    }
  }

  private mutating func grow(_ term: Double) {
    guard term != 0 else { return }
    var carry = term
    var kept = 0
    for component in components {
      let total = carry + component
      let part = total - carry
      let error = (carry - (total - part)) + (component - part)
      if error != 0 {
        components[kept] = error
        kept += 1
      }
      carry = total
    }
    components.removeSubrange(kept...)
    if carry != 0 { components.append(carry) }
  }

  var sign: Int {
    guard let largest = components.last else { return 0 }
    return largest > 0 ? 1 : -1
  }
}
