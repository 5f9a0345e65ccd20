/// Finds a step along a descent direction that meets the strong Wolfe conditions, by a bracket that cubic
/// interpolation shrinks (Nocedal & Wright, ch. 3). At a kink, where no step meets them, it settles for the
/// weak conditions (Lewis & Overton 2013), and at worst for a decrease.
struct WolfeLineSearch {
  /// Value and slope at a step.
  struct Sample {
    var step: Double
    var value: Double
    var slope: Double
  }

  /// Steps must gain at least this share of what the slope at 0 promises.
  var sufficientDecrease = 1e-4
  /// The slope must shrink to this share of the slope at 0.
  var curvature = 0.9
  var maximumEvaluations = 30
  /// Evaluations after which a step that meets the weak conditions is good enough.
  var patience = 6

  /// Returns the accepted sample, or nil where no step decreases the value. `evaluate` is the function along
  /// the direction; the accepted step is not always the one that it saw last.
  func search(
    from start: Sample, initialStep: Double, evaluate: (Double) -> Sample
  ) -> Sample? {
    var bracket = Bracket(low: start)
    var (best, weak): (Sample?, Sample?) = (nil, nil)
    var step = initialStep
    for evaluation in 1...maximumEvaluations {
      let sample = evaluate(step)
      let isFinite = sample.value.isFinite && sample.slope.isFinite
      if isFinite, isNoisyMinimum(sample, start) { return sample }
      if !isFinite || sample.value > start.value + sufficientDecrease * step * start.slope {
        bracket.shrink(to: isFinite ? sample : nil, at: step)
      } else {
        if best.map({ sample.value < $0.value }) ?? true { best = sample }
        if abs(sample.slope) <= -curvature * start.slope { return sample }
        if sample.slope > 0 {
          if weak.map({ sample.value < $0.value }) ?? true { weak = sample }
          bracket.shrink(to: sample, at: step)
        } else {
          bracket.low = sample
        }
      }
      if let weak, evaluation >= patience { return weak }
      guard let next = bracket.next() else { break }
      step = next
    }
    return weak ?? best
  }

  /// Where values differ by rounding only, a flat slope decides (Hager & Zhang 2005).
  private func isNoisyMinimum(_ sample: Sample, _ start: Sample) -> Bool {
    sample.value <= start.value + 4 * Double.ulpOfOne * abs(start.value)
      && abs(sample.slope) <= -curvature * start.slope
      && -start.slope * sample.step <= 1e-10 * abs(start.value)
  }

  /// Steps between which a good one lies: downhill at `low`, too far at `high` (+∞ until one is known).
  private struct Bracket {
    var low: Sample
    var high: Sample?
    var end = Double.infinity
    var lastWidth = Double.infinity

    init(low: Sample) { self.low = low }

    mutating func shrink(to sample: Sample?, at step: Double) {
      high = sample
      end = step
    }

    /// The next step to try; nil once the bracket is as narrow as rounding.
    mutating func next() -> Double? {
      guard end.isFinite else { return low.step == 0 ? nil : low.step * 4 }
      let width = end - low.step
      guard width > 4 * Double.ulpOfOne * end else { return nil }
      let stuck = width > 0.6 * lastWidth
      lastWidth = width
      guard let high, !stuck else { return low.step + width / (high == nil ? 10 : 2) }
      return min(max(cubicMinimiser(low, high), low.step + 0.05 * width), end - 0.05 * width)
    }

    /// The minimiser of the cubic through two values and slopes; the middle where there is none.
    private func cubicMinimiser(_ a: Sample, _ b: Sample) -> Double {
      let d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
      let discriminant = d1 * d1 - a.slope * b.slope
      guard discriminant >= 0 else { return (a.step + b.step) / 2 }
      let d2 = discriminant.squareRoot()
      let step = b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
      return step.isFinite ? step : (a.step + b.step) / 2
    }
  }
}
