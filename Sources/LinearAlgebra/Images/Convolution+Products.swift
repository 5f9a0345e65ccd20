/// The products of a layer's forward pass, of its gradients, and of the curvature in its weights. All run image by image in
/// tiles of images, with the same bits for any number of threads. Cost 2 · images · positions · weights, unless said.
extension Convolution {
  /// U ← A(X) W̃, or U ← U + A(X) W̃. Where there is no bias, W̃ may still have a last row, which is not read.
  public func apply<T: Scalar>(
    _ x: Matrix<T>, _ w: Matrix<T>, hasBias: Bool, adding: Bool = false, into u: inout Matrix<T>
  ) {
    check(x, w, hasBias: hasBias)
    precondition(u.rows == x.rows && u.columns == output.count, "a result of another shape")
    let n = x.rows
    withPointers(x, w, &u.storage) { x, w, u in
      let size = Self.tile
      Parallel.forEach(tiles: Parallel.tiles(of: size, covering: n)) { tile in
        apply(
          x, w, hasBias: hasBias, adding: adding, Parallel.range(ofTile: tile, size: size, count: n), into: u)
      }
    }
  }

  /// The same for some of the images, on the calling thread alone.
  public func apply<T: Scalar>(
    _ x: UnsafePointer<T>, _ w: UnsafePointer<T>, hasBias: Bool, adding: Bool = false, _ images: Range<Int>,
    into u: UnsafeMutablePointer<T>
  ) {
    let (k, m) = (patchLength + (hasBias ? 1 : 0), positions)
    forEachImage(images, x, hasBias: hasBias) { image, patches in
      T.gemm(
        .yes, .no, m: filters, n: m, k: k, alpha: 1, a: w, lda: filters, b: patches, ldb: m,
        beta: adding ? 1 : 0, c: u + image * filters * m, ldc: m)
    }
  }

  /// X ← α ∂/∂X ⟨A(X) W, Δ⟩, or that added to X: the adjoint of X ↦ A(X) W at Δ.
  public func pullBack<T: Scalar>(
    _ delta: Matrix<T>, _ w: Matrix<T>, scaledBy α: T = 1, adding: Bool = false, into x: inout Matrix<T>
  ) {
    check(x, w, hasBias: false)
    precondition(delta.rows == x.rows && delta.columns == output.count, "a slope of another shape")
    let (n, d, m, k) = (x.rows, input.count, positions, patchLength)
    let framed = frame.shape.count
    withPointers(delta, w, &x.storage) { delta, w, x in
      Parallel.forEach(tiles: Parallel.tiles(of: Self.tile, covering: n)) { tile in
        withTemporary(T.self, framed + k * m) { frame in
          let patches = frame + framed
          for image in Parallel.range(ofTile: tile, size: Self.tile, count: n) {
            T.gemm(
              .no, .no, m: k, n: m, k: filters, alpha: 1, a: w, lda: filters, b: delta + image * filters * m,
              ldb: m, beta: 0, c: patches, ldc: m)
            fill(frame, 0, framed)
            T.addPatches(patches, self, to: frame)
            let target = x + image * d
            if !adding { fill(target, 0, d) }
            T.addFrame(frame, self.frame, scale: α, to: target)
          }
        }
      }
    }
  }

  /// G ← α A(X)ᵀΔ: the slope in W̃ for the slope Δ in U.
  public func collectGradient<T: Scalar>(
    _ x: Matrix<T>, _ delta: Matrix<T>, hasBias: Bool, scaledBy α: T = 1, into g: inout Matrix<T>
  ) {
    check(x, g, hasBias: hasBias)
    precondition(delta.rows == x.rows && delta.columns == output.count, "a slope of another shape")
    let (k, m, n) = (patchLength + (hasBias ? 1 : 0), positions, x.rows)
    withPointers(x, delta, &g.storage) { x, delta, g in
      sum(k * filters, over: n, into: g) { images, partial in
        forEachImage(images, x, hasBias: hasBias) { image, patches in
          T.gemm(
            .no, .yes, m: k, n: filters, k: m, alpha: α, a: patches, lda: m,
            b: delta + image * filters * m, ldb: m, beta: 1, c: partial, ldc: filters)
        }
      }
    }
  }

