import ConvexOptimization
import LinearAlgebra

/// The linear map of the gated ReLU program, `F_{k,j} = Σ_i 𝔻_{k,i} x_kᵀ w_{i,j}`, X: n × d, 𝔻: n × P, F: n × c.
///
/// Group r = i·c + j holds w_{i,j} ∈ ℝ^d. Nothing of size n × P is ever formed but the bits: products are made in
/// tiles of groups × samples, masked and summed while they are in cache. The bits are kept one row a pattern, so
/// that a mask runs along the samples as the tiles do, any subset of the groups needs no copy of them, and the c
/// outputs of a pattern read one row. A product costs 2nd for each group; n·P/8 bytes are held.
///
/// Samples may have several rows of X each, whose outputs add up (`RowSums`).
public struct GatedOperator<Element: Scalar>: GroupOperator {
  /// X: n × d, or nK × d for K rows a sample.
  public let data: Matrix<Element>
  /// 𝔻ᵀ: P × n, one row a pattern.
  public let gates: BitMatrix
  public let outputs: Int
  /// S: sums over the rows of each sample.
  public let pooling: RowSums
  let grid: GatedGrid

  /// - Parameters:
  ///   - data: X: n × d.
  ///   - patterns: 𝔻: n × P, one row a sample.
  ///   - outputs: c ≥ 1.
  public init(data: Matrix<Element>, patterns: BitMatrix, outputs: Int, pooling: RowSums = .identity) {
    precondition(patterns.rows == data.rows, "\(patterns.rows) rows of bits for \(data.rows) samples")
    self.init(data: data, gates: patterns.transposed, outputs: outputs, pooling: pooling)
  }

  /// The same from 𝔻ᵀ: P × n, one row a pattern.
  public init(data: Matrix<Element>, gates: BitMatrix, outputs: Int, pooling: RowSums = .identity) {
    precondition(gates.columns == data.rows, "\(gates.columns) columns of bits for \(data.rows) samples")
    precondition(outputs > 0, "a program has at least one output")
    precondition(data.rows.isMultiple(of: pooling.size), "samples have \(pooling.size) rows each")
    self.pooling = pooling
    self.data = data
    self.gates = gates
    self.outputs = outputs
    grid = GatedGrid(samples: data.rows)
  }

  public var samples: Int { rows / pooling.size }
  /// Rows of X.
  var rows: Int { data.rows }
  public var width: Int { data.columns }
  public var patterns: Int { gates.rows }
  public var groups: Int { patterns * outputs }
  public func output(of group: Int) -> Int { group % outputs }
  public func pattern(of group: Int) -> Int { group / outputs }

  public func restricted(toOutput j: Int) -> GatedOperator {
    precondition(j < outputs, "output \(j) of \(outputs)")
    return GatedOperator(data: data, gates: gates, outputs: 1, pooling: pooling)
  }

  public func apply(_ w: Matrix<Element>, of groups: [Int], into f: inout Matrix<Element>) {
    precondition(w.rows == groups.count && w.columns == width, "coefficients and groups differ in shape")
    precondition(f.rows == samples && f.columns == outputs, "predictions are \(samples) × \(outputs)")
    guard !pooling.isIdentity else { return applyToRows(w, of: groups, into: &f) }
    var outputsOfRows = Matrix<Element>(rows, outputs)
    applyToRows(w, of: groups, into: &outputsOfRows)
    f = pooling(outputsOfRows)
  }

  /// The outputs of all rows.
  private func applyToRows(_ w: Matrix<Element>, of groups: [Int], into f: inout Matrix<Element>) {
    let grid = grid.forGroups(groups.count, width: width)
    withPointers(data, w, &f.storage) { x, w, f in
      gates.words.withPointer { bits in
        grid.forEach(tiles: grid.sampleTiles) { tile in
          applyTile(grid.sampleRange(tile), groups, grid.groupTile, x: x, w: w, bits: bits, f: f)
        }
      }
    }
  }

