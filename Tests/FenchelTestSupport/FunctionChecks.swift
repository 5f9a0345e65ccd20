import ConvexOptimization
import LinearAlgebra
import Testing

/// ⟨x, y⟩ in Double.
public func inner<T: Scalar>(_ x: Matrix<T>, _ y: Matrix<T>) -> Double {
  zip(x.storage, y.storage).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}

/// α x + β y.
public func combine<T: Scalar>(_ α: T, _ x: Matrix<T>, _ β: T, _ y: Matrix<T>) -> Matrix<T> {
  Matrix(x.rows, x.columns, storage: zip(x.storage, y.storage).map { α * $0 + β * $1 })
}

/// Rounding of T magnified by `factor`, as a share of `size`.
func margin<T: Scalar>(_: T.Type, _ factor: Double, _ size: Double) -> Double {
  factor * Double(T.ulpOfOne) * max(1, abs(size))
}

/// Checks, at random pairs of points: the value that `gradient` returns, the gradient against central
/// differences, convexity, and with a finite `smoothness` L the inequality
/// f(z) ≤ f(x) + ⟨∇f(x), z − x⟩ + ½L‖z − x‖² and that ∇f is L-Lipschitz.
public func checkSmooth<F: SmoothFunction>(
  _ f: F, rows: Int, columns: Int, scale: Double = 2, seed: UInt64, _ name: String = "\(F.self)"
) {
  typealias T = F.Element
  var random = SplitMix64(seed: seed)
  for trial in 0..<20 {
    let label: Comment = "\(name), seed \(seed), trial \(trial)"
    let x: Matrix<T> = random.matrix(rows, columns, scale: scale)
    let z: Matrix<T> = random.matrix(rows, columns, scale: scale)
    let direction: Matrix<T> = random.matrix(rows, columns)
    var (g, h) = (Matrix<T>(rows, columns, fill: .nan), Matrix<T>(rows, columns, fill: .nan))
    let (fx, fz) = (Double(f.gradient(at: x, into: &g)), Double(f.gradient(at: z, into: &h)))
    let size = max(abs(fx), abs(fz), inner(x, x), inner(z, z))
    #expect(abs(fx - Double(f.value(at: x))) <= margin(T.self, 64, fx), label)
    let step = T(Double(T.ulpOfOne)).squareRoot().squareRoot()
    let up = Double(f.value(at: combine(1, x, step, direction)))
    let down = Double(f.value(at: combine(1, x, -step, direction)))
    let difference = (up - down) / (2 * Double(step))
    #expect(
      abs(difference - inner(g, direction)) <= 40 * Double(step * step) * max(1, size)
        + kinkAllowance(f, x, direction, step), label)
    let gap = fz - fx - inner(g, combine(1, z, -1, x))
    #expect(gap >= -margin(T.self, 64, size), label)
    let distance = inner(combine(1, z, -1, x), combine(1, z, -1, x))
    let l = Double(f.smoothness)
    if l.isFinite {
      #expect(gap <= l / 2 * distance + margin(T.self, 64, size), label)
      let change = inner(combine(1, g, -1, h), combine(1, g, -1, h)).squareRoot()
      #expect(change <= l * distance.squareRoot() + margin(T.self, 64, size), label)
    }
  }
}

/// What a kink within the difference step may add: the change of slope along the direction.
private func kinkAllowance<F: SmoothFunction>(
  _ f: F, _ x: Matrix<F.Element>, _ direction: Matrix<F.Element>, _ step: F.Element
) -> Double {
  var (g, h) = (x, x)
  f.gradient(at: combine(1, x, step, direction), into: &g)
  f.gradient(at: combine(1, x, -step, direction), into: &h)
  let jump = inner(combine(1, g, -1, h), direction)
  return f.smoothness.isFinite && jump < 100 * Double(step) ? 0 : abs(jump)
}

/// Checks prox_{γf} at random points: the value returned, and
/// f(p) + ‖p − x‖²/2γ + ‖z − p‖²/2γ ≤ f(z) + ‖z − x‖²/2γ for z near and far, which only the minimiser passes.
public func checkProximable<F: ProximableFunction>(
  _ f: F, rows: Int, columns: Int, scale: Double = 2, seed: UInt64, _ name: String = "\(F.self)"
) {
  typealias T = F.Element
  var random = SplitMix64(seed: seed)
  for trial in 0..<20 {
    let γ = T([1e-3, 0.1, 1, 10, 1e3][trial % 5])
    let label: Comment = "\(name), seed \(seed), trial \(trial), step \(γ)"
    let x: Matrix<T> = random.matrix(rows, columns, scale: scale)
    var p = Matrix<T>(rows, columns, fill: .nan)
    let value = Double(f.prox(of: x, step: γ, into: &p))
    #expect(abs(value - Double(f.value(at: p))) <= margin(T.self, 256, value), label)
    func objective(_ z: Matrix<T>) -> Double {
      let d = combine(1, z, -1, x)
      return Double(f.value(at: z)) + inner(d, d) / (2 * Double(γ))
    }
    let best = objective(p)
    for distance in [1e-4, 1e-2, 0.3, 3.0] {
      let move: Matrix<T> = random.matrix(rows, columns, scale: distance)
      let z = combine(1, p, 1, move)
      let least = best + inner(move, move) / (2 * Double(γ))
      #expect(objective(z) >= least - margin(T.self, 1e3, max(abs(best), least)), label)
    }
  }
}

