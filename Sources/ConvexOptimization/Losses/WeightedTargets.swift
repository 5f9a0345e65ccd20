import LinearAlgebra

/// The data that every loss stands on, checked once: targets Y: n × c and sample weights s: n.
public struct WeightedTargets<Element: Scalar>: Sendable, Equatable {
  public let targets: Matrix<Element>
  public let weights: [Element]
  /// Whether every weight is 1, so that loops may skip them.
  public let isUnweighted: Bool
  /// max_k s_k; 0 without samples.
  public let largestWeight: Element

  /// Checks that targets are finite and allowed, and that weights are finite and at least 0. Cost nc.
  ///
  /// - Parameters:
  ///   - weights: one for each row; nil means 1 for all.
  ///   - allowed: what the loss takes, in words, for the message when `isAllowed` says no.
  public init(
    _ targets: Matrix<Element>, weights: [Element]?, allowed: String = "finite numbers",
    isAllowed: (Element) -> Bool = { _ in true }
  ) throws(LossError) {
    if let weights { try Self.check(weights, samples: targets.rows) }
    if let index = firstIndex(of: targets.storage, failing: { $0.isFinite }) {
      throw .nonFiniteTarget(row: index / targets.columns, column: index % targets.columns)
    }
    if let index = firstIndex(of: targets.storage, failing: isAllowed) {
      throw .label(
        row: index / targets.columns, column: index % targets.columns,
        value: Double(targets.storage[index]), allowed: allowed)
    }
    self.targets = targets
    self.weights = weights ?? [Element](repeating: 1, count: targets.rows)
    isUnweighted = weights?.allSatisfy { $0 == 1 } ?? true
    largestWeight = self.weights.max() ?? 0
  }

  private init(targets: Matrix<Element>, weights: [Element], isUnweighted: Bool, largestWeight: Element) {
    self.targets = targets
    self.weights = weights
    self.isUnweighted = isUnweighted
    self.largestWeight = largestWeight
  }

  private static func check(_ weights: [Element], samples: Int) throws(LossError) {
    guard weights.count == samples else {
      throw .weightCount(weights: weights.count, samples: samples)
    }
    guard let row = firstIndex(of: weights, failing: { $0.isFinite && $0 >= 0 }) else { return }
    throw weights[row].isFinite
      ? .negativeWeight(row: row, weight: Double(weights[row])) : .nonFiniteWeight(row: row)
  }
}

@specialized(where Element == Double)
@specialized(where Element == Float)
private func firstIndex<Element: Scalar>(
  of values: [Element], failing isRight: (Element) -> Bool
) -> Int? {
  values.firstIndex { !isRight($0) }
}

extension WeightedTargets {
  /// The targets of one output with the same weights.
  func column(_ j: Int) -> WeightedTargets {
    WeightedTargets(
      targets: Matrix(column: targets.column(j)), weights: weights, isUnweighted: isUnweighted,
      largestWeight: largestWeight)
  }

  /// The targets of some samples with their weights, in the given order.
  func selecting(_ samples: ArraySlice<Int>) -> WeightedTargets {
    var chosen = Matrix<Element>(samples.count, targets.columns)
    chosen.setRows(from: targets, samples)
    guard !isUnweighted else {
      return WeightedTargets(
        targets: chosen, weights: [Element](repeating: 1, count: samples.count), isUnweighted: true,
        largestWeight: 1)
    }
    let weights = samples.map { self.weights[$0] }
    return WeightedTargets(
      targets: chosen, weights: weights, isUnweighted: false, largestWeight: weights.max() ?? 0)
  }

  /// The first row that does not sum to 1 up to rounding.
  var rowOffSimplex: Int? {
    let tolerance = 64 * Element.ulpOfOne * Element(targets.columns)
    return (0..<targets.rows).first { k in
      let row = targets.storage[k * targets.columns..<(k + 1) * targets.columns]
      return !(abs(row.reduce(0, +) - 1) <= tolerance)
    }
  }

  /// Targets that must be −1 or 1.
  init(signs targets: Matrix<Element>, weights: [Element]?) throws(LossError) {
    try self.init(targets, weights: weights, allowed: "labels −1 and 1") { $0 == 1 || $0 == -1 }
  }

  /// The kink of sample k with its weight, or its envelope by ½t² with that weight; nil for a weight of 0, which
  /// leaves no kink.
  func kink(
    _ k: Int, position: Element, left: Element, right: Element, isEnveloped: Bool = false
  ) -> Kink<Element>? {
    let s = weights[k]
    guard s > 0 else { return nil }
    return Kink(position: position, left: s * left, right: s * right, compliance: isEnveloped ? 1 / s : 0)
  }
}
