import ArgumentParser
import Fenchel
import LinearAlgebra

/// `fenchel bench`
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure the kernels against this machine's own ceiling.")

  @Option(help: ArgumentHelp("Threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @OptionGroup var printing: OutputOptions

  func validate() throws { try Check.threads(threads) }

  func run() throws {
    if let threads { Parallel.threads = threads }
    let ceiling = MachineCeiling.measured()
    let rates = KernelBenchmark(ceiling: ceiling).rates()
    let report = BenchReport(ceiling, rates)
    Terminal.output(printing.json ? try JSONText.encode(report, indented: true) : report.text)
  }
}

/// What `bench` prints; rates in 10⁹ operations or bytes a second.
private struct BenchReport: Encodable {
  struct Ceiling: Encodable {
    var name: String
    var unit: String
    var oneThread: Double
    var allThreads: Double
  }

  struct Kernel: Encodable {
    var name: String
    var shape: String
    var unit: String
    var rate: Double
    /// rate divided by the ceiling.
    var fraction: Double
  }

  var version = Release.version
  var threads: Int
  var blasCore: String
  var ceilings: [Ceiling]
  var kernels: [Kernel]

  init(_ ceiling: MachineCeiling, _ rates: [KernelRate]) {
    threads = ceiling.threads
    blasCore = ceiling.blasCore
    func row(_ name: String, _ unit: KernelRate.Unit, _ rates: MachineCeiling.Rates) -> Ceiling {
      Ceiling(name: name, unit: unit.rawValue, oneThread: rates.one, allThreads: rates.all)
    }
    ceilings = [
      row("sgemm 1024", .gigaflops, ceiling.floatProduct),
      row("dgemm 1024", .gigaflops, ceiling.doubleProduct),
      row("memory", .gigabytes, ceiling.bandwidth),
    ]
    kernels = rates.map {
      Kernel(name: $0.kernel, shape: $0.shape, unit: $0.unit.rawValue, rate: $0.rate, fraction: $0.fraction)
    }
  }

  var text: String {
    var top = TextTable(("ceiling", .left), ("unit", .left), ("1 thread", .right), ("all", .right))
    for row in ceilings {
      top.append(
        row.name, row.unit, Format.significant(row.oneThread, 4), Format.significant(row.allThreads, 4))
    }
    var table = TextTable(
      ("kernel", .left), ("shape", .left), ("unit", .left), ("rate", .right), ("of ceiling", .right))
    for row in kernels {
      table.append(
        row.name, row.shape, row.unit, Format.significant(row.rate, 4), Format.percent(row.fraction))
    }
    let head = "fenchel \(version) · OpenBLAS \(blasCore) · \(Format.count(threads, "thread"))"
    return [head, top.text, table.text].joined(separator: "\n\n")
  }
}
