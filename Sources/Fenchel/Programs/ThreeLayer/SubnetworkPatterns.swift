import LinearAlgebra

/// Activation patterns of sub-networks x ↦ (Σ_j s_j (xᵀw_j)₊)₊ of m neurons, s_j = ±1, on data X: n × d: those of the
/// first layer, D_j = diag(1[X w_j > 0]), and that of the second, E = diag(1[Σ_j s_j (X w_j)₊ > 0]).
///
/// Each is given by the weights of a sub-network that has it. Neurons stand in one order, those with s_j = 1 first and
/// of these the ones with the smaller pattern, so that patterns that differ by a permutation of neurons are equal.
///
/// Source: T. Ergen, M. Pilanci, *Global optimality beyond two layers*, ICML 2021, §2.
public struct SubnetworkPatterns: Sendable, Equatable {
  /// (w_1, …, w_m): B × md, one sub-network a row.
  public let gates: Matrix<Double>
  /// s: B × m.
  public let signs: Matrix<Double>
  /// D: row b·m + j is neuron j of sub-network b, Bm × n.
  public let first: BitMatrix
  /// E: B × n, one sub-network a row.
  public let second: BitMatrix
  /// Whether these are the patterns of all full-dimensional cells, so that a certificate over them holds for every
  /// network of such sub-networks.
  public let isExact: Bool

  /// B.
  public var count: Int { signs.rows }
  /// m.
  public var width: Int { signs.columns }
  /// n.
  public var samples: Int { second.columns }

  private init(
    gates: Matrix<Double>, signs: Matrix<Double>, first: BitMatrix, second: BitMatrix, isExact: Bool
  ) {
    (self.gates, self.signs, self.first, self.second) = (gates, signs, first, second)
    self.isExact = isExact
  }

  /// The distinct patterns of sub-networks with the given weights, B × md, and signs, B × m; those that are nowhere
  /// active are left out, and there may be none. Cost 2ndmB.
  ///
  /// Errors: `PatternError` where weights are not as wide as m samples, or not finite.
  public static func given(
    _ gates: Matrix<Double>, signs: Matrix<Double>, for x: Matrix<Double>, isExact: Bool = false
  ) throws(PatternError) -> SubnetworkPatterns {
    let (m, d) = (signs.columns, x.columns)
    guard gates.columns == m * d else { throw .width(gates: gates.columns, features: m * d) }
    try ActivationPatterns.checkFinite(gates, .gates)
    try ActivationPatterns.checkFinite(x, .data)
    precondition(gates.rows == signs.rows, "one row of weights and one of signs a sub-network")
    let all = read(gates, signs, on: x, isExact: isExact)
    return all.keeping(all.distinct)
  }

  /// The distinct patterns of some sub-networks that are active somewhere, and the place of each sub-network among them, nil of
  /// those that are not. Cost and errors as of `given`.
  static func placing(
    _ networks: SubnetworkSet, on x: Matrix<Double>
  ) throws(PatternError) -> (patterns: SubnetworkPatterns, places: [Place?]) {
    try ActivationPatterns.checkFinite(networks.vectors, .gates)
    let all = read(networks.vectors, networks.inner, on: x, isExact: false)
    let patterns = all.keeping(all.distinct)
    return (patterns, patterns.places(of: all))
  }

  /// The index of a pattern, and weights of a sub-network that has it in the order of that pattern's neurons.
  typealias Place = (index: Int, vectors: [Double])

  /// For each of some sub-networks its place among these patterns; nil where its pattern is not among them. Cost as of `given`.
  func places(of networks: SubnetworkSet, on x: Matrix<Double>) -> [Place?] {
    places(of: Self.read(networks.vectors, networks.inner, on: x, isExact: false))
  }

