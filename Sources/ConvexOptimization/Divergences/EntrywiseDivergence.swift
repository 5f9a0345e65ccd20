import LinearAlgebra
import RealModule

/// A divergence that is a sum over entries. A type gives the scalar functions of one entry; the loops over matrices,
/// tiles and threads are written once, here and in `DivergencePass`. `run` is one line in every type's own file: there
/// the compiler can specialise the loops for Float and Double.
public protocol EntrywiseDivergence<Element>: ActivationDivergence {
  /// Φ(v), +∞ outside of its domain.
  func potential(_ v: Element) -> Element
  /// Φ*(u).
  func conjugate(_ u: Element) -> Element
  /// φ(u).
  func activation(_ u: Element) -> Element
  /// φ′(u) by the output v = φ(u).
  func slope(_ v: Element) -> Element
  /// φ⁻¹(v) for v in the domain.
  func inverse(_ v: Element) -> Element
  /// B(v, u).
  func divergence(_ v: Element, _ u: Element) -> Element
  /// argmin_v γΦ(v) + ½(v − x)² for γ > 0.
  func minimiser(near x: Element, step γ: Element) -> Element
  /// `pass.run(self)`, with `@specialized` for Float and Double.
  func run(_ pass: DivergencePass<Element>) -> Element
}

extension EntrywiseDivergence {
  public var isEntrywise: Bool { true }

  public func divergence(_ v: Element, _ u: Element) -> Element {
    max(0, potential(v) + conjugate(u) - u * v)
  }

  public func potential(at v: Matrix<Element>) -> Element { sweep(.potential, v, v) }

  public func conjugate(at u: Matrix<Element>) -> Element { sweep(.conjugate, u, u) }

  @discardableResult
  public func activate(_ u: Matrix<Element>, into v: inout Matrix<Element>) -> Element {
    sweep(.activation, u, into: &v)
  }

  public func map(_ u: inout Matrix<Element>) {
    let count = u.count
    u.withMutablePointer { u in _ = sweep(.map, count: count, u, u, u) }
  }

  public func multiplyByDerivative(at v: Matrix<Element>, _ d: inout Matrix<Element>) {
    _ = sweep(.derivative, v, into: &d)
  }

  public func invert(_ v: Matrix<Element>, into u: inout Matrix<Element>) {
    _ = sweep(.inverse, v, into: &u)
  }

  public func divergence(_ v: Matrix<Element>, _ u: Matrix<Element>) -> Element { sweep(.divergence, v, u) }

  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into v: inout Matrix<Element>) -> Element {
    sweep(.prox(step: γ), x, into: &v)
  }

  /// A pass that writes nothing.
  private func sweep(
    _ operation: DivergencePass<Element>.Operation, _ first: Matrix<Element>, _ second: Matrix<Element>
  ) -> Element {
    precondition(first.rows == second.rows && first.columns == second.columns, "matrices differ in shape")
    let count = first.count
    return withPointers(first, second) { first, second in
      withTemporary(Element.self, 0) { sweep(operation, count: count, first, second, $0) }
    }
  }

  private func sweep(
    _ operation: DivergencePass<Element>.Operation, _ input: Matrix<Element>,
    into output: inout Matrix<Element>
  ) -> Element {
    precondition(input.rows == output.rows && input.columns == output.columns, "matrices differ in shape")
    let count = input.count
    return output.withMutablePointer { output in
      input.withPointer { sweep(operation, count: count, $0, $0, output) }
    }
  }

  /// Runs the operation on fixed tiles of entries and adds their sums in order.
  private func sweep(
    _ operation: DivergencePass<Element>.Operation, count: Int, _ first: UnsafePointer<Element>,
    _ second: UnsafePointer<Element>, _ output: UnsafeMutablePointer<Element>
  ) -> Element {
    let size = 16_384
    return Element(
      Parallel.sum(tiles: Parallel.tiles(of: size, covering: count)) { tile in
        Double(
          run(
            DivergencePass(
              operation: operation, entries: Parallel.range(ofTile: tile, size: size, count: count),
              first: first,
              second: second, output: output)))
      })
  }
}

/// One operation on a range of entries: what to read, what to write, what to sum.
public struct DivergencePass<Element: Scalar> {
  enum Operation {
    /// Sums Φ(v).
    case potential
    /// Sums Φ*(u).
    case conjugate
    /// Writes φ(u) and sums Φ*(u).
    case activation
    /// Writes φ(u).
    case map
    /// Multiplies what is there by φ′, from the outputs.
    case derivative
    /// Writes φ⁻¹(v).
    case inverse
    /// Sums B(v, u), v first.
    case divergence
    /// Writes the minimiser p of γΦ(p) + ½(p − x)² and sums Φ(p).
    case prox(step: Element)
  }

  let operation: Operation
  let entries: Range<Int>
  let first: UnsafePointer<Element>
  let second: UnsafePointer<Element>
  let output: UnsafeMutablePointer<Element>

  /// Performs the operation with the scalar functions of `divergence`.
  @inline(__always)
  public func run<D: EntrywiseDivergence>(_ divergence: D) -> Element where D.Element == Element {
    switch operation {
    case .potential: sum { divergence.potential(first[$0]) }
    case .conjugate: sum { divergence.conjugate(first[$0]) }
    case .activation:
      sum { i in
        let u = first[i]
        output[i] = divergence.activation(u)
        return divergence.conjugate(u)
      }
    case .map: write { divergence.activation(first[$0]) }
    case .derivative: write { output[$0] * divergence.slope(first[$0]) }
    case .inverse:
      sum { i in
        output[i] = divergence.inverse(first[i])
        return 0
      }
    case .divergence: sum { divergence.divergence(first[$0], second[$0]) }
    case .prox(let γ):
      sum { i in
        let p = divergence.minimiser(near: first[i], step: γ)
        output[i] = p
        return divergence.potential(p)
      }
    }
  }

  @inline(__always)
  private func sum(_ body: (Int) -> Element) -> Element {
    var total: Element = 0
    for i in entries { total = Relaxed.sum(total, body(i)) }
    return total
  }

  /// Writes what `body` gives for each entry; sums nothing.
  @inline(__always)
  private func write(_ body: (Int) -> Element) -> Element {
    for i in entries { output[i] = body(i) }
    return 0
  }

  /// Writes body(1/(1 + e⁻ᶻ), log(1 + eᶻ)) for z = factor·u, by blocks through the vectorised kernel.
  @inline(__always)
  func writeLogistic(_ factor: Element, _ body: (Element, Element) -> Element) -> Element {
    let block = 512
    return withTemporary(Element.self, 2 * block) { z in
      let value = z + block
      for start in stride(from: entries.lowerBound, to: entries.upperBound, by: block) {
        let count = min(block, entries.upperBound - start)
        for i in 0..<count { z[i] = factor * first[start + i] }
        Element.softplus(z, value: value, count)
        for i in 0..<count { output[start + i] = body(z[i], value[i]) }
      }
      return 0
    }
  }
}
