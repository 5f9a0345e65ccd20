/// A sum with a running error term (Neumaier 1974): the error is about one rounding of the result and n·ε² of
/// the sum of magnitudes, whatever the order of the terms.
public struct CompensatedSum: Sendable {
  private var sum = 0.0
  private var error = 0.0

  public init() {}

  public var value: Double { sum + error }

  public static func += (total: inout CompensatedSum, term: Double) {
    let next = total.sum + term
    guard next.isFinite else {
      total.sum = next
      total.error = 0
      return
    }
    let larger = abs(total.sum) >= abs(term) ? total.sum : term
    let smaller = abs(total.sum) >= abs(term) ? term : total.sum
    total.error += (larger - next) + smaller
    total.sum = next
  }
}
