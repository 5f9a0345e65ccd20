import LinearAlgebra

/// A divergence that is a sum over rows, the layer's outputs for one sample each. A type gives the functions of one
/// row of p entries; the loops over samples, tiles and threads are written once, here.
public protocol RowwiseDivergence<Element>: ActivationDivergence {
  /// Φ(v), +∞ outside of its domain.
  func potential(_ v: UnsafeBufferPointer<Element>) -> Element
  /// v ← φ(u); returns Φ*(u).
  func activate(_ u: UnsafeBufferPointer<Element>, into v: UnsafeMutablePointer<Element>) -> Element
  /// d ← φ′(u) d by the outputs v = φ(u).
  func multiplyByDerivative(at v: UnsafeBufferPointer<Element>, _ d: UnsafeMutablePointer<Element>)
  /// u ← φ⁻¹(v) for v in the domain.
  func invert(_ v: UnsafeBufferPointer<Element>, into u: UnsafeMutablePointer<Element>)
  /// v ← argmin_v γΦ(v) + ½‖v − x‖² for γ > 0.
  func minimise(near x: UnsafeBufferPointer<Element>, step γ: Element, into v: UnsafeMutablePointer<Element>)
}

extension RowwiseDivergence {
  public var isEntrywise: Bool { false }

  public func potential(at v: Matrix<Element>) -> Element {
    sum(v) { row, _ in potential(row) }
  }

  public func conjugate(at u: Matrix<Element>) -> Element {
    sum(u) { row, _ in withTemporary(Element.self, row.count) { activate(row, into: $0) } }
  }

  @discardableResult
  public func activate(_ u: Matrix<Element>, into v: inout Matrix<Element>) -> Element {
    write(u, into: &v) { activate($0, into: $1) }
  }

  public func map(_ u: inout Matrix<Element>) {
    var v = u
    _ = write(u, into: &v) { activate($0, into: $1) }
    u = v
  }

  public func multiplyByDerivative(at v: Matrix<Element>, _ d: inout Matrix<Element>) {
    _ = write(v, into: &d) { row, target in
      multiplyByDerivative(at: row, target)
      return 0
    }
  }

  public func invert(_ v: Matrix<Element>, into u: inout Matrix<Element>) {
    _ = write(v, into: &u) { row, target in
      invert(row, into: target)
      return 0
    }
  }

  public func divergence(_ v: Matrix<Element>, _ u: Matrix<Element>) -> Element {
    precondition(v.rows == u.rows && v.columns == u.columns, "matrices differ in shape")
    return u.withPointer { u in
      sum(v) { row, first in
        let inputs = UnsafeBufferPointer(start: u + first, count: row.count)
        let conjugate = withTemporary(Element.self, row.count) { activate(inputs, into: $0) }
        var product: Element = 0
        for i in row.indices { product += row[i] * inputs[i] }
        return max(0, potential(row) + conjugate - product)
      }
    }
  }

  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into v: inout Matrix<Element>) -> Element {
    write(x, into: &v) { row, target in
      minimise(near: row, step: γ, into: target)
      return potential(UnsafeBufferPointer(start: target, count: row.count))
    }
  }

  private func write(
    _ input: Matrix<Element>, into output: inout Matrix<Element>,
    _ body: (UnsafeBufferPointer<Element>, UnsafeMutablePointer<Element>) -> Element
  ) -> Element {
    precondition(input.rows == output.rows && input.columns == output.columns, "matrices differ in shape")
    return output.withMutablePointer { output in sum(input) { row, first in body(row, output + first) } }
  }

  /// Σ body(row, its first entry) over fixed tiles of rows, in order.
  private func sum(_ input: Matrix<Element>, _ body: (UnsafeBufferPointer<Element>, Int) -> Element)
    -> Element
  {
    let (m, p) = (input.rows, input.columns)
    let size = max(1, 4096 / max(1, p))
    return input.withPointer { input in
      Element(
        Parallel.sum(tiles: Parallel.tiles(of: size, covering: m)) { tile in
          var total = 0.0
          for k in Parallel.range(ofTile: tile, size: size, count: m) {
            total += Double(body(UnsafeBufferPointer(start: input + k * p, count: p), k * p))
          }
          return total
        })
    }
  }
}
