import Dispatch
import LinearAlgebra
import Testing

/// Loops over tiles, inside each other and from several threads at once.
struct ParallelTests {
  /// Three loops inside each other visit every triple once, from four threads that do it over and over.
  @Test func loopsInsideLoops() {
    let (outer, middle, inner) = (5, 7, 11)
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<200 {
        var visits = [Int](repeating: 0, count: outer * middle * inner)
        visits.withUnsafeMutableBufferPointer { visits in
          Parallel.forEach(tiles: outer) { i in
            Parallel.forEach(tiles: middle) { j in
              Parallel.forEach(tiles: inner) { k in visits[(i * middle + j) * inner + k] += 1 }
            }
          }
        }
        #expect(visits.allSatisfy { $0 == 1 })
      }
    }
  }

  @Test func elementsChange() {
    var lists = (0..<9).map { [$0] }
    Parallel.forEach(in: &lists) { index, list in list.append(10 * index) }
    #expect(lists == (0..<9).map { [$0, 10 * $0] })
    var none: [Int] = []
    Parallel.forEach(in: &none) { _, _ in Issue.record("no element") }
  }

  /// All elements are visited, and the error is that of the first, whoever throws sooner.
  @Test func firstErrorIsThrown() {
    var visited = [Bool](repeating: false, count: 12)
    let error = #expect(throws: Failure.self) {
      try Parallel.forEach(in: &visited) { index, isVisited in
        isVisited = true
        if index == 3 { spin() }
        if index.isMultiple(of: 3), index > 0 { throw Failure(index: index) }
      }
    }
    #expect(error == Failure(index: 3))
    #expect(visited == [Bool](repeating: true, count: 12))
  }

  private struct Failure: Error, Equatable {
    let index: Int
  }

  /// Some 100 µs of work.
  private func spin() {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .microseconds(100) {}
  }
}
