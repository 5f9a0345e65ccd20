import ConvexOptimization
import LinearAlgebra

/// The convex program of a two-layer network with batch normalisation after the ReLU (Ergen, Sahiner, Ozturkler, Pauly, Mardani
/// & Pilanci 2021, *Demystifying batch normalization in ReLU networks*). Neurons, each of which feeds one output,
///
///     γ (X w)₊/N(w) · w₂,   N(w) = √(Σ_k s_k (x_kᵀw)₊² + ε²‖w‖²),   penalty (λ/2)(γ² + w₂²),
///
/// cost λ N(u) as u = γ|w₂| w/N(w), at the best balance of γ and w₂. So training is
///
///     min ℓ(Σ_i D_i X (u_i − v_i)) + λ Σ_i (‖u_i‖_i + ‖v_i‖_i)   s.t. u_i, v_i ∈ K_i,   ‖u‖_i² = uᵀ(XᵀD_i diag(s) X + ε²I)u,
///
/// the program of ReLU networks with a norm for each pattern (`PatternNorms`): with U_i y_i = D_i X u_i of the compact singular
/// value decompositions D_i X = U_i S_i V_iᵀ it is min ℓ(Σ U_i (y_i − y_i')) + λ Σ ‖y‖, for ε → 0. Nothing is centred. ε, 1e-5 of
/// the root mean square norm of the columns, keeps directions that a pattern does not see from being free.
public struct PostNormalisationProgram: Sendable {
  /// The program of plain ReLU networks over the same patterns: its points and networks are those of this one.
  public let plain: TwoLayerProgram
  let norms: PatternNorms

  /// - Parameter deadline: when the program is left with the patterns whose norms are known by then, at least one.
  /// - Throws: `BatchNormalisationError.noDecomposition` where numbers leave the range of Double. Cost 4nd² + 10d³ a pattern.
  public init(
    _ plain: TwoLayerProgram, deadline: Deadline = .none
  ) throws(BatchNormalisationError) {
    precondition(plain.isConstrained && plain.pooling.isIdentity, "a program of ReLU networks on plain rows")
    let gates = plain.patterns.bits.transposed
    norms = try PatternNorms(plain.x, weights: plain.loss.weights, gates: gates, deadline: deadline)
    self.plain = norms.patterns.count < gates.rows ? plain.selecting(patterns: norms.patterns) : plain
  }

  private init(_ plain: TwoLayerProgram, norms: PatternNorms) { (self.plain, self.norms) = (plain, norms) }

  /// The same data and patterns under another λ.
  public func with(λ: Double) throws(ProgramError) -> PostNormalisationProgram {
    let plain = try plain.with(λ: λ)
    return PostNormalisationProgram(plain, norms: norms)
  }

  public var λ: Double { plain.λ }

  /// λ_max: the zero network is optimal exactly for λ ≥ λ_max, the largest dual norm of −∇ℓ(0). Or 0 where that may be rounding;
  /// patterns that a deadline leaves open count without their cones.
  public func largestλ(deadline: Deadline = .none) -> Double {
    let θ = plain.loss.residual(at: Matrix(plain.samples, plain.outputs))
    let strict = StrictDual(x: plain.x, patterns: plain.patterns.bits, θ: θ)
    let images = GroupPricing(plain).plainNorms(θ: θ).storage.max() ?? 0
    return images > strict.roundingOfProducts().max() ?? 0 ? dualNorm(θ: θ, above: 0, deadline: deadline) : 0
  }

  /// The plain network that a point stands for, with the statistics of the data inside.
  public func decode(_ point: TwoLayerPoint, hasBias: Bool) throws -> Network {
    try plain.decode(point, hasBias: hasBias)
  }

  /// ℓ(f(X)) + λ Σ_m N(w_m) |v_m| of a two-layer ReLU network on inputs without the column of ones, by its own weights; nil for
  /// other networks.
  func objective(of network: Network, on inputs: Matrix<Double>) -> Double? {
    let objective = NetworkObjective(loss: plain.strictLoss, λ: λ)
    guard case .relu(let hidden, let output) = network.twoLayerForm,
      let f = objective.predictions(of: network, on: inputs)
    else { return nil }
    let hasBias = hidden.weights.rows < plain.features
    let sizes = penalties(hidden.weights.columns) { m in
      norms.norm(hidden.weights.column(m) + (hasBias ? [hidden.bias[m]] : []))
        * StrictArithmetic.sum(output.weights.row(m).map(abs))
    }
    return objective.loss.value(at: f) + λ * sizes
  }

