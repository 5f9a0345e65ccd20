import ArgumentParser
import Fenchel
import Foundation
import LinearAlgebra

/// `fenchel bench`
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the kernels against this machine's own ceiling.")

  @Option(help: ArgumentHelp("Threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @OptionGroup var output: OutputOptions

  func validate() throws { try Check.threads(threads) }

  func run() throws {
    if let threads { Parallel.threads = threads }
    let bench = KernelBench()
    let results = bench.all()
    if output.json {
      Terminal.output(
        try JSONText.encode(
          BenchReport(
            version: Release.version, threads: Parallel.threads, blasCore: Parallel.blasCore, kernels: results
          ),
          indented: true))
      return
    }
    var table = TextTable(
      ("kernel", .left), ("size", .left), ("rate", .right), ("unit", .left), ("of ceiling", .right))
    for result in results {
      table.append(
        result.kernel, result.size, Format.significant(result.rate, 4), result.unit,
        result.share.map { Format.percent($0) } ?? "ceiling")
    }
    let threads = Format.count(Parallel.threads, "thread")
    Terminal.output(
      "fenchel \(Release.version) · OpenBLAS \(Parallel.blasCore) · \(threads)\n\n\(table.text)")
  }
}

private struct BenchReport: Encodable {
  var version: String
  var threads: Int
  var blasCore: String
  var kernels: [KernelResult]
}

/// The rate of one kernel, and its share of the ceiling measured in the same run.
struct KernelResult: Encodable {
  var kernel: String
  var size: String
  var rate: Double
  var unit: String
  /// Nil for the ceilings themselves.
  var share: Double?
}

/// Times kernels by the best of several runs.
struct KernelBench {
  /// Seconds of the fastest of at least three runs within about a quarter of a second.
  private func seconds(_ body: () -> Void) -> Double {
    var best = Double.infinity
    let begin = ContinuousClock.now
    var runs = 0
    while runs < 3 || (ContinuousClock.now - begin < .milliseconds(250) && runs < 1000) {
      let start = ContinuousClock.now
      body()
      let took = ContinuousClock.now - start
      best = min(best, Double(took.components.seconds) + Double(took.components.attoseconds) * 1e-18)
      runs += 1
    }
    return max(best, 1e-9)
  }

  func all() -> [KernelResult] {
    let bandwidth = self.bandwidth()
    return products(Float.self, "sgemm") + products(Double.self, "dgemm") + [bandwidth]
      + streams(ceiling: bandwidth.rate)
  }

  /// One large product a thread is the ceiling; the products that training makes are held against it.
  private func products<T: Scalar>(_: T.Type, _ name: String) -> [KernelResult] {
    let n = 768
    let matrices = (0..<Parallel.threads).map { _ in Matrix<T>(n, n, fill: 0.5) }
    let work = 2 * Double(n * n * n) * Double(Parallel.threads)
    let ceiling =
      work / 1e9
      / seconds {
        Parallel.forEach(tiles: matrices.count) { index in
          withTemporary(T.self, n * n) { c in
            matrices[index].withPointer { a in
              T.gemm(.no, .no, m: n, n: n, k: n, alpha: 1, a: a, lda: n, b: a, ldb: n, beta: 0, c: c, ldc: n)
            }
          }
        }
      }
    let (rows, d, p) = (8192, 64, 512)
    let (x, g) = (Matrix<T>(rows, d, fill: 0.5), Matrix<T>(d, p, fill: -0.25))
    let patterns = 2 * Double(rows * d * p) / 1e9 / seconds { _ = BitMatrix(signsOf: x, times: g) }
    return [
      KernelResult(
        kernel: name, size: "\(n) × \(n), one a thread", rate: ceiling, unit: "GFLOP/s", share: nil),
      KernelResult(
        kernel: "patterns 1[XG > 0] (\(T.self))", size: "\(rows) × \(d) by \(p)", rate: patterns,
        unit: "GFLOP/s",
        share: patterns / ceiling),
    ]
  }

  /// Bytes moved by y ← y + a x on arrays far larger than the caches.
  private func bandwidth() -> KernelResult {
    let (count, tiles) = (1 << 24, Parallel.threads)
    let x = [Double](repeating: 1, count: count)
    var y = [Double](repeating: 2, count: count)
    let rate = y.withMutablePointer { y in
      let target = Writable(pointer: y)
      return x.withPointer { x in
        let source = Readable(pointer: x)
        return 24 * Double(count) / 1e9
          / seconds {
            Parallel.forEach(tiles: tiles) { index in
              let size = (count + tiles - 1) / tiles
              let range = Parallel.range(ofTile: index, size: size, count: count)
              Double.axpy(
                range.count, 1e-9, source.pointer + range.lowerBound, target.pointer + range.lowerBound)
            }
          }
      }
    }
    return KernelResult(
      kernel: "memory bandwidth (axpy)", size: "\(count) doubles", rate: rate, unit: "GB/s", share: nil)
  }

  /// Kernels that stream through memory, on one thread.
  private func streams(ceiling: Double) -> [KernelResult] {
    let (rows, columns) = (4096, 1024)
    let a = Matrix<Double>(rows, columns, fill: 0.5)
    let x = [Double](repeating: 1, count: columns)
    var y = [Double](repeating: 0, count: rows)
    var bits = [UInt64](repeating: 0, count: rows * columns / 64)
    let size = "\(rows) × \(columns), 1 thread"
    func result(_ kernel: String, _ bytes: Double, _ took: Double) -> KernelResult {
      let rate = bytes / 1e9 / took
      return KernelResult(kernel: kernel, size: size, rate: rate, unit: "GB/s", share: rate / ceiling)
    }
    let bytes = 8 * Double(a.count)
    return withPointers(a, Matrix(column: x), &y) { a, x, y in
      bits.withMutablePointer { bits in
        let product = seconds {
          Double.gemv(.no, m: rows, n: columns, alpha: 1, a: a, lda: columns, x: x, beta: 0, y: y)
        }
        var sum = 0.0
        let dot = seconds { sum += Double.dot(rows * columns, a, a) }
        let signs = seconds { Double.signBits(a, bits, rows * columns) }
        let masked = seconds { sum += Double.maskedSum(a, bits, rows * columns) }
        precondition(sum.isFinite)
        return [
          result("dgemv", bytes, product), result("ddot", bytes, dot), result("sign bits", bytes, signs),
          result("masked sum", bytes, masked),
        ]
      }
    }
  }
}

private struct Writable: @unchecked Sendable { let pointer: UnsafeMutablePointer<Double> }
private struct Readable: @unchecked Sendable { let pointer: UnsafePointer<Double> }
