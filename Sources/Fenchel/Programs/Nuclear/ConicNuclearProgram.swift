import ConvexOptimization
import LinearAlgebra

/// The convex program of a two-layer ReLU network whose neurons feed all outputs (Sahiner, Ergen, Pauly & Pilanci 2021,
/// *Vector-output ReLU neural network problems are copositive programs*), over given patterns:
///
///     min ℓ(F) + λ Σ_i ‖Z_i‖_{K_i,*},   F = S Σ_i D_i X Z_i,   Z_i: d × c,   K_i = {u : (2D_i − I) X u ≥ 0},
///     ‖Z‖_{K,*} = min Σ_k ‖u_k‖ ‖v_k‖   over   Z = Σ_k u_k v_kᵀ, u_k ∈ K,
///
///     max_θ −ℓ*(−θ)   subject to   h_i(θ) = max_{u ∈ K_i, ‖u‖ ≤ 1} ‖((D_i X)ᵀSᵀθ)ᵀu‖ ≤ λ   for every i.
///
/// It equals the training of networks f(x) = Σ_k (xᵀw_k)₊ a_kᵀ with the penalty (λ/2) Σ (‖w_k‖² + ‖a_k‖²), each w_k in one
/// of the patterns. Neither the norm nor h is computable in general for many outputs, as they are copositive programs: points are
/// lists of neurons, whose penalty is an upper bound on the norm, and h is bounded from above (`ConeSpectralBound`).
/// With one output it is the program of ReLU networks with separate outputs.
public struct ConicNuclearProgram: Sendable {
  /// The program with cones over the same patterns, without shared neurons.
  public let relu: TwoLayerProgram

  /// The program of a program with cones.
  public init(_ relu: TwoLayerProgram) {
    precondition(relu.isConstrained, "neurons of gated networks have no cones")
    self.relu = relu
  }

  public var λ: Double { relu.λ }

  /// Neurons that feed all outputs, and the dual point that came with them.
  public struct Point: Sendable {
    public var neurons: SharedNeurons
    /// θ: n × c, in the domain of θ ↦ ℓ*(−θ).
    public var θ: Matrix<Double>

    public init(neurons: SharedNeurons, θ: Matrix<Double>) {
      (self.neurons, self.θ) = (neurons, θ)
    }
  }

  /// An upper bound on λ_max, tight as far as h is: Z = 0 is optimal for λ ≥ max_i h_i(−∇ℓ(0)). Or 0 where that may be rounding.
  /// Past the deadline it is that of gated networks for the patterns that are left.
  public func largestλ(deadline: Deadline = .none) -> Double {
    let θ = relu.loss.residual(at: Matrix(relu.samples, relu.outputs))
    let norm = dualNorm(θ: θ, above: 0, deadline: deadline)
    return StrictDual.beyondRounding(norm, θ: relu.pooling.adjoint(θ), relu.x)
  }
}

/// Neurons of a two-layer ReLU network that feed all outputs, each in the cone of a pattern.
public struct SharedNeurons: Sendable, Equatable {
  /// The pattern of each.
  public var patterns: [Int]
  /// u_k: one row a neuron.
  public var vectors: Matrix<Double>
  /// v_k: one row a neuron.
  public var outputs: Matrix<Double>

  public init(patterns: [Int], vectors: Matrix<Double>, outputs: Matrix<Double>) {
    precondition(patterns.count == vectors.rows && patterns.count == outputs.rows, "two vectors a neuron")
    (self.patterns, self.vectors, self.outputs) = (patterns, vectors, outputs)
  }

  /// No neurons on d features with c outputs.
  public static func none(features d: Int, outputs c: Int) -> SharedNeurons {
    SharedNeurons(patterns: [], vectors: Matrix(0, d), outputs: Matrix(0, c))
  }

  public var count: Int { patterns.count }

  /// The neurons with the given indices.
  public func selecting(_ indices: [Int]) -> SharedNeurons {
    SharedNeurons(
      patterns: indices.map { patterns[$0] }, vectors: vectors.selectingRows(indices),
      outputs: outputs.selectingRows(indices))
  }

  /// The neurons of both.
  public func appending(_ other: SharedNeurons) -> SharedNeurons {
    SharedNeurons(
      patterns: patterns + other.patterns,
      vectors: Matrix(count + other.count, vectors.columns, storage: vectors.storage + other.vectors.storage),
      outputs: Matrix(count + other.count, outputs.columns, storage: outputs.storage + other.outputs.storage))
  }

