import Fenchel
import LinearAlgebra
import Testing

/// That everything is measured, not how fast it is.
@Suite(.serialized)
struct KernelBenchmarkTests {
  @Test func rows() {
    let threads = Parallel.threads
    let ceiling = MachineCeiling.measured(seconds: 0)
    #expect(Parallel.threads == threads)
    for rates in [ceiling.floatProduct, ceiling.doubleProduct, ceiling.bandwidth] {
      #expect(rates.one > 0 && rates.all > 0 && rates.all.isFinite)
    }
    #expect(!ceiling.blasCore.isEmpty && ceiling.threads == threads)
    let rows = KernelBenchmark(ceiling: ceiling, seconds: 0, size: .small).rates()
    #expect(Set(rows.map { $0.kernel + $0.shape }).count == rows.count)
    #expect(rows.allSatisfy { $0.rate > 0 && $0.fraction == $0.rate / $0.ceiling && $0.rate.isFinite })
    #expect(
      Set(rows.map(\.kernel)).isSuperset(of: [
        "product", "rank-k update", "Cholesky", "signs of a product", "masked sum", "sign bits",
        "masked fill",
      ]))
  }
}
