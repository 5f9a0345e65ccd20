import LinearAlgebra

/// AdaGrad: S ← S + H², W ← W − ηH/(√S + ε), entry by entry (Duchi, Hazan & Singer 2011).
public struct AdaGrad<Element: Scalar>: GradientRule {
  public var epsilon: Double
  private var squares = GradientMemory<Element>()

  public init(epsilon: Double = 1e-10) { self.epsilon = epsilon }

  public mutating func step(layer l: Int, _ pass: GradientPass<Element>) -> Bool {
    let (rate, ε) = (Element(pass.learningRate), Element(epsilon))
    return squares.withPointer(layer: l, count: pass.count) { squares in
      pass.tiles { i, count in
        Element.descendScaled(
          count, rate: rate, decay: pass.weightDecay, keep: 1, take: 1, epsilon: ε, pass.old + i,
          pass.gradient + i, square: squares + i, into: pass.new + i)
      }
    }
  }

  public mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("squares", &squares) }
}
