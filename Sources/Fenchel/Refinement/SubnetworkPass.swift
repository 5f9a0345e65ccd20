import LinearAlgebra

/// A pass of samples forward through sub-networks z_k(x) = (Σ_j s_kj (xᵀu_kj)₊)₊ and of slopes backward: what ordinary
/// training and the search for violated patterns have in common.
///
/// Cost 2ndmK each way. Memory: (m + 1)nK numbers for K sub-networks of m neurons.
struct SubnetworkPass {
  let x: Matrix<Double>
  /// s: K × m.
  let inner: Matrix<Double>
  /// z_k(X), one row a sub-network: K × n.
  private(set) var values: Matrix<Double>
  /// s_kj where sample and neuron pass both layers, else 0: Km × n.
  private var masks: Matrix<Double>

  init(x: Matrix<Double>, inner: Matrix<Double>) {
    (self.x, self.inner) = (x, inner)
    values = Matrix(inner.rows, x.rows)
    masks = Matrix(inner.count, x.rows)
  }

  static func bytes(_ x: Matrix<Double>, subnetworks K: Int, width m: Int) -> Int {
    8 * (2 * m + 1) * K * x.rows
  }

  /// Takes the values of sub-networks with weights u: K·m·d numbers.
  mutating func forward(_ u: UnsafePointer<Double>) {
    let (n, d, m, count) = (x.rows, x.columns, inner.columns, inner.rows)
    let inner = inner
    masks.withMutablePointer { h in
      x.withPointer { x in
        Parallel.gemm(
          .no, .yes, m: count * m, n: n, k: d, alpha: 1, a: u, lda: max(d, 1), b: x, ldb: max(d, 1), beta: 0,
          c: h, ldc: max(n, 1))
      }
      values.withMutablePointer { z in
        inner.withPointer { s in
          Parallel.forEach(tiles: count, work: count * m * n) { k in
            let (z, h, s) = (z + k * n, h + k * m * n, s + k * m)
            for i in 0..<n {
              var input = 0.0
              for j in 0..<m { input += s[j] * max(h[j * n + i], 0) }
              z[i] = max(input, 0)
              for j in 0..<m { h[j * n + i] = input > 0 && h[j * n + i] > 0 ? s[j] : 0 }
            }
          }
        }
      }
    }
  }

  /// The gradients of Σ_i r_i z_k(x_i) in u_k for the slopes r of each sub-network's output, times a number for each:
  /// K·m·d numbers, added to `gradient`. `slopes` has one row an output.
  func addGradients(
    of slopes: Matrix<Double>, outputs: [Int], scales: [Double], to gradient: UnsafeMutablePointer<Double>
  ) {
    let (n, d, m, count) = (x.rows, x.columns, inner.columns, inner.rows)
    var weighted = masks
    withPointers(x, slopes, &weighted.storage) { x, r, weighted in
      Parallel.forEach(tiles: count, work: count * m * n) { k in
        let r = r + outputs[k] * n
        for j in 0..<m {
          let row = weighted + (k * m + j) * n
          Double.multiply(n, r, row)
          Double.scale(n, scales[k], row)
        }
      }
      Parallel.gemm(
        .no, .no, m: count * m, n: d, k: n, alpha: 1, a: weighted, lda: max(n, 1), b: x, ldb: max(d, 1),
        beta: 1, c: gradient, ldc: max(d, 1))
    }
  }

  /// Σ_i r_i z_k(x_i) for each sub-network.
  func products(with slopes: Matrix<Double>, outputs: [Int]) -> [Double] {
    let n = x.rows
    return withPointers(values, slopes) { z, r in
      outputs.indices.map { Double.dot(n, z + $0 * n, r + outputs[$0] * n) }
    }
  }
}
