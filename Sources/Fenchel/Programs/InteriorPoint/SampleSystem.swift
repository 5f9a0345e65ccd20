import LinearAlgebra

/// The Newton system in the n × c dual variables: (diag E_j + K_j) Δθ_j = R_j − p_j (+ ν), one n × n matrix an
/// output, with K_j = Σ_g D_g X H_g⁻¹ Xᵀ D_g and p_j = Σ_g σ_g D_g X H_g⁻¹ b_g.
///
/// Without cones H_g⁻¹ = η_g²(I + 2w_g w_gᵀ), so that K = (XXᵀ) ∘ (𝔻 diag(η²) 𝔻ᵀ) + 2 Σ_g η_g² (D_gXw_g)(D_gXw_g)ᵀ
/// costs n² a group instead of n²d.
///
/// For coupled outputs ν solves (Σ_j (E_j + K_j)⁻¹) ν = −Σ_j (E_j + K_j)⁻¹(R_j − p_j).
/// Where samples have several rows, D_g X is summed over them, and multiplied out without cones too.
/// Cost n²·Gd + n³/3 for each output.
struct SampleSystem: NewtonSystem {
  private var factors: [[Double]]
  private var coupling: [Double] = []
  /// X Xᵀ, lower triangle; made once, where there are no cones.
  private var gram: [Double] = []
  private let n: Int
  private let d: Int

  /// Bytes that the system takes for `outputs` outputs and at most `groups` groups of one output.
  static func bytes(samples n: Int, features d: Int, groups: Int, outputs: Int) -> Int {
    8 * (outputs + 2) * n * n + 8 * n * min(groups * d, columnsAtOnce(n))
  }

  /// Columns of V formed at once.
  private static func columnsAtOnce(_ n: Int) -> Int { max(4096, 32_000_000 / max(n, 1)) }

  init(samples: Int, features: Int, outputs: Int) {
    (n, d) = (samples, features)
    factors = [[Double]](repeating: [], count: outputs)
  }

  mutating func factorise(_ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>) -> Bool {
    for j in factors.indices {
      let members = blocks.filter { $0.group.output == j }
      let isConstrained = blocks.first?.isConstrained ?? false
      factors[j] = isConstrained ? kernelMatrix(members, x: x) : gatedKernelMatrix(members, x: x)
      for k in 0..<n { factors[j][k * n + k] += loss.inverseCurvature[k, j] }
      guard factorCholesky(n, &factors[j]) else { return false }
    }
    return loss.isCoupled ? factoriseCoupling() : true
  }

  /// Lower triangle of K = Σ_g V_g V_gᵀ with V_g = D_g X L_g⁻ᵀ; without cones of the parts V_g = η_g D_g X alone.
  private func kernelMatrix(_ blocks: [ConeBlock], x: UnsafePointer<Double>) -> [Double] {
    var kernel = [Double](repeating: 0, count: n * n)
    let (n, d) = (n, d)
    let batch = max(1, Self.columnsAtOnce(n) / max(d, 1))
    for start in stride(from: 0, to: blocks.count, by: batch) {
      let part = Array(blocks[start..<min(start + batch, blocks.count)])
      let width = part.count * d
      withTemporary(Double.self, n * width) { v in
        Parallel.forEach(tiles: part.count, work: n * d * d * part.count) { g in
          let block = part[g]
          let columns = v + g * d
          for k in 0..<n {
            let target = columns + k * width
            target.update(repeating: 0, count: d)
            for row in block.pooling.rows(of: k) where block.mask[row] != 0 {
              let source = x + row * d
              for j in 0..<d { target[j] += source[j] }
            }
          }
          if block.isConstrained {
            Double.trsmRight(.yes, m: n, n: d, l: block.factor, ldl: d, b: columns, ldb: width)
          } else {
            for k in 0..<n { Double.scale(d, block.scaling.η, columns + k * width) }
          }
        }
        kernel.withMutablePointer { kernel in
          SymmetricTiles.addProduct(of: v, rows: n, columns: width, to: kernel)
        }
      }
    }
    return kernel
  }

  /// The same without cones, by the Hadamard structure.
  private mutating func gatedKernelMatrix(_ blocks: [ConeBlock], x: UnsafePointer<Double>) -> [Double] {
    let (n, d) = (n, d)
    let isPooled = !(blocks.first?.pooling.isIdentity ?? true)
    if gram.isEmpty, !isPooled {
      gram = [Double](repeating: 0, count: n * n)
      gram.withMutablePointer { SymmetricTiles.addProduct(of: x, rows: n, columns: d, to: $0) }
    }
    var kernel = isPooled ? kernelMatrix(blocks, x: x) : [Double](repeating: 0, count: n * n)
    let width = blocks.count
    withTemporary(Double.self, 2 * n * width) { factors in
      let (masks, images) = (factors, factors + n * width)
      Parallel.forEach(tiles: width, work: n * d * width) { g in
        let block = blocks[g]
        block.predict(block.scaling.w1, x: x)
        let (η, root) = (block.scaling.η, block.scaling.η * 2.0.squareRoot())
        for k in 0..<n {
          if !isPooled { masks[k * width + g] = η * abs(block.mask[k]) }
          images[k * width + g] = root * block.contribution[k]
        }
      }
      kernel.withMutablePointer { kernel in
        if !isPooled {
          SymmetricTiles.addProduct(of: masks, rows: n, columns: width, to: kernel)
          gram.withPointer { gram in for i in 0..<n * n { kernel[i] *= gram[i] } }
        }
        SymmetricTiles.addProduct(of: images, rows: n, columns: width, to: kernel)
      }
    }
    return kernel
  }

  private mutating func factoriseCoupling() -> Bool {
    coupling = [Double](repeating: 0, count: n * n)
    for factor in factors {
      var inverse = factor
      guard inverse.withMutablePointer({ Double.potri(n, $0, n) }) == 0 else { return false }
      for i in 0..<n { for k in 0...i { coupling[i * n + k] += inverse[i * n + k] } }
    }
    return factorCholesky(n, &coupling)
  }

  func solve(_ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>) -> Matrix<Double> {
    let c = factors.count
    var Δθ = Matrix<Double>(n, c)
    Parallel.forEach(tiles: blocks.count, work: n * d * blocks.count) {
      blocks[$0].predictRightHandSide(x: x)
    }
    for j in 0..<c {
      Δθ.setColumn(j, toContributionsOf: blocks)
      for k in 0..<n { Δθ[k, j] = loss.target[k, j] - Δθ[k, j] }
    }
    guard loss.isCoupled else {
      for j in 0..<c { Δθ.setColumn(j, solve(factors[j], Δθ.column(j))) }
      return Δθ
    }
    var ν = [Double](repeating: 0, count: n)
    for j in 0..<c {
      for (k, value) in solve(factors[j], Δθ.column(j)).enumerated() { ν[k] -= value }
    }
    ν = solve(coupling, ν)
    for j in 0..<c {
      let shifted = Δθ.column(j).enumerated().map { $0.element + ν[$0.offset] }
      Δθ.setColumn(j, solve(factors[j], shifted))
    }
    return Δθ
  }

  private func solve(_ factor: [Double], _ vector: [Double]) -> [Double] {
    var result = vector
    factor.withPointer { l in
      result.withMutablePointer { b in
        Double.trsm(.no, m: n, n: 1, l: l, ldl: n, b: b, ldb: 1)
        Double.trsm(.yes, m: n, n: 1, l: l, ldl: n, b: b, ldb: 1)
      }
    }
    return result
  }
}
