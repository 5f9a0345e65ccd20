/// A proof of how far a point is from optimal: dual ≤ optimum ≤ primal, both computed at the returned point in
/// Double, by plain loops with compensated sums that share nothing with any solver.
public struct Certificate: Sendable, Equatable, Codable {
  /// Objective of the returned point.
  public var primal: Double
  /// Lower bound on the optimum of the problem named by `scope`, from a feasible dual point.
  public var dual: Double
  public var scope: Scope

  public init(primal: Double, dual: Double, scope: Scope) {
    self.primal = primal
    self.dual = dual
    self.scope = scope
  }

  /// What the bound ranges over. Nothing wider is ever claimed.
  public enum Scope: String, Sendable, Codable {
    /// The program over the activation patterns that it was given.
    case restricted
    /// All activation patterns of the data, hence every network of this shape of any width.
    case exact
  }

  /// primal − dual; negative only by rounding.
  public var gap: Double { primal - dual }
  /// gap / max(1, |primal|).
  public var relativeGap: Double { gap / max(1, abs(primal)) }
}
