import LinearAlgebra
import RealModule

/// The operations of softmax cross-entropy on a range of rows; pointers are to the first entry of the range.
struct SoftmaxPass<Element: Scalar> {
  let rows: Range<Int>
  let classes: Int
  let input: UnsafePointer<Element>
  let target: UnsafePointer<Element>
  let weight: UnsafePointer<Element>

  var count: Int { rows.count * classes }

  /// The place of this range in a whole matrix.
  func place(in matrix: UnsafeMutablePointer<Element>) -> UnsafeMutablePointer<Element> {
    matrix + rows.lowerBound * classes
  }

  /// Σ_k s_k ℓ_k; `e` receives exp(f − max f).
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func lossSum(scratch e: UnsafeMutablePointer<Element>) -> Element {
    exponentials(e)
    var total: Element = 0
    for k in 0..<rows.count where weight[k] != 0 { total += weight[k] * loss(k, sum: sum(e + k * classes)) }
    return total
  }

  /// Writes s (softmax(f) − y) into `g` and returns Σ_k s_k ℓ_k.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func gradientSum(_ g: UnsafeMutablePointer<Element>) -> Element {
    exponentials(g)
    var total: Element = 0
    for k in 0..<rows.count {
      let (s, row, y) = (weight[k], g + k * classes, target + k * classes)
      let sum = sum(row)
      if s != 0 { total += s * loss(k, sum: sum) }
      let reciprocal = 1 / sum
      for j in 0..<classes { row[j] = s * (row[j] * reciprocal - y[j]) }
    }
    return total
  }

  /// Writes s p (1 − p), p = softmax(f), into `h`.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func curvature(_ h: UnsafeMutablePointer<Element>) -> Element {
    exponentials(h)
    for k in 0..<rows.count {
      let row = h + k * classes
      let reciprocal = 1 / sum(row)
      for j in 0..<classes {
        let p = row[j] * reciprocal
        row[j] = weight[k] * p * (1 - p)
      }
    }
    return 0
  }

  /// Writes softmax(f) into `p`.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func probabilities(_ p: UnsafeMutablePointer<Element>) -> Element {
    exponentials(p)
    for k in 0..<rows.count {
      let row = p + k * classes
      let reciprocal = 1 / sum(row)
      for j in 0..<classes { row[j] *= reciprocal }
    }
    return 0
  }

  /// Writes the proximal points into `p` and returns Σ_k s_k ℓ_k there.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func proxSum(step γ: Element, _ p: UnsafeMutablePointer<Element>) -> Element {
    var total: Element = 0
    for k in 0..<rows.count {
      let (t, x, y) = (γ * weight[k], input + k * classes, target + k * classes)
      let f = p + k * classes
      if t == 0 {
        for j in 0..<classes { f[j] = x[j] }
      } else {
        for j in 0..<classes { f[j] = x[j] + t * y[j] }
        proximalRow(f, step: t)
      }
      if weight[k] != 0 { total += weight[k] * loss(of: f, y) }
    }
    return total
  }

  /// Σ_k s_k ℓ_k*(u_k / s_k).
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func conjugateSum() -> Element {
    let slack = Element.slack * Element(max(classes, 2))
    var total: Element = 0
    for k in 0..<rows.count {
      let (s, u, y) = (weight[k], input + k * classes, target + k * classes)
      if s == 0 {
        for j in 0..<classes where u[j] != 0 { return .infinity }
        continue
      }
      var (sum, entropy) = (Element(0), Element(0))
      for j in 0..<classes {
        let p = u[j] / s + y[j]
        guard p >= -slack else { return .infinity }
        sum += p
        entropy += max(p, 0).entropy
      }
      guard abs(sum - 1) <= slack else { return .infinity }
      total += s * entropy
    }
    return total
  }
}

extension SoftmaxPass {
  /// e ← exp(f − max f), row by row.
  @inline(__always)
  private func exponentials(_ e: UnsafeMutablePointer<Element>) {
    for k in 0..<rows.count {
      let (f, row) = (input + k * classes, e + k * classes)
      let peak = peak(f)
      for j in 0..<classes { row[j] = f[j] - peak }
    }
    Element.exponentials(e, count)
  }

  @inline(__always)
  private func peak(_ f: UnsafePointer<Element>) -> Element {
    var peak = f[0]
    for j in 1..<max(classes, 1) { peak = f[j] > peak ? f[j] : peak }
    return peak
  }

  @inline(__always)
  private func sum(_ e: UnsafePointer<Element>) -> Element {
    var sum: Element = 0
    for j in 0..<classes { sum = Relaxed.sum(sum, e[j]) }
    return sum
  }

  /// log Σ exp(f − max f) − ⟨y, f − max f⟩ of row k.
  @inline(__always)
  private func loss(_ k: Int, sum: Element) -> Element {
    let (f, y) = (input + k * classes, target + k * classes)
    return .log(sum) - shiftedDot(f, y, peak(f))
  }

  @inline(__always)
  private func loss(of f: UnsafePointer<Element>, _ y: UnsafePointer<Element>) -> Element {
    let peak = peak(f)
    var sum: Element = 0
    for j in 0..<classes { sum += .exp(f[j] - peak) }
    return .log(sum) - shiftedDot(f, y, peak)
  }

  @inline(__always)
  private func shiftedDot(
    _ f: UnsafePointer<Element>, _ y: UnsafePointer<Element>, _ peak: Element
  ) -> Element {
    var dot: Element = 0
    for j in 0..<classes { dot += y[j] == 0 ? 0 : y[j] * (f[j] - peak) }
    return dot
  }

  /// Solves f + t softmax(f) = b for the row b, in place.
  ///
  /// With L = log Σ exp f, t p_j + log(t p_j) = b_j − L + log t, so t p_j = ω(b_j − L + log t), ω the Wright
  /// function, and L is the root of the convex decreasing S(L) = Σ_j p_j − 1, on which Newton's method from
  /// the left converges monotonically. It starts where the largest p_j is 1.
  @inline(__always)
  private func proximalRow(_ b: UnsafeMutablePointer<Element>, step t: Element) {
    let (logStep, peak) = (Element.log(t), peak(b))
    var L = -t  // relative to peak
    for _ in 0..<200 {
      var (mass, rate) = (Element(0), Element(0))
      for j in 0..<classes {
        let w = wrightOmega(b[j] - peak - L + logStep)
        mass += w
        rate += w / (1 + w)
      }
      let next = L + (mass - t) / rate
      if !(next > L) { break }
      let small = next - L <= Element.ulpOfOne * abs(next) / 2
      L = next
      if small { break }
    }
    for j in 0..<classes {
      let shifted = b[j] - peak
      let w = wrightOmega(shifted - L + logStep)
      b[j] = (w > 1 ? .log(w) - logStep + L : shifted - w) + peak
    }
  }
}
