import ConvexOptimization
import LinearAlgebra

/// Upper bounds on max_i h_i, h_i = max_{u ∈ K_i, ‖u‖ ≤ 1} ‖G_iᵀu‖ with G_i = (D_i X)ᵀθ: d × c.
///
/// Most patterns are settled by σ_max(G_i). For the others ascents give a level that is reached somewhere, and a `ReducedCone`
/// shows that no pattern exceeds it, or by how much it may: to 1e-7 for up to `mostDimensions` singular values above the level
/// where the limit on work allows it. Patterns with more of them are left to a `CopositiveBound`, the worst of them longest;
/// where there is too little work for that the bound is looser but a bound all the same.
///
/// Deterministic: what ends the search is its work alone, so that whoever has θ and the patterns finds the same bound on the
/// same processor.
struct ConeSpectralBound {
  private let strict: StrictDual
  private let cones: PatternCones<Double>
  /// Multiplications that all patterns share.
  private static var work: Double { 1e11 }
  /// The same of copositive bounds, which are products of dense matrices and several times as fast.
  private static var denseWork: Double { 1.6e12 }
  /// When patterns that are still open count with σ_max.
  private let deadline: Deadline

  /// Dimensions that are searched together, the largest.
  private static var mostDimensions: Int { 6 }
  /// Steps of a copositive bound after which the worst are chosen, and such rounds at most.
  private static var steps: Int { 200 }
  private static var mostRounds: Int { 200 }
  /// What such a round must take off the distance to the level, or the cone is cut.
  private static var progress: Double { 0.1 }

  init(_ strict: StrictDual, deadline: Deadline = .none) {
    (self.strict, self.deadline) = (strict, deadline)
    cones = PatternCones(strict.x, patterns: strict.patterns, outputs: 1, deadline: deadline)
  }

  /// The bound. Patterns whose σ_max is at most `threshold` are not looked at further.
  func bound(above threshold: Double) -> Double {
    let count = strict.patterns.columns
    var images = [Matrix<Double>](repeating: Matrix(0, 0), count: count)
    var norms = [Double](repeating: 0, count: count)
    images.withMutablePointer { images in
      norms.withMutablePointer { norms in
        Parallel.forEach(tiles: count) { i in
          images[i] = strict.images(pattern: i)
          norms[i] = StrictNuclearNorm.largestSingularValue(of: images[i])
        }
      }
    }
    var level = max(threshold, reached(images, norms, above: threshold))
    guard level.isFinite, level > 0 else { return norms.reduce(0, max) }
    let relaxed = relax(images, &norms, level: level)
    // A vertex of a search may lie above the level: then it is raised, a few times at most.
    for attempt in 0..<4 where !deadline.hasPassed {
      let open = norms.indices.filter { norms[$0] > level && !relaxed.contains($0) }
      if open.isEmpty { break }
      var results = [Result](repeating: Result(bound: .infinity, reached: 0), count: open.count)
      results.withMutablePointer { results in
        Parallel.forEach(tiles: open.count) { tile in
          let i = open[tile]
          results[tile] = settle(
            i, images[i], level: level, share: Self.work / Double(open.count), mayRaise: attempt < 3)
        }
      }
      let most = results.reduce(0) { max($0, $1.reached) }
      for (result, i) in zip(results, open) { norms[i] = min(norms[i], result.bound) }
      guard most > level * (1 + 1e-9) else { break }
      level = most
    }
    return norms.reduce(0, max)
  }

  /// A part of the cone of a pattern, or all of it.
  private struct Part {
    let pattern: Int
    var bound: CopositiveBound?
    /// Rounds of steps, and the bound before the last one.
    var rounds = 0
    var before = Double.infinity

    /// No higher than that of what it is a part of.
    var value: Double { bound?.bound ?? .infinity }

    /// Whether the last round brought it hardly nearer to a level, after one that was not the first.
    func isStuck(above level: Double, progress: Double) -> Bool {
      rounds > 1 && value - level > (1 - progress) * (before - level)
    }
  }

