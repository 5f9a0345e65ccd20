import ConvexOptimization
import LinearAlgebra

extension LocalTraining {
  /// How a training begins wide and narrows.
  public struct WideStart: Sendable {
    /// First width as a multiple of the neurons asked for, where the budget allows.
    public var width = 4.0
    /// Stages that end in a merge, and evaluations of each: a share of the budget between the two limits.
    public var stages = 2
    public var shareOfEvaluations = 0.1
    public var evaluations = 20...100
    /// Neurons shorter than this share of the longest go.
    public var smallestShare = 0.01
    /// Neurons are merged where the cosine of their angle is at least 1 − d/400, but at least this: in few
    /// dimensions small angles separate patterns, in many they do not.
    public var smallestCosine = 0.8

    public init() {}
  }

  /// Trains from random neurons at the cost of `evaluations` evaluations of a network with `perOutput` neurons for
  /// each output, and finds better minima than that network does from its own random start.
  ///
  /// A wider network is trained shortly from small weights, its near neurons are merged, and the rest of the budget
  /// goes into the narrow one. Merging raises the objective by up to a few percent, which the next few evaluations
  /// more than make good: it frees neurons that are stuck at kinks. Returns the best network of any stage. The first
  /// width is such that the training takes `maximumBytes` at most, but not less than m: that is for the caller to check.
  public func train(
    perOutput m: Int, evaluations: Int, seconds: Double? = nil, seed: UInt64, maximumBytes: Int = .max,
    options: WideStart = WideStart()
  ) -> Outcome {
    let clock = ContinuousClock()
    let began = clock.now
    let elapsed = { began.duration(to: clock.now).seconds }
    let stage = min(
      max(Int(options.shareOfEvaluations * Double(evaluations)), options.evaluations.lowerBound),
      options.evaluations.upperBound)
    let affordable = 0.4 * Double(evaluations) / Double(max(stage, 1))
    let largest = max(1, Int(Double(m) * min(options.width, max(1, affordable))))
    let width = (m...max(m, largest)).last { bytes(perOutput: $0) <= maximumBytes } ?? max(1, m)
    var budget = Double(m * loss.outputs) * Double(evaluations)
    var neurons = randomNeurons(perOutput: width, seed: seed)
    for i in 0..<neurons.vectors.count { neurons.vectors.storage[i] *= 0.1 }
    var (best, spent): (Outcome?, Int) = (nil, 0)
    for round in 0...options.stages {
      let isLast = round == options.stages
      let affordable = Int(budget / Double(max(neurons.count, 1)))
      let limit = isLast ? affordable : min(stage, affordable)
      guard limit > 0 || best == nil else { break }
      let left = seconds.map { max(0, $0 - elapsed()) / (isLast ? 1 : 3) }
      let outcome = run(from: neurons, evaluations: max(1, limit), seconds: left)
      spent += outcome.evaluations
      budget -= Double(outcome.evaluations * neurons.count)
      if outcome.objective <= best?.objective ?? .infinity || best == nil { best = outcome }
      if isLast || cancellation?.isRequested == true { break }
      neurons = outcome.neurons.dropping(below: options.smallestShare)
        .mergingAligned(cosine: max(options.smallestCosine, 1 - Double(x.columns) / 400))
    }
    var result = best ?? run(from: neurons, evaluations: 1)
    (result.evaluations, result.seconds) = (spent, elapsed())
    return result
  }
}
