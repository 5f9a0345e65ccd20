import LinearAlgebra

extension NeuronSet {
  /// The neurons with near ones merged: greedily from the longest on, each takes in the vectors of the same sign and
  /// output whose angle to it has at least the given cosine; vectors add up. The penalty does not grow (triangle
  /// inequality), predictions change a little. Cost m²d.
  package func mergingAligned(cosine: Double) -> NeuronSet {
    let norms = norms
    let order = norms.indices.filter { norms[$0] > 0 }.sorted { (norms[$0], $1) > (norms[$1], $0) }
    let unit = vectors.selectingRows(order).withUnitRows
    let cosines = matrixProduct(unit, .no, unit, .yes)
    var isTaken = [Bool](repeating: false, count: order.count)
    var merged = self
    var kept: [Int] = []
    for (r, representative) in order.enumerated() where !isTaken[r] {
      kept.append(representative)
      for other in r + 1..<max(order.count, r + 1) where !isTaken[other] && cosines[r, other] >= cosine {
        let i = order[other]
        guard signs[i] == signs[representative], outputs[i] == outputs[representative] else { continue }
        isTaken[other] = true
        for j in 0..<vectors.columns { merged.vectors[representative, j] += vectors[i, j] }
      }
    }
    return merged.selecting(kept.sorted())
  }

  /// The neurons of at least the given share of the longest one's length.
  package func dropping(below share: Double) -> NeuronSet {
    let norms = norms
    let smallest = share * (norms.max() ?? 0)
    return selecting(norms.indices.filter { norms[$0] > 0 && norms[$0] >= smallest })
  }
}
