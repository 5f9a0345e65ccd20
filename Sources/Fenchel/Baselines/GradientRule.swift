import LinearAlgebra

/// A first-order method: how the weights of a layer follow from its gradient and from what is remembered of earlier
/// ones. State is kept layer by layer and begins at 0; one value belongs to one training.
///
/// All rules take the slope H = G + λW, with λ the weight decay, as PyTorch's `weight_decay` does.
public protocol GradientRule<Element>: Sendable, Resumable {
  associatedtype Element: Scalar
  /// Counts one more step; `step` is called for every layer after it.
  mutating func begin()
  /// Takes the step for layer l; returns whether all new weights are finite.
  mutating func step(layer l: Int, _ pass: GradientPass<Element>) -> Bool
}

extension GradientRule {
  public mutating func begin() {}

  /// Replaces the weights by those after a step; what they were before goes to `previous`, of the same shapes.
  /// Returns whether all new weights are finite. Cost: one pass over weights, gradients and state, in parallel.
  public mutating func update(
    _ weights: inout [Matrix<Element>], previous: inout [Matrix<Element>], gradient: [Matrix<Element>],
    learningRate: Double, weightDecay: Double = 0
  ) -> Bool {
    begin()
    var isFinite = true
    for l in weights.indices {
      swap(&weights[l], &previous[l])
      let count = gradient[l].count
      precondition(weights[l].count == count && previous[l].count == count, "a gradient of another shape")
      let good = withPointers(previous[l], gradient[l], &weights[l].storage) { old, gradient, new in
        step(
          layer: l,
          GradientPass(
            count: count, old: old, gradient: gradient, new: new, learningRate: learningRate,
            weightDecay: Element(weightDecay)))
      }
      isFinite = isFinite && good
    }
    return isFinite
  }
}

/// The entries of one layer that a step goes over.
public struct GradientPass<Element: Scalar> {
  let count: Int
  let old: UnsafePointer<Element>
  let gradient: UnsafePointer<Element>
  let new: UnsafeMutablePointer<Element>
  let learningRate: Double
  let weightDecay: Element

  /// Whether `body(first, count)` is true on every one of the fixed tiles of entries, spread over threads.
  func tiles(_ body: (Int, Int) -> Bool) -> Bool {
    let size = 1 << 15
    return Parallel.sum(tiles: Parallel.tiles(of: size, covering: count)) { tile in
      let entries = Parallel.range(ofTile: tile, size: size, count: count)
      return body(entries.lowerBound, entries.count) ? 0 : 1
    } == 0
  }
}

/// One number for every weight, 0 at first: a running mean, a sum of squares, a velocity.
struct GradientMemory<Element: Scalar>: Sendable, Resumable {
  private var layers: [[Element]] = []

  mutating func transfer(_ state: inout StateTransfer) throws {
    var count = layers.count
    try state.carry("layers", &count)
    guard count <= 1_000_000 else { throw StateError("a memory of \(count) layers") }
    if state.isRestoring { layers = [[Element]](repeating: [], count: count) }
    for l in layers.indices { try state.carry(String(l), &layers[l], isAnyCount: true) }
  }

  /// Calls `body` with a pointer to the entries of layer l, `count` of them.
  mutating func withPointer<R>(layer l: Int, count: Int, _ body: (UnsafeMutablePointer<Element>) -> R) -> R {
    while layers.count <= l { layers.append([]) }
    if layers[l].count != count { layers[l] = [Element](repeating: 0, count: count) }
    return layers[l].withMutablePointer(body)
  }
}
