import RealModule

/// The tree-structured Parzen estimator in one dimension, over [0, 1] (Bergstra, Bardenet, Bengio & Kégl 2011, section 4):
/// the places of the best trials have a density l, those of the others a density g, and of some places drawn from l the one
/// with the largest l/g is next, which maximises the expected improvement. Dimensions are independent.
///
/// Of n trials the ⌈0.15n⌉ best make l, the paper's share, at most 25. Densities are means of Gaussians cut to [0, 1] at the
/// places, as wide as the farther neighbour is distant, and of one even part; of choices, counts with one more for each. Cost
/// 24n.
struct ParzenSearch {
  private let good, bad: Density

  /// Places drawn from l.
  private static let candidates = 24

  /// Trials by their places with their scores, less is better; nil is worse than all.
  init(_ trials: [(place: Double, score: Double?)], choices: Int) {
    let order = trials.indices.sorted { i, j in
      let (a, b) = (trials[i].score ?? .infinity, trials[j].score ?? .infinity)
      return a == b ? i < j : a < b
    }
    let succeeded = trials.count { $0.score != nil }
    let count = min(succeeded, 25, Int((0.15 * Double(trials.count)).rounded(.up)))
    let ranked = order.map { trials[$0].place }
    good = Density(Array(ranked[..<count]), choices: choices)
    bad = Density(Array(ranked[count...]), choices: choices)
  }

  /// The most promising of the places drawn.
  func best(_ draws: inout Draws) -> Double {
    var (best, largest) = (0.5, -Double.infinity)
    for _ in 0..<Self.candidates {
      let place = good.draw(&draws)
      let ratio = Double.log(good.value(at: place)) - .log(bad.value(at: place))
      if ratio > largest { (best, largest) = (place, ratio) }
    }
    return best
  }

  /// A density over [0, 1].
  private struct Density {
    private var centers: [Double]
    private var widths: [Double]
    /// Of choices: the share of each; empty otherwise.
    private var shares: [Double]

    init(_ places: [Double], choices: Int) {
      (centers, widths, shares) = ([], [], [])
      guard choices == 0 else {
        shares = [Double](repeating: 1, count: choices)
        for place in places { shares[min(choices - 1, Int(place * Double(choices)))] += 1 }
        let total = shares.reduce(0, +)
        shares = shares.map { $0 / total }
        return
      }
      centers = places.sorted()
      let least = 1 / Double(min(100, 1 + places.count))
      widths = centers.indices.map { i in
        let left = i > 0 ? centers[i] - centers[i - 1] : centers[i]
        let right = i + 1 < centers.count ? centers[i + 1] - centers[i] : 1 - centers[i]
        return min(1, max(least, left, right))
      }
    }

    func value(at place: Double) -> Double {
      guard shares.isEmpty else { return shares[min(shares.count - 1, Int(place * Double(shares.count)))] }
      var sum = 1.0
      for (center, width) in zip(centers, widths) {
        let distance = (place - center) / width
        sum += .exp(-distance * distance / 2) / (width * (2 * Double.pi).squareRoot() * mass(center, width))
      }
      return sum / Double(centers.count + 1)
    }

    /// The share of a Gaussian within [0, 1].
    private func mass(_ center: Double, _ width: Double) -> Double {
      let root = 2.0.squareRoot()
      return (Double.erf((1 - center) / (width * root)) + .erf(center / (width * root))) / 2
    }

    func draw(_ draws: inout Draws) -> Double {
      guard shares.isEmpty else { return drawChoice(draws.uniform()) }
      let part = min(centers.count, Int(draws.uniform() * Double(centers.count + 1)))
      guard part < centers.count else { return draws.uniform() }
      for _ in 0..<100 {
        let radius = (-2 * Double.log(1 - draws.uniform())).squareRoot()
        let place = centers[part] + widths[part] * radius * .cos(2 * .pi * draws.uniform())
        if place >= 0, place <= 1 { return place }
      }
      return centers[part]
    }

    private func drawChoice(_ share: Double) -> Double {
      var rest = share
      for (index, part) in shares.enumerated() {
        rest -= part
        if rest < 0 { return (Double(index) + 0.5) / Double(shares.count) }
      }
      return 1 - 0.5 / Double(shares.count)
    }
  }
}
