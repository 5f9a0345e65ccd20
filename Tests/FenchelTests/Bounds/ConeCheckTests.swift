import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// The check of what a search over cones found: what is true passes, and nothing else.
struct ConeCheckTests {
  @Test("Holds at the bound of a search, not below what is reached", arguments: 1...80 as ClosedRange<UInt64>)
  func searched(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let (n, d) = (1 + Int(seed % 60), 1 + Int(seed % 6))
    var x: Matrix<Double> = random.matrix(n, d)
    if seed % 4 == 0 { for i in 0..<n { for a in 0..<d { x[i, a].round() } } }  // zeros, parallel rows
    let c = (0..<n).map { _ in random.normal() }
    var whole = SphericalBranchAndBound(x: x, c: c, target: 0)
    whole.run(cones: 3000)
    var search = SphericalBranchAndBound(x: x, c: c, target: 1.02 * whole.largestValue)
    search.run(cones: 200_000)
    func holds(_ most: Double, cones: Int = 200_000) -> (Bool, cones: Int) {
      var check = ConeCheck(x: x, c: c, most: most, basis: .identity(d))
      return (check.holds(cones: cones), check.cones)
    }
    let found = holds(search.bound * (1 + 1e-11))
    #expect(found.0, "\(found.cones) cones, \(search.cones) searched, bound \(search.bound)")
    #expect(found.cones <= 2 * search.cones + 1000, "\(found.cones) cones, \(search.cones) searched")
    #expect(holds(1.5 * search.bound + 1e-9).0)
    guard whole.largestValue > 1e-9 else { return }
    for share in [0, 0.5, 0.99, 1 - 1e-9] { #expect(!holds(share * whole.largestValue).0, "\(share)") }
    #expect(!holds(-1).0 && !holds(.nan).0)
  }

  @Test(
    "Features beyond the rank, and a basis that is not quite orthonormal",
    arguments: 1...20 as ClosedRange<UInt64>)
  func reduced(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (n, d, r) = (40, 9, 3)
    let rows: Matrix<Double> = random.matrix(n, r)
    let directions: Matrix<Double> = random.matrix(r, d)
    let x = matrixProduct(rows, .no, directions, .no)
    let c = (0..<n).map { _ in random.normal() }
    let basis = try SVD(x).vTransposed.firstRows(r)
    var search = SphericalBranchAndBound(x: matrixProduct(x, .no, basis, .yes), c: c, target: 0)
    search.run(cones: 100_000)
    func holds(_ most: Double, _ basis: Matrix<Double>) -> Bool {
      var check = ConeCheck(x: x, c: c, most: most, basis: basis)
      return check.holds(cones: 100_000)
    }
    #expect(holds(search.bound * (1 + 1e-9), basis))
    #expect(!holds(search.largestValue * (1 - 1e-9), basis))
    var longer = basis
    longer.scale(by: 1.01)  // spans the same: the maximum over the longer ball still bounds
    #expect(!holds(search.largestValue * (1 - 1e-9), longer))
    var other = basis
    for a in 0..<d { other[0, a] += 0.01 * random.normal() }  // leaves a part of X out
    #expect(!holds(search.bound * (1 + 1e-9), other))
  }

  @Test("The same for any number of threads")
  func threads() {
    var random = SplitMix64(seed: 8)
    let x: Matrix<Double> = random.matrix(60, 4)
    let c = (0..<60).map { _ in random.normal() }
    var search = SphericalBranchAndBound(x: x, c: c, target: 0)
    search.run(cones: 3000)
    expectSameForAnyThreads("cone check") {
      var check = ConeCheck(x: x, c: c, most: search.bound, basis: .identity(4))
      let holds = check.holds(cones: 100_000)
      return [holds ? 1 : 0, Double(check.cones)]
    }
  }
}
