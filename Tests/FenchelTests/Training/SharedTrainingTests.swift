import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// `train --outputs nuclear` of ReLU networks: reports, model files, limits.
struct SharedTrainingTests {
  private func data(_ name: String) throws -> Dataset<Double> {
    try Schema(inferredFrom: Table.read(name)).dataset(from: Table.read(name))
  }

  private var settings: TrainingSettings {
    var settings = TrainingSettings()
    (settings.outputs, settings.patterns) = (.nuclear, .sampled(20))
    return settings
  }

  @Test("train and verify; what is forged is found out")
  func forgeries() throws {
    let data = try data("iris")
    let result = try train(data, settings: settings)
    let report = result.report
    #expect(result.status == .solved && report.certificate?.scope == .restricted)
    #expect(abs(report.network.objective - (report.certificate?.primal ?? .nan)) <= 1e-9)
    let model = try ModelFile(decoding: result.model.encoded())
    #expect(try verify(model, data: data).agrees)
    var forged = model
    forged.report.settings.outputs = nil  // no neuron of that program feeds two outputs
    #expect(try !verify(forged, data: data).agrees)
    forged = model
    forged.report.certificate?.dual += 1e-3
    #expect(try !verify(forged, data: data).agrees)
    forged = model
    guard let θ = model.certificate["theta"]?.matrix else {
      Issue.record("no theta")
      return
    }
    var other = θ
    other.scale(by: -1)
    forged.certificate["theta"] = Tensor(other)
    #expect(try !verify(forged, data: data).agrees)
    // A neuron that leaves the patterns makes the network no point of the program.
    guard case .dense(let hidden) = model.network.layers[0], case .dense(let output) = model.network.layers[2]
    else {
      Issue.record("no network of two layers")
      return
    }
    var weights = hidden.weights
    for j in 0..<weights.rows { weights[j, 0] += 3 * Double(j % 2) - 1 }
    forged = model
    forged.network = try Network(hidden: Dense(weights: weights, bias: hidden.bias), output: output)
    let verification = try verify(forged, data: data)
    #expect(!verification.isFeasible && !verification.agrees)
  }

  @Test("refined patterns give a network no worse than the one of separate outputs")
  func refinement() throws {
    let data = try data("iris")
    var settings = settings
    (settings.patterns, settings.lambda) = (.refine, .value(1))
    let shared = try train(data, settings: settings)
    settings.outputs = nil
    let separate = try train(data, settings: settings)
    #expect(shared.status == .solved)
    #expect(shared.report.network.objective < separate.report.network.objective)
    #expect(try verify(ModelFile(decoding: shared.model.encoded()), data: data).agrees)
  }

  @Test("vector targets, paths, limits, and what is refused")
  func limits() throws {
    let data = try data("iris")
    var settings = settings
    let path = try Fenchel.path(data, settings: settings, ratios: [0.3, 0.1])
    #expect(path.status == .solved && path.report.points.count == 2)
    var short = settings
    short.timeLimit = 1e-3
    let stopped = try train(data, settings: short)
    #expect(stopped.status == .stoppedAtLimit(.time))
    #expect(try verify(ModelFile(decoding: stopped.model.encoded()), data: data).agrees)
    var small = settings
    small.maxMemory = 10_000
    #expect(throws: (any Error).self) { try train(data, settings: small) }
    let cancellation = Cancellation()
    cancellation.request()
    #expect(try train(data, settings: settings, cancellation: cancellation).status == .cancelled)
    settings.loss = .hinge
    #expect(throws: TrainingError.lossOfSharedNeurons(.hinge)) { try train(data, settings: settings) }
    (settings.loss, settings.solver) = (nil, .newton)
    #expect(throws: TrainingError.solverOfSharedNeurons(.newton)) { try train(data, settings: settings) }
    (settings.solver, settings.model) = (.auto, .batchNorm)
    #expect(throws: TrainingError.sharedNeurons(.batchNorm)) { try train(data, settings: settings) }
  }
}
