import LinearAlgebra

/// Bounds over networks of any width: of neurons that each feed one output, and of any, where there is more than one.
struct ProvenBounds {
  var value: Double
  var shared: Double?
}

/// The proof in a model file, and its check.
extension GlobalBound {
  /// What a model file keeps: `bound.theta` (n × c) with `bound.pieces`, `bound.lines` and `bound.parabolas`, a row a piece, or
  /// with `bound.lengths` (c × 2) where cones were cut. A row of `bound.pieces` is output, sign, and the cuts as ±(i + 1) for
  /// sample i, then zeros.
  var tensors: [String: Tensor] {
    switch proof {
    case .patterns: [:]
    case .multipliers(let m):
      [
        Key.θ: Tensor(m.θ), Key.pieces: Tensor(Self.table(of: m.pieces)),
        Key.lines: Tensor(Matrix(rows: m.pieces.map(\.lines))),
        Key.parabolas: Tensor(Matrix(rows: m.pieces.map(\.parabolas))),
      ]
    case .cones(let θ, let lengths, _): [Key.θ: Tensor(θ), Key.lengths: Tensor(lengths)]
    }
  }

  private enum Key {
    static let θ = "bound.theta"
    static let pieces = "bound.pieces"
    static let lines = "bound.lines"
    static let parabolas = "bound.parabolas"
    static let lengths = "bound.lengths"
  }

  /// The bounds that the tensors of a model file prove for a program, computed anew, the second one over networks whose
  /// neurons feed any outputs; nil where they prove none. `dual` is the program's own bound, which counts where the program has
  /// all patterns.
  ///
  /// Multipliers are evaluated; the stored lengths are shown to hold at the stored dual point by cutting cones anew
  /// (`ConeCheck`), until `ConeCheck.limit` are spent.
  static func recomputed(
    from tensors: [String: Tensor], _ summary: TrainingReport.GlobalSummary, _ program: TwoLayerProgram,
    dual: Double
  ) -> ProvenBounds? {
    let (n, c) = (program.samples, program.outputs)
    func matrix(_ key: String, _ rows: Int, _ columns: Int) -> Matrix<Double>? {
      guard let found = tensors[key]?.matrix, found.rows == rows, found.columns == columns else { return nil }
      return found
    }
    func values(_ proven: MeasuredDual, value: Double? = nil) -> ProvenBounds {
      let loss = program.strictLoss
      return ProvenBounds(
        value: value ?? proven.value(loss, λ: program.λ),
        shared: c > 1 ? proven.sharedValue(loss, λ: program.λ) : nil)
    }
    switch summary.proof {
    case .patterns:
      guard program.patterns.isExact, let θ = tensors["theta"]?.matrix, θ.rows == n, θ.columns == c else {
        return nil
      }
      return values(program.measuredDual(θ), value: dual)
    case .cones:
      guard let θ = matrix(Key.θ, n, c), let lengths = matrix(Key.lengths, c, 2) else { return nil }
      return proven(θ, lengths: lengths, cones: summary.cones ?? 0, program).map { values($0) }
    case .multipliers:
      guard let θ = matrix(Key.θ, n, c), let table = tensors[Key.pieces]?.matrix,
        table.rows == summary.pieces ?? table.rows, let lines = matrix(Key.lines, table.rows, program.rows),
        let parabolas = matrix(Key.parabolas, table.rows, program.rows),
        let pieces = pieces(of: table, lines, parabolas, outputs: c)
      else { return nil }
      return values(BoundMultipliers(θ: θ, pieces: pieces).measured(for: program))
    }
  }

  private static func table(of pieces: [BoundMultipliers.Piece]) -> Matrix<Double> {
    let depth = pieces.reduce(0) { max($0, $1.cone.cuts.count) }
    return Matrix(
      rows: pieces.map { piece in
        let cuts = piece.cone.cuts.map { $0.side * Double($0.sample + 1) }
        return [Double(piece.output), piece.sign] + cuts + [Double](repeating: 0, count: depth - cuts.count)
      })
  }

  /// The pieces of a table; nil where it speaks of outputs or samples that do not exist, or cuts no search makes: more than
  /// there are pieces, or twice by one sample.
  private static func pieces(
    of table: Matrix<Double>, _ lines: Matrix<Double>, _ parabolas: Matrix<Double>, outputs c: Int
  ) -> [BoundMultipliers.Piece]? {
    guard table.columns >= 2 else { return nil }
    var result: [BoundMultipliers.Piece] = []
    for p in 0..<table.rows {
      let row = table.row(p)
      let cuts = row.dropFirst(2).prefix { $0 != 0 }
      guard cuts.count <= GlobalBounding.mostPieces * c, Set(cuts.map(abs)).count == cuts.count else {
        return nil
      }
      guard let output = Int(exactly: row[0]), (0..<c).contains(output), abs(row[1]) == 1,
        cuts.allSatisfy({ abs($0) <= Double(lines.columns) && $0 == $0.rounded() })
      else { return nil }
      let cone = DirectionCone(
        cuts: cuts.map { DirectionCone.Cut(sample: Int(abs($0)) - 1, side: $0 > 0 ? 1 : -1) })
      result.append(
        BoundMultipliers.Piece(
          output: output, sign: row[1], cone: cone, lines: lines.row(p), parabolas: parabolas.row(p)))
    }
    return result
  }

  /// θ with the lengths that hold, infinite where that could not be shown.
  private static func proven(
    _ θ: Matrix<Double>, lengths: Matrix<Double>, cones: Int, _ program: TwoLayerProgram
  ) -> MeasuredDual? {
    let (strict, reduction) = (program.strictLoss, RankReduction(program.x))
    guard reduction.rank <= GlobalBounding.mostFeatures else { return nil }
    let θ = strict.feasibleDirection(θ)
    let spread = program.pooling.adjoint(θ)
    let limit = ConeCheck.limit(min(cones, BoundEffort.tight.cones))
    let most = (0..<program.outputs).map { j in
      [1.0, -1.0].enumerated().reduce(0.0) { largest, side in
        let coefficients = spread.column(j).map { side.element * $0 }
        let length = lengths[j, side.offset] * (1 + 1e-11)
        var check = ConeCheck(x: program.x, c: coefficients, most: length, basis: reduction.basis)
        return max(largest, check.holds(cones: limit) ? length : .infinity)
      }
    }
    return MeasuredDual(θ: θ, lengths: most)
  }
}
