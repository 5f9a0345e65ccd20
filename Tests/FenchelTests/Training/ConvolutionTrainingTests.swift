import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// `train` and `verify` with convolutional networks, over the whole way from a table to a file.
struct ConvolutionTrainingTests {
  private func data(_ name: String, rows: Int) throws -> Dataset<Double> {
    let table = try Table.read(name)
    return try Schema(inferredFrom: table).dataset(from: table).selectingRows(Array(0..<rows))
  }

  private func settings(_ change: (inout PatchSettings) -> Void = { _ in }) -> TrainingSettings {
    var settings = TrainingSettings()
    (settings.model, settings.lambda) = (.cnn, .ratio(0.05))
    var patches = PatchSettings()
    change(&patches)
    settings.convolution = patches
    return settings
  }

  /// The patches of one input by the formula, in the order of the weights, with zeros around the image.
  private func patches(_ x: [Double], _ shape: ImageShape, _ patches: PatchSettings) -> [[Double]] {
    let isSignal = shape.height == 1
    let (high, wide) = (isSignal ? 1 : patches.kernelHeight ?? patches.kernelWidth, patches.kernelWidth)
    let above = isSignal ? 0 : patches.padding
    let rows = stride(from: -above, through: shape.height + above - high, by: patches.stride)
    let columns = stride(
      from: -patches.padding, through: shape.width + patches.padding - wide, by: patches.stride)
    var result: [[Double]] = []
    for top in rows {
      for left in columns {
        var patch: [Double] = []
        for c in 0..<shape.channels {
          for i in top..<top + high {
            for j in left..<left + wide {
              let isInside = (0..<shape.height).contains(i) && (0..<shape.width).contains(j)
              patch.append(isInside ? x[(c * shape.height + i) * shape.width + j] : 0)
            }
          }
        }
        result.append(patch)
      }
    }
    return result
  }

  /// f by the formula: sums or averages over all patches p of (pᵀw + b)₊ v, or of 1[p̃ᵀg > 0] p̃ᵀw; and the penalty over λ.
  private func predictions(
    _ network: Network, _ x: Matrix<Double>, _ shape: ImageShape, _ settings: PatchSettings
  ) -> (f: Matrix<Double>, penalty: Double) {
    var f = Matrix<Double>(x.rows, network.outputs)
    let hidden: ([Double]) -> [Double]
    let penalty: Double
    if case .gatedConvolution(let layer) = network.layers[0] {
      let (gated, c) = (layer.gated, network.outputs)
      func product(_ v: [Double], _ p: [Double]) -> Double {
        zip(v, p + (gated.hasBias ? [1] : [])).reduce(0) { $0 + $1.0 * $1.1 }
      }
      hidden = { p in
        (0..<gated.gates.rows).reduce(into: [Double](repeating: 0, count: c)) { sums, i in
          guard product(gated.gates.row(i), p) > 0 else { return }
          for j in 0..<c { sums[j] += product(gated.weights.row(i * c + j), p) }
        }
      }
      penalty = gated.weights.rowNorms.reduce(0, +)
    } else if case .convolution(let layer) = network.layers[0], case .dense(let output) = network.layers[3] {
      let (w, v) = (layer.weights, output.weights)
      hidden = { p in
        (0..<w.columns).reduce(into: [Double](repeating: 0, count: v.columns)) { sums, m in
          let z = zip(w.column(m), p).reduce(layer.bias[m]) { $0 + $1.0 * $1.1 }
          for j in 0..<v.columns { sums[j] += max(0, z) * v[m, j] }
        }
      }
      penalty = (w.storage + layer.bias + v.storage).reduce(0) { $0 + $1 * $1 } / 2
    } else {
      return (f, .nan)
    }
    for k in 0..<x.rows {
      let all = patches(x.row(k), shape, settings)
      let scale = settings.pooling == .average ? 1 / Double(all.count) : 1
      for p in all { for (j, value) in hidden(p).enumerated() { f[k, j] += scale * value } }
    }
    return (f, penalty)
  }

