import ConvexOptimization
import LinearAlgebra

extension GatedOperator {
  /// Q ← (X Xᵀ) ∘ (𝔻_S diag(α) 𝔻_Sᵀ) ± Σ_p (D_i X v_p)(D_i X v_p)ᵀ: a Hadamard product, whatever the number of
  /// patterns. Tiles of both factors are made, multiplied and forgotten. Cost n²(d + |S| + p) and 2ndp for p updates.
  ///
  /// Where samples have K rows, a group's S D_i X is multiplied out, column by column: cost n²(|S| d + p) + 2nKd(|S| d + p).
  public func gram(
    of groups: [Int], scales α: [Element], updates: [GroupUpdate<Element>], into q: inout Matrix<Element>
  ) {
    let n = samples
    precondition(q.rows == n && q.columns == n, "the Gram matrix is \(n) × \(n)")
    precondition(α.count == groups.count, "scales and groups differ")
    var updates = updates
    if pooling.isIdentity {
      fillHadamard(groups, α, &q)
    } else {
      q = Matrix(n, n)
      updates.append(columns(of: groups, scales: α))
    }
    for update in updates {
      for start in stride(from: 0, to: update.groups.count, by: Self.gramChunk) {
        add(update, start..<min(start + Self.gramChunk, update.groups.count), &q)
      }
    }
  }

  /// Σ_q α_q A_q A_qᵀ as terms of rank one, the columns of √α_q A_q.
  private func columns(of groups: [Int], scales α: [Element]) -> GroupUpdate<Element> {
    let d = width
    var vectors = Matrix<Element>(groups.count * d, d)
    for (q, scale) in α.enumerated() { for j in 0..<d { vectors[q * d + j, j] = scale.squareRoot() } }
    return GroupUpdate(
      groups: groups.flatMap { [Int](repeating: $0, count: d) }, vectors: vectors, sign: 1)
  }

  /// Groups or terms whose columns are held at once.
  static var gramChunk: Int { 1024 }

  /// The lower triangle of Q ← (X Xᵀ) ∘ (𝔻_S diag(α) 𝔻_Sᵀ).
  private func fillHadamard(_ groups: [Int], _ α: [Element], _ q: inout Matrix<Element>) {
    let (n, d, s, stride) = (samples, width, groups.count, gates.wordsPerRow)
    let chunks = max(1, Parallel.tiles(of: Self.gramChunk, covering: s))
    withTemporary(Element.self, min(s, Self.gramChunk) * n) { masks in
      withPointers(data, data, &q.storage) { x, _, q in
        for chunk in 0..<chunks {
          let members = Parallel.range(ofTile: chunk, size: Self.gramChunk, count: s)
          gates.words.withPointer { bits in
            for (row, place) in members.enumerated() {
              let mask = bits + pattern(of: groups[place]) * stride
              Element.maskedFill(masks + row * n, mask, n, α[place].squareRoot())
            }
          }
          Self.forEachTile(of: n) { rows, columns in
            let (a, b) = (rows.lowerBound, columns.lowerBound)
            let tile = q + a * n + b
            Element.gemm(
              .yes, .no, m: rows.count, n: columns.count, k: members.count, alpha: 1, a: masks + a, lda: n,
              b: masks + b, ldb: n, beta: chunk == 0 ? 0 : 1, c: tile, ldc: n)
            guard chunk == chunks - 1 else { return }
            withTemporary(Element.self, rows.count * columns.count) { hadamard in
              Element.gemm(
                .no, .yes, m: rows.count, n: columns.count, k: d, alpha: 1, a: x + a * d, lda: max(d, 1),
                b: x + b * d, ldb: max(d, 1), beta: 0, c: hadamard, ldc: columns.count)
              for k in 0..<rows.count {
                Element.multiply(columns.count, hadamard + k * columns.count, tile + k * n)
              }
            }
          }
        }
      }
    }
  }

  /// The lower triangle of Q ← Q ± Σ_p (D_i X v_p)(D_i X v_p)ᵀ over a range of an update's terms.
  private func add(_ update: GroupUpdate<Element>, _ range: Range<Int>, _ q: inout Matrix<Element>) {
    let (n, p) = (samples, range.count)
    withTemporary(Element.self, p * n) { images in
      withPointers(data, update.vectors, &q.storage) { x, v, q in
        fillImages(of: update, range, x: x, v: v, into: images)
        Self.forEachTile(of: n) { rows, columns in
          let (a, b) = (rows.lowerBound, columns.lowerBound)
          Element.gemm(
            .yes, .no, m: rows.count, n: columns.count, k: p, alpha: update.sign, a: images + a, lda: n,
            b: images + b, ldb: n, beta: 1, c: q + a * n + b, ldc: n)
        }
      }
    }
  }

