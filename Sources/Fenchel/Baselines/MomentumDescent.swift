import LinearAlgebra

/// Gradient descent with momentum: V ← μV + H, W ← W − ηV (Polyak 1964, in the form of Sutskever et al. 2013).
public struct MomentumDescent<Element: Scalar>: GradientRule {
  /// μ.
  public var momentum: Double
  private var velocity = GradientMemory<Element>()

  public init(momentum: Double = 0.9) { self.momentum = momentum }

  public mutating func step(layer l: Int, _ pass: GradientPass<Element>) -> Bool {
    let (rate, friction) = (Element(pass.learningRate), Element(momentum))
    return velocity.withPointer(layer: l, count: pass.count) { velocity in
      pass.tiles { i, count in
        Element.descendWithMomentum(
          count, rate: rate, decay: pass.weightDecay, friction: friction, pass.old + i, pass.gradient + i,
          velocity: velocity + i, into: pass.new + i)
      }
    }
  }

  public mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("velocity", &velocity)
  }
}
