import CKernels

/// Intervals for t_i = Σ_m |x_iᵀw_m| of neurons of which only z = Σ x_iᵀw_m, q = Σ (x_iᵀw_m)²/‖w_m‖ and τ = Σ‖w_m‖ are known,
/// where l ≤ x_iᵀw/‖w‖ ≤ u:
///
///     max(|z|, (2q − (u + l)z)/(u − l)) ≤ t_i ≤ min(√(τq), ((u + l)z − 2luτ)/(u − l))
///
/// with edges rounded by a width ε, and how their ends move. z, q and τ come from V, u with q = ‖x_iᵀV‖² ‖u‖/‖V‖ and τ = ‖u‖‖V‖.
package struct AbsoluteIntervals: Sendable {
  package let count: Int
  /// u − l, (u + l)/(u − l), −2lu/(u − l), and ±1 where xᵀw has that sign, else 0: a row each.
  private let samples: Matrix<Double>
  /// Low, its derivatives in z, √(τq) and q; high, its derivatives in z, √(τq) and τ.
  private var state: Matrix<Double>
  /// z and √(x_iᵀV Vᵀx_i).
  private var (z, root): ([Double], [Double])

  /// A sample of the last evaluation.
  package struct Sample {
    package var (z, root, low, high): (Double, Double, Double, Double)
    package var (lowZ, lowForm, highSize): (Double, Double, Double)
    /// u − l, (u + l)/(u − l), −2lu/(u − l), and the side.
    package var (width, tilt, rise, side): (Double, Double, Double, Double)
  }

  /// - Parameter samples: rows of width, tilt, rise and side.
  package init(samples: Matrix<Double>) {
    precondition(samples.rows == 4, "four numbers a sample")
    (self.samples, count) = (samples, samples.columns)
    state = Matrix(8, count)
    z = [Double](repeating: 0, count: count)
    root = z
  }

  package subscript(i: Int) -> Sample {
    Sample(
      z: z[i], root: root[i], low: state[0, i], high: state[4, i], lowZ: state[1, i], lowForm: state[3, i],
      highSize: state[7, i], width: samples[0, i], tilt: samples[1, i], rise: samples[2, i],
      side: samples[3, i])
  }

  /// z and the ends of the intervals, an entry a sample.
  package func withEnds<R>(
    _ body: (_ z: UnsafePointer<Double>, _ low: UnsafePointer<Double>, _ high: UnsafePointer<Double>) -> R
  ) -> R {
    z.withPointer { z in state.withPointer { body(z, $0, $0 + 4 * count) } }
  }

  /// Takes up the images (X V)ᵀ: k × n, and u with its length and that of V. Cost 4 k n.
  package mutating func update(
    images: UnsafePointer<Double>, columns k: Int, u: UnsafePointer<Double>, norms: (u: Double, v: Double),
    rounding ε: Double, isCut: Bool
  ) {
    let n = count
    z.withMutablePointer { z in
      Double.gemv(.yes, m: k, n: n, alpha: 1, a: images, lda: n, x: u, beta: 0, y: z)
      root.withMutablePointer { root in
        fenchel_column_norms_d(k, n, images, root)
        samples.withPointer { s in
          state.withMutablePointer { state in
            fenchel_interval_ends_d(
              n, s, s + n, s + 2 * n, s + 3 * n, z, root, norms.u, norms.u / norms.v, norms.u * norms.v, ε,
              isCut ? 1 : 0, state)
          }
        }
      }
    }
  }

  /// The derivatives of −½Σ_i c_i (z_i + t_i), t_i its upper end where c_i > 0 and its lower one elsewhere: in z to `dz`; in the
  /// images what they are to be multiplied by, to `m`; and in ‖u‖ and ‖V‖ for fixed X V and X w.
  package func slopes(
    of c: UnsafePointer<Double>, norms: (u: Double, v: Double), dz: UnsafeMutablePointer<Double>,
    m: UnsafeMutablePointer<Double>
  ) -> (growth: Double, stretch: Double) {
    var (growth, stretch) = (0.0, 0.0)
    root.withPointer { root in
      state.withPointer {
        fenchel_interval_slopes_d(count, c, root, $0, norms.u, norms.v, dz, m, &growth, &stretch)
      }
    }
    return (growth, stretch)
  }

  /// A ← A diag(m) + u vᵀ for A: k × n.
  package static func combine(
    _ a: UnsafeMutablePointer<Double>, rows k: Int, _ n: Int, m: UnsafePointer<Double>,
    u: UnsafePointer<Double>,
    v: UnsafePointer<Double>
  ) {
    fenchel_scale_columns_d(k, n, a, m, u, v)
  }
}
