import LinearAlgebra

/// Gradient descent, stochastic where the gradient is of a batch: W ← W − ηH (Robbins & Monro 1951).
public struct GradientDescent<Element: Scalar>: GradientRule {
  public init() {}

  public mutating func step(layer _: Int, _ pass: GradientPass<Element>) -> Bool {
    let rate = Element(pass.learningRate)
    return pass.tiles { i, count in
      Element.descend(
        count, rate: rate, decay: pass.weightDecay, pass.old + i, pass.gradient + i, into: pass.new + i)
    }
  }

  public mutating func transfer(_: inout StateTransfer) throws {}
}
