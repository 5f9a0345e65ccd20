import ConvexOptimization
import LinearAlgebra

extension SubnetworkPatterns {
  /// The rows a that bound the cones of sub-networks' weights, (w_1, …, w_m) with
  ///
  ///     (2D_j − I) X w_j ≥ 0 for every j,   (2E − I) Σ_j s_j D_j X w_j ≥ 0,
  ///
  /// as rows that all cones share, each with a sign or left out: (c_1 x_k, …, c_m x_k) for c ∈ {−1, 0, 1}^m, of which the
  /// first entry that is not zero is 1. Rows of the second layer with one entry are those of the first.
  struct ConeRows {
    /// All c.
    let combinations: [[Double]]
    /// Which rows stand on the positive side and which count at all, one sub-network a row: B × (3^m − 1)n/2.
    private(set) var orientation: BitMatrix
    private(set) var used: BitMatrix

    init(_ patterns: SubnetworkPatterns) {
      let (n, m) = (patterns.samples, patterns.width)
      combinations = Self.combinations(m)
      orientation = BitMatrix(patterns.count, combinations.count * n)
      used = orientation
      let powers = (0..<m).reduce(into: [1]) { powers, _ in powers.append(3 * (powers.last ?? 1)) }
      let zero = powers[..<m].reduce(0, +)
      // The place of c, and of −c, by zero + Σ_j 3^j c_j.
      var places = [Int](repeating: 0, count: powers[m])
      for (t, c) in combinations.enumerated() {
        let code = zip(powers, c).reduce(0) { $0 + $1.0 * Int($1.1) }
        (places[zero + code], places[zero - code]) = (t, t)
      }
      let signs = patterns.signs.storage.map { $0 > 0 ? 1 : -1 }
      for b in 0..<patterns.count {
        for k in 0..<n {
          var (code, active, first) = (zero, 0, 1)
          for j in 0..<m {
            let isActive = patterns.first[b * m + j, k]
            mark(b, places[zero + powers[j]] * n + k, isPositive: isActive)
            guard isActive else { continue }
            code += powers[j] * signs[b * m + j]
            if active == 0 { first = signs[b * m + j] }
            active += 1
          }
          guard active > 1 else { continue }
          mark(b, places[code] * n + k, isPositive: patterns.second[b, k] == (first > 0))
        }
      }
    }

    /// The rows that bound the cone of pattern b.
    func places(of b: Int) -> [Int] { (0..<used.columns).filter { used[b, $0] } }

    /// That cone alone, in the coordinates w_j/scale_j.
    func cone(
      of b: Int, _ x: Matrix<Double>, scales: [Double], outputs: Int, deadline: Deadline = .none
    ) -> PatternCones<Double> {
      let (places, n, d) = (places(of: b), x.rows, x.columns)
      var rows = Matrix<Double>(places.count, scales.count * d)
      var sides = BitMatrix(1, places.count)
      for (row, place) in places.enumerated() {
        sides[0, row] = orientation[b, place]
        let (t, k) = place.quotientAndRemainder(dividingBy: n)
        for (j, factor) in combinations[t].enumerated() where factor != 0 {
          for i in 0..<d { rows[row, j * d + i] = factor * scales[j] * x[k, i] }
        }
      }
      return PatternCones(rows: rows, orientation: sides, used: nil, outputs: outputs, deadline: deadline)
    }

    private mutating func mark(_ b: Int, _ row: Int, isPositive: Bool) {
      (used[b, row], orientation[b, row]) = (true, isPositive)
    }

    private static func combinations(_ m: Int) -> [[Double]] {
      var found: [[Double]] = [[]]
      for _ in 0..<m { found = found.flatMap { c in [0, 1, -1].map { c + [$0] } } }
      return found.filter { $0.first { $0 != 0 } == 1 }
    }

    /// The rows for some data: (3^m − 1)n/2 × md.
    func matrix(_ x: Matrix<Double>) -> Matrix<Double> {
      let (n, d) = (x.rows, x.columns)
      let m = combinations.first?.count ?? 0
      var rows = Matrix<Double>(combinations.count * n, m * d)
      for (t, c) in combinations.enumerated() {
        for k in 0..<n {
          for (j, factor) in c.enumerated() where factor != 0 {
            for i in 0..<d { rows[t * n + k, j * d + i] = factor * x[k, i] }
          }
        }
      }
      return rows
    }
  }

  /// Entries of the matrix of rows of all cones, for n × d data and sub-networks of m neurons.
  static func coneEntries(samples n: Int, features d: Int, width m: Int) -> Int {
    var combinations = 1
    for _ in 0..<m { combinations *= 3 }
    return (combinations - 1) / 2 * n * m * d
  }
}
