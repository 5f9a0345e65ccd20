import ConvexOptimization
import LinearAlgebra

/// Block-coordinate descent whose sweeps begin where Anderson's combination of the last ones points to.
///
/// A sweep maps weights to weights, and near a minimiser nearly linearly so: the outputs X_L … X_1 are found from the
/// weights first. A sweep from a guess that ends higher than the one before is taken back, and one is made from where that
/// had ended: no sweep raises the objective. Cost: that of a sweep, twice where a guess was wrong, and 2m copies of the
/// weights.
struct AcceleratedDescent<Element: Scalar>: Resumable {
  private(set) var descent: BlockCoordinateDescent<Element>
  /// Nil for plain sweeps.
  private var acceleration: AndersonAcceleration<Element>?
  /// All weights in a column: where the next sweep begins.
  private var guess: Matrix<Element>?

  /// - Parameter memory: sweeps that are combined; below 2 none.
  init(_ descent: BlockCoordinateDescent<Element>, memory: Int) {
    self.descent = descent
    acceleration = memory < 2 ? nil : try? AndersonAcceleration(memory: memory, regularisation: 1e-8)
  }

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("plain", &descent)
    let blank = flattened(descent.point.network.weights)
    try state.carry("guess", optional: &guess, blank: blank) { try $0.carry("weights", &$1) }
    guard let past = acceleration else { return }
    var (images, residuals, count) = (past.images, past.residuals, past.images.count)
    try state.carry("sweeps", &count)
    guard count <= past.memory else { throw StateError("a past of \(count) sweeps") }
    if state.isRestoring {
      images = [Matrix<Element>](repeating: blank, count: count)
      residuals = images
    }
    try state.carry("images", &images)
    try state.carry("residuals", &residuals)
    if state.isRestoring { acceleration?.restore(images: images, residuals: residuals) }
  }

  /// One sweep; two where a guess was wrong.
  ///
  /// - Throws: what `BlockCoordinateDescent.sweep` throws.
  mutating func sweep() throws {
    let last = descent
    guard let guess else { return try plainSweep() }
    descent.begin(at: guess)
    do { try descent.sweep() } catch is FactorisationError { descent = last }
    if descent.objective.total < last.objective.total {
      note(from: guess)
    } else {
      descent = last
      acceleration?.restart()
      try plainSweep()
    }
  }

  private mutating func plainSweep() throws {
    let begin = flattened(descent.point.network.weights)
    try descent.sweep()
    note(from: begin)
  }

  private mutating func note(from begin: Matrix<Element>) {
    let image = flattened(descent.point.network.weights)
    let next = acceleration?.extrapolation(after: begin, image: image)
    guess = next?.firstNonFinite == nil ? next : nil
  }
}
