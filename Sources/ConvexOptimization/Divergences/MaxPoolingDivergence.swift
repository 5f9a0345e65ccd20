import LinearAlgebra

/// Max pooling over windows of k neighbouring entries of a row, in linear program form: max u = max ⟨u, v⟩ over the
/// simplex, window by window,
///
///     Φ(v) = 0 where every window of v lies on the simplex, +∞ elsewhere,   Φ*(u) = Σ_windows max u,
///     B(v, u) = Σ_windows (max u − ⟨u, v⟩)
///
/// so that φ(u) selects: it is 1 at the largest entry of a window (the first among equals) and 0 elsewhere, and what the
/// layer passes on, `pooled`, is ⟨u, v⟩ of each window. φ jumps; it has no bounded slope.
///
/// `penalty` is the jointly convex form of Askari, Negiar, Sambharya & El Ghaoui (2018, §4) in the pooled values themselves.
public struct MaxPoolingDivergence<Element: Scalar>: RowwiseDivergence {
  public var name: String { "max-pooling" }
  /// k.
  public let window: Int

  /// - Throws: `ParameterError` unless the window holds at least one entry.
  public init(window k: Int) throws(ParameterError) {
    guard k >= 1 else { throw ParameterError("max pooling", "window", Double(k), allowed: "at least 1") }
    window = k
  }

  public var smoothness: Element { .infinity }

  public func potential(_ v: UnsafeBufferPointer<Element>) -> Element {
    windows(v).allSatisfy(\.isOnSimplex) ? 0 : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func activate(_ u: UnsafeBufferPointer<Element>, into v: UnsafeMutablePointer<Element>) -> Element {
    var sum: Element = 0
    for first in firsts(u.count) {
      let best = winner(u, first)
      for i in first..<first + window { v[i] = i == best ? 1 : 0 }
      sum += u[best]
    }
    return sum
  }

  /// 0: φ is constant where it does not jump.
  public func multiplyByDerivative(
    at v: UnsafeBufferPointer<Element>, _ d: UnsafeMutablePointer<Element>
  ) {
    for i in v.indices { d[i] = 0 }
  }

  /// 0, which lies in every normal cone of the simplex.
  public func invert(_ v: UnsafeBufferPointer<Element>, into u: UnsafeMutablePointer<Element>) {
    for i in v.indices { u[i] = 0 }
  }

  /// The projection onto the simplex, window by window, whatever γ is.
  public func minimise(
    near x: UnsafeBufferPointer<Element>, step γ: Element, into v: UnsafeMutablePointer<Element>
  ) {
    let simplex = SimplexDivergence<Element>()
    for first in firsts(x.count) {
      let part = UnsafeBufferPointer(rebasing: x[first..<first + window])
      _ = simplex.activate(part, into: v + first)
    }
  }

  private func firsts(_ count: Int) -> StrideTo<Int> {
    precondition(count.isMultiple(of: window), "\(count) entries do not fall into windows of \(window)")
    return stride(from: 0, to: count, by: window)
  }

  private func windows(_ v: UnsafeBufferPointer<Element>) -> [UnsafeBufferPointer<Element>] {
    firsts(v.count).map { UnsafeBufferPointer(rebasing: v[$0..<$0 + window]) }
  }

  @inline(__always)
  private func winner(_ u: UnsafeBufferPointer<Element>, _ first: Int) -> Int {
    var best = first
    for i in first..<first + window where u[i] > u[best] { best = i }
    return best
  }
}

extension MaxPoolingDivergence {
  /// Z: m × p/k, the largest entry of every window of U: m × p. Cost mp.
  public func pooled(_ u: Matrix<Element>) -> Matrix<Element> {
    var z = Matrix<Element>(u.rows, u.columns / window)
    u.withPointer { u in
      let row = UnsafeBufferPointer(start: u, count: z.rows * z.columns * window)
      for (j, first) in firsts(row.count).enumerated() { z.storage[j] = row[winner(row, first)] }
    }
    return z
  }

  /// D(Z, U) = Σ_windows (z + 2 Σ (u − z)₊ − max u) ≥ 0, exactly 0 where Z = `pooled(U)`, for Z: m × p/k and U: m × p. Without
  /// the term −max u, which no Z sees, it is jointly convex.
  ///
  /// The paper has the factor 1 for 2: there every z between the two largest entries of a window is a minimiser.
  public func penalty(_ z: Matrix<Element>, _ u: Matrix<Element>) -> Element {
    precondition(z.rows == u.rows && z.columns * window == u.columns, "a matrix of another shape")
    let best = pooled(u)
    var sum = 0.0
    for j in 0..<z.count {
      var part = z.storage[j] - best.storage[j]
      for i in j * window..<(j + 1) * window { part += 2 * max(u.storage[i] - z.storage[j], 0) }
      sum += Double(part)
    }
    return Element(sum)
  }
}
