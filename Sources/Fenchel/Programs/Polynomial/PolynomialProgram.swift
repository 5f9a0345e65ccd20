import ConvexOptimization
import LinearAlgebra

/// The convex program of a two-layer network with a polynomial activation σ(t) = a t² + b t + c (Bartan & Pilanci 2021,
/// *Neural spectrahedra and semidefinite lifts*):
///
///     min ℓ(F) + λ Σ_j (Z⁺_j + Z⁻_j)_{pp},   F_kj = ⟨M_k, Z⁺_j − Z⁻_j⟩,   Z⁺_j, Z⁻_j ⪰ 0,  ⟨J, Z^±_j⟩ = 0
///
/// over symmetric matrices of order p = d + 1, with M_k = [a x_k x_kᵀ, ½b x_k; ½b x_kᵀ, c] and J = diag(1, …, 1, −1).
/// Without b and c the last row is of no use: Z of order d, ⪰ 0 and free otherwise, penalty λ tr Z, the nuclear norm of
/// Z⁺ − Z⁻.
///
/// It equals the training of networks f_j(x) = Σ_m α_m σ(xᵀw_m) of any width, ‖w_m‖ = 1, with the penalty λ Σ |α_m|, each
/// of whose neurons feeds one output. There are no patterns: every certificate is for networks of any width.
public struct PolynomialProgram: Sendable {
  /// X: n × d, with the constant column of the bias where there is one.
  public private(set) var x: Matrix<Double>
  public let loss: any Loss<Double>
  /// The loss by name, with its parameters.
  public let kind: LossKind
  public let parameters: LossParameters
  public private(set) var λ: Double
  public let activation: Polynomial
  /// All that the samples see of a neuron, where that is found.
  private(set) var rowSpace: RowSpace?

  /// Throws where λ is not positive and finite, or X and loss are of different heights.
  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters = LossParameters(),
    λ: Double, activation: Polynomial
  ) throws(ProgramError) {
    guard λ > 0, λ.isFinite else { throw .regularisation(λ) }
    guard x.rows == loss.samples else { throw .heights(x: x.rows, targets: loss.samples) }
    self.x = x
    self.loss = loss
    self.kind = kind
    self.parameters = parameters
    self.λ = λ
    self.activation = activation
  }

  /// The same program with another λ. Throws where that is not positive and finite.
  public func with(λ: Double) throws(ProgramError) -> PolynomialProgram {
    guard λ > 0, λ.isFinite else { throw .regularisation(λ) }
    var program = self
    program.λ = λ
    return program
  }

  /// The same program, which knows its row space where there are fewer samples than features: the solver, λ_max and
  /// certificates then need no eigendecomposition of order d. Cost 6 n² d.
  public func findingRowSpace() -> PolynomialProgram {
    var program = self
    program.rowSpace = rowSpace ?? RowSpace(x)
    return program
  }

  /// The program in which XBᵀ takes the place of X, where the row space is smaller: of the same optimum.
  func reduced() -> PolynomialProgram {
    guard let rowSpace else { return self }
    var program = self
    (program.x, program.rowSpace) = (rowSpace.coordinates, nil)
    return program
  }

  public var samples: Int { x.rows }
  public var features: Int { x.columns }
  public var outputs: Int { loss.outputs }
  /// Whether σ(t) = a t², so that matrices of order d do.
  public var isHomogeneous: Bool { activation.b == 0 && activation.c == 0 }
  /// Order of the matrices.
  public var order: Int { isHomogeneous ? features : features + 1 }

  /// The same formulas of the loss again, for certificates.
  var strictLoss: StrictLoss {
    StrictLoss(kind: kind, parameters: parameters, targets: loss.targets, weights: loss.weights)
  }

  /// The least λ at which the zero network is optimal: the largest |Σ_k θ_k σ(x_kᵀu)| over ‖u‖ = 1 at θ = −∇ℓ(0), or 0
  /// where that may be rounding. An estimate as good as an eigendecomposition, no upper bound. Cost n r² c and some 20 r³ c,
  /// r = d, or n where the row space is found and smaller.
  public func largestλ() -> Double {
    let θ = loss.residual(at: Matrix(samples, outputs))
    let dual = StrictSphericalDual(x: rowSpace?.coordinates ?? x, activation: activation, θ: θ)
    let norm = dual.estimate()
    return norm > 2 * (0..<outputs).reduce(0) { max($0, dual.rounding(output: $1)) } ? norm : 0
  }
}

/// A primal point of a polynomial program as the network's neurons, and the dual point that came with it.
public struct PolynomialPoint: Sendable {
  /// Row m of the vectors is |α_m| w_m with ‖w_m‖ = 1: f_j(x) = Σ_{m: output j} σ_m |α_m| σ(xᵀw_m), penalty λ Σ_m |α_m|.
  public var neurons: NeuronSet
  /// θ: n × c.
  public var θ: Matrix<Double>

  public init(neurons: NeuronSet, θ: Matrix<Double>) { (self.neurons, self.θ) = (neurons, θ) }
}
