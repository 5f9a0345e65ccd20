import LinearAlgebra

/// The rate of one kernel beside the machine's ceiling for it.
public struct KernelRate: Sendable, Equatable {
  /// What limits the kernel, and so what its rate counts.
  public enum Unit: String, Sendable {
    /// 10⁹ floating-point operations a second.
    case gigaflops = "GFLOP/s"
    /// 10⁹ bytes a second.
    case gigabytes = "GB/s"
  }

  public let kernel: String
  /// Size and precision, such as `2000, Double`.
  public let shape: String
  public let unit: Unit
  public let rate: Double
  /// The measured ceiling in the same unit.
  public let ceiling: Double

  /// rate / ceiling. Kernels whose data stay in cache can pass 1 where the ceiling is memory bandwidth.
  public var fraction: Double { rate / ceiling }
}

/// The kernels that the solvers spend their time in, measured on all threads.
public struct KernelBenchmark: Sendable {
  /// The sizes that are measured.
  public enum Size: Sendable {
    case small, full
  }

  private let ceiling: MachineCeiling
  private let stopwatch: Stopwatch
  private let size: Size

  /// `seconds` is the time for each kernel.
  public init(ceiling: MachineCeiling, seconds: Double = 0.3, size: Size = .full) {
    self.ceiling = ceiling
    self.size = size
    stopwatch = Stopwatch(seconds: seconds)
  }

  /// Measures everything, one row a kernel and size, in about `seconds` each.
  public func rates() -> [KernelRate] {
    productRates(Float.self) + productRates(Double.self) + choleskyRates(Float.self)
      + choleskyRates(Double.self) + [patternRate(Float.self), patternRate(Double.self)]
      + gatedRates(Float.self) + gatedRates(Double.self)
      + memoryRates(Float.self) + memoryRates(Double.self) + [strictRate()]
  }

  private func peak<T: Scalar>(_: T.Type) -> Double {
    T.self == Float.self ? ceiling.floatProduct.all : ceiling.doubleProduct.all
  }

  private func flops<T: Scalar>(
    _ kernel: String, _ shape: String, _: T.Type, _ operations: Double, _ work: () -> Void
  ) -> KernelRate {
    KernelRate(
      kernel: kernel, shape: "\(shape), \(T.self)", unit: .gigaflops,
      rate: 1e-9 * operations / stopwatch.fastest(work), ceiling: peak(T.self))
  }

  private func productRates<T: Scalar>(_: T.Type) -> [KernelRate] {
    let shapes =
      size == .small
      ? [(64, 64, 64)] : [(256, 256, 256), (1024, 1024, 1024), (20_000, 500, 50), (50, 50, 60_000)]
    return shapes.flatMap { m, n, k in
      let a: Matrix<T> = Philox(seed: 1).uniformMatrix(m, k)
      let b: Matrix<T> = Philox(seed: 2).uniformMatrix(k, n)
      var c = Matrix<T>(m, n)
      let product = flops("product", "\(m) × \(k) by \(k) × \(n)", T.self, 2 * Double(m * n * k)) {
        addProduct(a, b, to: &c, beta: 0)
      }
      guard m == n else { return [product] }
      let leading = max(k, 1)
      let update = flops("rank-k update", "\(m) × \(k)", T.self, Double(n * n * k)) {
        withPointers(a, a, &c.storage) { a, _, c in
          Parallel.syrk(.no, n: n, k: k, alpha: 1, a: a, lda: leading, beta: 0, c: c, ldc: n)
        }
      }
      return [product, update]
    }
  }

  private func choleskyRates<T: Scalar>(_: T.Type) -> [KernelRate] {
    (size == .small ? [64] : [250, 500, 1000, 2000, 4000]).map { n in
      var a = Matrix<T>(n, n)
      for i in 0..<n { for j in 0...i { a[i, j] = i == j ? T(n) : 1 / T(1 + i - j) } }
      var work = a
      // The copy of the matrix is timed too; it costs n² of n³.
      return flops("Cholesky", "\(n)", T.self, Double(n) * Double(n) * Double(n) / 3) {
        work.withMutablePointer { target in
          a.withPointer { target.update(from: $0, count: n * n) }
          _ = Parallel.cholesky(n, target, n)
        }
      }
    }
  }

