import LinearAlgebra

extension LiftedSettings {
  /// The numbers that a training on so many rows has: those of its depth, and of the settings in place of some. The share of
  /// the inputs is all.
  ///
  /// - Throws: `LiftedError.idle` for a number without effect on these layers and batches; `RelativeError` for one out of its
  ///   range.
  init(_ settings: TrainingSettings, _ layers: LayerSettings, rows: Int) throws {
    self.init(plan: layers.plan)
    epochs = layers.epochs
    batchSize = layers.batchSize < rows ? layers.batchSize : nil
    seed = settings.seed
    sketch = layers.sketch
    let used = names(settings, layers)
    for name in (layers.numbers ?? [:]).keys.sorted() where !used.contains(name) {
      throw LiftedError.idle(name, used: used)
    }
    try set(layers.numbers ?? [:])
    if case .value(let λ) = settings.lambda { (self.λ, batched.λ) = (λ, λ) }
  }

  /// The names that matter to a training with these sizes.
  private func names(_ settings: TrainingSettings, _ layers: LayerSettings) -> [String] {
    if settings.model == .lifted || batchSize == nil { return Self.namesOfWholeData }
    let hasConvolutions = layers.plan.hasConvolutions
    if layers.numbers?["alternations"] ?? 0 > 0 {
      return Self.namesOfSolvedBlocks + (hasConvolutions ? ["pull"] : [])
    }
    return hasConvolutions ? Self.namesOfConvolutions : Self.namesOfSteps
  }

  /// Every number that a training on so many rows uses, by name.
  ///
  /// - Throws: as `init(_:_:rows:)`.
  static func used(
    _ settings: TrainingSettings, _ layers: LayerSettings, rows: Int
  ) throws -> [String: Double] {
    let own = try LiftedSettings(settings, layers, rows: rows)
    let names = own.names(settings, layers)
    return own.values.filter { names.contains($0.key) }
  }

  /// λ_0 … λ_{L−1} of the model that a network is trained by.
  func weights<Element>(of network: FeedForward<Element>, _ form: LiftedForm) -> [Element] {
    form == .fenchel && batchSize != nil
      ? BatchDescent<Element>.weights(of: network, batched)
      : [Element](repeating: Element(λ), count: network.activations.count)
  }

  /// ρ_0 … ρ_L of whole data.
  func ridges<Element: Scalar>(layers: Int) -> [Element] {
    [Element](repeating: Element(ρ), count: layers) + [Element(lastρ ?? ρ)]
  }
}
