import ConvexOptimization
import LinearAlgebra

/// Some samples with the loss of their predictions.
package struct Batch<Element: Scalar> {
  /// X: n × d_0.
  package let x: Matrix<Element>
  /// ℓ, a sum over the n samples.
  package let loss: any Loss<Element>
  /// Σ s > 0, by which the loss is divided.
  package let mass: Double

  package init(x: Matrix<Element>, loss: any Loss<Element>, mass: Double) {
    (self.x, self.loss, self.mass) = (x, loss, mass)
  }
}

/// A method that goes from batch to batch, at each with one step for the mean loss ℓ/Σs and the weight decay.
package protocol BatchMethod<Element>: Resumable {
  associatedtype Element: Scalar
  /// Takes one step. A step that `failed` leaves the weights as they were.
  mutating func step(
    _ network: inout FeedForward<Element>, on batch: Batch<Element>, learningRate: Double
  ) -> BatchStep
}

/// What a step on a batch came to.
package struct BatchStep {
  /// ℓ before the step, as a sum, without the weight decay.
  package var loss: Double
  package var outcome: StepOutcome

  package init(loss: Double, outcome: StepOutcome) { (self.loss, self.outcome) = (loss, outcome) }
}

extension Backpropagation {
  /// h(W) = ℓ(f_W(X))/Σs + (η/2)‖W‖² at a trial point.
  mutating func objective(
    of network: FeedForward<Element>, on batch: Batch<Element>, decay η: Double
  ) -> Double {
    forward(network, batch.x)
    return Double(batch.loss.value(at: output)) / batch.mass + η / 2 * Double(network.squaredNorm)
  }
}

/// Steps along the gradient of each batch by a first-order rule.
struct FirstOrderMethod<Element: Scalar>: BatchMethod {
  private var backpropagation: Backpropagation<Element>
  private var rule: any GradientRule<Element>
  private let decay: Double
  private var gradient: [Matrix<Element>]
  private var previous: [Matrix<Element>]

  init(_ rule: any GradientRule<Element>, for network: FeedForward<Element>, decay: Double) throws {
    backpropagation = try Backpropagation(network.activations)
    self.rule = rule
    self.decay = decay
    gradient = network.zeros
    previous = network.zeros
  }

  mutating func step(
    _ network: inout FeedForward<Element>, on batch: Batch<Element>, learningRate: Double
  ) -> BatchStep {
    let mean = backpropagation.gradient(
      of: network, batch.x, loss: batch.loss, scale: Element(1 / batch.mass), into: &gradient)
    let loss = Double(mean) * batch.mass
    guard mean.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    let isFinite = rule.update(
      &network.weights, previous: &previous, gradient: gradient, learningRate: learningRate,
      weightDecay: decay)
    if !isFinite { swap(&network.weights, &previous) }
    return BatchStep(loss: loss, outcome: isFinite ? .advanced : .failed)
  }

  mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("rule", &rule) }
}
