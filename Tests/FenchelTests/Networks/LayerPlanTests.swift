import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct LayerPlanTests {
  private func network(
    _ layers: [String], _ image: ImageShape?, features: Int? = nil, side: Int? = nil
  ) throws -> FeedForward<Double> {
    var plan = LayerPlan(steps: try layers.map { try LayerPlan.Step($0) })
    plan.side = side
    return try plan.network(
      inputs: features ?? image?.count ?? 4, outputs: 3, image: image, seed: 1)
  }

  private let image = ImageShape(channels: 2, height: 8, width: 7)

  @Test func leNet5() throws {
    let digits = ImageShape(channels: 1, height: 28, width: 28)
    let small: FeedForward<Float> = try LayerPlan.leNet5.network(
      inputs: 784, outputs: 10, image: digits, seed: 1)
    #expect(small.widths == [784, 4704, 1600, 120, 84, 10] && small.parameters == 61_706)
    let photos = ImageShape(channels: 3, height: 32, width: 32)
    let large: FeedForward<Float> = try LayerPlan.leNet5.network(
      inputs: 3072, outputs: 10, image: photos, seed: 1)
    #expect(large.widths == [3072, 4704, 1600, 120, 84, 10] && large.parameters == 62_006)
    #expect(LayerPlan.leNet5.hiddenLayers == 4)
  }

  /// Zeros around the images are the same as images of the larger size.
  @Test func sidesAreZerosAroundImages() throws {
    let shape = ImageShape(channels: 1, height: 4, width: 4)
    let padded = try network(["convolution 2 3x3", "dense 3"], shape, side: 8)
    var x: Matrix<Double> = Philox(seed: 1).normalMatrix(2, 16)
    let f = padded.output(x)
    var wide = Matrix<Double>(2, 64)
    for k in 0..<2 { for i in 0..<4 { for j in 0..<4 { wide[k, (i + 2) * 8 + j + 2] = x[k, i * 4 + j] } } }
    x = wide
    let plain = try network(
      ["convolution 2 3x3", "dense 3"], ImageShape(channels: 1, height: 8, width: 8))
    #expect(plain.weights == padded.weights)
    #expect(distance(plain.output(x), f) <= 1e-12)
  }

  @Test func poolingsFollowEachOther() throws {
    let shape = ImageShape(channels: 1, height: 8, width: 4)
    let twice = try network(["pooling 2", "pooling 2", "dense 3"], shape)
    let once = try network(["pooling 4", "dense 3"], shape)
    #expect(twice == once && once.widths == [32, 3, 3])
  }

  @Test(arguments: [
    (["convolution 3 9x3"], "layer 1 (convolution): a kernel of 9 × 3 is larger than its input of 2 × 8 × 7"),
    (
      ["convolution 3 3x3", "pooling 2"],
      "layer 2 (pooling): averages of 2 × 2 do not divide an input of 3 × 6 × 5"
    ),
    (["pooling 2"], "layer 1 (pooling)"), (["pooling 0"], "size of averages 0"),
    (["dense 4", "convolution 3 1x1"], "layer 2 (convolution) takes images"),
    (["dense 4", "pooling 1"], "layer 2 (pooling) takes images"),
    (["convolution 0 3x3"], "filters 0"), (["convolution 3 3x3 stride 0"], "stride 0"),
    (["convolution 3 3x3", "convolution 3 7x7"], "layer 2 (convolution): a kernel of 7 × 7"),
  ])
  func wrongLayers(layers: [String], message: String) {
    let error = #expect(throws: LayerPlanError.self) { try network(layers, image) }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }

  @Test func wrongImages() {
    #expect(throws: LayerPlanError.noImages(features: 4)) { try network(["convolution 1 1x1"], nil) }
    #expect(throws: LayerPlanError.image(image, features: 5, known: image)) {
      try network(["convolution 1 1x1"], image, features: 5)
    }
    var other = LayerPlan(steps: [.convolution(channels: 1, height: 1, width: 1)])
    other.image = ImageShape(channels: 1, height: image.count, width: 1)
    let error = #expect(throws: LayerPlanError.self) {
      try other.network(inputs: image.count, outputs: 2, image: image, seed: 1) as FeedForward<Double>
    }
    #expect(error?.description.contains("leave out the line image:") == true)
    #expect(throws: LayerPlanError.self) {  // 10⁶ zeros around each image
      try network(["convolution 4 3x3 stride 1000000 padding 1000000"], image)
    }
    #expect(throws: LayerPlanError.side(32, image)) { try network(["convolution 1 1x1"], image, side: 32) }
    let large = ImageShape(channels: 1, height: 40, width: 40)
    #expect(throws: LayerPlanError.side(32, large)) { try network(["convolution 1 1x1"], large, side: 32) }
    #expect(throws: FeedForwardError.width(layer: 1)) {
      try network(["convolution 1 1x1", "dense 0"], image)
    }
    #expect(throws: Never.self) { try network(["dense 2"], nil) }
  }

  @Test(arguments: [
    "convolution 6 5x5", "convolution 16 3x2 stride 2", "convolution 1 1x1 padding 3",
    "convolution 1 1x1 stride 4 padding 3", "pooling 2", "dense 120",
  ])
  func texts(text: String) throws {
    #expect(try LayerPlan.Step(text).description == text)
  }

  @Test(arguments: [
    "", "dense", "dense x", "dense 3 4", "dense -1", "pooling", "convolution 6", "convolution 6 5",
    "convolution 6 5x5x5", "convolution 6 5x5 stride", "convolution 6 5x5 speed 2", "flatten",
    "dense 99999999999999999999",
  ])
  func wrongTexts(text: String) {
    #expect(throws: LayerTextError.self) { try LayerPlan.Step(text) }
  }
}