  /// Σ_m body(m), in the order of the terms.
  private func penalties(_ count: Int, _ body: (Int) -> Double) -> Double {
    var terms = [Double](repeating: 0, count: count)
    terms.withMutablePointer { terms in
      Parallel.forEach(tiles: count, work: count * plain.x.count) { terms[$0] = body($0) }
    }
    return StrictArithmetic.sum(terms)
  }
}

extension PostNormalisationProgram: Certifiable {
  /// The certificate at a point: ℓ(F) + λ Σ N(u_g) above, the best multiple of θ that satisfies every dual constraint below, in
  /// plain Double arithmetic. Cost n d (m + P c), and of each violated cone a projection and nd².
  public func certificate(at point: TwoLayerPoint) -> Certificate { certificate(at: point, .none) }

  public func certificate(at point: TwoLayerPoint, inSeconds seconds: Double) -> Certificate {
    certificate(at: point, Deadline(in: seconds))
  }

  private func certificate(at point: TwoLayerPoint, _ deadline: Deadline) -> Certificate {
    Certificate(
      primal: strictObjective(at: point),
      dual: dualBound(θ: point.θ, known: point.multipliers, deadline: deadline),
      scope: plain.patterns.isExact ? .exact : .restricted)
  }

  /// ℓ(F) + λ Σ_g N(u_g).
  public func strictObjective(at point: TwoLayerPoint) -> Double {
    let f = StrictPrimal(x: plain.x).predictions(
      point, patterns: plain.patterns.bits, isConstrained: true, outputs: plain.outputs)
    let penalty = penalties(point.groups.count) { norms.norm(point.coefficients.row($0)) }
    return plain.strictLoss.value(at: f) + λ * penalty
  }

  /// A lower bound on the program's optimum from any θ. Patterns that a deadline leaves open count without their cones.
  public func dualBound(
    θ: Matrix<Double>, known: [TwoLayerGroup: SparseVector] = [:], deadline: Deadline = .none
  ) -> Double {
    let θ = plain.strictLoss.feasibleDirection(θ)
    let norm = dualNorm(θ: θ, above: λ, known: known, deadline: deadline)
    let limit = θ.largestScale(norm: norm, λ: λ, features: plain.features)
    return plain.strictLoss.bestScale(θ, upTo: limit).value
  }

  /// An upper bound on max θ_jᵀD_iXu/‖u‖_i over all patterns i, outputs j, signs and u ∈ K_i: where the maximum without cones is
  /// above a threshold, by the best multipliers found before the deadline.
  private func dualNorm(
    θ: Matrix<Double>, above threshold: Double, known: [TwoLayerGroup: SparseVector] = [:], deadline: Deadline
  ) -> Double {
    let (patterns, outputs) = (plain.patterns, plain.outputs)
    let strict = StrictDual(x: plain.x, patterns: patterns.bits, θ: θ)
    let cones = NormedCones(
      plain.x, gates: patterns.bits.transposed, factors: norms.factors, outputs: outputs, deadline: deadline)
    var largest = [Double](repeating: 0, count: patterns.count)
    largest.withMutablePointer { largest in
      Parallel.forEach(tiles: patterns.count) { i in
        let images = strict.images(pattern: i)
        let plainNorms = (0..<outputs).map { norms.dualNorm(images.row($0), pattern: i) }
        guard plainNorms.contains(where: { $0 > threshold }), !deadline.hasPassed else {
          return largest[i] = plainNorms.reduce(0, max)
        }
        let own = cones.cones(pattern: i)
        var state = ActiveSet(of: own.rows)
        for (j, plainNorm) in plainNorms.enumerated() {
          guard plainNorm > threshold else {
            largest[i] = max(largest[i], plainNorm)
            continue
          }
          let q = images.row(j)
          for sign in plain.signs {
            let start = known[TwoLayerGroup(pattern: i, sign: sign, output: j)]
            let found = norms.adjoint(q, pattern: i).withPointer {
              own.projection(
                of: $0, pattern: 0, sign: sign,
                from: start.map { ConeProjection(support: $0.indices, multipliers: $0.values) },
                threshold: threshold, in: &state)
            }
            let α = SparseVector(indices: found.support, values: found.multipliers)
            let g = strict.combination(q, sign: sign, pattern: i, multipliers: α)
            largest[i] = max(largest[i], min(plainNorm, norms.dualNorm(g, pattern: i)))
          }
        }
      }
    }
    return largest.reduce(0, max)
  }
}
