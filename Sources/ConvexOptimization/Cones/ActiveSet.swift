import LinearAlgebra

/// The iteration of `NonnegativeLeastSquares`, on rows σ_j a_j/‖a_j‖ and a q of length 1, and the room it takes: many
/// solves of one problem, one after another, allocate once.
package struct ActiveSet<Element: Scalar>: ~Copyable {
  private let problem: NonnegativeLeastSquares<Element>
  /// σ: n numbers; row j counts as σ_j a_j, 0 leaves it out. All +1 at first.
  package var signs: [Element]
  private var threshold: Element = 0
  private var maximumIterations = 0
  private var active: ActiveRows<Element>
  /// The active rows, in the order of the factorisation.
  private(set) var support: [Int] = []
  /// α > 0 of the active rows.
  private(set) var multipliers: [Element] = []
  /// Where α is to go.
  private var target: [Element] = []
  private var isActive: [Bool]
  /// −σ_j/‖a_j‖, 0 for rows of zeros.
  private var factors: [Element]
  /// −σ_j a_jᵀp/‖a_j‖ when all rows were priced last; 0 for rows that are left out.
  private var excess: [Element]
  /// The rows that were violated most then.
  private var candidates: [Int] = []
  /// Rows that came in vain since the last that stayed: what they violate is rounding.
  private var refused: Set<Int> = []
  private(set) var iterations = 0
  private var isPriced = false

  /// Violations up to this count as rounding.
  private static var tolerance: Element { 64 * .ulpOfOne }
  /// Rows that stand out of the span of the active ones by less cannot violate by more.
  private static var dependence: Element { 8192 * .ulpOfOne }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  package init(of problem: NonnegativeLeastSquares<Element>) {
    let (n, d) = (problem.rows.rows, problem.rows.columns)
    self.problem = problem
    signs = [Element](repeating: 1, count: n)
    active = ActiveRows(projecting: [Element](repeating: 0, count: d))
    isActive = [Bool](repeating: false, count: n)
    factors = [Element](repeating: 0, count: n)
    excess = factors
  }

  /// Begins anew with q/size: no row is active.
  @inline(__always)
  mutating func restart(
    _ q: UnsafePointer<Element>, dividedBy size: Element, threshold: Element, maximumIterations: Int
  ) {
    self.threshold = threshold
    self.maximumIterations = maximumIterations
    active.restart(projecting: q, dividedBy: size)
    for j in support { isActive[j] = false }
    support.removeAll(keepingCapacity: true)
    multipliers.removeAll(keepingCapacity: true)
    if !refused.isEmpty { refused.removeAll() }
    (iterations, isPriced) = (0, false)
    let (n, signs) = (problem.rows.rows, signs)
    problem.inverseNorms.withPointer { inverse in
      signs.withPointer { signs in
        factors.withMutablePointer { for j in 0..<n { $0[j] = -signs[j] * inverse[j] } }
      }
    }
  }

  /// How far the residual missed A p ≥ 0 and αᵀ A p = 0 when all rows were priced last, infinite if never.
  @inline(__always)
  var violation: Element {
    guard isPriced else { return .infinity }
    var largest: Element = 0
    for value in excess { largest = max(largest, value) }
    for j in support { largest = max(largest, abs(excess[j])) }
    return largest
  }

  /// Takes over the rows of another solution, with multipliers `size` times those of q/size, in the units of A.
  @inline(__always)
  mutating func start(at rows: [Int], _ α: [Element], dividedBy size: Element) {
    for (j, value) in zip(rows, α) where isUsable(j) && value >= 0 && value.isFinite {
      _ = append(j, multiplier: value / size * problem.norms[j])
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
      if iterations >= maximumIterations || stalls >= 20 || problem.deadline.hasPassed {
        return .stoppedAtLimit
      }
      findCandidates()
      if addCandidates() { continue }
      if refreshed < iterations {
        refreshed = -1  // the residual carries the rounding of its updates: look again
      } else {
        return .optimal
      }
    }
  }

  @inline(__always)
  private var norm: Element { active.residualNorm }

  @inline(__always)
  private var hasReachedThreshold: Bool { threshold > 0 && norm <= threshold }

  /// How many rows to add before all rows are priced again: as many as cost about what pricing costs.
  @inline(__always)
  private var additionsPerPass: Int { 1 + problem.rows.rows / (8 * max(16, support.count)) }

  /// The rows that are violated most, a few for each addition, from a pass over all rows.
  @inline(__always)
  private mutating func findCandidates() {
    price()
    candidates.removeAll(keepingCapacity: true)
    let excess = excess
    excess.withPointer {
      for j in 0..<excess.count where $0[j] > Self.tolerance { if isUsable(j) { candidates.append(j) } }
    }
    let limit = 4 * additionsPerPass + 8
    guard candidates.count > limit else { return }
    excess.withPointer { excess in
      candidates.keepFirst(limit) { excess[$0] > excess[$1] || (excess[$0] == excess[$1] && $0 < $1) }
    }
  }

  /// Computes `excess` from the residual.
  @inline(__always)
  private mutating func price() {
    isPriced = true
    let (n, d, size) = (problem.rows.rows, problem.rows.columns, 512)
    let (problem, factors, p) = (problem, factors, active.residual)
    let hasColumns = problem.columns.count > 0
    withPointers(problem.rows, problem.columns, &excess) { rows, columns, excess in
      factors.withPointer { factors in
        p.withPointer { p in
          Parallel.forEach(tiles: Parallel.tiles(of: size, covering: n), work: n * d) { tile in
            let range = Parallel.range(ofTile: tile, size: size, count: n)
            let (first, m) = (range.lowerBound, range.count)
            if hasColumns {
              Element.gemv(
                .yes, m: d, n: m, alpha: 1, a: columns + first, lda: n, x: p, beta: 0, y: excess + first)
            } else {
              Element.gemv(
                .no, m: m, n: d, alpha: 1, a: rows + first * d, lda: max(1, d), x: p, beta: 0,
                y: excess + first)
            }
            Element.multiply(m, factors + first, excess + first)
          }
        }
      }
    }
  }

  /// Adds the most violated of the candidates again and again until none of them is violated. False where none is at
  /// the start: pricing sums in another order, so that a violation at the tolerance may be rounding.
  @inline(__always)
  private mutating func addCandidates() -> Bool {
    let (d, m) = (active.dimension, candidates.count)
    guard m > 0 else { return false }
    return withTemporary(Element.self, m * d + m) { rows in
      let excess = rows + m * d
      for i in 0..<m { copyRow(candidates[i], to: rows + i * d) }
      for addition in 0..<additionsPerPass where iterations < maximumIterations {
        active.residual.withPointer { p in
          Element.gemv(.no, m: m, n: d, alpha: -1, a: rows, lda: d, x: p, beta: 0, y: excess)
        }
        var (worst, largest) = (-1, Self.tolerance)
        for i in 0..<m where excess[i] > largest && isUsable(candidates[i]) {
          (worst, largest) = (i, excess[i])
        }
        guard worst >= 0 else { return addition > 0 }
        let row = candidates[worst]
        if append(row, multiplier: 0) { settle() }
        if !isActive[row] {
          refused.insert(row)
        } else if !refused.isEmpty {
          refused.removeAll()
        }
        if hasReachedThreshold { break }
      }
      return true
    }
  }

  @inline(__always)
  private func copyRow(_ j: Int, to target: UnsafeMutablePointer<Element>) {
    let d = active.dimension
    let factor = -factors[j]
    problem.rows.withPointer { a in for i in 0..<d { target[i] = factor * a[j * d + i] } }
  }

  @inline(__always)
  private mutating func append(_ j: Int, multiplier: Element) -> Bool {
    let (d, factor) = (active.dimension, -factors[j])
    let isIndependent = problem.rows.withPointer {
      active.append($0 + j * d, scaledBy: factor, tolerance: Self.dependence)
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
    while true {
      active.multipliers(into: &target)
      var (share, isInside): (Element, Bool) = (1, true)
      for i in 0..<target.count where target[i] <= 0 {
        share = min(share, multipliers[i] / (multipliers[i] - target[i]))
        isInside = false
      }
      guard !isInside else {
        swap(&multipliers, &target)
        return
      }
      if !(share >= 0) { share = 0 }
      for i in 0..<target.count { multipliers[i] += share * (target[i] - multipliers[i]) }
      dropRows()
    }
  }

  /// Drops the rows that reached 0 on the way to `target`, the one nearest to it at least.
  @inline(__always)
  private mutating func dropRows() {
    var least = -1
    for i in 0..<target.count where target[i] <= 0 {
      if least < 0 || multipliers[i] < multipliers[least] { least = i }
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