  private func check(
    _ data: Dataset<Double>, _ settings: TrainingSettings, _ shape: ImageShape, _ name: String
  ) throws {
    let result = try train(data, settings: settings)
    let (report, network) = (result.report, result.model.network)
    #expect(result.status == .solved, "\(name): \(String(describing: report.certificate))")
    let kinds =
      settings.model == .gatedCNN
      ? ["gated-convolution"] : ["convolution", "relu", "global-pooling", "dense"]
    #expect(network.layers.map(\.content.kind) == kinds)
    let problem = try TrainingProblem(data, settings: settings)
    let (f, penalty) = predictions(network, problem.inputs, shape, settings.convolution ?? PatchSettings())
    let scale = max(1, f.frobeniusNorm)
    #expect(distance(f, network.predict(problem.inputs)) <= 1e-10 * scale, "\(name): predictions")
    let objective = problem.loss.value(at: f) + (report.lambda ?? .nan) * penalty
    #expect(abs(objective - report.network.objective) <= 1e-9 * max(1, objective), "\(name): objective")
    // Pruning may leave less than the program's point.
    #expect(objective <= (report.certificate?.primal ?? .nan) * (1 + 1e-9), "\(name): point")
    #expect((report.certificate?.dual ?? .infinity) <= objective, "\(name): dual")
    if settings.model == .gatedCNN {
      #expect(objective >= (report.certificate?.primal ?? .nan) * (1 - 1e-9), "\(name): nothing is pruned")
    }
    let read = try ModelFile(decoding: result.model.encoded())
    #expect(read.network == network && read.report == report, "\(name): file")
    let verification = try verify(read, data: data)
    #expect(verification.agrees, "\(name): \(verification)")
  }

  @Test(
    "The network predicts and costs what its program says, in its file too",
    arguments: [Precision.float, .double], [PoolingMode.sum, .average])
  func theorem(precision: Precision, pooling: PoolingMode) throws {
    let digits = try data("digits", rows: 60)
    let image = ImageShape(channels: 1, height: 8, width: 8)
    let signals = try data("diabetes", rows: 50)
    for hasBias in [true, false] {
      var images = settings { ($0.stride, $0.padding, $0.pooling) = (3, 1, pooling) }
      (images.bias, images.precision) = (hasBias, precision)
      images.loss = .squared
      try check(digits, images, image, "images, bias \(hasBias)")
      var rows = settings { ($0.kernelWidth, $0.padding, $0.pooling) = (4, 2, pooling) }
      (rows.bias, rows.precision, rows.patterns) = (hasBias, precision, .sampled(40))
      try check(signals, rows, ImageShape(channels: 1, height: 1, width: 10), "signals, bias \(hasBias)")
      rows.convolution?.channels = 2
      (rows.patterns, rows.loss) = (.refine, .absolute)
      try check(signals, rows, ImageShape(channels: 2, height: 1, width: 5), "channels, bias \(hasBias)")
      (images.model, rows.model, rows.patterns) = (.gatedCNN, .gatedCNN, .sampled(30))
      images.patterns = .sampled(30)
      try check(digits, images, image, "gated images, bias \(hasBias)")
      rows.loss = .squared
      try check(signals, rows, ImageShape(channels: 2, height: 1, width: 5), "gated, bias \(hasBias)")
    }
  }

  @Test("Gated patches under several losses, outputs, solvers and patterns")
  func gatedClasses() throws {
    let digits = try data("digits", rows: 50)
    let image = ImageShape(channels: 1, height: 8, width: 8)
    var gated = settings { ($0.kernelHeight, $0.kernelWidth, $0.stride) = (4, 3, 4) }
    (gated.model, gated.patterns, gated.lambda) = (.gatedCNN, .sampled(20), .ratio(0.2))
    for (loss, solver) in [
      (LossKind.softmax, SolverChoice.auto), (.softmax, .fista), (.squaredHinge, .auto), (.hinge, .auto),
    ] {
      (gated.loss, gated.solver) = (loss, solver)
      try check(digits, gated, image, "\(loss), \(solver)")
    }
    let signals = try data("diabetes", rows: 12)
    var exact = settings { ($0.kernelWidth, $0.stride) = (2, 4) }
    (exact.model, exact.patterns) = (.gatedCNN, .exact)
    try check(signals, exact, ImageShape(channels: 1, height: 1, width: 10), "exact")
    for width in [2, 3] {
      exact.patterns = .gates(Philox(seed: 2).normalMatrix(20, width))
      try check(signals, exact, ImageShape(channels: 1, height: 1, width: 10), "gates of \(width)")
    }
  }

