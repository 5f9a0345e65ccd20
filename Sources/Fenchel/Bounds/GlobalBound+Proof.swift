import LinearAlgebra

/// The proof in a model file, and its check.
extension GlobalBound {
  /// What a model file keeps: `bound.theta` (n × c) with `bound.widths`, `bound.slopes` and `bound.curvatures`, or with
  /// `bound.lengths` (c × 2) where cones were cut.
  var tensors: [String: Tensor] {
    switch proof {
    case .patterns: [:]
    case .multipliers(let m):
      [
        Key.θ: Tensor(m.θ), Key.widths: Tensor(m.widths), Key.slopes: Tensor(m.slopes),
        Key.curvatures: Tensor(m.curvatures),
      ]
    case .cones(let θ, let lengths, _): [Key.θ: Tensor(θ), Key.lengths: Tensor(lengths)]
    }
  }

  private enum Key {
    static let θ = "bound.theta"
    static let widths = "bound.widths"
    static let slopes = "bound.slopes"
    static let curvatures = "bound.curvatures"
    static let lengths = "bound.lengths"
  }

  /// The bound that the tensors of a model file prove for a program, computed anew; nil where they prove none. `dual` is
  /// the program's own bound, which counts where the program has all patterns.
  ///
  /// Multipliers are evaluated; cones are cut once more at the stored dual point, down to the stored lengths, until
  /// twice as many are spent as before.
  static func recomputed(
    from tensors: [String: Tensor], _ summary: TrainingReport.GlobalSummary, _ program: TwoLayerProgram,
    dual: Double
  ) -> Double? {
    if summary.proof == "patterns" { return program.patterns.isExact ? dual : nil }
    let (n, c) = (program.samples, program.outputs)
    func matrix(_ key: String, _ rows: Int, _ columns: Int) -> Matrix<Double>? {
      guard let found = tensors[key]?.matrix, found.rows == rows, found.columns == columns else { return nil }
      return found
    }
    guard let θ = matrix(Key.θ, n, c) else { return nil }
    if let lengths = matrix(Key.lengths, c, 2) {
      return recomputed(θ, lengths: lengths, cones: summary.cones ?? 0, program)
    }
    guard let widths = matrix(Key.widths, n, c), let slopes = matrix(Key.slopes, n, c),
      let curvatures = matrix(Key.curvatures, n, c)
    else { return nil }
    let multipliers = BoundMultipliers(θ: θ, widths: widths, slopes: slopes, curvatures: curvatures)
    return multipliers.value(program.x, program.strictLoss, λ: program.λ)
  }

  private static func recomputed(
    _ θ: Matrix<Double>, lengths: Matrix<Double>, cones: Int, _ program: TwoLayerProgram
  ) -> Double? {
    let (strict, reduction) = (program.strictLoss, RankReduction(program.x))
    guard reduction.rank <= GlobalBounding.mostFeatures else { return nil }
    let θ = strict.feasibleDirection(θ)
    let most = (0..<program.outputs).map { j in
      [1.0, -1.0].enumerated().reduce(0.0) { largest, side in
        let coefficients = θ.column(j).map { side.element * $0 }
        let excess = reduction.excess(coefficients)
        guard reduction.rank > 0 else { return max(largest, excess) }
        var search = SphericalBranchAndBound(
          x: reduction.rotated, c: coefficients, target: lengths[j, side.offset] - excess)
        search.run(cones: 2 * max(0, min(cones, 1 << 24)) + 1000)
        return max(largest, search.bound + excess)
      }
    }
    return strict.dualValue(θ, lengths: most, λ: program.λ)
  }
}
