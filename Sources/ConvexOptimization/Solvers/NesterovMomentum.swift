import LinearAlgebra

/// The momentum of FISTA: t₀ = 1, t₊ = ½(1 + √(1 + 4t²)), so that t₊² − t₊ = t², and y = x₊ + β(x₊ − x) with
/// β = (t − 1)/t₊ (Beck & Teboulle 2009), with the adaptive restart of O'Donoghue & Candès (2015).
public struct NesterovMomentum<Element: Scalar>: Sendable {
  /// t of the last step.
  public private(set) var t: Element = 1

  public init() {}

  /// Moves t on and returns β = (t − 1)/t₊; 0 the first time.
  public mutating func advance() -> Element {
    let next = (1 + (1 + 4 * t * t).squareRoot()) / 2
    defer { t = next }
    return (t - 1) / next
  }

  /// Forgets the momentum.
  public mutating func restart() { t = 1 }

  /// Writes y = x₊ + β(x₊ − x) and moves t on. Cost: the number of entries.
  public mutating func extrapolate(
    from x: Matrix<Element>, to x₊: Matrix<Element>, into y: inout Matrix<Element>
  ) {
    let β = advance()
    y = x₊
    guard β != 0 else { return }
    y.scale(by: 1 + β)
    y.add(-β, x)
  }

  /// Restarts where the last step, from the extrapolated y to x₊, goes against the way from x to x₊:
  /// ⟨y − x₊, x₊ − x⟩ > 0, in the metric of the steps. Returns whether it did.
  @discardableResult
  public mutating func restartIfTurned(
    extrapolated y: Matrix<Element>, from x: Matrix<Element>, to x₊: Matrix<Element>,
    in metric: CoordinateMetric<Element>? = nil
  ) -> Bool {
    var (step, turn) = (x₊, y)
    step.add(-1, x)
    turn.add(-1, x₊)
    guard metric?.inner(turn, step) ?? turn.inner(step) > 0 else { return false }
    restart()
    return true
  }
}
