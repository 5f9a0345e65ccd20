/// Where the time of a pattern refinement went; what little is left of it went into preparations.
public struct RefinementPhases: Codable, Sendable, Equatable {
  /// Cone programs that were solved, each before a search for patterns that it lacks.
  public var rounds: Int
  /// Seconds in the first local training, that refinement begins with.
  public var firstSeconds: Double
  /// Seconds in local training: the first, and the short ones of growth and of every round that goes on.
  public var localSeconds: Double
  /// Seconds in searches for violated patterns, those of growth too.
  public var searchSeconds: Double
  /// Seconds in cone programs.
  public var programSeconds: Double

  public init(
    rounds: Int = 0, firstSeconds: Double = 0, searchSeconds: Double = 0, programSeconds: Double = 0
  ) {
    self.rounds = rounds
    (self.firstSeconds, localSeconds) = (firstSeconds, firstSeconds)
    self.searchSeconds = searchSeconds
    self.programSeconds = programSeconds
  }
}