/// Checks f* through the proximal operator: u = (x − p)/γ with p = prox_{γf}(x) is a subgradient at p, so
/// f(p) + f*(u) = ⟨p, u⟩ (with which Moreau's identity holds), and f(z) + f*(u) ≥ ⟨z, u⟩ elsewhere.
public func checkConjugate<F: ProximableFunction & ConjugableFunction>(
  _ f: F, rows: Int, columns: Int, scale: Double = 2, seed: UInt64, _ name: String = "\(F.self)"
) {
  typealias T = F.Element
  var random = SplitMix64(seed: seed)
  for trial in 0..<20 {
    let γ = T([0.5, 1, 10][trial % 3])
    let label: Comment = "\(name), seed \(seed), trial \(trial), step \(γ)"
    let x: Matrix<T> = random.matrix(rows, columns, scale: scale)
    var p = Matrix<T>(rows, columns, fill: .nan)
    f.prox(of: x, step: γ, into: &p)
    let u = shrunk(combine(1 / γ, x, -1 / γ, p))
    let (value, conjugate) = (Double(f.value(at: p)), Double(f.conjugateValue(at: u)))
    let size = max(abs(value), abs(inner(p, u)), inner(u, u), inner(x, x) / Double(γ))
    #expect(abs(value + conjugate - inner(p, u)) <= margin(T.self, 1e4, size), label)
    let z: Matrix<T> = random.matrix(rows, columns, scale: scale)
    #expect(Double(f.value(at: z)) + conjugate >= inner(z, u) - margin(T.self, 1e4, size), label)
  }
}

/// u pulled towards 0 by rounding only, so that it stays inside the conjugate's domain.
private func shrunk<T: Scalar>(_ u: Matrix<T>) -> Matrix<T> {
  Matrix(u.rows, u.columns, storage: u.storage.map { $0 * (1 - 1024 * T.ulpOfOne) })
}

/// Checks f(x) + f*(∇f(x)) = ⟨x, ∇f(x)⟩ (Fenchel–Young with equality) at random points, and that 0 is in the
/// domain of f*.
public func checkFenchelYoung<F: SmoothFunction & ConjugableFunction>(
  _ f: F, rows: Int, columns: Int, scale: Double = 2, seed: UInt64, _ name: String = "\(F.self)"
) {
  typealias T = F.Element
  var random = SplitMix64(seed: seed)
  #expect(f.conjugateValue(at: Matrix(rows, columns)).isFinite, "\(name): 0 must be in the domain of f*")
  for trial in 0..<20 {
    let x: Matrix<T> = random.matrix(rows, columns, scale: scale)
    var g = Matrix<T>(rows, columns, fill: .nan)
    let value = Double(f.gradient(at: x, into: &g))
    let conjugate = Double(f.conjugateValue(at: g))
    let size = max(abs(value), abs(conjugate), inner(x, x), inner(g, g))
    #expect(
      abs(value + conjugate - inner(x, g)) <= margin(T.self, 256, size),
      "\(name), seed \(seed), trial \(trial)")
  }
}

/// Checks a penalty: prox and conjugate; that g = (p − x)/γ is the negative of a subgradient at p = prox(x);
/// that `subdifferentialDistance` is Lipschitz in g and positive elsewhere; and the dual norm's inequality
/// ⟨u, x⟩ ≤ dualNorm(u) Ω(x), tight for some x.
public func checkPenalty<P: Penalty>(
  _ Ω: P, rows: Int, columns: Int, seed: UInt64, isNorm: Bool = true, _ name: String = "\(P.self)"
) {
  typealias T = P.Element
  checkProximable(Ω, rows: rows, columns: columns, seed: seed, name)
  checkConjugate(Ω, rows: rows, columns: columns, seed: seed, name)
  var random = SplitMix64(seed: seed &+ 1)
  for trial in 0..<10 {
    let γ = T([0.2, 1, 5][trial % 3])
    let label: Comment = "\(name), seed \(seed), trial \(trial)"
    let x: Matrix<T> = random.matrix(rows, columns, scale: 2)
    var p = x
    Ω.prox(of: x, step: γ, into: &p)
    let g = combine(1 / γ, p, -1 / γ, x)
    let size = inner(g, g) + inner(x, x)
    #expect(Double(Ω.subdifferentialDistance(at: p, gradient: g)) <= margin(T.self, 1e3, size), label)
    let u: Matrix<T> = random.matrix(rows, columns)
    let distance = Double(Ω.subdifferentialDistance(at: p, gradient: combine(1, g, 1, u)))
    #expect(distance <= inner(u, u).squareRoot() * (1 + 1e3 * Double(T.ulpOfOne)), label)
    guard isNorm else { continue }
    let dual = Double(Ω.dualNorm(of: u))
    #expect(inner(u, x) <= dual * Double(Ω.value(at: x)) + margin(T.self, 64, size), label)
    let inside = combine(T(0.999 / dual), u, 0, u)
    let outside = combine(T(1.001 / dual), u, 0, u)
    #expect(Ω.conjugateValue(at: inside) == 0 && Ω.conjugateValue(at: outside) == .infinity, label)
    // The prox shrinks to 0 exactly where the dual norm of x is at most γ.
    Ω.prox(of: u, step: T(1.001 * dual), into: &p)
    #expect(p.storage.allSatisfy { $0 == 0 }, label)
    Ω.prox(of: u, step: T(0.999 * dual), into: &p)
    #expect(p.storage.contains { $0 != 0 }, label)
  }
}
