import LinearAlgebra

/// Predictions and penalty of a point of a two-layer program in plain Double arithmetic.
struct StrictPrimal {
  let x: Matrix<Double>

  /// F: n × c. With cones a group is the neuron σ (xᵀu)_+, whatever its pattern says (on its cone the two agree);
  /// without, it is D X u.
  func predictions(
    _ point: TwoLayerPoint, patterns: BitMatrix, isConstrained: Bool, outputs: Int
  ) -> Matrix<Double> {
    var f = Matrix<Double>(x.rows, outputs)
    let tile = 256
    f.withMutablePointer { f in
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: x.rows)) { index in
        var sums = [CompensatedSum](repeating: CompensatedSum(), count: outputs)
        for k in Parallel.range(ofTile: index, size: tile, count: x.rows) {
          for j in 0..<outputs { sums[j] = CompensatedSum() }
          for (g, group) in point.groups.enumerated() {
            if !isConstrained, !patterns[k, group.pattern] { continue }
            let z = product(row: k, point.coefficients, g)
            sums[group.output] += isConstrained ? group.sign * max(z, 0) : z
          }
          for j in 0..<outputs { f[k * outputs + j] = sums[j].value }
        }
      }
    }
    return f
  }

  /// Σ_g ‖u_g‖.
  func penalty(_ coefficients: Matrix<Double>) -> Double {
    var sum = CompensatedSum()
    for g in 0..<coefficients.rows { sum += StrictDual.norm(coefficients.row(g)) }
    return sum.value
  }

  /// x_kᵀ u_g, in four interleaved plain sums.
  private func product(row k: Int, _ u: Matrix<Double>, _ g: Int) -> Double {
    let d = x.columns
    return x.storage.withUnsafeBufferPointer { x in
      u.storage.withUnsafeBufferPointer { u in
        var sum = SIMD4<Double>()
        var j = 0
        while j + 4 <= d {
          for lane in 0..<4 { sum[lane] += x[k * d + j + lane] * u[g * d + j + lane] }
          j += 4
        }
        var rest = (sum[0] + sum[1]) + (sum[2] + sum[3])
        while j < d {
          rest += x[k * d + j] * u[g * d + j]
          j += 1
        }
        return rest
      }
    }
  }
}
