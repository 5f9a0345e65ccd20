import ConvexOptimization
import LinearAlgebra

/// Block-coordinate descent on a lifted model, whole data: the outputs X_L … X_1 backward, then all weights (Gu, Askari &
/// El Ghaoui 2019, Algorithm 1). No update raises the objective: one that rounding would let rise is not made.
public struct BlockCoordinateDescent<Element: Scalar>: Resumable {
  public let program: LiftedProgram<Element>
  public private(set) var point: LiftedPoint<Element>
  /// The model's value at the point.
  public private(set) var objective: LiftedObjective
  /// How exactly a block is solved: the relative length of its last step.
  public var tolerance: Element
  /// Steps that a block may take.
  public var maximumSteps: Int
  /// θ: how much of the way to its minimiser a block is moved, above 0 and at most 1.
  package var relaxation: Element = 1
  /// Rows of the sketch of a layer's inputs, for each input, with which ridge problems of its weights are solved where the
  /// data have at least twice as many; nil to solve them by their Gram matrices.
  public var sketch: Int?
  private let seed: UInt64
  private var sketches = 0
  /// X̃ᵀX̃ of the data, which all updates of the first layer's weights share.
  private let gram: Matrix<Element>
  /// X_l W_l + 1 b_lᵀ where it is known at the point.
  private var preactivations: [Matrix<Element>?]

  /// Starts from a network, with the outputs that it makes itself.
  ///
  /// - Throws: `LiftedError.shape` where the network does not fit the data or the model.
  public init(
    _ program: LiftedProgram<Element>, from network: FeedForward<Element>, tolerance: Element = 1e-4,
    maximumSteps: Int = 100, sketch: Int? = nil, seed: UInt64 = 0
  ) throws {
    try LiftedProgram.check(network, inputs: program.x.columns, outputs: program.outputs)
    guard network.activations.count == program.hiddenLayers else {
      throw LiftedError.count("activations", network.activations.count, expected: program.hiddenLayers)
    }
    self.program = program
    self.tolerance = tolerance
    self.maximumSteps = maximumSteps
    (self.sketch, self.seed) = (sketch, seed)
    point = LiftedPoint(forward: network, on: program.x)
    objective = program.objective(at: point)
    preactivations = [Matrix<Element>?](repeating: nil, count: program.hiddenLayers + 1)
    gram = LayerInputs(program.x, through: network.maps[0], hasBias: network.hasBias).gram
  }