  /// The same with ‖u_k‖ = 1, without those that are 0.
  var normalised: SharedNeurons {
    let norms = vectors.rowNorms
    let sizes = outputs.rowNorms
    let live = norms.indices.filter { norms[$0] > 0 && sizes[$0] > 0 }
    var result = selecting(live)
    for (row, k) in live.enumerated() {
      for j in 0..<vectors.columns { result.vectors[row, j] /= norms[k] }
      for j in 0..<outputs.columns { result.outputs[row, j] *= norms[k] }
    }
    return result
  }
}

extension ConicNuclearProgram: Certifiable {
  /// The certificate at a point: ℓ(F) + λ Σ‖u_k‖‖v_k‖ above, the best multiple of θ that meets every constraint below, both
  /// in plain Double arithmetic. Cost n d (m + P c), and projections for the patterns with σ_max(XᵀD_iSᵀθ) > λ.
  public func certificate(at point: Point) -> Certificate { certificate(at: point, deadline: .none) }

  public func certificate(at point: Point, inSeconds seconds: Double) -> Certificate {
    certificate(at: point, deadline: Deadline(in: seconds))
  }

  private func certificate(at point: Point, deadline: Deadline) -> Certificate {
    Certificate(
      primal: strictObjective(of: point.neurons), dual: dualBound(θ: point.θ, deadline: deadline),
      scope: relu.patterns.isExact ? .exact : .restricted)
  }

  /// ℓ(F) + λ Σ_k ‖u_k‖ ‖v_k‖, as the objective of the decoded network.
  public func strictObjective(of neurons: SharedNeurons) -> Double {
    var objective = NetworkObjective(loss: relu.strictLoss, λ: λ)
    objective.pooling = relu.pooling
    return (try? decode(neurons, hasBias: false)).flatMap { objective.value(of: $0, on: relu.x) } ?? .infinity
  }

  /// The lower bound on the program's optimum that θ gives. Patterns that a deadline leaves open count with their σ_max.
  public func dualBound(θ: Matrix<Double>, deadline: Deadline = .none) -> Double {
    let θ = relu.strictLoss.feasibleDirection(θ)
    let norm = dualNorm(θ: θ, above: λ, deadline: deadline)
    let limit = θ.largestScale(norm: norm, λ: λ, features: relu.features)
    return relu.strictLoss.bestScale(θ, upTo: limit).value
  }

  /// An upper bound on max_i h_i(θ); patterns whose σ_max is at most `threshold` count with that.
  func dualNorm(θ: Matrix<Double>, above threshold: Double, deadline: Deadline = .none) -> Double {
    let strict = StrictDual(x: relu.x, patterns: relu.patterns.bits, θ: relu.pooling.adjoint(θ))
    return ConeSpectralBound(strict, deadline: deadline).bound(above: threshold)
  }
}

extension ConicNuclearProgram {
  /// The network of some neurons: w = u √(‖v‖/‖u‖), a = v √(‖u‖/‖v‖), of the same predictions and objective.
  public func decode(_ neurons: SharedNeurons, hasBias: Bool) throws -> Network {
    let inputs = relu.features - (hasBias ? 1 : 0)
    let (norms, sizes) = (neurons.vectors.rowNorms, neurons.outputs.rowNorms)
    let live = norms.indices.filter { norms[$0] > 0 && sizes[$0] > 0 }
    let width = max(live.count, 1)  // the zero network keeps one neuron of zeros
    var (hidden, output) = (Matrix<Double>(inputs, width), Matrix<Double>(width, relu.outputs))
    var bias = [Double](repeating: 0, count: width)
    for (m, k) in live.enumerated() {
      let size = (norms[k] * sizes[k]).squareRoot()
      for j in 0..<inputs { hidden[j, m] = neurons.vectors[k, j] / norms[k] * size }
      if hasBias { bias[m] = neurons.vectors[k, inputs] / norms[k] * size }
      for j in 0..<relu.outputs { output[m, j] = neurons.outputs[k, j] / sizes[k] * size }
    }
    return try Network(hidden: Dense(weights: hidden, bias: bias), output: Dense(weights: output))
  }
}
