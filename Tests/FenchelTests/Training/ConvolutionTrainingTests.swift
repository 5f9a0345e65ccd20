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

  /// f by the formula: sums or averages over all positions of (patch · w + b)₊ v, with zeros around the image.
  private func predictions(
    _ network: Network, _ x: Matrix<Double>, _ shape: ImageShape, _ patches: PatchSettings
  ) -> (f: Matrix<Double>, decay: Double) {
    guard case .convolution(let layer) = network.layers[0], case .dense(let output) = network.layers[3]
    else { return (Matrix(0, 0), .nan) }
    let isSignal = shape.height == 1
    let (high, wide) = (isSignal ? 1 : patches.kernelHeight ?? patches.kernelWidth, patches.kernelWidth)
    let above = isSignal ? 0 : patches.padding
    let rows = stride(from: -above, through: shape.height + above - high, by: patches.stride)
    let columns = stride(
      from: -patches.padding, through: shape.width + patches.padding - wide, by: patches.stride)
    let count = Double(Array(rows).count * Array(columns).count)
    var f = Matrix<Double>(x.rows, output.weights.columns)
    for k in 0..<x.rows {
      for m in 0..<layer.weights.columns {
        var sum = 0.0
        for top in rows {
          for left in columns {
            var z = layer.bias[m]
            for c in 0..<shape.channels {
              for a in 0..<high {
                for b in 0..<wide
                where (0..<shape.height).contains(top + a) && (0..<shape.width).contains(left + b) {
                  z +=
                    x[k, (c * shape.height + top + a) * shape.width + left + b]
                    * layer.weights[(c * high + a) * wide + b, m]
                }
              }
            }
            sum += max(0, z)
          }
        }
        if patches.pooling == .average { sum /= count }
        for j in 0..<f.columns { f[k, j] += sum * output.weights[m, j] }
      }
    }
    let weights = layer.weights.storage + layer.bias + output.weights.storage
    return (f, weights.reduce(0) { $0 + $1 * $1 })
  }

  private func check(
    _ data: Dataset<Double>, _ settings: TrainingSettings, _ shape: ImageShape, _ name: String
  ) throws {
    let result = try train(data, settings: settings)
    let (report, network) = (result.report, result.model.network)
    #expect(result.status == .solved, "\(name): \(String(describing: report.certificate))")
    #expect(network.layers.map(\.content.kind) == ["convolution", "relu", "global-pooling", "dense"])
    let problem = try TrainingProblem(data, settings: settings)
    let (f, decay) = predictions(network, problem.inputs, shape, settings.convolution ?? PatchSettings())
    let scale = max(1, f.frobeniusNorm)
    #expect(distance(f, network.predict(problem.inputs)) <= 1e-10 * scale, "\(name): predictions")
    let objective = problem.loss.value(at: f) + (report.lambda ?? .nan) / 2 * decay
    #expect(abs(objective - report.network.objective) <= 1e-9 * max(1, objective), "\(name): objective")
    // Pruning may leave less than the program's point.
    #expect(objective <= (report.certificate?.primal ?? .nan) * (1 + 1e-9), "\(name): point")
    #expect((report.certificate?.dual ?? .infinity) <= objective, "\(name): dual")
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
