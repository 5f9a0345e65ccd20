import LinearAlgebra

/// The iteration of `NonnegativeLeastSquares`, on rows σ_j a_j/‖a_j‖ and a q of length 1.
struct ActiveSet<Element: Scalar> {
  private let problem: NonnegativeLeastSquares<Element>
  let signs: [Element]
  private let threshold: Element
  private let maximumIterations: Int
  private var active: ActiveRows<Element>
  /// The active rows, in the order of the factorisation.
  private(set) var support: [Int] = []
  /// α > 0 of the active rows.
  private(set) var multipliers: [Element] = []
  private var isActive: [Bool]
  /// Rows that came in vain since the last that stayed: what they violate is rounding.
  private var refused: Set<Int> = []
  private(set) var iterations = 0
  /// How far the residual missed A p ≥ 0 and αᵀ A p = 0 when all rows were priced last.
  private(set) var violation = Element.infinity

  /// Violations up to this count as rounding.
  private static var tolerance: Element { 64 * .ulpOfOne }
  /// Rows that stand out of the span of the active ones by less cannot violate by more.
  private static var dependence: Element { 8192 * .ulpOfOne }

  init(
    of problem: NonnegativeLeastSquares<Element>, _ q: [Element], signs: [Element], threshold: Element,
    maximumIterations: Int
  ) {
    self.problem = problem
    self.signs = signs
    self.threshold = threshold
    self.maximumIterations = maximumIterations
    active = ActiveRows(projecting: q)
    isActive = [Bool](repeating: false, count: problem.rows.rows)
  }

  /// Takes over the rows of another solution, with multipliers in the units of A.
  @inline(__always)
  mutating func start(at rows: [Int], _ α: [Element]) {
    for (j, value) in zip(rows, α) where isUsable(j) && value >= 0 && value.isFinite {
      _ = append(j, multiplier: value * problem.norms[j])
    }
    settle()
  }

  /// Whether row j may come in.
  @inline(__always)
  private func isUsable(_ j: Int) -> Bool {
    isActive.indices.contains(j) && !isActive[j] && problem.norms[j] > 0 && signs[j] != 0
      && !refused.contains(j)
  }

  /// Adds rows and drops others until no row is violated.
  @inline(__always)
  mutating func run() -> NonnegativeLeastSquares<Element>.Outcome {
    var (least, stalls, refreshed) = (Element.infinity, 0, -1)
    while true {
      if refreshed < 0 || iterations - refreshed >= 32 {
        active.refresh()
        refreshed = iterations
        stalls = norm < least ? 0 : stalls + 1
        least = min(least, norm)
      }
      if hasReachedThreshold { return .belowThreshold }
      if iterations >= maximumIterations || stalls >= 20 { return .stoppedAtLimit }
      let candidates = mostViolated()
      if !candidates.isEmpty {
        addRows(from: candidates)
      } else if refreshed < iterations {
        refreshed = -1  // the residual carries the rounding of its updates: look again
      } else {
        return .optimal
      }
    }
  }

  @inline(__always)
  private var norm: Element { active.residual.withPointer { Element.euclideanNorm(active.dimension, $0) } }

  @inline(__always)
  private var hasReachedThreshold: Bool { threshold > 0 && norm <= threshold }

  /// How many rows to add before all rows are priced again: as many as cost about what pricing costs.
  @inline(__always)
  private var additionsPerPass: Int { 1 + problem.rows.rows / (8 * max(16, support.count)) }

  /// The rows that are violated most, a few for each addition, from a pass over all rows.
  @inline(__always)
  private mutating func mostViolated() -> [Int] {
    let excess = prices(active.residual)
    var violated: [Int] = []
    violation = 0
    for j in 0..<excess.count {
      violation = max(violation, isActive[j] ? abs(excess[j]) : excess[j])
      if excess[j] > Self.tolerance, isUsable(j) { violated.append(j) }
    }
    let limit = 4 * additionsPerPass + 8
    guard violated.count > limit else { return violated }
    violated.sort { excess[$0] > excess[$1] || (excess[$0] == excess[$1] && $0 < $1) }
    return Array(violated[..<limit])
  }

