import ConvexOptimization
import LinearAlgebra

/// Algorithm 2 of Gu, Askari & El Ghaoui (2019) as it is written: for every batch the outputs X_L … X_1, then the weights
/// W_L … W_0 all at once, each block solved, K times over.
///
///     X_l = argmin_Z f(Z W_l + b_l) + λ B(Z, U_{l−1})
///     W_l = argmin_W f(X̃_l W) + γ_l m‖W − W_l⁰‖²,   W⁰ the weights that the batch began with
///
/// with the fit f of the layer above, λB or the loss. No momentum and no relaxation.
extension BatchDescent {
  /// One batch X: m × d with its loss. Returns the loss of the network as it was; NaN where a block has no solution in
  /// this precision, nil where the run is interrupted between blocks.
  mutating func solvedStep(
    _ x: Matrix<Element>, _ loss: any Loss<Element>, _ isInterrupted: () -> Bool
  ) -> Element? {
    let layers = network.activations.count
    let program = LiftedProgram(
      x: x, output: .loss(loss), outputs: loss.outputs, penalties: penalties,
      λ: λ)
    let centers = network.weights
    var point = LiftedPoint(forward: network, on: x)
    let value = loss.value(at: program.preactivations(ofLayer: layers, at: point))
    do {
      for _ in 0..<settings.alternations {
        for l in (0..<layers).reversed() {
          if isInterrupted() { return nil }
          point.outputs[l] = try program.outputBlock(l, at: point).solve(
            from: point.outputs[l], tolerance: Self.tolerance, maximumSteps: Self.maximumSteps)
        }
        if isInterrupted() { return nil }
        let fixed = point
        try Parallel.forEach(in: &point.network.weights) { l, weights in
          weights = try program.weightBlock(
            l, at: fixed, proximity: caution * γ(l, samples: x.rows), center: centers[l]
          ).minimise(from: weights, tolerance: Self.tolerance, maximumSteps: Self.maximumSteps)
        }
      }
    } catch { return .nan }
    network = point.network
    return value
  }

  /// The relative length of the last step of a block. Weights move little in a batch: one of 1e-3 of their own length is
  /// not yet small.
  private static var tolerance: Element { 1e-4 }
  private static var maximumSteps: Int { 100 }

  /// γ_l for all samples of a batch.
  func γ(_ l: Int, samples m: Int) -> Element {
    let own = l == network.activations.count ? settings.lastProximity : settings.proximity
    return Element(own) * Element(m) * proximityFactor
  }
}
