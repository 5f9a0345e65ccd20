import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Lifted models with convolutions and averages among their layers.
@Suite struct ConvolutionalLiftedTests {
  private static let image = ImageShape(channels: 2, height: 8, width: 8)
  private static let layers = ["convolution 3 3x3", "pooling 2", "convolution 4 2x2", "pooling 2", "dense 6"]

  private func network<T: Scalar>(_: T.Type, _ layers: [String] = Self.layers) throws -> FeedForward<T> {
    try LayerPlan(steps: try layers.map { try LayerPlan.Step($0) }).network(
      inputs: Self.image.count, outputs: 3, image: Self.image, seed: 2)
  }

  private func program(
    _ network: FeedForward<Double>, form: LiftedForm, samples n: Int = 40
  ) throws -> LiftedProgram<Double> {
    let x: Matrix<Double> = Philox(seed: 1).uniformMatrix(n, Self.image.count)
    let loss = try LossKind.softmax.makeLoss(targets: oneHot((0..<n).map { $0 % 3 }, 3) as Matrix<Double>)
    let layers = network.activations.count
    return try LiftedProgram(
      x: x, loss: loss, kind: .softmax, activations: network.activations, form: form,
      λ: [Double](repeating: 1, count: layers), ρ: [Double](repeating: 1e-3, count: layers + 1))
  }