  /// −σ_j a_jᵀp/‖a_j‖ for all rows; 0 for rows that are left out.
  @inline(__always)
  private func prices(_ p: [Element]) -> [Element] {
    let (n, d, size) = (problem.rows.rows, problem.rows.columns, 512)
    var result = [Element](repeating: 0, count: n)
    withPointers(problem.rows, Matrix(column: p), &result) { a, p, result in
      Parallel.forEach(tiles: Parallel.tiles(of: size, covering: n), work: n * d) { tile in
        let range = Parallel.range(ofTile: tile, size: size, count: n)
        Element.gemv(
          .no, m: range.count, n: d, alpha: -1, a: a + range.lowerBound * d, lda: max(1, d), x: p, beta: 0,
          y: result + range.lowerBound)
        for j in range { result[j] = problem.norms[j] > 0 ? result[j] * signs[j] / problem.norms[j] : 0 }
      }
    }
    return result
  }

  /// Adds the most violated of the candidates again and again until none of them is violated.
  @inline(__always)
  private mutating func addRows(from candidates: [Int]) {
    let (d, m) = (active.dimension, candidates.count)
    withTemporary(Element.self, m * d + m) { rows in
      let excess = rows + m * d
      for (i, j) in candidates.enumerated() { copyRow(j, to: rows + i * d) }
      for _ in 0..<additionsPerPass where iterations < maximumIterations {
        active.residual.withPointer { p in
          Element.gemv(.no, m: m, n: d, alpha: -1, a: rows, lda: d, x: p, beta: 0, y: excess)
        }
        var (worst, largest) = (-1, Self.tolerance)
        for i in 0..<m where excess[i] > largest && isUsable(candidates[i]) {
          (worst, largest) = (i, excess[i])
        }
        guard worst >= 0 else { return }
        let row = candidates[worst]
        if append(row, multiplier: 0) { settle() }
        if isActive[row] { refused.removeAll() } else { refused.insert(row) }
        if hasReachedThreshold { return }
      }
    }
  }

  @inline(__always)
  private func copyRow(_ j: Int, to target: UnsafeMutablePointer<Element>) {
    let d = active.dimension
    problem.rows.withPointer { target.update(from: $0 + j * d, count: d) }
    Element.scale(d, signs[j] / problem.norms[j], target)
  }

  @inline(__always)
  private mutating func append(_ j: Int, multiplier: Element) -> Bool {
    let isIndependent = withTemporary(Element.self, active.dimension) { row in
      copyRow(j, to: row)
      return active.append(row, tolerance: Self.dependence)
    }
    guard isIndependent else { return false }
    support.append(j)
    multipliers.append(multiplier)
    isActive[j] = true
    iterations += 1
    return true
  }

  /// Moves α to the minimiser over the active rows, dropping the rows whose α would turn negative on the way.
  @inline(__always)
  private mutating func settle() {
    var target: [Element] = []
    while true {
      active.multipliers(into: &target)
      var share: Element = 1
      for i in 0..<target.count where target[i] <= 0 {
        share = min(share, multipliers[i] / (multipliers[i] - target[i]))
      }
      guard target.contains(where: { $0 <= 0 }) else {
        multipliers = target
        return
      }
      if !(share >= 0) { share = 0 }
      for i in 0..<target.count { multipliers[i] += share * (target[i] - multipliers[i]) }
      dropRows(leaving: target)
    }
  }

  /// Drops the rows that reached 0 on the way to `target`, the one nearest to it at least.
  @inline(__always)
  private mutating func dropRows(leaving target: [Element]) {
    var least: Int?
    for i in 0..<target.count where target[i] <= 0 {
      if least.map({ multipliers[i] < multipliers[$0] }) ?? true { least = i }
    }
    for i in stride(from: target.count - 1, through: 0, by: -1) where target[i] <= 0 {
      guard i == least || multipliers[i] <= 0 else { continue }
      isActive[support[i]] = false
      active.remove(at: i)
      support.remove(at: i)
      multipliers.remove(at: i)
      iterations += 1
    }
  }
}
