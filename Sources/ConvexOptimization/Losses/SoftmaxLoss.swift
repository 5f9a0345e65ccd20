import LinearAlgebra

/// Softmax cross-entropy ℓ(F) = Σ_k s_k (log Σ_j exp F_kj − ⟨Y_k, F_k⟩) with class probabilities Y_k, one-hot
/// for labels; smooth with constant ½ max s.
///
/// Conjugate of one row, with p = a + y in the simplex: Σ_j p_j log p_j.
public struct SoftmaxLoss<Element: Scalar>: Loss {
  public static var name: String { "softmax" }
  static var entriesPerTile: Int { 8192 }
  public var data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, rows of class probabilities (≥ 0, sum 1), such as one-hot rows.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(targets, weights: weights, allowed: "probabilities of at least 0") { $0 >= 0 }
    if let k = data.rowOffSimplex { throw .rowSum(row: k, sum: Double(targets.row(k).reduce(0, +))) }
  }

  public var targets: Matrix<Element> { data.targets }
  public var weights: [Element] { data.weights }
  public var isSeparable: Bool { false }
  public func restricted(toOutput j: Int) -> Self {
    preconditionFailure("the outputs of a softmax loss are coupled")
  }

  public func restricted(toSamples samples: ArraySlice<Int>) -> Self {
    var result = self
    result.data = data.selecting(samples)
    return result
  }

  public var smoothness: Element { data.largestWeight / 2 }

  public func value(at f: Matrix<Element>) -> Element {
    sweep(f) { pass in withTemporary(Element.self, pass.count) { pass.lossSum(scratch: $0) } }
  }

  @discardableResult
  public func gradient(at f: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    gradient.withMutablePointer { g in sweep(f) { $0.gradientSum($0.place(in: g)) } }
  }

  public func secondDerivative(at f: Matrix<Element>, into diagonal: inout Matrix<Element>) {
    diagonal.withMutablePointer { h in _ = sweep(f) { $0.curvature($0.place(in: h)) } }
  }

  /// With p = softmax(f): L = diag(√(s p)) (I − q qᵀ), q = √p.
  public func hessianFactor(at f: Matrix<Element>) -> HessianFactor<Element> {
    var p = f
    p.withMutablePointer { p in _ = sweep(f) { $0.probabilities($0.place(in: p)) } }
    let units = p.squareRoots()
    var roots = units
    roots.scaleRows(by: weights.map { $0.squareRoot() })
    return HessianFactor(roots: roots, units: units)
  }

  /// Each row is solved through one scalar equation, see `SoftmaxPass`.
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    y.withMutablePointer { y in sweep(x) { $0.proxSum(step: γ, $0.place(in: y)) } }
  }

  public func conjugateValue(at u: Matrix<Element>) -> Element { sweep(u) { $0.conjugateSum() } }

  /// Runs `body` on fixed tiles of rows and adds their sums in order.
  private func sweep(_ input: Matrix<Element>, _ body: (SoftmaxPass<Element>) -> Element) -> Element {
    precondition(input.rows == samples && input.columns == outputs, "predictions and targets differ in shape")
    let size = max(1, 8192 / max(1, outputs))
    return withPointers(input, targets) { input, target in
      weights.withPointer { weight in
        Element(
          Parallel.sum(tiles: Parallel.tiles(of: size, covering: samples)) { tile in
            let rows = Parallel.range(ofTile: tile, size: size, count: samples)
            let entry = rows.lowerBound * outputs
            return Double(
              body(
                SoftmaxPass(
                  rows: rows, classes: outputs, input: input + entry, target: target + entry,
                  weight: weight + rows.lowerBound)))
          })
      }
    }
  }
}