  /// No block raises the objective on whole data, the objective is the model's value, and sweeps lower it.
  @Test(arguments: [LiftedForm.fenchel, .squaredDistance])
  func blocksNeverRaiseTheObjective(form: LiftedForm) throws {
    let network = try network(Double.self)
    let program = try program(network, form: form)
    var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-4, maximumSteps: 40)
    let start = descent.objective.total
    var last = start
    func check(_ what: String) {
      let total = descent.objective.total
      #expect(total <= last, "\(what)")
      let value = program.objective(at: descent.point).total
      #expect(abs(total - value) <= 1e-9 * max(1, value), "\(what)")
      last = total
    }
    for _ in 0..<4 {
      for l in (0..<program.hiddenLayers).reversed() {
        try descent.updateOutputs(l)
        check("X_\(l + 1)")
      }
      for l in (0...program.hiddenLayers).reversed() {
        try descent.updateWeights(l)
        check("W_\(l)")
      }
    }
    #expect(last < 0.7 * start)
  }

  /// Blocks solved to the end are stationary: their own step no longer moves them.
  @Test func solvedBlocksAreStationary() throws {
    let network = try network(Double.self)
    let program = try program(network, form: .fenchel, samples: 12)
    var point = LiftedPoint(forward: network, on: program.x)
    for l in point.outputs.indices {
      let noise: Matrix<Double> = Philox(seed: 9, stream: UInt64(l)).uniformMatrix(
        12, point.outputs[l].columns)
      point.outputs[l].add(0.3, noise)
    }
    for l in 0..<program.hiddenLayers {
      let block = program.outputBlock(l, at: point)
      let z = try block.solve(from: point.outputs[l], tolerance: 1e-12, maximumSteps: 3000)
      var gradient = block.image(of: z)
      block.fit.gradient(at: block.image(of: z), into: &gradient)
      let next = block.minimiser(of: block.majorant(), at: z, slope: block.pullBack(gradient))
      #expect(distance(next, z) <= 1e-8, "X_\(l + 1)")
    }
    for l in 0...program.hiddenLayers {
      let block = program.weightBlock(l, at: point)
      let w = try block.minimise(from: network.weights[l], tolerance: 1e-12, maximumSteps: 3000)
      let image = block.image(of: w)
      var gradient = image
      block.fit.gradient(at: image, into: &gradient)
      let next = block.minimiser(of: try block.majorant(), at: w, slope: block.pullBack(gradient))
      #expect(distance(next, w) <= 1e-8, "W_\(l)")
    }
  }

  /// The curvature bound of a block holds: f(A(Z + S)) ≤ f + ⟨∇, S⟩ + L/2‖S‖² for many S.
  @Test(arguments: 0..<3)
  func majorantsBound(l: Int) throws {
    let network = try network(Double.self)
    let program = try program(network, form: .fenchel, samples: 5)
    let point = LiftedPoint(forward: network, on: program.x)
    let block = program.outputBlock(l, at: point)
    let z = point.outputs[l]
    let t = block.image(of: z)
    var slope = t
    let value = block.fit.gradient(at: t, into: &slope)
    let g = block.pullBack(slope)
    for seed in 0..<20 {
      var step: Matrix<Double> = Philox(seed: UInt64(seed)).normalMatrix(z.rows, z.columns)
      step.scale(by: [1e-3, 0.1, 3][seed % 3])
      var other = z
      other.add(1, step)
      let bound = value + g.inner(step) + block.majorant() / 2 * step.inner(step)
      #expect(block.fit.value(at: block.image(of: other)) <= bound + 1e-9 * max(1, abs(bound)))
    }
  }

  /// A step through averages is that of the same map as a dense layer.
  @Test func averagesAreADenseLayer() throws {
    let averaged = try network(Double.self, ["pooling 4", "dense 5"])
    let x: Matrix<Double> = Philox(seed: 4).uniformMatrix(7, 2 * 64)
    guard case .averages(let pooling) = averaged.maps[0] else { throw LiftedError.shape("no averages") }
    let dense = try FeedForward(
      weights: [spread(averaged.weights[0], pooling), averaged.weights[1]], activations: [.relu])
    #expect(distance(averaged.output(x), dense.output(x)) <= 1e-12)
    let targets: Matrix<Double> = Philox(seed: 5).uniformMatrix(7, 5)
    let u: Matrix<Double> = Philox(seed: 6).normalMatrix(7, 128)
    let steps = try [averaged, dense].map { network in
      let block = OutputBlock(
        fit: .outputs(targets, try FenchelPenalty(.relu), weight: 2), weights: network.weights[0],
        map: network.maps[0], hasBias: true, penalty: try FenchelPenalty(.relu), weight: 0.5, toward: u)
      var z = u
      try FenchelPenalty<Double>(.relu).divergence.map(&z)
      return block.singleStep(from: block.image(of: z), outputs: z)
    }
    #expect(distance(steps[0], steps[1]) <= 1e-9)
  }

  /// PᵀW with the bias below.
  private func spread(_ w: Matrix<Double>, _ pooling: AveragePooling) -> Matrix<Double> {
    var result = Matrix<Double>(w.columns, pooling.input.count)
    pooling.spread(w.firstRows(w.rows - 1).transposed, to: &result)
    let turned = result.transposed
    return Matrix(turned.rows + 1, w.columns, storage: turned.storage + w.row(w.rows - 1))
  }

  /// Batched training in either precision learns classes apart.
  @Test func batchesLearn() throws {
    try checkBatches(Float.self)
    try checkBatches(Double.self)
  }

  private func checkBatches<T: Scalar>(_: T.Type) throws {
    let n = 240
    var x: Matrix<T> = Philox(seed: 3).uniformMatrix(n, Self.image.count)
    for k in 0..<n {  // a bright square in one of three places
      let (top, left) = [(0, 0), (4, 1), (2, 5)][k % 3]
      for i in 0..<3 { for j in 0..<3 { x[k, (top + i) * 8 + left + j] += 1 } }
    }
    var settings = LiftedSettings(plan: LayerPlan(steps: try Self.layers.map { try LayerPlan.Step($0) }))
    (settings.epochs, settings.batchSize) = (6, 40)
    let start = try network(T.self)
    let y: Matrix<T> = oneHot((0..<n).map { $0 % 3 }, 3)
    let training = LiftedTraining<T>(.fenchel, settings: settings)
    let ones = [T](repeating: 1, count: n)
    let outcome = try training.run(from: start, x: x, targets: y, weights: ones, loss: .softmax)
    #expect(outcome.status == .completed && outcome.history.count == 6)
    let f = outcome.network.output(x)
    let right = (0..<n).count { k in (0..<3).allSatisfy { f[k, $0] <= f[k, k % 3] } }
    #expect(right > 220, "\(T.self): \(right) of \(n)")
    settings.batched.solvesBlocks = true
    settings.epochs = 1
    let solved = try LiftedTraining<T>(.fenchel, settings: settings).run(
      from: start, x: x, targets: y, weights: ones, loss: .softmax)
    #expect(solved.status == .completed)
  }
}
