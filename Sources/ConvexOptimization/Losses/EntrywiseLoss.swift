import LinearAlgebra

/// A loss that is a sum over entries: ℓ(F) = Σ_k s_k Σ_j ℓ(F_kj; Y_kj).
///
/// A type gives the five scalar functions of one entry with weight 1; the loops over matrices, the weights,
/// tiles and threads are written once, here and in `EntryPass`. `run` is one line in every type's own file:
/// there the compiler can specialise the loops for Float and Double.
public protocol EntrywiseLoss<Element>: Loss {
  var data: WeightedTargets<Element> { get set }
  /// A Lipschitz constant of dℓ(f; y)/df, +∞ where there is none.
  var entrySmoothness: Element { get }
  /// Entries worth one tile of work; fewer for losses that need exponentials.
  static var entriesPerTile: Int { get }
  /// ℓ(f; y).
  func term(_ f: Element, _ y: Element) -> Element
  /// dℓ/df, or a subgradient.
  func slope(_ f: Element, _ y: Element) -> Element
  /// d²ℓ/df², 0 where ℓ is piecewise linear.
  func curvature(_ f: Element, _ y: Element) -> Element
  /// argmin_f t ℓ(f; y) + (f − x)²/2 for t > 0.
  func minimiser(near x: Element, _ y: Element, step t: Element) -> Element
  /// ℓ*(a; y) = sup_f a f − ℓ(f; y).
  func conjugateTerm(_ a: Element, _ y: Element) -> Element
  /// `pass.run(self)`, with `@specialized` for Float and Double.
  func run(_ pass: EntryPass<Element>) -> Element
}

extension EntrywiseLoss {
  public static var entriesPerTile: Int { 32_768 }
  public var targets: Matrix<Element> { data.targets }
  public var weights: [Element] { data.weights }
  public var isSeparable: Bool { true }

  public func restricted(toOutput j: Int) -> Self {
    var result = self
    result.data = data.column(j)
    return result
  }

  public func restricted(toSamples samples: ArraySlice<Int>) -> Self {
    var result = self
    result.data = data.selecting(samples)
    return result
  }

  public var smoothness: Element {
    entrySmoothness.isFinite ? data.largestWeight * entrySmoothness : .infinity
  }

  public func value(at f: Matrix<Element>) -> Element { sweep(.value, f) }

  @discardableResult
  public func gradient(at f: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    sweep(.gradient, f, into: &gradient)
  }

  public func secondDerivative(at f: Matrix<Element>, into diagonal: inout Matrix<Element>) {
    _ = sweep(.curvature, f, into: &diagonal)
  }

  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    sweep(.prox(step: γ), x, into: &y)
  }

  public func conjugateValue(at u: Matrix<Element>) -> Element { sweep(.conjugate, u) }

  /// One pass that writes nothing.
  private func sweep(_ operation: EntryPass<Element>.Operation, _ input: Matrix<Element>) -> Element {
    withTemporary(Element.self, 0) { unused in sweep(operation, input, unused) }
  }

  private func sweep(
    _ operation: EntryPass<Element>.Operation, _ input: Matrix<Element>, into output: inout Matrix<Element>
  ) -> Element {
    output.withMutablePointer { sweep(operation, input, $0) }
  }

  /// Runs the operation on fixed tiles of rows and adds their sums in order.
  private func sweep(
    _ operation: EntryPass<Element>.Operation, _ input: Matrix<Element>,
    _ output: UnsafeMutablePointer<Element>
  ) -> Element {
    precondition(input.rows == samples && input.columns == outputs, "predictions and targets differ in shape")
    let size = max(1, Self.entriesPerTile / max(1, outputs))
    return withPointers(input, targets) { input, target in
      weights.withPointer { weight in
        Element(
          Parallel.sum(tiles: Parallel.tiles(of: size, covering: samples)) { tile in
            let rows = Parallel.range(ofTile: tile, size: size, count: samples)
            return Double(
              run(
                EntryPass(
                  operation: operation, rows: rows, outputs: outputs, input: input, target: target,
                  weight: weight, isUnweighted: data.isUnweighted, output: output)))
          })
      }
    }
  }
}