  @Test("Gates of other patches, pooling or weights are found out")
  func forgedGates() throws {
    let data = try data("diabetes", rows: 60)
    var gated = settings { $0.kernelWidth = 3 }
    (gated.model, gated.patterns) = (.gatedCNN, .sampled(30))
    let model = try train(data, settings: gated).model
    guard case .gatedConvolution(let layer) = model.network.layers[0] else { return #expect(Bool(false)) }
    #expect(try verify(model, data: data).agrees)
    var (forged, weights) = (model, layer.gated.weights)
    weights.scale(by: 1.05)
    func network(_ gates: Matrix<Double>, _ weights: Matrix<Double>, _ mode: PoolingMode) throws -> Network {
      let gated = try Gated(gates: gates, weights: weights, hasBias: layer.gated.hasBias)
      return try Network(layers: [.gatedConvolution(GatedConvolution(layer.convolution, gated, mode: mode))])
    }
    forged.network = try network(layer.gated.gates, weights, .sum)
    #expect(try !verify(forged, data: data).agrees)
    let others: Matrix<Double> = Philox(seed: 9).normalMatrix(
      layer.gated.gates.rows, layer.gated.gates.columns)
    forged.network = try network(others, layer.gated.weights, .sum)
    #expect(try !verify(forged, data: data).agrees)
    forged.network = try network(layer.gated.gates, layer.gated.weights, .average)
    #expect(throws: VerificationError.self) { try verify(forged, data: data) }
    #expect(throws: NetworkError.self) {
      try GatedConvolution(
        layer.convolution,
        Gated(gates: Matrix(1, 9, fill: 1), weights: Matrix(1, 9, fill: 1), hasBias: false), mode: .sum)
    }
  }

  @Test("Losses of classes, several outputs, exact patterns and gates")
  func classes() throws {
    let digits = try data("digits", rows: 50)
    let image = ImageShape(channels: 1, height: 8, width: 8)
    var classes = settings { ($0.kernelHeight, $0.kernelWidth, $0.stride) = (4, 3, 4) }
    for loss in [LossKind.softmax, .hinge] {
      (classes.loss, classes.lambda) = (loss, .ratio(0.3))
      try check(digits, classes, image, "\(loss)")
    }
    let signals = try data("diabetes", rows: 12)
    var exact = settings { ($0.kernelWidth, $0.stride) = (2, 4) }
    exact.patterns = .exact
    try check(signals, exact, ImageShape(channels: 1, height: 1, width: 10), "exact")
    exact.patterns = .gates(Philox(seed: 2).normalMatrix(20, 2))
    try check(signals, exact, ImageShape(channels: 1, height: 1, width: 10), "gates")
    exact.patterns = .gates(Philox(seed: 2).normalMatrix(20, 5))
    #expect(throws: PatternError.width(gates: 5, features: 3)) { try train(signals, settings: exact) }
  }

