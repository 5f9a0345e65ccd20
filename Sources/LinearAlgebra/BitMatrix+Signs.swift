extension BitMatrix {
  /// Rows and columns of the tiles in which a product is formed, masked and forgotten.
  private static let (tileRows, tileColumns) = (256, 1024)

  /// The signs of a product: bit (k, i) is `(X G)_{k,i} > 0`, for X: n × d and G: d × P. Cost 2ndP.
  ///
  /// Where |x_kᵀ g_i| is within the rounding error of the product, the sign is that of a compensated dot
  /// product in Double. So a bit depends on x_k and g_i alone: not on the order of the rows, the tile or the
  /// processor, and an exact zero of exactly representable products is 0.
  public init<T: Scalar>(signsOf x: Matrix<T>, times g: Matrix<T>) {
    precondition(x.columns == g.rows, "X has \(x.columns) columns, the gates have \(g.rows) rows")
    self.init(signsOf: x, timesTransposed: g.transposed.converted(to: Double.self))
  }

  /// The signs of X Gᵀ for gates in Double, one a row, G: P × d. Products are formed in the precision of X;
  /// doubtful signs are decided in Double.
  public init<T: Scalar>(signsOf x: Matrix<T>, timesTransposed gates: Matrix<Double>) {
    precondition(x.columns == gates.columns, "X has \(x.columns) columns, the gates have \(gates.columns)")
    self.init(x.rows, gates.rows)
    let (n, d, p, stride) = (x.rows, x.columns, gates.rows, wordsPerRow)
    let reference = StrictSigns(x, gates)
    let rounded = gates.converted(to: T.self)
    let across = Parallel.tiles(of: BitMatrix.tileColumns, covering: p)
    let down = Parallel.tiles(of: BitMatrix.tileRows, covering: n)
    withPointers(x, rounded, &words) { x, g, words in
      Parallel.forEach(tiles: across * down) { index in
        let rows = Parallel.range(ofTile: index / across, size: BitMatrix.tileRows, count: n)
        let columns = Parallel.range(ofTile: index % across, size: BitMatrix.tileColumns, count: p)
        withTemporary(T.self, rows.count * columns.count) { z in
          T.gemm(
            .no, .yes, m: rows.count, n: columns.count, k: d, alpha: 1, a: x + rows.lowerBound * d,
            lda: max(d, 1), b: g + columns.lowerBound * d, ldb: max(d, 1), beta: 0, c: z, ldc: columns.count)
          for (offset, k) in rows.enumerated() {
            let place = words + k * stride + columns.lowerBound / 64
            T.signBits(z + offset * columns.count, place, columns.count)
            reference.correct(place, z + offset * columns.count, row: k, columns: columns)
          }
        }
      }
    }
  }
}

/// Decides the signs that a product in precision T leaves open.
private struct StrictSigns<T: Scalar>: Sendable {
  private let x: Matrix<T>
  private let gates: Matrix<Double>
  private let rowNorms: [T]
  private let gateNorms: [T]
  /// |fl(xᵀg) − xᵀg| ≤ (d + 2) ε ‖x‖ ‖g‖, the rounding of g to T included; doubled for the norms' own errors.
  private let relativeError: T

  init(_ x: Matrix<T>, _ gates: Matrix<Double>) {
    self.x = x
    self.gates = gates
    rowNorms = x.rowNorms
    gateNorms = gates.rowNorms.map { T($0) }
    relativeError = 2 * T(x.columns + 2) * T.ulpOfOne
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  func correct(
    _ bits: UnsafeMutablePointer<UInt64>, _ z: UnsafePointer<T>, row k: Int, columns: Range<Int>
  ) {
    guard rowNorms[k] != 0 else { return }
    let scale = relativeError * rowNorms[k]
    gateNorms.withPointer { norms in
      for word in 0..<Parallel.tiles(of: 64, covering: columns.count) {
        let inWord = Parallel.range(ofTile: word, size: 64, count: columns.count)
        let bounds = norms + columns.lowerBound + inWord.lowerBound
        guard T.anyWithin(z + inWord.lowerBound, bounds, scale, inWord.count) else { continue }
        for (bit, j) in inWord.enumerated() where !(abs(z[j]) > scale * bounds[bit]) {
          let mask = UInt64(1) << UInt64(bit)
          if isPositive(k, columns.lowerBound + j) { bits[word] |= mask } else { bits[word] &= ~mask }
        }
      }
    }
  }

  private func isPositive(_ k: Int, _ i: Int) -> Bool {
    let d = x.columns
    return withPointers(x, gates) { T.strictDot(d, $0 + k * d, $1 + i * d) } > 0
  }
}