  /// The same for the patterns of each, with neurons in order.
  private func places(of all: SubnetworkPatterns) -> [Place?] {
    let known = Dictionary((0..<count).map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
    return (0..<all.count).map { b in known[all.key(b)].map { ($0, all.gates.row(b)) } }
  }

  /// The pattern of each sub-network, with its neurons in order.
  private static func read(
    _ gates: Matrix<Double>, _ signs: Matrix<Double>, on x: Matrix<Double>, isExact: Bool
  ) -> SubnetworkPatterns {
    let vectors = Matrix(gates.rows * signs.columns, x.columns, storage: gates.storage)
    let first = BitMatrix(signsOf: x, timesTransposed: vectors.withUnitRows).transposed
    return SubnetworkPatterns(
      gates: gates, signs: signs, first: first, second: outputs(of: vectors, signs, on: x, first),
      isExact: isExact
    ).ordered
  }

  /// 1[Σ_j s_j (X w_j)₊ > 0], in plain arithmetic: a bit depends on its sample and sub-network alone. Where all neurons that
  /// are active have one sign it is theirs, as the first layer's cone has it, whatever rounding makes of numbers near zero.
  private static func outputs(
    of vectors: Matrix<Double>, _ signs: Matrix<Double>, on x: Matrix<Double>, _ first: BitMatrix
  ) -> BitMatrix {
    let (n, d, m) = (x.rows, x.columns, signs.columns)
    var positive = [UInt8](repeating: 0, count: signs.rows * n)
    withPointers(x, vectors, &positive) { x, w, positive in
      Parallel.forEach(tiles: signs.rows, work: signs.rows * n * m * d) { b in
        let rows = b * m..<(b + 1) * m
        for k in 0..<n {
          var (adding, subtracting) = (false, false)
          for row in rows where first[row, k] {
            if signs.storage[row] > 0 { adding = true } else { subtracting = true }
          }
          guard adding, subtracting else {
            positive[b * n + k] = adding ? 1 : 0
            continue
          }
          var z = CompensatedSum()
          for row in rows where first[row, k] {
            z += signs.storage[row] * max(StrictArithmetic.dot(d, x + k * d, w + row * d), 0)
          }
          positive[b * n + k] = z.value > 0 ? 1 : 0
        }
      }
    }
    var bits = BitMatrix(signs.rows, n)
    for b in 0..<signs.rows { for k in 0..<n where positive[b * n + k] == 1 { bits[b, k] = true } }
    return bits
  }

  /// The same with the neurons of each sub-network in order.
  private var ordered: SubnetworkPatterns {
    let (m, d) = (width, width > 0 ? gates.columns / width : 0)
    let order = (0..<count).flatMap { b in
      (b * m..<(b + 1) * m).sorted { i, j in
        let (s, t) = (signs.storage[i], signs.storage[j])
        return s == t ? first.row(i).lexicographicallyPrecedes(first.row(j)) : s > t
      }
    }
    let vectors = Matrix(count * m, d, storage: gates.storage).selectingRows(order)
    return SubnetworkPatterns(
      gates: Matrix(count, m * d, storage: vectors.storage),
      signs: Matrix(count, m, storage: order.map { signs.storage[$0] }), first: first.selectingRows(order),
      second: second, isExact: isExact)
  }

  /// The first of every distinct pattern that is active somewhere.
  private var distinct: [Int] {
    var seen = Set<[UInt64]>()
    return unseen(&seen)
  }

  /// The patterns that are active somewhere and not among those seen, the first of each, which are seen from now on.
  func unseen(_ seen: inout Set<[UInt64]>) -> [Int] {
    (0..<count).filter { b in
      second.row(b).contains { $0 != 0 } && seen.insert(key(b)).inserted
    }
  }

  /// What tells pattern b from others.
  private func key(_ b: Int) -> [UInt64] {
    let positive = (0..<width).map { UInt64(signs[b, $0] > 0 ? 1 : 0) }
    return positive + (0..<width).flatMap { first.row(b * width + $0) } + second.row(b)
  }

  /// The patterns with the given indices, in that order; no longer all of them.
  func selecting(_ indices: [Int]) -> SubnetworkPatterns {
    let kept = keeping(indices)
    return SubnetworkPatterns(
      gates: kept.gates, signs: kept.signs, first: kept.first, second: kept.second, isExact: false)
  }

  func keeping(_ indices: [Int]) -> SubnetworkPatterns {
    SubnetworkPatterns(
      gates: gates.selectingRows(indices), signs: signs.selectingRows(indices),
      first: first.selectingRows(indices.flatMap { $0 * width..<($0 + 1) * width }),
      second: second.selectingRows(indices), isExact: isExact)
  }

  /// These patterns, then those of `other` that are new, in order.
  public func adding(_ other: SubnetworkPatterns) -> SubnetworkPatterns {
    precondition(other.width == width && other.samples == samples, "patterns of other data")
    let joined = Self.joining([self, other], isExact: isExact)
    return joined.keeping(joined.distinct)
  }

  /// Patterns of sub-networks of one width on one set of data, one part after the other. At least one part.
  static func joining(_ parts: [SubnetworkPatterns], isExact: Bool) -> SubnetworkPatterns {
    let (width, count) = (parts[0].width, parts.reduce(0) { $0 + $1.count })
    var (first, second) = (BitMatrix(count * width, parts[0].samples), BitMatrix(count, parts[0].samples))
    first.words = parts.flatMap(\.first.words)
    second.words = parts.flatMap(\.second.words)
    return SubnetworkPatterns(
      gates: Matrix(count, parts[0].gates.columns, storage: parts.flatMap(\.gates.storage)),
      signs: Matrix(count, width, storage: parts.flatMap(\.signs.storage)), first: first, second: second,
      isExact: isExact)
  }

  /// Which samples pass both layers by neuron j of sub-network b: row b·m + j is E ∧ D_j, Bm × n.
  var passing: BitMatrix {
    var bits = first
    for row in 0..<bits.rows {
      let (start, other) = (row * bits.wordsPerRow, row / width * bits.wordsPerRow)
      for word in 0..<bits.wordsPerRow { bits.words[start + word] &= second.words[other + word] }
    }
    return bits
  }
}