  /// D_i X v_p of some terms, summed over the rows of each sample: one row of n entries a term.
  private func fillImages(
    of update: GroupUpdate<Element>, _ terms: Range<Int>, x: UnsafePointer<Element>,
    v: UnsafePointer<Element>, into images: UnsafeMutablePointer<Element>
  ) {
    let (n, d, stride, height, width) = (samples, width, gates.wordsPerRow, 512, 64)
    guard pooling.isIdentity else {
      let (down, across) = (
        Parallel.tiles(of: height, covering: n), Parallel.tiles(of: width, covering: terms.count)
      )
      return Parallel.forEach(tiles: down * across, work: rows * d * terms.count) { tile in
        let own = Parallel.range(ofTile: tile % across, size: width, count: terms.count)
        let samples = Parallel.range(ofTile: tile / across, size: height, count: n)
        fillImages(
          terms.lowerBound + own.lowerBound..<terms.lowerBound + own.upperBound, of: update.groups, samples,
          x: x, v: v, into: images + own.lowerBound * n + samples.lowerBound, leading: n)
      }
    }
    Parallel.gemm(
      .no, .yes, m: terms.count, n: n, k: d, alpha: 1, a: v + terms.lowerBound * d, lda: max(d, 1), b: x,
      ldb: max(d, 1), beta: 0, c: images, ldc: max(n, 1))
    gates.words.withPointer { bits in
      for (row, term) in terms.enumerated() {
        let mask = bits + pattern(of: update.groups[term]) * stride
        Element.maskedCopy(images + row * n, images + row * n, mask, n)
      }
    }
  }

  /// T ← Sᵀ diag(h) S, s_p = D_i X v_p, summed over the rows of each sample: tiles of samples are multiplied, masked and
  /// weighted, and added to the tiles of T while they are in cache. Cost nmd + nm²/2.
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
          let samples = start..<min(start + height, n)
          let work = m * d * samples.count * pooling.size
          let roots = h[samples].map { $0.squareRoot() }
          Parallel.forEach(tiles: Parallel.tiles(of: 64, covering: m), work: work) { tile in
            let range = Parallel.range(ofTile: tile, size: 64, count: m)
            let images = images + range.lowerBound * samples.count
            fillImages(range, of: groups, samples, x: x, v: v, into: images, leading: samples.count)
            roots.withPointer { roots in
              for row in 0..<range.count {
                Element.multiply(samples.count, roots, images + row * samples.count)
              }
            }
          }
          Self.forEachTile(of: m) { i, j in
            let (a, b, k) = (i.lowerBound, j.lowerBound, samples.count)
            Element.gemm(
              .no, .yes, m: i.count, n: j.count, k: k, alpha: 1, a: images + a * k, lda: k,
              b: images + b * k, ldb: k, beta: 1, c: t + a * m + b, ldc: m)
          }
        }
      }
    }
  }

  /// D_i X v_p for some p and samples, which begin at whole words of bits, summed over the rows of each sample: one row a
  /// vector.
  private func fillImages(
    _ range: Range<Int>, of groups: [Int], _ samples: Range<Int>, x: UnsafePointer<Element>,
    v: UnsafePointer<Element>, into images: UnsafeMutablePointer<Element>, leading: Int
  ) {
    let (d, rows) = (width, pooling.rows(of: samples))
    let count = rows.count
    withTemporary(Element.self, range.count * count) { z in
      Element.gemm(
        .no, .yes, m: range.count, n: count, k: d, alpha: 1, a: v + range.lowerBound * d, lda: max(d, 1),
        b: x + rows.lowerBound * d, ldb: max(d, 1), beta: 0, c: z, ldc: count)
      gates.words.withPointer { bits in
        for (row, p) in range.enumerated() {
          let mask = bits + pattern(of: groups[p]) * gates.wordsPerRow
          Element.maskedCopy(z + row * count, z + row * count, mask + rows.lowerBound / 64, count)
          pooling.sum(z + row * count, samples: samples.count, into: images + row * leading)
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