  /// Bounds patterns with many singular values above the level by their copositive programs, and says which; none where a
  /// round of all of them takes more than half of the work. The worst cones are cut in two once steps lead no further.
  private func relax(_ images: [Matrix<Double>], _ norms: inout [Double], level: Double) -> Set<Int> {
    let wide = norms.indices.filter {
      norms[$0] > level && ReducedCone.dimension(images[$0], level: level) > Self.mostDimensions
    }
    let round = CopositiveBound.work(steps: Self.steps, dimension: strict.x.columns)
    guard !wide.isEmpty, round * Double(wide.count) <= Self.denseWork / 2 else { return [] }
    let rowNorms = strict.x.rowNorms
    var parts = wide.map { Part(pattern: $0) }
    var (open, spent) = (Array(parts.indices), 0.0)
    for number in 0..<Self.mostRounds {
      let current = open
      spent -= current.reduce(0) { $0 + (parts[$1].bound?.work ?? 0) }
      parts.withMutablePointer { parts in
        Parallel.forEach(tiles: current.count) { tile in
          let i = current[tile]
          guard !deadline.hasPassed else { return }
          if number == 0 {
            parts[i].bound = CopositiveBound(
              strict, cones: cones, pattern: parts[i].pattern, images: images[parts[i].pattern],
              rowNorms: rowNorms)
          }
          parts[i].before = parts[i].value
          parts[i].rounds += 1
          parts[i].bound?.improve(steps: Self.steps)
        }
      }
      spent += current.reduce(0) { $0 + (parts[$1].bound?.work ?? 0) }
      let worst = parts.reduce(0) { max($0, min($1.value, norms[$1.pattern])) }
      guard spent < Self.denseWork, !deadline.hasPassed, worst > level * (1 + 1e-6) else { break }
      parts = parts.flatMap { part in
        guard part.value > (level + worst) / 2, part.isStuck(above: level, progress: Self.progress),
          let halves = part.bound?.halves()
        else { return [part] }
        return halves.map { Part(pattern: part.pattern, bound: $0) }
      }
      open = parts.indices.filter {
        parts[$0].value > (level + worst) / 2 && parts[$0].bound?.canImprove == true
      }
      guard !open.isEmpty else { break }
    }
    let found = Dictionary(grouping: parts, by: \.pattern).mapValues { $0.reduce(0) { max($0, $1.value) } }
    for (pattern, bound) in found { norms[pattern] = min(norms[pattern], bound) }
    return Set(found.filter { $0.value.isFinite }.keys)
  }

  /// The largest value that ascents reach.
  private func reached(
    _ images: [Matrix<Double>], _ norms: [Double], above threshold: Double
  ) -> Double {
    let open = norms.indices.filter { norms[$0] > threshold }
    var values = [Double](repeating: 0, count: open.count)
    let ascent = ConeAscent(cones: cones)
    values.withMutablePointer { values in
      Parallel.forEach(tiles: open.count) { tile in
        let i = open[tile]
        var state = ActiveSet(of: cones.rows)
        for v in ConeAscent.starts(images[i], above: threshold, most: 4) {
          guard let found = ascent.climb(images[i], pattern: i, from: v, in: &state) else { continue }
          values[tile] = max(values[tile], found.value)
        }
      }
    }
    return values.reduce(0, max)
  }

  private struct Result {
    var bound: Double
    /// A value that is attained.
    var reached: Double
  }

  /// A bound for one pattern; +∞ where numbers fail.
  private func settle(
    _ i: Int, _ images: Matrix<Double>, level: Double, share: Double, mayRaise: Bool
  ) -> Result {
    guard
      let cone = ReducedCone(strict, pattern: i, images: images, level: level, deadline: deadline)
    else { return Result(bound: .infinity, reached: 0) }
    let together = min(cone.dimension, Self.mostDimensions)
    let limit = Int(max(64, min(20_000, share / (30 * Double(strict.x.count)))))
    var search = SphericalSearch(cone, dimension: together, target: 1 + cone.tolerance)
    let first = search.bound(vertices: limit)
    let axes = Matrix<Double>.identity(cone.dimension)
    let rest = (first * first + cone.squaredWidth(axes.selectingRows(together..<cone.dimension))).squareRoot()
    guard let highest = search.vertices.max(by: { $0.bound < $1.bound }) else {
      return Result(bound: cone.bound(rest), reached: 0)
    }
    let turned = cone.squaredWidth(cone.axes(along: highest)).squareRoot()
    var result = Result(bound: cone.bound(min(rest, turned)), reached: 0)
    guard mayRaise, highest.bound > 1 + 2 * cone.tolerance else { return result }
    var own = ActiveSet(of: cones.rows)
    let v = (0..<images.rows).map { j in
      zip(images.row(j), cone.point(highest)).reduce(0) { $0 + $1.0 * $1.1 }
    }
    result.reached = ConeAscent(cones: cones).climb(images, pattern: i, from: v, in: &own)?.value ?? 0
    return result
  }
}