  /// A(X)ᵀA(X) over all images and positions. Cost images · positions · (rows of W̃)².
  public func gramMatrix<T: Scalar>(_ x: Matrix<T>, hasBias: Bool) -> Matrix<T> {
    precondition(x.columns == input.count, "\(x.columns) columns for images of \(input)")
    let (k, m, n) = (patchLength + (hasBias ? 1 : 0), positions, x.rows)
    var gram = Matrix<T>(k, k)
    withPointers(x, x, &gram.storage) { x, _, gram in
      sum(k * k, over: n, into: gram) { images, partial in
        forEachImage(images, x, hasBias: hasBias) { _, patches in
          T.syrk(.no, n: k, k: m, alpha: 1, a: patches, lda: m, beta: 1, c: partial, ldc: k)
        }
      }
    }
    gram.mirrorLowerTriangle()
    return gram
  }

  /// A(X) / scale: one row a position, the patches of an image side by side in the order of U, and with a bias a last
  /// column of ones, all of it divided by `scale`. Images · positions · (patchLength + 1) entries.
  public func patches<T: Scalar>(_ x: Matrix<T>, hasBias: Bool, dividedBy scale: T = 1) -> Matrix<T> {
    precondition(x.columns == input.count, "\(x.columns) columns for images of \(input)")
    let (k, m, n) = (patchLength + (hasBias ? 1 : 0), positions, x.rows)
    var result = Matrix<T>(n * m, k)
    withPointers(x, x, &result.storage) { x, _, target in
      Parallel.forEach(tiles: Parallel.tiles(of: Self.tile, covering: n)) { tile in
        forEachImage(Parallel.range(ofTile: tile, size: Self.tile, count: n), x, hasBias: hasBias) {
          transposeQuotient($1, k, m, dividedBy: scale, into: target + $0 * m * k)
        }
      }
    }
    return result
  }

  private func check<T: Scalar>(_ x: Matrix<T>, _ w: Matrix<T>, hasBias: Bool) {
    precondition(x.columns == input.count, "\(x.columns) columns for images of \(input)")
    let rows = patchLength...patchLength + 1
    precondition(
      w.columns == filters && rows.contains(w.rows) && (!hasBias || w.rows == rows.upperBound),
      "\(w.rows) × \(w.columns) weights for \(patchLength) × \(filters)")
  }

  /// Images of a tile whose results are their own.
  private static var tile: Int { 16 }

  /// Bytes that copies of rows may go beyond the end.
  private static var slack: Int { 64 }

  /// Calls `body` with the patches of each image, one row a weight of a filter and a last row of ones where there is a bias;
  /// one column a position.
  private func forEachImage<T: Scalar>(
    _ images: Range<Int>, _ x: UnsafePointer<T>, hasBias: Bool, _ body: (Int, UnsafePointer<T>) -> Void
  ) {
    let (d, k, m) = (input.count, patchLength, positions)
    let framed = frame.shape.count + Self.slack / MemoryLayout<T>.stride
    withTemporary(T.self, framed + (k + 1) * m + Self.slack / MemoryLayout<T>.stride) { frame in
      fill(frame, 0, framed)
      let patches = frame + framed
      for image in images {
        T.frame(x + image * d, self.frame, into: frame)
        T.gatherPatches(frame, self, into: patches)
        if hasBias { fill(patches + k * m, 1, m) }
        body(image, patches)
      }
    }
  }

  /// Target ← Σ over tiles of images of what `body` adds to zeros, in the order of the tiles, whose number is fixed.
  private func sum<T: Scalar>(
    _ count: Int, over images: Int, into target: UnsafeMutablePointer<T>,
    _ body: (Range<Int>, UnsafeMutablePointer<T>) -> Void
  ) {
    let size = max(1, (images + Self.parts - 1) / Self.parts)
    let tiles = Parallel.tiles(of: size, covering: images)
    fill(target, 0, count)
    withTemporary(T.self, count * tiles) { partial in
      fill(partial, 0, count * tiles)
      Parallel.forEach(tiles: tiles) { tile in
        body(Parallel.range(ofTile: tile, size: size, count: images), partial + tile * count)
      }
      for tile in 0..<tiles { T.axpy(count, 1, partial + tile * count, target) }
    }
  }
}

/// The transpose of rows × columns entries, divided by `scale`.
@specialized(where T == Double)
@specialized(where T == Float)
private func transposeQuotient<T: Scalar>(
  _ source: UnsafePointer<T>, _ rows: Int, _ columns: Int, dividedBy scale: T,
  into target: UnsafeMutablePointer<T>
) {
  for j in 0..<columns { for i in 0..<rows { target[j * rows + i] = source[i * columns + j] / scale } }
}

/// x_i ← value.
@specialized(where T == Double)
@specialized(where T == Float)
private func fill<T: Scalar>(_ x: UnsafeMutablePointer<T>, _ value: T, _ count: Int) {
  x.update(repeating: value, count: count)
}
