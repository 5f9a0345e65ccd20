import LinearAlgebra
import RealModule

/// Adam: M ← β₁M + (1 − β₁)H, S ← β₂S + (1 − β₂)H², and at step t, entry by entry,
///
///     W ← W − η M/(1 − β₁ᵗ) / (√(S/(1 − β₂ᵗ)) + ε)
///
/// (Kingma & Ba 2015, algorithm 1).
public struct Adam<Element: Scalar>: GradientRule {
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  /// t.
  public private(set) var steps = 0
  private var means = GradientMemory<Element>()
  private var squares = GradientMemory<Element>()

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
  }

  public mutating func begin() { steps += 1 }

  public mutating func step(layer l: Int, _ pass: GradientPass<Element>) -> Bool {
    let rate = Element(pass.learningRate / (1 - .pow(beta1, steps)))
    let root = Element(1 / (1 - Double.pow(beta2, steps)).squareRoot())
    let (keep, ε) = ((Element(beta1), Element(beta2)), Element(epsilon))
    return means.withPointer(layer: l, count: pass.count) { means in
      squares.withPointer(layer: l, count: pass.count) { squares in
        pass.tiles { i, count in
          Element.descendByMoments(
            count, rate: rate, decay: pass.weightDecay, keep: keep, root: root, epsilon: ε, pass.old + i,
            pass.gradient + i, mean: means + i, square: squares + i, into: pass.new + i)
        }
      }
    }
  }

  public mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("steps", &steps)
    try state.carry("means", &means)
    try state.carry("squares", &squares)
  }
}