  /// Predictions of one tile of samples: products with one tile of groups after the other, each masked and added
  /// to the sums of its output.
  private func applyTile(
    _ range: Range<Int>, _ groups: [Int], _ chunk: Int, x: UnsafePointer<Element>, w: UnsafePointer<Element>,
    bits: UnsafePointer<UInt64>, f: UnsafeMutablePointer<Element>
  ) {
    let (m, d, c) = (range.count, width, outputs)
    let stride = gates.wordsPerRow
    let word = range.lowerBound / 64
    withTemporary(Element.self, m * (chunk + c)) { z in
      let sums = z + m * chunk
      sums.initialize(repeating: 0, count: m * c)
      for start in Swift.stride(from: 0, to: groups.count, by: chunk) {
        let rows = min(chunk, groups.count - start)
        Element.gemm(
          .no, .yes, m: rows, n: m, k: d, alpha: 1, a: w + start * d, lda: max(d, 1),
          b: x + range.lowerBound * d, ldb: max(d, 1), beta: 0, c: z, ldc: m)
        for q in 0..<rows {
          let (i, j) = groups[start + q].quotientAndRemainder(dividingBy: c)
          Element.maskedAdd(sums + j * m, z + q * m, bits + i * stride + word, m)
        }
      }
      GatedGrid.transpose(sums, rows: c, columns: m, into: f + range.lowerBound * c, targetStride: c)
    }
  }

  public func applyAdjoint(_ r: Matrix<Element>, to groups: [Int], into g: inout Matrix<Element>) {
    precondition(r.rows == samples && r.columns == outputs, "residuals are \(samples) × \(outputs)")
    precondition(g.rows == groups.count && g.columns == width, "gradients and groups differ in shape")
    let grid = grid.forGroups(groups.count, width: width)
    let transposed = pooling.adjoint(r).transposed
    let (count, d) = (groups.count, width)
    withPointers(data, transposed, &g.storage) { x, r, g in
      gates.words.withPointer { bits in
        withTemporary(Element.self, grid.segments > 1 ? grid.segments * count * d : 0) { partial in
          grid.forEach(tiles: grid.groupTiles(count) * grid.segments) { task in
            let (tile, segment) = task.quotientAndRemainder(dividingBy: grid.segments)
            let rows = Parallel.range(ofTile: tile, size: grid.groupTile, count: count)
            let target = grid.segments > 1 ? partial + segment * count * d : g
            adjointTile(
              groups[rows], grid, grid.tiles(ofSegment: segment), x: x, r: r, bits: bits,
              g: target + rows.lowerBound * d)
          }
          if grid.segments > 1 { grid.sum(partial, count: count * d, into: g) }
        }
      }
    }
  }

  /// Gradients of one tile of groups over some tiles of samples: masked residuals times data.
  private func adjointTile(
    _ groups: ArraySlice<Int>, _ grid: GatedGrid, _ tiles: Range<Int>, x: UnsafePointer<Element>,
    r: UnsafePointer<Element>, bits: UnsafePointer<UInt64>, g: UnsafeMutablePointer<Element>
  ) {
    let (d, c, stride) = (width, outputs, gates.wordsPerRow)
    if tiles.isEmpty { g.initialize(repeating: 0, count: groups.count * d) }
    withTemporary(Element.self, groups.count * grid.sampleTile) { masked in
      for tile in tiles {
        let range = grid.sampleRange(tile)
        let (m, first) = (range.count, range.lowerBound)
        for (q, group) in groups.enumerated() {
          let (i, j) = group.quotientAndRemainder(dividingBy: c)
          Element.maskedCopy(masked + q * m, r + j * rows + first, bits + i * stride + first / 64, m)
        }
        Element.gemm(
          .no, .no, m: groups.count, n: d, k: m, alpha: 1, a: masked, lda: m, b: x + first * d,
          ldb: max(d, 1), beta: tile == tiles.lowerBound ? 0 : 1, c: g, ldc: max(d, 1))
      }
    }
  }
}