/// Convolutional networks as plain values and back.
@Suite struct ConvolutionalNetworkTests {
  private func sample() throws -> FeedForward<Double> {
    let image = ImageShape(channels: 2, height: 9, width: 8)
    let plan = LayerPlan(
      steps: try ["convolution 3 2x3 padding 1", "pooling 2", "convolution 4 2x2 stride 2", "dense 5"].map {
        try LayerPlan.Step($0)
      })
    return try plan.network(inputs: image.count, outputs: 3, image: image, seed: 3)
  }

  @Test func networksComeBack() throws {
    let feedForward = try sample()
    let network = try feedForward.network()
    #expect(
      network.layers.map(\.content.kind).prefix(4) == [
        "convolution", "relu", "average-pooling", "convolution",
      ])
    #expect(network.parameters == feedForward.parameters && network.inputs == 144)
    #expect(try FeedForward<Double>(network) == feedForward)
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(40, 144)
    #expect(distance(network.predict(x), feedForward.output(x)) <= 1e-12)
  }

  @Test func filesComeBack() throws {
    let network = try sample().network()
    for (index, layer) in network.layers.enumerated() {
      let parts = LayerParts(
        index: index, attributes: layer.content.attributes, tensors: layer.content.tensors)
      #expect(try Layer.read(kind: layer.content.kind, from: parts) == layer)
    }
  }

  @Test func wrongWeights() throws {
    let image = ImageShape(channels: 2, height: 4, width: 4)
    let convolution = try Convolution(image, filters: 3, kernelHeight: 2, kernelWidth: 2)
    #expect(throws: NetworkError.self) {
      try ConvolutionLayer(convolution, weights: Matrix(9, 3), bias: [0, 0, 0])
    }
    #expect(throws: NetworkError.self) {
      try ConvolutionLayer(convolution, weights: Matrix(8, 3), bias: [0, 0])
    }
    #expect(
      throws: FeedForwardError.weights(layer: 0, rows: 9, columns: 3, neededRows: 8, neededColumns: 3)
    ) {
      try FeedForward<Double>(
        weights: [Matrix(10, 3)], maps: [.convolution(convolution)], activations: [])
    }
    #expect(throws: FeedForwardError.mismatch(layer: 1, inputs: 26, outputsBefore: 27)) {
      try FeedForward<Double>(
        weights: [Matrix(9, 3), Matrix(27, 2)], maps: [.convolution(convolution), .dense],
        activations: [.relu])
    }
    #expect(throws: FeedForwardError.maps(1, layers: 2)) {
      try FeedForward<Double>(
        weights: [Matrix(9, 3), Matrix(28, 2)], maps: [.convolution(convolution)], activations: [.relu])
    }
  }
}
