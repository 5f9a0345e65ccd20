import LinearAlgebra
import RealModule

/// One operation on the entries of a range of rows: what to read, what to write, what to sum.
public struct EntryPass<Element: Scalar> {
  enum Operation {
    /// Sums s ℓ(f).
    case value
    /// Writes s ℓ'(f) and sums s ℓ(f).
    case gradient
    /// Writes s ℓ''(f).
    case curvature
    /// Writes the minimiser p of γ s ℓ(p) + (p − x)²/2 and sums s ℓ(p).
    case prox(step: Element)
    /// Sums s ℓ*(a / s).
    case conjugate
  }

  let operation: Operation
  let rows: Range<Int>
  let outputs: Int
  let input: UnsafePointer<Element>
  let target: UnsafePointer<Element>
  let weight: UnsafePointer<Element>
  let isUnweighted: Bool
  let output: UnsafeMutablePointer<Element>

  /// Performs the operation with the scalar functions of `loss`. A weight of 0 gives 0 whatever ℓ is.
  @inline(__always)
  public func run<L: EntrywiseLoss>(_ loss: L) -> Element where L.Element == Element {
    switch operation {
    case .value:
      return sum { i, s in s.weighting(loss.term(input[i], target[i])) }
    case .gradient:
      return sum { i, s in
        let (f, y) = (input[i], target[i])
        output[i] = s.weighting(loss.slope(f, y))
        return s.weighting(loss.term(f, y))
      }
    case .curvature:
      return sum { i, s in
        output[i] = s.weighting(loss.curvature(input[i], target[i]))
        return 0
      }
    case .prox(let γ):
      return sum { i, s in
        let (x, y) = (input[i], target[i])
        let p = s == 0 || γ == 0 ? x : loss.minimiser(near: x, y, step: γ * s)
        output[i] = p
        return s.weighting(loss.term(p, y))
      }
    case .conjugate:
      return sum { i, s in
        let a = input[i]
        if s == 0 { return a == 0 ? 0 : .infinity }
        return s * loss.conjugateTerm(a / s, target[i])
      }
    }
  }

  /// Σ body(i, s) over the entries i of the rows, s the weight of the row; the common cases as flat loops.
  @inline(__always)
  private func sum(_ body: (Int, Element) -> Element) -> Element {
    var total: Element = 0
    if isUnweighted {
      for i in rows.lowerBound * outputs..<rows.upperBound * outputs {
        total = Relaxed.sum(total, body(i, 1))
      }
    } else if outputs == 1 {
      for i in rows { total = Relaxed.sum(total, body(i, weight[i])) }
    } else {
      for k in rows {
        let s = weight[k]
        for i in k * outputs..<(k + 1) * outputs { total = Relaxed.sum(total, body(i, s)) }
      }
    }
    return total
  }
}

extension Scalar {
  /// s·x, and 0 for s = 0 even where x is infinite.
  @inline(__always)
  func weighting(_ x: Self) -> Self { self == 0 ? 0 : self * x }

  /// How far a number of size 1 may lie outside a closed domain by rounding alone.
  @inline(__always)
  static var slack: Self { 64 * ulpOfOne }

  /// x log x, 0 at 0.
  @inline(__always)
  var entropy: Self { self == 0 ? 0 : self * .log(self) }
}
