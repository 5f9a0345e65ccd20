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

  /// T ← Sᵀ diag(h) S, s_p = D_i X v_p: tiles of samples are multiplied, masked and weighted, and added to the tiles of
  /// T while they are in cache. Cost nmd + nm²/2.
  public func normalMatrix(
    of groups: [Int], vectors v: Matrix<Element>, weights h: [Element], into t: inout Matrix<Element>
  ) {
    let (n, d, m) = (samples, width, groups.count)
    precondition(v.rows == m && v.columns == d && h.count == n, "groups, vectors and weights differ")
    precondition(t.rows == m && t.columns == m, "the normal matrix is \(m) × \(m)")
    let height = 512  // whole words of bits
    t = Matrix(m, m)
    withTemporary(Element.self, m * height) { images in
      withPointers(data, v, &t.storage) { x, v, t in
        for start in stride(from: 0, to: n, by: height) {
          let rows = start..<min(start + height, n)
          Parallel.forEach(tiles: Parallel.tiles(of: 64, covering: m), work: m * d * rows.count) { tile in
            let range = Parallel.range(ofTile: tile, size: 64, count: m)
            fillImages(
              range, of: groups, rows, x: x, v: v, h: h, into: images + range.lowerBound * rows.count)
          }
          Self.forEachTile(of: m) { i, j in
            let (a, b, k) = (i.lowerBound, j.lowerBound, rows.count)
            Element.gemm(
              .no, .yes, m: i.count, n: j.count, k: k, alpha: 1, a: images + a * k, lda: k,
              b: images + b * k, ldb: k, beta: 1, c: t + a * m + b, ldc: m)
          }
        }
      }
    }
  }

  /// diag(h)^{1/2} D_i X v_p for some p and rows of samples, one row a vector.
  private func fillImages(
    _ range: Range<Int>, of groups: [Int], _ rows: Range<Int>, x: UnsafePointer<Element>,
    v: UnsafePointer<Element>, h: [Element], into images: UnsafeMutablePointer<Element>
  ) {
    let (d, count) = (width, rows.count)
    Element.gemm(
      .no, .yes, m: range.count, n: count, k: d, alpha: 1, a: v + range.lowerBound * d, lda: max(d, 1),
      b: x + rows.lowerBound * d, ldb: max(d, 1), beta: 0, c: images, ldc: count)
    let roots = h[rows].map { $0.squareRoot() }
    gates.words.withPointer { bits in
      roots.withPointer { roots in
        for (row, p) in range.enumerated() {
          let (image, mask) = (images + row * count, bits + pattern(of: groups[p]) * gates.wordsPerRow)
          Element.maskedCopy(image, image, mask + rows.lowerBound / 64, count)
          Element.multiply(count, roots, image)
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
