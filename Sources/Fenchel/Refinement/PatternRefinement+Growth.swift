import ConvexOptimization
import LinearAlgebra

/// How a network takes in the neurons that it lacks: by pricing and local training, without a program.
extension PatternRefinement {
  /// The network of a local training, without the neurons that do not matter, grown as long as that pays.
  ///
  /// In steps: pricing at the residual finds directions w with |θᵀ(Xw)₊| > λ‖w‖, along which the objective falls;
  /// they join the network, which is trained shortly. Ends where a step gains less than twice the tolerance, or where
  /// one of its limits is met. While much is missing, a step gains about as much as a cone program at a fraction of its
  /// cost; kinks, at which local training stalls, are left to the programs.
  func grown(
    _ local: LocalTraining.Outcome, since began: ContinuousClock.Instant, _ phases: inout RefinementPhases
  ) -> NeuronSet {
    var (neurons, objective, work) = (compact(local.neurons), local.objective, 0.0)
    for step in 0..<options.maximumGrowthSteps {
      var search = Pricing(x: x)
      search.seed = options.seed &+ UInt64(step)
      search.randomStarts = options.randomStarts
      search.deadline = Deadline(
        in: remaining(since: began, ofShare: 0.5), cancellation: limits.cancellation)
      let starts = neurons.count + 2 * loss.outputs * search.randomStarts
      let passes = Double(2 * search.sweeps * starts) + Double(polishingEvaluations) * Double(neurons.count)
      work += 4 * Double(x.count) * passes
      guard work <= options.maximumGrowthWork, !search.deadline.hasPassed else { break }
      let ((found, _), seconds) = timed { priced(search, θ: residual(of: neurons), starts: neurons) }
      phases.searchSeconds += seconds
      guard found.count > 0, !search.deadline.hasPassed else { break }
      let outcome = polished(
        with(found, in: neurons), seconds: remaining(since: began, ofShare: 0.5), &phases)
      let gain = objective - outcome.objective
      if gain > 0 { (neurons, objective) = (compact(outcome.neurons), outcome.objective) }
      guard gain > 2 * reach(at: objective) else { break }
      progress?(
        Progress(
          phase: "growing", iteration: step + 1, seconds: began.duration(to: ContinuousClock().now).seconds))
    }
    return neurons
  }

  /// What counts as a gain of objective.
  func reach(at objective: Double) -> Double { limits.tolerance * max(1, abs(objective)) }

  /// θ = −∇ℓ(F) at the predictions F of neurons. Cost: n d for each.
  func residual(of neurons: NeuronSet) -> Matrix<Double> {
    var f = Matrix<Double>(x.rows, loss.outputs)
    let size = 4096
    for tile in 0..<Parallel.tiles(of: size, covering: x.rows) {
      let rows = Parallel.range(ofTile: tile, size: size, count: x.rows)
      let z = matrixProduct(x.selectingRows(Array(rows)), .no, neurons.vectors, .yes)
      for (i, k) in rows.enumerated() {
        for m in 0..<neurons.count { f[k, neurons.outputs[m]] += neurons.signs[m] * max(0, z[i, m]) }
      }
    }
    var θ = Matrix<Double>(loss.samples, loss.outputs)
    loss.gradient(at: pooling(f), into: &θ)
    for i in 0..<θ.count { θ.storage[i] = -θ.storage[i] }
    return θ
  }

  /// Neurons of unit length in violated patterns at θ, and the largest relative violation.
  func priced(
    _ search: Pricing, θ: Matrix<Double>, starts neurons: NeuronSet
  ) -> (NeuronSet, violation: Double) {
    var (found, violation) = (NeuronSet.none(features: x.columns), 0.0)
    for output in 0..<loss.outputs {
      let θ = pooling.adjoint(Matrix(column: θ.column(output))).storage
      let own = neurons.outputs.indices.filter { neurons.outputs[$0] == output }
      let starts = neurons.selecting(own).vectors
      for sign in [1.0, -1.0] {
        let maxima = search.maxima(θ: θ, sign: sign, starts: starts)
        violation = max(violation, (maxima.first?.value ?? 0) / λ - 1)
        let violated = maxima.filter { $0.value > λ * (1 + tolerance) }.prefix(options.patternsPerRound)
        guard !violated.isEmpty else { continue }
        found = found.appending(
          NeuronSet(
            vectors: Matrix(rows: violated.map(\.direction)),
            signs: [Double](repeating: sign, count: violated.count),
            outputs: [Int](repeating: output, count: violated.count)))
      }
    }
    return (found, violation)
  }

  /// The neurons, and newcomers of unit length at their share of the length of the longest.
  func with(_ newcomers: NeuronSet, in neurons: NeuronSet) -> NeuronSet {
    var small = newcomers
    let size = options.newcomersShare * (neurons.norms.max() ?? 1)
    for i in 0..<small.vectors.count { small.vectors.storage[i] *= size }
    return neurons.appending(small)
  }

  /// Evaluations of a short local training.
  private var polishingEvaluations: Int { max(10, Int(options.polishingShare * Double(evaluations))) }

  /// The neurons after a short local training; as they are, with an infinite objective, where memory does not suffice
  /// for one.
  func polished(_ neurons: NeuronSet, seconds: Double?, _ phases: inout RefinementPhases)
    -> LocalTraining.Outcome
  {
    var training = LocalTraining(x: x, loss: loss, λ: λ, pooling: pooling)
    training.cancellation = limits.cancellation
    guard training.bytes(outputs: neurons.outputs) <= options.maximumBytes else {
      return LocalTraining.Outcome(neurons: neurons, objective: .infinity, evaluations: 0, seconds: 0)
    }
    let outcome = training.run(from: neurons, evaluations: polishingEvaluations, seconds: seconds)
    phases.localSeconds += outcome.seconds
    return outcome
  }
}
