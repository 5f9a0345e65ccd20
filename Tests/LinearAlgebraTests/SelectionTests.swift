import FenchelTestSupport
import LinearAlgebra
import Testing

/// The first elements of a strict order, without sorting the rest.
struct SelectionTests {
  @Test("they are those of the sorted array, in its order", arguments: [0, 1, 2, 3, 10, 257, 4000])
  func first(count n: Int) {
    for seed: UInt64 in 0..<8 {
      var random = SplitMix64(seed: seed)
      // Ordered runs, many equal values and few, as seeds go.
      let values = (0..<n).map { i in
        seed < 2 ? Double(seed == 0 ? i : -i) : (random.normal() * [1, 3, 1e9][Int(seed % 3)]).rounded()
      }
      func precedes(_ i: Int, _ j: Int) -> Bool { (values[j], i) < (values[i], j) }
      let sorted = Array(0..<n).sorted(by: precedes)
      for kept in [0, 1, 2, n / 3, n / 2, n - 1, n, n + 5] where kept >= 0 {
        var indices = Array(0..<n)
        indices.keepFirst(kept, by: precedes)
        #expect(indices == Array(sorted.prefix(kept)), "seed \(seed), \(kept) of \(n)")
      }
    }
  }

  @Test("equal elements are as good as each other")
  func equalElements() {
    var values = [Double](repeating: 2, count: 500) + [1] + [Double](repeating: 2, count: 499)
    values.keepFirst(3, by: <)
    #expect(values == [1, 2, 2])
  }
}