  public mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("weights", &point.network.weights)
    try state.carry("outputs", &point.outputs)
    try state.carry("loss", &objective.loss)
    try state.carry("penalties", &objective.penalties)
    try state.carry("ridges", &objective.ridges)
    try state.carry("sketches", &sketches)
    for l in preactivations.indices {
      let blank = Matrix<Element>(program.x.rows, point.network.outputs(ofLayer: l))
      try state.carry("preactivations.\(l)", optional: &preactivations[l], blank: blank) {
        try $0.carry("matrix", &$1)
      }
    }
  }

  /// Goes on at another point, where the model has a lower value there.
  mutating func restart(at other: LiftedPoint<Element>) {
    let value = program.objective(at: other)
    guard value.total < objective.total else { return }
    (point, objective) = (other, value)
    forgetPreactivations()
  }

  /// Begins anew with other weights, all in a column, and the outputs as they are. The value is not known before a sweep
  /// has visited every block.
  mutating func begin(at weights: Matrix<Element>) {
    point.network.weights = parted(weights, like: point.network.weights)
    forgetPreactivations()
    let unknown = [Double](repeating: .infinity, count: program.hiddenLayers + 1)
    objective = LiftedObjective(loss: .infinity, penalties: Array(unknown.dropFirst()), ridges: unknown)
  }

  /// One sweep: X_L … X_1, then W_0 … W_L, which do not depend on each other.
  ///
  /// - Throws: `FactorisationError` where a layer's weights have no unique solution in this precision; a ridge ρ gives
  ///   them one.
  public mutating func sweep() throws {
    for l in (0..<program.hiddenLayers).reversed() { try updateOutputs(l) }
    try updateAllWeights()
  }

  private mutating func forgetPreactivations() {
    for l in preactivations.indices { preactivations[l] = nil }
  }

  /// Solves the block of X_{l+1}, l = 0 … L − 1.
  public mutating func updateOutputs(_ l: Int) throws {
    if preactivations[l] == nil { preactivations[l] = program.preactivations(ofLayer: l, at: point) }
    let block = program.outputBlock(l, at: point, toward: preactivations[l])
    let z = relaxed(
      try block.solve(from: point.outputs[l], tolerance: tolerance, maximumSteps: maximumSteps),
      from: point.outputs[l])
    let image = block.image(of: z)
    let (below, above) = (Double(block.remainder(z)), Double(block.fit.value(at: image)))
    let isLast = l + 1 == program.hiddenLayers
    let before = objective.penalties[l] + (isLast ? objective.loss : objective.penalties[l + 1])
    guard below + above <= before else { return }
    point.outputs[l] = z
    preactivations[l + 1] = image
    objective.penalties[l] = below
    if isLast { objective.loss = above } else { objective.penalties[l + 1] = above }
  }

  /// Solves the block of W_l, l = 0 … L.
  public mutating func updateWeights(_ l: Int) throws {
    let sketch = nextSketch(ofLayer: l)
    accept(try solved(l, sketch), l)
  }

  /// Solves the blocks of W_0 … W_L, several at a time.
  private mutating func updateAllWeights() throws {
    var found = (0...program.hiddenLayers).map { l in
      (sketch: nextSketch(ofLayer: l), block: nil as MajorisedPoint<Element>?)
    }
    try Parallel.forEach(in: &found) { l, found in found.block = try solved(l, found.sketch) }
    for l in found.indices { if let block = found[l].block { accept(block, l) } }
  }

  /// Goes on to the weights found for a layer, where they are no worse.
  private mutating func accept(_ found: MajorisedPoint<Element>, _ l: Int) {
    let isLast = l == program.hiddenLayers
    let before = objective.ridges[l] + (isLast ? objective.loss : objective.penalties[l])
    guard Double(found.fit) + Double(found.remainder) <= before else { return }
    point.network.weights[l] = found.point
    preactivations[l] = found.image
    objective.ridges[l] = Double(found.remainder)
    if isLast { objective.loss = Double(found.fit) } else { objective.penalties[l] = Double(found.fit) }
  }

  /// (1 − θ) old + θ new: between points of a convex block, so no worse than the old one.
  private func relaxed(_ new: Matrix<Element>, from old: Matrix<Element>) -> Matrix<Element> {
    guard relaxation < 1 else { return new }
    var result = new
    result.scale(by: relaxation)
    result.add(1 - relaxation, old)
    return result
  }

  /// The random sketch of the inputs of a layer, where its ridge problem is solved by one.
  private mutating func nextSketch(ofLayer l: Int) -> CountSketch<Element>? {
    if case .convolution = point.network.maps[l] { return nil }
    let inputs = point.network.weights[l].rows
    guard let sketch, l > 0, program.fit(ofLayer: l, at: point).isQuadratic,
      program.x.rows / 2 >= sketch * inputs
    else { return nil }
    sketches += 1
    return CountSketch(
      rows: sketch * inputs, columns: program.x.rows,
      random: Philox(seed: seed, stream: 1 << 40 + UInt64(sketches)))
  }

  private func solved(_ l: Int, _ sketch: CountSketch<Element>?) throws -> MajorisedPoint<Element> {
    let block = program.weightBlock(l, at: point, gram: l == 0 ? gram : nil)
    let start = point.network.weights[l]
    guard let sketch else {
      let found = try block.minimum(
        from: block.evaluated(start, image: preactivations[l]), tolerance: tolerance,
        maximumSteps: maximumSteps)
      return relaxation < 1 ? block.evaluated(relaxed(found.point, from: start)) : found
    }
    let w = try block.solveSketched(from: start, by: sketch, tolerance: tolerance, maximumSteps: maximumSteps)
    return block.evaluated(relaxed(w, from: start))
  }
}
