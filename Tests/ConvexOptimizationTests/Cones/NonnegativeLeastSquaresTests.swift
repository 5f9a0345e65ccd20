import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Non-negative least squares") struct NonnegativeLeastSquaresTests {
  @Test("Solves in the room of earlier ones have the same bits", arguments: [(50, 6), (300, 80)])
  func sharedRoom(_ n: Int, _ d: Int) {
    var random = SplitMix64(seed: UInt64(n))
    let problem = NonnegativeLeastSquares(random.matrix(n, d, of: Double.self))
    var state = ActiveSet(of: problem)
    var last: NonnegativeLeastSquares<Double>.Solution?
    for round in 0..<12 {
      let q = random.matrix(1, d, of: Double.self).storage
      let signs = (0..<n).map { _ in Double.random(in: -1...1, using: &random) > 0 ? 1.0 : -1 }
      let (start, threshold) = (round % 3 == 2 ? last : nil, round % 4 == 3 ? 0.5 : 0)
      let limit = 20 * (n + d)
      let alone = problem.solve(
        q, signs: signs, start: start, threshold: threshold, maximumIterations: limit)
      state.signs = signs
      let shared = q.withPointer {
        problem.solve($0, start: start, threshold: threshold, maximumIterations: limit, in: &state)
      }
      #expect(shared == alone && alone.outcome != .stoppedAtLimit, "round \(round)")
      last = shared
    }
  }

  /// α ≥ 0, p = q + Aᵀα, A p ≥ 0, αᵀA p = 0 in plain loops; returns ‖p‖.
  @discardableResult
  private func checkOptimal<T: Scalar>(
    _ a: Matrix<T>, _ q: [T], _ solution: NonnegativeLeastSquares<T>.Solution, signs: [T]? = nil,
    tolerance: Double, _ label: Comment
  ) -> Double {
    let d = a.columns
    var p = q.map { Double($0) }
    let size = max(p.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-300)
    for (j, α) in zip(solution.support, solution.multipliers) {
      #expect(α > 0, label)
      for i in 0..<d { p[i] += Double(α) * Double(signs?[j] ?? 1) * Double(a[j, i]) }
    }
    for i in 0..<d { #expect(abs(p[i] - Double(solution.residual[i])) <= tolerance * size, label) }
    for j in 0..<a.rows where (signs?[j] ?? 1) != 0 {
      let row = a.row(j).map { Double($0) * Double(signs?[j] ?? 1) }
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let slope = zip(row, p).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(slope >= -tolerance * length * size, label)
      if solution.support.contains(j) { #expect(slope <= tolerance * length * size, label) }
    }
    #expect(solution.outcome == .optimal && Double(solution.violation) <= tolerance, label)
    return p.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  @Test("optimality on random problems of many shapes, in Double and Float", arguments: 0..<10)
  func random(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    for (n, d) in [(1, 1), (3, 2), (5, 9), (40, 6), (100, 20), (300, 60), (20, 100)] {
      let a: Matrix<Double> = random.matrix(n, d)
      let q = random.matrix(1, d, of: Double.self).storage
      let label: Comment = "seed \(seed), \(n) × \(d)"
      let solution = NonnegativeLeastSquares(a).solve(q)
      checkOptimal(a, q, solution, tolerance: 1e-12, label)
      let single = NonnegativeLeastSquares(a.converted(to: Float.self)).solve(q.map { Float($0) })
      checkOptimal(a.converted(to: Float.self), q.map { Float($0) }, single, tolerance: 1e-4, label)
    }
  }

  @Test("the least residual over all supports of small problems", arguments: 0..<20)
  func exhaustive(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed) + 50)
    let (n, d) = (6, 3)
    let a: Matrix<Double> = random.matrix(n, d)
    let q = random.matrix(1, d, of: Double.self).storage
    var least = Double.infinity
    for subset in 0..<1 << n {
      let rows = (0..<n).filter { subset >> $0 & 1 == 1 }
      guard rows.count <= d else { continue }
      let s = a.selectingRows(rows)
      var p = q
      if !rows.isEmpty {
        let α = try QR(s.transposed).leastSquares(Matrix(column: q.map { -$0 }))
        guard α.storage.allSatisfy({ $0 >= -1e-12 }) else { continue }
        for (i, j) in rows.indices.map({ ($0, rows[$0]) }) {
          for c in 0..<d { p[c] += α[i, 0] * a[j, c] }
        }
      }
      least = min(least, p.reduce(0) { $0 + $1 * $1 }.squareRoot())
    }
    #expect(abs(NonnegativeLeastSquares(a).solve(q).norm - least) <= 1e-12, "seed \(seed)")
  }

  @Test("cones of activation patterns: signs, and what the residual is worth", arguments: 0..<6)
  func signs(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed) + 80)
    let (n, d) = (120, 8)
    let x: Matrix<Double> = random.matrix(n, d)
    let gate = random.matrix(d, 1, of: Double.self)
    let signs = matrixProduct(x, gate).storage.map { $0 > 0 ? 1.0 : -1 }
    let q = random.matrix(1, d, of: Double.self).storage
    let problem = NonnegativeLeastSquares(x)
    let solution = problem.solve(q, signs: signs)
    let norm = checkOptimal(x, q, solution, signs: signs, tolerance: 1e-12, "seed \(seed)")
    // ‖p‖ = max qᵀw over the cone: attained at p/‖p‖, and not passed by other points of the cone.
    let slope = zip(solution.residual, q).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - norm * norm) < 1e-12)
    let inCone = zip(gate.storage, q).reduce(0) { $0 + $1.0 * $1.1 } / gate.frobeniusNorm
    #expect(inCone <= norm + 1e-12)
    // Left-out rows do not matter.
    var fewer = signs
    for j in 0..<60 { fewer[j] = 0 }
    let half = problem.solve(q, signs: fewer)
    checkOptimal(x, q, half, signs: fewer, tolerance: 1e-12, "seed \(seed), half")
    #expect(half.support.allSatisfy { $0 >= 60 } && half.norm >= norm - 1e-12)
  }

  @Test("a warm start takes fewer iterations and gives the same answer")
  func warm() {
    var random = SplitMix64(seed: 5)
    let a: Matrix<Double> = random.matrix(400, 30)
    let problem = NonnegativeLeastSquares(a)
    let q = random.matrix(1, 30, of: Double.self).storage
    let cold = problem.solve(q)
    let again = problem.solve(q, start: cold)
    #expect(again.iterations <= cold.support.count && abs(again.norm - cold.norm) < 1e-13)
    let near = q.map { $0 + 0.02 * random.normal() }
    let (warm, fresh) = (problem.solve(near, start: cold), problem.solve(near))
    #expect(abs(warm.norm - fresh.norm) < 1e-12)
    checkOptimal(a, near, warm, tolerance: 1e-12, "warm")
    // Nonsense as a start is taken for what it is worth.
    var nonsense = cold
    nonsense.support = [3, 3, 9999, -1, 7]
    nonsense.multipliers = [1, 2, 3, 4, .nan]
    checkOptimal(a, near, problem.solve(near, start: nonsense), tolerance: 1e-12, "nonsense")
    #expect(problem.solve(near, start: nonsense, threshold: 1e-3).outcome != .stoppedAtLimit)
  }

  @Test("every stop is a valid bound; the threshold and the limit end it early")
  func anytime() {
    var random = SplitMix64(seed: 6)
    var a: Matrix<Double> = random.matrix(300, 40)
    for j in 0..<300 { a[j, 0] = 4 + abs(a[j, 0]) }  // a cone with an interior
    let problem = NonnegativeLeastSquares(a)
    let q = random.matrix(1, 40, of: Double.self).storage
    let full = problem.solve(q)
    #expect(full.norm > 0.1)
    var last = Double.infinity
    for limit in [1, 3, 6, 10, 15, 1000] {
      let part = problem.solve(q, maximumIterations: limit)
      #expect(part.norm >= full.norm - 1e-12 && part.norm <= last + 1e-12)
      #expect(part.multipliers.allSatisfy { $0 >= 0 })
      last = part.norm
    }
    let threshold = (full.norm + q.map { $0 * $0 }.reduce(0, +).squareRoot()) / 2
    let early = problem.solve(q, threshold: threshold)
    #expect(early.outcome == .belowThreshold && early.norm <= threshold && early.iterations < full.iterations)
    #expect(problem.solve(q, threshold: full.norm / 2).outcome == .optimal)
    // Multipliers known from nearby may do at once, at the best of their multiples.
    let known = problem.solve(q.map { 3 * $0 }, start: full, threshold: 3.001 * full.norm)
    #expect(known.outcome == .belowThreshold && known.iterations == 0)
    #expect(known.norm >= 3 * full.norm - 1e-12 && known.norm <= 3.001 * full.norm)
  }

  @Test("the kernel of some rows, by a basis of itself or of its complement")
  func kernels() {
    var random = SplitMix64(seed: 7)
    let a: Matrix<Double> = random.matrix(30, 8)
    let problem = NonnegativeLeastSquares(a)
    for count in 0...12 {
      let kernel = problem.kernel(ofRows: Array(0..<count))
      let dimension = kernel.isComplement ? 8 - kernel.basis.rows : kernel.basis.rows
      #expect(dimension == max(0, 8 - count) && kernel.basis.rows <= 4)
      for basis in [kernel.basis, kernel.spanningRows] {
        let gram = naiveProduct(basis, .no, basis, .yes)
        #expect(distance(gram, Matrix<Double>.identity(basis.rows)) <= 1e-13)
      }
      let images = naiveProduct(a, .no, kernel.spanningRows, .yes)
      for k in 0..<count { #expect(images.row(k).allSatisfy { abs($0) <= 1e-13 }, "row \(k) of \(count)") }
      var v = a.row(29)
      v.withUnsafeMutableBufferPointer { kernel.project($0.baseAddress!) }
      let inside = naiveProduct(Matrix(1, 8, storage: v), .no, kernel.spanningRows, .yes)
      let whole = naiveProduct(Matrix(1, 8, storage: a.row(29)), .no, kernel.spanningRows, .yes)
      #expect(distance(inside, whole) <= 1e-13)
      #expect(abs(inside.frobeniusNorm - Matrix(1, 8, storage: v).frobeniusNorm) <= 1e-13)
    }
  }

  @Test("duplicate, parallel, dependent, zero rows; q = 0; nothing to do; extreme scales")
  func degenerate() {
    var random = SplitMix64(seed: 7)
    let base: Matrix<Double> = random.matrix(6, 4)
    var rows = (0..<6).map { base.row($0) }
    rows += (0..<6).map { base.row($0).map { 3 * $0 } } + [[0, 0, 0, 0]]
    rows += (0..<5).map { i in zip(base.row(i), base.row(i + 1)).map { $0 + $1 } }
    let a = Matrix(rows: rows)
    for trial in 0..<20 {
      let q = random.matrix(1, 4, of: Double.self).storage
      let solution = NonnegativeLeastSquares(a).solve(q)
      checkOptimal(a, q, solution, tolerance: 1e-12, "trial \(trial)")
      #expect(abs(solution.norm - NonnegativeLeastSquares(base).solve(q).norm) < 1e-12)
    }
    // The whole space is spanned: rows ± e_i leave only 0.
    let box = Matrix<Double>(rows: [[1, 0], [-1, 0], [0, 1], [0, -1]])
    #expect(NonnegativeLeastSquares(box).solve([3, -4]).norm == 0)
    #expect(NonnegativeLeastSquares(box).solve([0, 0]).outcome == .optimal)
    #expect(NonnegativeLeastSquares(Matrix<Double>(0, 2)).solve([3, -4]).norm == 5)
    #expect(NonnegativeLeastSquares(Matrix<Double>(2, 0)).solve([]).norm == 0)
    #expect(NonnegativeLeastSquares(box).solve([.nan, 1]).outcome == .stoppedAtLimit)
    for scale in [1e-150, 1e150] {
      let solution = NonnegativeLeastSquares(combine(scale, base, 0, base)).solve([1, 2, -1, 3])
      #expect(abs(solution.norm - NonnegativeLeastSquares(base).solve([1, 2, -1, 3]).norm) < 1e-12)
    }
  }

  @Test("nearly parallel rows")
  func nearlyParallel() {
    var random = SplitMix64(seed: 8)
    for gap in [1e-3, 1e-6, 1e-9] {
      let base = random.matrix(1, 10, of: Double.self).row(0)
      let a = Matrix(rows: (0..<40).map { _ in base.map { $0 + gap * random.normal() } })
      let q = random.matrix(1, 10, of: Double.self).storage
      let solution = NonnegativeLeastSquares(a).solve(q)
      #expect(solution.violation < 1e-10 * (1e-6 / gap + 1), "gap \(gap)")
    }
  }

  @Test("violations at the tolerance, which two sums over one row may place on either side of it")
  func violationsOfRounding() {
    var random = SplitMix64(seed: 7)
    let (n, d) = (64, 13)
    let a: Matrix<Double> = random.matrix(n, d)
    let problem = NonnegativeLeastSquares(a, deadline: Deadline(in: 60))
    for j in 0..<n {
      for units in stride(from: 60.0, through: 68, by: 0.0625) {
        var q = random.matrix(1, d, of: Double.self).storage
        let size = q.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let along = zip(a.row(j), q).reduce(0) { $0 + $1.0 * $1.1 } / problem.norms[j]
        let miss = along + units * .ulpOfOne * size
        for k in 0..<d { q[k] -= miss * a[j, k] / problem.norms[j] }
        var signs = (0..<n).map { zip(a.row($0), q).reduce(0) { $0 + $1.0 * $1.1 } < 0 ? -1.0 : 1 }
        signs[j] = 1
        #expect(problem.solve(q, signs: signs).outcome == .optimal)
      }
    }
  }

  @Test("the same bits for any number of threads")
  func threads() {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    var random = SplitMix64(seed: 9)
    let problem = NonnegativeLeastSquares(random.matrix(5000, 40, of: Double.self))
    let q = random.matrix(1, 40, of: Double.self).storage
    let solutions = (1...3).map { threads in
      Parallel.threads = threads
      return problem.solve(q)
    }
    #expect(solutions.allSatisfy { $0 == solutions[0] })
  }
}