  @Test("Networks of other weights, patches or pooling are found out")
  func forgedModels() throws {
    let data = try data("diabetes", rows: 80)
    let model = try train(data, settings: settings { $0.kernelWidth = 3 }).model
    guard case .convolution(let layer) = model.network.layers[0] else { return #expect(Bool(false)) }
    #expect(try verify(model, data: data).agrees)
    var (forged, weights) = (model, layer.weights)
    weights.scale(by: 1.05)
    forged.network = try Network(
      layers: [.convolution(ConvolutionLayer(layer.convolution, weights: weights, bias: layer.bias))]
        + model.network.layers.dropFirst())
    #expect(try !verify(forged, data: data).agrees)
    forged = model
    let positions = layer.convolution.positions
    forged.network = try Network(
      layers: Array(model.network.layers.prefix(2)) + [
        .pooling(GlobalPooling(channels: layer.convolution.filters, positions: positions, mode: .average)),
        model.network.layers[3],
      ])
    #expect(throws: VerificationError.self) { try verify(forged, data: data) }
    for change: (inout PatchSettings) -> Void in [
      { $0.kernelWidth = 4 }, { $0.stride = 2 }, { $0.kernelWidth = 99 },
    ] {
      forged = model
      var patches = PatchSettings()
      change(&patches)
      forged.report.settings.convolution = patches
      #expect(throws: VerificationError.self) { try verify(forged, data: data) }
    }
  }

  @Test("Channels have one mean and one deviation each")
  func scaling() throws {
    let data = try data("diabetes", rows: 70)
    let all = settings { ($0.kernelWidth, $0.channels) = (2, 2) }
    let problem = try TrainingProblem(data, settings: all)
    for half in [0..<5, 5..<10] {
      let own = half.map { problem.features.scale[$0] } + half.map { problem.features.mean[$0] }
      #expect(Set(own).count == 2)
      let values = half.flatMap { problem.inputs.column($0) }
      let mean = values.reduce(0, +) / Double(values.count)
      let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
      #expect(abs(mean) <= 1e-12 && abs(square - 1) <= 1e-12)
    }
  }

  @Test("What has no such patches is refused")
  func badInput() throws {
    let digits = try data("digits", rows: 30)
    let signals = try data("diabetes", rows: 30)
    let cases: [(Dataset<Double>, (inout PatchSettings) -> Void, String)] = [
      (digits, { $0.kernelWidth = 9 }, "a kernel of 9 × 9 is larger"),
      (digits, { ($0.kernelHeight, $0.kernelWidth) = (9, 2) }, "a kernel of 9 × 2 is larger"),
      (digits, { $0.stride = 0 }, "--stride 0"), (digits, { $0.stride = -1 }, "--stride -1"),
      (digits, { $0.kernelWidth = 0 }, "--kernel 0"), (digits, { $0.kernelHeight = 0 }, "--kernel 0"),
      (digits, { $0.padding = -1 }, "--padding -1"), (digits, { $0.padding = 3 }, "less than 3"),
      (digits, { ($0.kernelHeight, $0.padding) = (1, 1) }, "less than 1"),
      (digits, { $0.channels = 3 }, "images of 1 × 8 × 8"), (digits, { $0.channels = 0 }, "--channels 0"),
      (digits, { $0.stride = .max }, "--stride"),
      (signals, { $0.kernelWidth = 11 }, "--kernel 11 is longer than signals of 10"),
      (signals, { ($0.channels, $0.kernelWidth) = (2, 6) }, "longer than signals of 5"),
      (signals, { $0.channels = 3 }, "no signals of 3 channels"),
      (signals, { $0.channels = 11 }, "no signals of 11"),
      (signals, { $0.channels = -1 }, "--channels -1"),
      (signals, { $0.kernelHeight = 3 }, "--kernel 3x3 is for images"),
    ]
    for (data, change, message) in cases {
      #expect {
        try train(data, settings: settings(change))
      } throws: { error in
        "\(error)".contains(message) && error is PatchError
      }
    }
    var small = settings()
    small.maxMemory = 100_000
    #expect {
      try train(digits, settings: small)
    } throws: { error in
      if case PatchError.memory(rows: 1080, columns: 10, _, _) = error { true } else { false }
    }
  }

  @Test("Sums and averages of channels, in a file too")
  func globalPooling() throws {
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(9, 12)
    for mode in PoolingMode.allCases {
      let layer = try GlobalPooling(channels: 3, positions: 4, mode: mode)
      let y = layer.apply(to: x)
      for k in 0..<9 {
        for c in 0..<3 {
          let sum = (0..<4).reduce(0.0) { $0 + x[k, 4 * c + $1] }
          #expect(abs(y[k, c] - (mode == .sum ? sum : sum / 4)) <= 1e-14)
        }
      }
    }
    for (channels, positions) in [(0, 4), (3, 0), (-1, -4), (.max, .max)] {
      #expect(throws: NetworkError.self) {
        try GlobalPooling(channels: channels, positions: positions, mode: .sum)
      }
    }
  }
}
