import ConvexOptimization

/// Draws random patterns in batches until as many were drawn as were asked for, some 2¹⁶ in a row brought no new one (few rows
/// have few patterns), or, after the first batch, a deadline has passed.
struct RandomDraws {
  let count: Int
  let batch: Int
  let deadline: Deadline

  /// Draws in a row without a new pattern after which no more are made.
  private static let patience = 1 << 16

  /// - Parameter draw: draws those of some indices, and says how many of them are new.
  func run(_ draw: (Range<Int>) throws(PatternError) -> Int) throws(PatternError) {
    var (drawn, fruitless) = (0, 0)
    while drawn < count, fruitless < Self.patience, drawn == 0 || !deadline.hasPassed {
      let next = drawn..<min(drawn + batch, count)
      fruitless = try draw(next) == 0 ? fruitless + next.count : 0
      drawn = next.upperBound
    }
  }
}
