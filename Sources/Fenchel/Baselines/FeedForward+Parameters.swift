import LinearAlgebra

/// The weights of all layers as one vector of ℝᴺ, layer by layer, row by row, biases included.
extension FeedForward {
  /// N: the number of weights and biases.
  public var parameters: Int { weights.reduce(0) { $0 + $1.count } }

  /// Σ_l ‖W_l‖², biases included.
  var squaredNorm: Element { Element(inner(weights, weights)) }

  /// W_l ← W_l + α V_l.
  mutating func add(_ α: Element, _ v: [Matrix<Element>]) {
    for l in weights.indices { weights[l].add(α, v[l]) }
  }

  /// Whether no weight is NaN or infinite.
  var isFinite: Bool { weights.allSatisfy { $0.firstNonFinite == nil } }

  /// Zeros in the shapes of the weights.
  var zeros: [Matrix<Element>] { weights.map { Matrix($0.rows, $0.columns) } }
}

/// Σ_l ⟨A_l, B_l⟩.
func inner<Element: Scalar>(_ a: [Matrix<Element>], _ b: [Matrix<Element>]) -> Double {
  zip(a, b).reduce(0.0) { $0 + Double($1.0.inner($1.1)) }
}

/// The entries of all matrices in order, N × 1.
func flattened<Element: Scalar>(_ parts: [Matrix<Element>]) -> Matrix<Element> {
  var storage: [Element] = []
  storage.reserveCapacity(parts.reduce(0) { $0 + $1.count })
  for part in parts { storage.append(contentsOf: part.storage) }
  return Matrix(column: storage)
}

/// Matrices of the shapes of `parts` with the entries of a vector, N × 1.
func parted<Element: Scalar>(_ vector: Matrix<Element>, like parts: [Matrix<Element>]) -> [Matrix<Element>] {
  var first = 0
  return parts.map { part in
    defer { first += part.count }
    return Matrix(part.rows, part.columns, storage: Array(vector.storage[first..<first + part.count]))
  }
}
