import ConvexOptimization
import LinearAlgebra

extension GatedOperator {
  /// Q ← (X Xᵀ) ∘ (𝔻_S diag(α) 𝔻_Sᵀ) + Σ_q (D_i X v_q)(D_i X v_q)ᵀ: a Hadamard product, whatever the number of
  /// patterns. Tiles of both factors are made, multiplied and forgotten. Cost n²(d + 2|S|) and 2nd|S|.
  public func gram(
    of groups: [Int], scales α: [Element], vectors v: Matrix<Element>, into q: inout Matrix<Element>
  ) {
    let (n, d, s) = (samples, width, groups.count)
    precondition(q.rows == n && q.columns == n, "the Gram matrix is \(n) × \(n)")
    precondition(α.count == s && v.rows == s && v.columns == d, "scales, vectors and groups differ")
    let size = 256
    let side = Parallel.tiles(of: size, covering: n)
    withGramFactors(groups, α, v) { masks, images in
      withPointers(data, data, &q.storage) { x, _, q in
        Parallel.forEach(tiles: side * side) { task in
          let (i, j) = task.quotientAndRemainder(dividingBy: side)
          guard j <= i else { return }
          let rows = Parallel.range(ofTile: i, size: size, count: n)
          let columns = Parallel.range(ofTile: j, size: size, count: n)
          let (a, b) = (rows.lowerBound, columns.lowerBound)
          let tile = q + a * n + b
          withTemporary(Element.self, rows.count * columns.count) { hadamard in
            Element.gemm(
              .no, .yes, m: rows.count, n: columns.count, k: d, alpha: 1, a: x + a * d, lda: max(d, 1),
              b: x + b * d, ldb: max(d, 1), beta: 0, c: hadamard, ldc: columns.count)
            Element.gemm(
              .yes, .no, m: rows.count, n: columns.count, k: s, alpha: 1, a: masks + a, lda: n, b: masks + b,
              ldb: n, beta: 0, c: tile, ldc: n)
            for k in 0..<rows.count {
              Element.multiply(columns.count, hadamard + k * columns.count, tile + k * n)
            }
          }
          Element.gemm(
            .yes, .no, m: rows.count, n: columns.count, k: s, alpha: 1, a: images + a, lda: n, b: images + b,
            ldb: n, beta: 1, c: tile, ldc: n)
        }
      }
    }
  }

  /// Calls `body` with the masks √α_q 𝔻_{·,i} and the images D_i X v_q, one row a group: both |S| × n.
  private func withGramFactors(
    _ groups: [Int], _ α: [Element], _ v: Matrix<Element>,
    _ body: (UnsafePointer<Element>, UnsafePointer<Element>) -> Void
  ) {
    let (n, d, s, stride) = (samples, width, groups.count, gates.wordsPerRow)
    withTemporary(Element.self, 3 * s * n) { masks in
      let (products, images) = (masks + s * n, masks + 2 * s * n)
      withPointers(data, v) { x, v in
        Parallel.gemm(
          .no, .yes, m: s, n: n, k: d, alpha: 1, a: v, lda: max(d, 1), b: x, ldb: max(d, 1), beta: 0,
          c: products, ldc: max(n, 1))
      }
      gates.words.withPointer { bits in
        for q in 0..<s {
          let row = bits + pattern(of: groups[q]) * stride
          Element.maskedFill(masks + q * n, row, n, α[q].squareRoot())
          Element.maskedCopy(images + q * n, products + q * n, row, n)
        }
      }
      body(masks, images)
    }
  }
}
