import LinearAlgebra

/// RMSProp: S ← αS + (1 − α)H², W ← W − ηH/(√S + ε), entry by entry (Tieleman & Hinton 2012).
public struct RMSProp<Element: Scalar>: GradientRule {
  /// α: the share of the running mean that stays.
  public var smoothing: Double
  public var epsilon: Double
  private var squares = GradientMemory<Element>()

  public init(smoothing: Double = 0.99, epsilon: Double = 1e-8) {
    (self.smoothing, self.epsilon) = (smoothing, epsilon)
  }

  public mutating func step(layer l: Int, _ pass: GradientPass<Element>) -> Bool {
    let (rate, keep, take) = (Element(pass.learningRate), Element(smoothing), Element(1 - smoothing))
    let ε = Element(epsilon)
    return squares.withPointer(layer: l, count: pass.count) { squares in
      pass.tiles { i, count in
        Element.descendScaled(
          count, rate: rate, decay: pass.weightDecay, keep: keep, take: take, epsilon: ε, pass.old + i,
          pass.gradient + i, square: squares + i, into: pass.new + i)
      }
    }
  }

  public mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("squares", &squares) }
}
