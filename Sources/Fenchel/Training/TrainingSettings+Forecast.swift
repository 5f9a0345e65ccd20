import LinearAlgebra

extension TrainingSettings {
  /// Seconds that one pass of projections on the cones of all groups may take, roughly: 4 n d² multiplications for each
  /// group, at some 3·10⁹ a second, where patterns that fit into memory are given by number or by gates and no time limit
  /// is set; nil otherwise. A training takes several passes.
  public func secondsOfProjections(on data: Dataset<Double>) -> Double? {
    guard model.hasCones, timeLimit == nil else { return nil }
    let count: Int
    switch patterns {
    case .sampled(let number): count = number
    case .gates(let gates): count = gates.rows
    case .refine, .exact: return nil
    }
    var (n, d) = (Double(data.rows), Double(data.features.columns + (bias ? 1 : 0)))
    if model == .cnn {
      guard
        let patches = try? (convolution ?? PatchSettings()).convolution(
          features: data.features.columns, image: data.schema.imageShape)
      else { return nil }
      n *= Double(patches.positions)
      d = Double(patches.patchLength + (bias ? 1 : 0))
    }
    guard Double(count) * (n / 8 + 8 * d) < Double(memoryLimit) else { return nil }
    let groups = 2 * Double(count) * Double(max(1, data.schema.outputs))
    return groups * 4 * n * d * min(n, d) / 3e9
  }
}
