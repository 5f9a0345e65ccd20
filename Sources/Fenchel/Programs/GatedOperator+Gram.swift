import ConvexOptimization
import LinearAlgebra

extension GatedOperator {
  /// Q ← (X Xᵀ) ∘ (𝔻_S diag(α) 𝔻_Sᵀ) ± Σ_p (D_i X v_p)(D_i X v_p)ᵀ: a Hadamard product, whatever the number of
  /// patterns. Tiles of both factors are made, multiplied and forgotten. Cost n²(d + |S| + p) and 2ndp for p updates.
  public func gram(
    of groups: [Int], scales α: [Element], updates: [GroupUpdate<Element>], into q: inout Matrix<Element>
  ) {
    let n = samples
    precondition(q.rows == n && q.columns == n, "the Gram matrix is \(n) × \(n)")
    precondition(α.count == groups.count, "scales and groups differ")
    fillHadamard(groups, α, &q)
    let chunk = 512
    for update in updates {
      for start in stride(from: 0, to: update.groups.count, by: chunk) {
        add(update, start..<min(start + chunk, update.groups.count), &q)
      }
    }
  }

  /// The lower triangle of Q ← (X Xᵀ) ∘ (𝔻_S diag(α) 𝔻_Sᵀ).
  private func fillHadamard(_ groups: [Int], _ α: [Element], _ q: inout Matrix<Element>) {
    let (n, d, s, stride) = (samples, width, groups.count, gates.wordsPerRow)
    withTemporary(Element.self, s * n) { masks in
      gates.words.withPointer { bits in
        for q in 0..<s {
          Element.maskedFill(masks + q * n, bits + pattern(of: groups[q]) * stride, n, α[q].squareRoot())
        }
      }
      withPointers(data, data, &q.storage) { x, _, q in
        Self.forEachTile(of: n) { rows, columns in
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
        }
      }
    }
  }

  /// The lower triangle of Q ← Q ± Σ_p (D_i X v_p)(D_i X v_p)ᵀ over a range of an update's terms.
  private func add(_ update: GroupUpdate<Element>, _ range: Range<Int>, _ q: inout Matrix<Element>) {
    let (n, d, p, stride) = (samples, width, range.count, gates.wordsPerRow)
    withTemporary(Element.self, p * n) { images in
      withPointers(data, update.vectors, &q.storage) { x, v, q in
        Parallel.gemm(
          .no, .yes, m: p, n: n, k: d, alpha: 1, a: v + range.lowerBound * d, lda: max(d, 1), b: x,
          ldb: max(d, 1), beta: 0, c: images, ldc: max(n, 1))
        gates.words.withPointer { bits in
          for (row, term) in range.enumerated() {
            let mask = bits + pattern(of: update.groups[term]) * stride
            Element.maskedCopy(images + row * n, images + row * n, mask, n)
          }
        }
        Self.forEachTile(of: n) { rows, columns in
          let (a, b) = (rows.lowerBound, columns.lowerBound)
          Element.gemm(
            .yes, .no, m: rows.count, n: columns.count, k: p, alpha: update.sign, a: images + a, lda: n,
            b: images + b, ldb: n, beta: 1, c: q + a * n + b, ldc: n)
        }
      }
    }
  }

  /// Calls `body` for the tiles of the lower triangle, in parallel.
  private static func forEachTile(of n: Int, _ body: (Range<Int>, Range<Int>) -> Void) {
    let size = 256
    let side = Parallel.tiles(of: size, covering: n)
    Parallel.forEach(tiles: side * side) { task in
      let (i, j) = task.quotientAndRemainder(dividingBy: side)
      guard j <= i else { return }
      body(
        Parallel.range(ofTile: i, size: size, count: n), Parallel.range(ofTile: j, size: size, count: n))
    }
  }
}
