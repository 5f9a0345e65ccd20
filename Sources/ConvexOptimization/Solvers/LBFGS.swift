import LinearAlgebra

/// Limited-memory BFGS for min f(x), f: ℝᴺ → ℝ smooth or with kinks; f need not be convex.
///
/// A step costs one evaluation of f and its gradient, most of the time, and 4mN operations. Deterministic.
/// (Liu & Nocedal 1989; the line search stands kinks: Lewis & Overton 2013.)
public struct LBFGS: Sendable {
  /// m: pairs of steps and gradient differences kept.
  public var memory: Int
  public var maximumIterations: Int
  public var maximumEvaluations: Int
  /// Solved where ‖∇f‖∞ ≤ gradientTolerance · max(1, |f|).
  public var gradientTolerance: Double
  /// Solved where a step gains at most decreaseTolerance · max(1, |f|); 0 asks for the rounding floor.
  public var decreaseTolerance: Double
  public var cancellation: Cancellation?

  public init(
    memory: Int = 10, maximumIterations: Int = 10_000, maximumEvaluations: Int = 20_000,
    gradientTolerance: Double = 1e-8, decreaseTolerance: Double = 0, cancellation: Cancellation? = nil
  ) {
    self.memory = max(1, memory)
    self.maximumIterations = maximumIterations
    self.maximumEvaluations = maximumEvaluations
    self.gradientTolerance = gradientTolerance
    self.decreaseTolerance = decreaseTolerance
    self.cancellation = cancellation
  }

  /// Bytes that a run in N dimensions takes: m pairs of vectors, and six vectors more.
  public func bytes(dimension: Int) -> Int { (2 * memory + 6) * dimension * MemoryLayout<Double>.size }

  /// Writes ∇f(x) into `gradient`, an array as long as x, and returns f(x).
  public typealias Objective = (_ x: [Double], _ gradient: inout [Double]) -> Double

  /// The state of a run after an iteration, for progress and time limits.
  public struct Iterate: Sendable {
    public var iteration: Int
    public var evaluations: Int
    public var value: Double
    /// ‖∇f‖∞.
    public var gradientNorm: Double
    public var point: [Double]
  }

  /// The best point found, and why the run ended there.
  public struct Result: Sendable {
    public var point: [Double]
    public var value: Double
    public var gradient: [Double]
    /// `solved` by a tolerance; `stalled` where no step decreases f any more (rounding floor, or a kink);
    /// `numericalFailure` where f or its gradient is not finite at the start.
    public var status: Status
    public var iterations: Int
    public var evaluations: Int
  }

  /// Minimises from x₀. `shouldContinue` is asked after every iteration; false ends the run as `cancelled`.
  public func minimise(
    from x₀: [Double], shouldContinue: (Iterate) -> Bool = { _ in true }, _ objective: Objective
  ) -> Result {
    var run = State(at: x₀, memory: memory, objective)
    return minimise(&run, shouldContinue: { shouldContinue($0.iterate) }, objective)
  }

  /// The same from a state, which is changed as the run goes; that of a stopped run goes on as if it had not stopped.
  package func minimise(
    _ run: inout State, shouldContinue: (inout State) -> Bool, _ objective: Objective
  ) -> Result {
    Parallel.forEach(tiles: 1) { _ in }  // one BLAS thread from here on: the same bits for any number
    guard run.value.isFinite, run.gradientNorm.isFinite else { return run.result(.numericalFailure) }
    while true {
      if run.idleSteps >= 5 { return run.result(.stalled) }
      if run.gradientNorm <= gradientTolerance * max(1, abs(run.value)) { return run.result(.solved) }
      if cancellation?.isRequested == true { return run.result(.cancelled) }
      if run.iterations >= maximumIterations || run.evaluations >= maximumEvaluations {
        return run.result(.stoppedAtLimit(.iterations))
      }
      let before = run.value
      guard run.step(budget: maximumEvaluations - run.evaluations, objective) else {
        return run.result(.stalled)
      }
      guard shouldContinue(&run) else { return run.result(.cancelled) }
      if decreaseTolerance > 0, run.idleSteps < 5,
        before - run.value <= decreaseTolerance * max(1, abs(run.value))
      {
        return run.result(.solved)
      }
    }
  }
}

extension LBFGS {
  /// The current point of a run with its gradient and memory.
  package struct State {
    package var x: [Double]
    package var gradient: [Double]
    package var value: Double
    package var iterations = 0
    package var evaluations = 1
    /// Steps in a row that did not decrease the value.
    package var idleSteps = 0
    package var memory: QuasiNewtonMemory
    private var direction: [Double]
    private var trial: [Double]
    private var trialGradient: [Double]

    package init(at x₀: [Double], memory m: Int, _ objective: Objective) {
      x = x₀
      gradient = [Double](repeating: 0, count: x₀.count)
      value = objective(x, &gradient)
      memory = QuasiNewtonMemory(dimension: x₀.count, capacity: m)
      direction = gradient
      trial = x
      trialGradient = gradient
    }

    var gradientNorm: Double {
      gradient.reduce(0) { $1.isFinite ? max($0, abs($1)) : .infinity }
    }

    package var iterate: Iterate {
      Iterate(
        iteration: iterations, evaluations: evaluations, value: value, gradientNorm: gradientNorm, point: x)
    }

    func result(_ status: Status) -> Result {
      Result(
        point: x, value: value, gradient: gradient, status: status, iterations: iterations,
        evaluations: evaluations)
    }

    /// One line search along the quasi-Newton direction, and where that fails along the steepest descent.
    mutating func step(budget: Int, _ objective: Objective) -> Bool {
      if advance(budget: budget, objective) { return true }
      guard memory.count > 0 else { return false }
      memory.removeAll()
      return advance(budget: budget, objective)
    }

    private mutating func advance(budget: Int, _ objective: Objective) -> Bool {
      let hasMemory = memory.count > 0
      direction = gradient
      memory.descend(&direction)
      let slope = dot(direction, gradient)
      guard slope < 0, slope.isFinite else { return false }
      let initial = hasMemory ? 1 : min(1, 1 / (-slope).squareRoot())
      var search = WolfeLineSearch()
      search.maximumEvaluations = max(1, min(search.maximumEvaluations, budget))
      let start = WolfeLineSearch.Sample(step: 0, value: value, slope: slope)
      var last = 0.0
      let accepted = search.search(from: start, initialStep: initial) { step in
        last = step
        return evaluate(step, objective)
      }
      guard let accepted else { return false }
      let sample = accepted.step == last ? accepted : evaluate(accepted.step, objective)
      accept(sample.value)
      return true
    }

    private mutating func evaluate(_ step: Double, _ objective: Objective) -> WolfeLineSearch.Sample {
      trial.withMutablePointer { trial in
        x.withPointer { x in
          direction.withPointer { direction in
            for i in 0..<self.x.count { trial[i] = x[i] + step * direction[i] }
          }
        }
      }
      evaluations += 1
      let value = objective(trial, &trialGradient)
      return WolfeLineSearch.Sample(step: step, value: value, slope: dot(direction, trialGradient))
    }

    private mutating func accept(_ newValue: Double) {
      memory.append(from: x, gradient, to: trial, trialGradient)
      idleSteps = newValue < value ? 0 : idleSteps + 1
      swap(&x, &trial)
      swap(&gradient, &trialGradient)
      value = newValue
      iterations += 1
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
      a.withPointer { a in b.withPointer { Double.dot(direction.count, a, $0) } }
    }
  }
}
