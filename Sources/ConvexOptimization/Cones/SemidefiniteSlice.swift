import LinearAlgebra

/// { Z ⪰ 0, ⟨J, Z⟩ = 0 } with J = diag(1, …, 1, −1): symmetric matrices of order p whose last diagonal entry equals the sum
/// of the others. Its extreme rays are z zᵀ with z = (v, ‖v‖): what one neuron with a polynomial activation adds to a
/// network (Bartan & Pilanci 2021).
///
/// The projection of V is (V − νJ)₊ for the one ν with ⟨J, (V − νJ)₊⟩ = 0, found by Newton's method on this monotone
/// function of ν within a bracket. Cost about 10p³ an evaluation: two or three of them near a known ν, some six without.
///
/// Where an entry is not finite, or LAPACK's iteration fails, the projection is NaN.
public struct SemidefiniteSlice<Element: Scalar>: Cone {
  public init() {}

  public var projectionTolerance: Element { 1024 * .ulpOfOne }

  public func project(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    project(x, into: &y, multiplier: 0)
  }

  /// Writes the projection of V into `y`, looking for ν from `multiplier` on; returns the ν found.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  @discardableResult
  public func project(
    _ v: Matrix<Element>, into y: inout Matrix<Element>, multiplier start: Element
  ) -> Element {
    precondition(v.rows == v.columns && v.rows > 0, "a square matrix, not \(v.rows) × \(v.columns)")
    let symmetric = v.symmetricPart
    var (ν, low, high) = (start, -Element.infinity, Element.infinity)
    var reach = max(symmetric.frobeniusNorm, abs(start))
    for _ in 0..<100 {
      guard let image = SliceImage(symmetric, multiplier: ν) else {
        y = Matrix(v.rows, v.columns, fill: .nan)
        return start
      }
      if image.excess > 0 { low = ν } else { high = ν }
      let newton = ν + image.excess / image.slope
      var next = newton
      if !(newton > low && newton < high) {
        switch (low.isFinite, high.isFinite) {
        case (true, true): next = low + (high - low) / 2
        case (true, false): (next, reach) = (low + reach, 2 * reach)
        default: (next, reach) = (high - reach, 2 * reach)
        }
      }
      // Where the excess hardly moves with ν, small steps count too.
      let isStill = abs(next - ν) <= 2 * Element.ulpOfOne * max(image.size, abs(ν))
      if image.isBalanced || isStill || next == low || next == high {
        y = image.positivePart
        return ν
      }
      ν = next
    }
    y = SliceImage(symmetric, multiplier: ν)?.positivePart ?? Matrix(v.rows, v.columns, fill: .nan)
    return ν
  }
}

/// (V − νJ)₊ by the eigenvalues and eigenvectors of V − νJ.
private struct SliceImage<Element: Scalar> {
  private let eigen: SymmetricEigen<Element>

  init?(_ v: Matrix<Element>, multiplier ν: Element) {
    var shifted = v
    for i in 0..<v.rows { shifted[i, i] -= i == v.rows - 1 ? -ν : ν }
    guard let eigen = try? SymmetricEigen(shifted) else { return nil }
    self.eigen = eigen
  }

  private var order: Int { eigen.values.count }
  /// The last coordinate of eigenvector i; v_iᵀJv_j = δ_ij − 2 last_i last_j.
  private func last(_ i: Int) -> Element { eigen.vectorsTransposed[i, order - 1] }

  /// ⟨J, (V − νJ)₊⟩, which falls in ν.
  var excess: Element {
    eigen.values.indices.reduce(0) { sum, i in
      let λ = eigen.values[i]
      return λ > 0 ? sum + λ * (1 - 2 * last(i) * last(i)) : sum
    }
  }

  /// −d/dν of the excess: Σ_ij Ω_ij (v_iᵀJv_j)², with Ω the divided differences of λ ↦ λ₊.
  var slope: Element {
    var sum: Element = 0
    for i in eigen.values.indices where eigen.values[i] > 0 {
      for j in eigen.values.indices {
        let (λ, μ) = (eigen.values[i], eigen.values[j])
        let product = (i == j ? 1 : 0) - 2 * last(i) * last(j)
        sum += (μ > 0 ? 1 : 2 * λ / (λ - μ)) * product * product
      }
    }
    return sum
  }

  /// Whether the excess is rounding.
  var isBalanced: Bool {
    abs(excess) <= 4 * Element.ulpOfOne * eigen.values.reduce(0) { $0 + max($1, 0) }
  }

  /// The largest magnitude of an eigenvalue.
  var size: Element { max(abs(eigen.values.first ?? 0), abs(eigen.values.last ?? 0)) }

  var positivePart: Matrix<Element> { eigen.positivePart }
}

extension SymmetricEigen {
  /// V diag(λ₊) Vᵀ. Cost p² times the number of positive λ.
  var positivePart: Matrix<Element> {
    let n = values.count
    let kept = (0..<n).filter { values[$0] > 0 }
    var scaled = vectorsTransposed.selectingRows(kept)
    scaled.scaleRows(by: kept.map { values[$0].squareRoot() })
    return gramMatrix(scaled, .yes)
  }
}

extension Matrix {
  /// ½(A + Aᵀ) of a square matrix.
  package var symmetricPart: Matrix {
    @specialized(where Element == Double)
    @specialized(where Element == Float)
    get {
      var result = self
      for i in 0..<rows { for j in 0..<rows { result[i, j] = self[i, j] / 2 + self[j, i] / 2 } }
      return result
    }
  }
}
