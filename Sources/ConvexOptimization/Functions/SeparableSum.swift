import LinearAlgebra

/// f(x₁) + g(x₂) of a matrix whose first `rows` rows are x₁ and the rest x₂. All operations fall apart into the
/// two; each exists where both functions have it.
public struct SeparableSum<F: ConvexFunction, G: ConvexFunction>: ConvexFunction
where F.Element == G.Element {
  public typealias Element = F.Element
  public let f: F
  public let g: G
  public let rows: Int

  /// - Throws: `ParameterError` unless rows ≥ 0.
  public init(_ f: F, rows: Int, _ g: G) throws(ParameterError) {
    try ParameterError.checkNonnegative(Double(rows), "rows", of: "separable sum")
    self.f = f
    self.rows = rows
    self.g = g
  }

  private func split(_ x: Matrix<Element>) -> (Matrix<Element>, Matrix<Element>) {
    precondition(x.rows >= rows, "\(x.rows) rows for a sum whose first part has \(rows)")
    return (x.selectingRows(0..<rows), x.selectingRows(rows..<x.rows))
  }

  private func join(_ x: Matrix<Element>, _ y: Matrix<Element>) -> Matrix<Element> {
    Matrix(x.rows + y.rows, x.columns, storage: x.storage + y.storage)
  }

  public func value(at x: Matrix<Element>) -> Element {
    let (first, second) = split(x)
    return f.value(at: first) + g.value(at: second)
  }
}

extension SeparableSum: SmoothFunction where F: SmoothFunction, G: SmoothFunction {
  public var smoothness: Element { max(f.smoothness, g.smoothness) }

  @discardableResult
  public func gradient(at x: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    let (first, second) = split(x)
    var (a, b) = (first, second)
    let value = f.gradient(at: first, into: &a) + g.gradient(at: second, into: &b)
    gradient = join(a, b)
    return value
  }
}

extension SeparableSum: ProximableFunction where F: ProximableFunction, G: ProximableFunction {
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    let (first, second) = split(x)
    var (a, b) = (first, second)
    let value = f.prox(of: first, step: γ, into: &a) + g.prox(of: second, step: γ, into: &b)
    y = join(a, b)
    return value
  }
}

extension SeparableSum: ConjugableFunction where F: ConjugableFunction, G: ConjugableFunction {
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    let (first, second) = split(u)
    return f.conjugateValue(at: first) + g.conjugateValue(at: second)
  }
}
