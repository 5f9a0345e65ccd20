import LinearAlgebra
import RealModule

/// How a search chooses the next trial.
public enum SearchMethod: String, Codable, Sendable, CaseIterable {
  /// Evenly over the space, without looking at earlier trials (Bergstra & Bengio 2012).
  case random
  /// Where earlier trials did well: a tree-structured Parzen estimator (`ParzenSearch`).
  case bayesian
}

/// The next trial of a search, a function of the seed, the trials before it and its number alone.
package struct Proposals {
  let space: SearchSpace
  let method: SearchMethod
  let seed: UInt64

  package init(space: SearchSpace, method: SearchMethod, seed: UInt64) {
    (self.space, self.method, self.seed) = (space, method, seed)
  }

  /// Trials that are drawn evenly before a Bayesian search looks at their results.
  static let evenTrials = 8
  /// Streams of the seed that searches draw from, far from those of training.
  private static let firstStream: UInt64 = 1 << 48

  /// Values by name. `scores` are those of the trials before, less is better; nil where a trial failed.
  package func next(after trials: [(values: [String: String], score: Double?)]) -> [String: String] {
    let random = Philox(seed: seed, stream: Self.firstStream + UInt64(trials.count))
    var values: [String: String] = [:]
    let looks = method == .bayesian && trials.count >= Self.evenTrials
    for (index, dimension) in space.dimensions.enumerated() {
      var draws = Draws(random: random, next: UInt64(index) << 16)
      guard looks else {
        values[dimension.name] = dimension.text(at: draws.uniform())
        continue
      }
      let places = trials.map { trial in
        (place: trial.values[dimension.name].flatMap { dimension.place(of: $0) }, score: trial.score)
      }
      let search = ParzenSearch(
        places.compactMap { point in point.place.map { ($0, point.score) } },
        choices: dimension.choices.count)
      values[dimension.name] = dimension.text(at: search.best(&draws))
    }
    return values
  }
}

/// Numbers of a stream, one after the other.
struct Draws {
  let random: Philox
  var next: UInt64

  /// Uniform on [0, 1).
  mutating func uniform() -> Double {
    defer { next += 1 }
    return random.uniform(at: next)
  }
}
