import LinearAlgebra

/// Sub-networks of m neurons in the coordinates of their convex program, each feeding one output:
///
///     f_o(x) = Σ_{k: output o} σ_k (Σ_j s_kj (xᵀu_kj)₊)₊,   penalty λ Σ_k ‖(u_k1, …, u_km)‖.
///
/// With columns W_kj = u_kj/‖u_kj‖, w1_kj = s_kj‖u_kj‖/√t and w2_k = σ_k√t for t = ‖u_k‖ it is ((xᵀW_k)₊ w1_k)₊ w2_k, whose
/// weight decay (λ/2)(‖w1_k‖² + w2_k²) is λt (Ergen & Pilanci 2021, proposition 1).
public struct SubnetworkSet: Sendable, Equatable {
  /// u_k: one row of md numbers a sub-network.
  public var vectors: Matrix<Double>
  /// s_k: one row a sub-network.
  public var inner: Matrix<Double>
  /// σ_k.
  public var signs: [Double]
  public var outputs: [Int]

  public init(vectors: Matrix<Double>, inner: Matrix<Double>, signs: [Double], outputs: [Int]) {
    precondition(
      vectors.rows == inner.rows && inner.rows == signs.count && signs.count == outputs.count,
      "one row of weights, one of signs, one sign and one output a sub-network")
    (self.vectors, self.inner, self.signs, self.outputs) = (vectors, inner, signs, outputs)
  }

  public var count: Int { signs.count }
  /// m.
  public var width: Int { inner.columns }
  /// ‖u_k‖ for each.
  public var norms: [Double] { vectors.rowNorms }

  public func selecting(_ indices: [Int]) -> SubnetworkSet {
    SubnetworkSet(
      vectors: vectors.selectingRows(indices), inner: inner.selectingRows(indices),
      signs: indices.map { signs[$0] }, outputs: indices.map { outputs[$0] })
  }

  public func appending(_ other: SubnetworkSet) -> SubnetworkSet {
    SubnetworkSet(
      vectors: Matrix(
        count + other.count, vectors.columns, storage: vectors.storage + other.vectors.storage),
      inner: Matrix(count + other.count, width, storage: inner.storage + other.inner.storage),
      signs: signs + other.signs, outputs: outputs + other.outputs)
  }

  /// Those with the same pattern, sign and output added up, in the order of these; those without a place are left out.
  func added(
    by places: [SubnetworkPatterns.Place?]
  ) -> (groups: [TwoLayerGroup], vectors: Matrix<Double>) {
    var sums: [TwoLayerGroup: [Double]] = [:]
    for (k, place) in places.enumerated() {
      guard let place else { continue }
      let group = TwoLayerGroup(pattern: place.index, sign: signs[k], output: outputs[k])
      sums[group] = sums[group].map { zip($0, place.vectors).map(+) } ?? place.vectors
    }
    let groups = sums.keys.sorted()
    return (groups, Matrix(groups.count, vectors.columns, storage: groups.flatMap { sums[$0] ?? [] }))
  }

  /// Those longer than a share of the longest.
  func largest(above share: Double) -> SubnetworkSet {
    let norms = norms
    let smallest = share * (norms.max() ?? 0)
    return selecting(norms.indices.filter { norms[$0] > smallest })
  }
}
