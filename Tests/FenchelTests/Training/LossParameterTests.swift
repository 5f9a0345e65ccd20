import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra
import Testing

/// δ of Huber's loss and τ of the quantile's, from the settings to the model and its proof.
@Suite struct LossParameterTests {
  private func diabetes() throws -> Dataset<Double> {
    let table = try #require(DataCatalogue.entry("diabetes")).read()
    return try Schema(inferredFrom: table).dataset(from: table)
  }

  private func settings(_ loss: LossKind, _ parameters: LossParameters?) -> TrainingSettings {
    var settings = TrainingSettings()
    (settings.model, settings.patterns, settings.loss) = (.gatedReLU, .sampled(20), loss)
    (settings.lossParameters, settings.lambda) = (parameters, .ratio(0.02))
    return settings
  }

  @Test("A share τ of the targets lies below the prediction", arguments: [0.1, 0.5, 0.9])
  func quantiles(τ: Double) throws {
    let data = try diabetes()
    let result = try train(data, settings: settings(.quantile, LossParameters(tau: τ)))
    #expect(result.status == .solved)
    #expect(result.report.settings.lossParameters == LossParameters(tau: τ))
    let f = result.model.scaling.targets.inverted(
      result.model.network.predict(result.model.scaling.features.applied(to: data.features)))
    let y = try #require(data.targets.matrix)
    let below = Double((0..<y.rows).count { y[$0, 0] <= f[$0, 0] }) / Double(y.rows)
    #expect(abs(below - τ) < 0.04, "\(below)")
    let read = try ModelFile(decoding: result.model.encoded())
    #expect(try verify(read, data: data).agrees)
    #expect(try read.scorecard(on: data) == result.report.train)
  }

  @Test("The loss that is reported is the one that was trained", arguments: [0.05, 1, 20])
  func huber(δ: Double) throws {
    let data = try diabetes()
    for model in [ModelKind.gatedReLU, .polynomial, .mlp, .fenchel] {
      var settings = settings(.huber, LossParameters(delta: δ))
      settings.model = model
      if model == .polynomial { settings.patterns = .refine }
      if !model.isConvexProgram {
        var layers = LayerSettings(for: model)
        (layers.hidden, layers.epochs) = ([5], 2)
        (settings.layers, settings.lambda) = (layers, .value(1))
      }
      let result = try train(data, settings: settings)
      let scaling = result.model.scaling
      let f = result.model.network.predict(scaling.features.applied(to: data.features))
      let y = scaling.targets.applied(to: try #require(data.targets.matrix))
      let plain = (0..<y.rows).reduce(0.0) { sum, k in
        let r = abs(f[k, 0] - y[k, 0])
        return sum + (r <= δ ? r * r / 2 : δ * (r - δ / 2))
      }
      let card = result.report.train
      #expect(abs(card.loss - plain / Double(y.rows)) <= 1e-9 * card.loss, "\(model) δ = \(δ)")
      guard model.isConvexProgram else { continue }
      #expect(try verify(ModelFile(decoding: result.model.encoded()), data: data).agrees, "\(model) δ = \(δ)")
    }
  }

  @Test("Where a loss has no parameters none are stored, and bad ones are errors")
  func otherLosses() throws {
    let data = try diabetes()
    #expect(try train(data, settings: settings(.squared, nil)).report.settings.lossParameters == nil)
    let usual = try train(data, settings: settings(.huber, nil)).report.settings.lossParameters
    #expect(usual == LossParameters())
    for bad in [LossParameters(delta: 0), LossParameters(delta: .nan), LossParameters(delta: -1)] {
      #expect(throws: LossError.self) { try train(data, settings: settings(.huber, bad)) }
    }
    for bad in [LossParameters(tau: 0), LossParameters(tau: 1), LossParameters(tau: .nan)] {
      #expect(throws: LossError.self) { try train(data, settings: settings(.quantile, bad)) }
    }
  }
}