  /// The product whose signs are the activation patterns.
  private func patternRate<T: Scalar>(_: T.Type) -> KernelRate {
    let (n, d, p) = size == .small ? (64, 8, 64) : (4096, 784, 1024)
    let x: Matrix<T> = Philox(seed: 1).normalMatrix(n, d)
    let gates: Matrix<Double> = Philox(seed: 2).normalMatrix(p, d)
    return flops("signs of a product", "\(n) × \(d) by \(p)", T.self, 2 * Double(n * d * p)) {
      _ = BitMatrix(signsOf: x, timesTransposed: gates)
    }
  }

  /// The products of gated programs, Σ_i D_i X w_i and XᵀD_i θ: a product in tiles, masked while it is in cache.
  private func gatedRates<T: Scalar>(_: T.Type) -> [KernelRate] {
    let shapes =
      size == .small ? [(64, 8, 16, 2)] : [(1797, 64, 500, 1), (20_000, 784, 100, 1), (60_000, 784, 20, 10)]
    return shapes.flatMap { n, d, p, c in
      let x: Matrix<T> = Philox(seed: 1).normalMatrix(n, d)
      let gates: Matrix<Double> = Philox(seed: 2).normalMatrix(p, d)
      let map = GatedOperator(data: x, patterns: BitMatrix(signsOf: x, timesTransposed: gates), outputs: c)
      let shape = "\(n) × \(d), \(p) patterns" + (c > 1 ? ", \(c) outputs" : "")
      let (w, r) = (Matrix<T>(p * c, d, fill: 1), Matrix<T>(n, c, fill: 1))
      let operations = 2 * Double(n * d * p * c)
      return [
        flops("gated product", shape, T.self, operations) { _ = map.forward(w) },
        flops("its adjoint", shape, T.self, operations) { _ = map.adjoint(r) },
      ]
    }
  }

  /// Kernels that read or write memory once, over arrays larger than caches.
  private func memoryRates<T: Scalar>(_: T.Type) -> [KernelRate] {
    let entries = size == .small ? 1 << 12 : 1 << 24
    let tile = 1 << 16
    var z = Matrix<T>(1, entries, fill: 1)
    var words = [UInt64](repeating: 0x5555_3333_0F0F_1234, count: entries / 64)
    func rate(
      _ kernel: String, _ body: (UnsafeMutablePointer<T>, UnsafeMutablePointer<UInt64>, Int) -> Void
    ) -> KernelRate {
      let seconds = stopwatch.fastest {
        z.withMutablePointer { z in
          words.withMutablePointer { words in
            Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: entries)) { index in
              let range = Parallel.range(ofTile: index, size: tile, count: entries)
              body(z + range.lowerBound, words + range.lowerBound / 64, range.count)
            }
          }
        }
      }
      let bytes = Double(entries) * (Double(MemoryLayout<T>.size) + 1.0 / 8)
      return KernelRate(
        kernel: kernel, shape: "\(entries), \(T.self)", unit: .gigabytes, rate: 1e-9 * bytes / seconds,
        ceiling: ceiling.bandwidth.all)
    }
    return [
      rate("masked sum") { z, words, count in _ = T.maskedSum(z, words, count) },
      rate("sign bits") { z, words, count in T.signBits(z, words, count) },
      rate("masked fill") { z, words, count in T.maskedFill(z, words, count, 1) },
    ]
  }

  /// The compensated dot product of certificates, on one thread.
  private func strictRate() -> KernelRate {
    let entries = size == .small ? 1 << 12 : 1 << 22
    let x = [Double](repeating: 1, count: entries)
    let seconds = stopwatch.fastest { _ = StrictArithmetic.dot(x, x) }
    return KernelRate(
      kernel: "compensated dot, one thread", shape: "\(entries), Double", unit: .gigabytes,
      rate: 1e-9 * Double(16 * entries) / seconds, ceiling: ceiling.bandwidth.one)
  }
}
