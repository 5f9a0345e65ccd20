import LinearAlgebra

/// What this machine can do at best, as measured: the ceiling that kernels are held against.
public struct MachineCeiling: Sendable, Equatable {
  /// Rates on one thread and on all.
  public struct Rates: Sendable, Equatable {
    public let one, all: Double
  }

  /// Threads in use.
  public let threads: Int
  /// Name of the kernels that OpenBLAS chose for this processor.
  public let blasCore: String
  /// 10⁹ operations a second of the 1024 × 1024 matrix product, Float and Double; on all threads, one product
  /// each.
  public let floatProduct, doubleProduct: Rates
  /// 10⁹ bytes a second to and from memory, by the triad a_i = b_i + s c_i over arrays far larger than caches.
  public let bandwidth: Rates

  /// Measures for about `seconds` each: six measurements. Changes `Parallel.threads` while it runs.
  public static func measured(seconds: Double = 0.3) -> MachineCeiling {
    let threads = Parallel.threads
    defer { Parallel.threads = threads }
    let stopwatch = Stopwatch(seconds: seconds)
    func rates(_ measure: (Int) -> Double) -> Rates {
      Parallel.threads = 1
      let one = measure(1)
      Parallel.threads = threads
      return Rates(one: one, all: threads > 1 ? measure(threads) : one)
    }
    return MachineCeiling(
      threads: threads, blasCore: Parallel.blasCore,
      floatProduct: rates { productRate(Float.self, $0, stopwatch) },
      doubleProduct: rates { productRate(Double.self, $0, stopwatch) },
      bandwidth: rates { triadRate($0, stopwatch) })
  }

  private static func productRate<T: Scalar>(_: T.Type, _ threads: Int, _ stopwatch: Stopwatch) -> Double {
    let n = 1024
    let a: Matrix<T> = Philox(seed: 1).uniformMatrix(n, n)
    var c = Matrix<T>(n * threads, n)
    let seconds = stopwatch.fastest {
      withPointers(a, a, &c.storage) { a, b, c in
        Parallel.forEach(tiles: threads) { tile in
          T.gemm(
            .no, .no, m: n, n: n, k: n, alpha: 1, a: a, lda: n, b: b, ldb: n, beta: 0, c: c + tile * n * n,
            ldc: n)
        }
      }
    }
    return 2e-9 * Double(n * n * n * threads) / seconds
  }

  private static func triadRate(_ threads: Int, _ stopwatch: Stopwatch) -> Double {
    let count = 1 << 23
    let b = Matrix<Double>(1, count, fill: 1)
    let c = Matrix<Double>(1, count, fill: 2)
    var a = [Double](repeating: 0, count: count)
    let tile = count / (4 * threads) + 1
    let seconds = stopwatch.fastest {
      withPointers(b, c, &a) { b, c, a in
        Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: count)) { index in
          for i in Parallel.range(ofTile: index, size: tile, count: count) { a[i] = b[i] + 3 * c[i] }
        }
      }
    }
    return 1e-9 * Double(3 * 8 * count) / seconds
  }
}
