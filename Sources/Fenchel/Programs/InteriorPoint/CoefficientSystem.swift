import LinearAlgebra

/// The Newton system in the coefficients of all groups, for few coefficients and many samples:
///
///     (blockdiag H_g + Aᵀ L A) Δu = b + Aᵀ L R,   Δθ = L (R − A Δu),   A_g = σ_g D_g X,
///
/// with L = diag(1/E), or s(diag p − ppᵀ) for coupled outputs (there L R is −(θ + ∇ℓ)); A_g is summed over the rows of each
/// sample. Cost n(Gd)² + (Gd)³/3.
struct CoefficientSystem: NewtonSystem {
  private var factor: [Double] = []
  private let n: Int
  private let d: Int
  /// Rows of A that are formed at once.
  private static let rowsAtOnce = 1024

  static func bytes(samples n: Int, features d: Int, groups: Int) -> Int {
    let size = groups * d
    return 8 * (2 * size * size + 2 * min(n, rowsAtOnce) * size)
  }

  init(samples: Int, features: Int) { (n, d) = (samples, features) }

  mutating func factorise(_ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>) -> Bool {
    let size = blocks.count * d
    factor = [Double](repeating: 0, count: size * size)
    for start in stride(from: 0, to: n, by: Self.rowsAtOnce) {
      addRows(start..<min(start + Self.rowsAtOnce, n), blocks, loss, x: x)
    }
    for (g, block) in blocks.enumerated() { addCurvature(of: block, at: g * d, size: size) }
    return factorCholesky(size, &factor)
  }

  /// Adds the rows' part of AᵀLA.
  private mutating func addRows(
    _ rows: Range<Int>, _ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>
  ) {
    let outputs = loss.predictions.columns
    for j in 0..<outputs {
      let members = blocks.indices.filter { blocks[$0].group.output == j }
      let weights = rows.map { (1 / loss.inverseCurvature[$0, j]).squareRoot() }
      addProduct(rows, blocks, members, x: x, sign: 1) { k, _ in weights[k] }
    }
    guard loss.isCoupled else { return }
    // The rank-one part: −(Σ_j s p_j ΔF_j)² / s for each sample.
    let sampleWeights = loss.loss.weights
    addProduct(rows, blocks, Array(blocks.indices), x: x, sign: -1) { k, block in
      let sample = rows.lowerBound + k
      let weight = sampleWeights[sample]
      return weight > 0 ? 1 / loss.inverseCurvature[sample, block.group.output] / weight.squareRoot() : 0
    }
  }

  /// Adds ±BᵀB for B = (weight · A_g) over the rows and the given blocks, into their place.
  private mutating func addProduct(
    _ rows: Range<Int>, _ blocks: [ConeBlock], _ members: [Int], x: UnsafePointer<Double>, sign: Double,
    weight: (Int, ConeBlock) -> Double
  ) {
    guard !members.isEmpty else { return }
    let (d, count, width, size) = (d, rows.count, members.count * d, blocks.count * d)
    withTemporary(Double.self, count * width) { b in
      Parallel.forEach(tiles: members.count, work: count * width) { m in
        let block = blocks[members[m]]
        for k in 0..<count {
          let (scale, target) = (weight(k, block), b + k * width + m * d)
          target.update(repeating: 0, count: d)
          for row in block.pooling.rows(of: rows.lowerBound + k) where block.mask[row] != 0 {
            let (factor, source) = (scale * block.mask[row], x + row * d)
            for i in 0..<d { target[i] += factor * source[i] }
          }
        }
      }
      factor.withMutablePointer { factor in
        SymmetricTiles.addTransposedProduct(
          of: b, rows: count, columns: width, sign: sign, blockSize: d, members: members, to: factor,
          size: size)
      }
    }
  }

  /// Adds H_g = L_g L_gᵀ of the block's own factor.
  private mutating func addCurvature(of block: ConeBlock, at offset: Int, size: Int) {
    guard block.isConstrained else {
      return factor.withMutablePointer {
        block.scaling.addCurvature(to: $0 + offset * size + offset, leading: size)
      }
    }
    for i in 0..<d {
      for j in 0...i {
        factor[(offset + i) * size + offset + j] +=
          Double.dot(j + 1, block.factor + i * d, block.factor + j * d)
      }
    }
  }

  func solve(_ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>) -> Matrix<Double> {
    let (n, d, size, c) = (n, d, blocks.count * d, loss.predictions.columns)
    let weighted = loss.weightedTarget()
    let columns = (0..<c).map { weighted.column($0) }
    var Δu = [Double](repeating: 0, count: size)
    Δu.withMutablePointer { Δu in
      Parallel.forEach(tiles: blocks.count, work: n * size) { g in
        let block = blocks[g]
        (Δu + g * d).update(from: block.rightHandSide, count: d)
        columns[block.group.output].withPointer { block.accumulateAdjoint($0, into: Δu + g * d, x: x) }
      }
      factor.withPointer { l in
        Double.trsm(.no, m: size, n: 1, l: l, ldl: max(size, 1), b: Δu, ldb: 1)
        Double.trsm(.yes, m: size, n: 1, l: l, ldl: max(size, 1), b: Δu, ldb: 1)
      }
      Parallel.forEach(tiles: blocks.count, work: n * size) { g in
        blocks[g].predict(Δu + g * d, x: x)
      }
    }
    var ΔF = Matrix<Double>(n, c)
    for j in 0..<c { ΔF.setColumn(j, toContributionsOf: blocks) }
    return loss.dualStep(ΔF: ΔF, weightedTarget: weighted)
  }
}
