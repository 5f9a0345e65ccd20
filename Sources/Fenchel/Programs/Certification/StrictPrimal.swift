import LinearAlgebra

/// Predictions and penalty of a point of a two-layer program by compensated sums in Double.
struct StrictPrimal {
  let x: Matrix<Double>
  /// Sums over the rows of X that a sample has.
  var pooling = RowSums.identity

  /// F: n × c. With cones a group is the neuron σ (xᵀu)_+, whatever its pattern says (on its cone the two agree);
  /// without, it is D X u.
  func predictions(
    _ point: TwoLayerPoint, patterns: BitMatrix, isConstrained: Bool, outputs: Int
  ) -> Matrix<Double> {
    let d = x.columns
    let n = x.rows / pooling.size
    return withPointers(x, point.coefficients) { x, u in
      compensatedRows(n, outputs: outputs) { samples, sums in
        for (g, group) in point.groups.enumerated() {
          var place = group.output
          for sample in samples {
            for k in pooling.rows(of: sample) {
              if isConstrained {
                sums[place] += group.sign * max(StrictArithmetic.dot(d, x + k * d, u + g * d), 0)
              } else if patterns[k, group.pattern] {
                sums[place] += StrictArithmetic.dot(d, x + k * d, u + g * d)
              }
            }
            place += outputs
          }
        }
      }
    }
  }

  /// Σ_g ‖u_g‖.
  func penalty(_ coefficients: Matrix<Double>) -> Double {
    var sum = CompensatedSum()
    for g in 0..<coefficients.rows { sum += StrictDual.norm(coefficients.row(g)) }
    return sum.value
  }
}

/// The values of rows × outputs compensated sums, in row-major order; `body` adds to those of a tile of rows, few enough
/// that the data of the tile stay in cache while what they are multiplied with passes by.
func compensatedRows(
  _ rows: Int, outputs: Int, _ body: (Range<Int>, inout [CompensatedSum]) -> Void
) -> Matrix<Double> {
  var f = Matrix<Double>(rows, outputs)
  let tile = 64
  f.withMutablePointer { f in
    Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: rows)) { index in
      let range = Parallel.range(ofTile: index, size: tile, count: rows)
      var sums = [CompensatedSum](repeating: CompensatedSum(), count: range.count * outputs)
      body(range, &sums)
      for (place, sum) in sums.enumerated() { f[range.lowerBound * outputs + place] = sum.value }
    }
  }
  return f
}
