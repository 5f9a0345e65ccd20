import ConvexOptimization
import LinearAlgebra
import Testing

/// Checks an activation divergence at random points, in Float or Double: B is not negative, 0 at V = φ(U), and
/// Φ + Φ* − ⟨U, V⟩; convex in each argument; φ⁻¹ a subgradient of Φ and φ the gradient of Φ*, also by numeric
/// integration; φ Lipschitz with the stated constant; the prox a minimiser.
public func checkDivergence<D: ActivationDivergence>(
  _ d: D, rows: Int, columns: Int, scale: Double = 2, seed: UInt64
) {
  typealias T = D.Element
  var random = SplitMix64(seed: seed)
  for trial in 0..<20 {
    let label: Comment = "\(d.name), \(T.self), seed \(seed), trial \(trial)"
    let u: Matrix<T> = random.matrix(rows, columns, scale: scale)
    let other: Matrix<T> = random.matrix(rows, columns, scale: scale)
    let (v, w) = (activation(d, u), activation(d, other))
    let size = max(inner(u, u), inner(v, v), inner(other, other), 1)
    let rounding = margin(T.self, 128, size)
    #expect(abs(Double(d.divergence(v, u))) <= rounding, label)
    #expect(d.divergence(w, u) >= 0, label)
    let sum = Double(d.potential(at: w)) + Double(d.conjugate(at: u)) - inner(w, u)
    #expect(abs(Double(d.divergence(w, u)) - sum) <= rounding, label)
    checkDerivative(d, u, v, along: other, label)
    checkConvexity(d, v, w, u, other, rounding, label)
    checkGradients(d, v, w, u, other, rounding, label)
    checkProx(d, near: other, toward: v, step: T([0.1, 1, 10][trial % 3]), rounding, label)
  }
}

private func activation<D: ActivationDivergence>(_ d: D, _ u: Matrix<D.Element>) -> Matrix<D.Element> {
  var v = Matrix<D.Element>(u.rows, u.columns, fill: .nan)
  let value = d.activate(u, into: &v)
  #expect(abs(Double(value - d.conjugate(at: u))) <= margin(D.Element.self, 16, Double(value)), "\(d.name)")
  #expect(d.potential(at: v).isFinite, "\(d.name): φ leaves the domain")
  return v
}

/// `map` is `activate` alone; the derivative is a symmetric matrix and, in Double where steps are small, that of
/// central differences.
private func checkDerivative<D: ActivationDivergence>(
  _ d: D, _ u: Matrix<D.Element>, _ v: Matrix<D.Element>, along direction: Matrix<D.Element>, _ label: Comment
) {
  typealias T = D.Element
  var mapped = u
  d.map(&mapped)
  #expect(distance(mapped, v) <= margin(T.self, 16, inner(v, v).squareRoot()), label)
  guard d.smoothness.isFinite else { return }
  var (image, other) = (direction, u)
  d.multiplyByDerivative(at: v, &image)
  d.multiplyByDerivative(at: v, &other)
  let size = inner(u, u) + inner(direction, direction)
  #expect(abs(inner(image, u) - inner(other, direction)) <= margin(T.self, 64, size), label)
  guard T.ulpOfOne < 1e-10 else { return }
  let step: T = 1e-6
  var (up, down) = (combine(1, u, step, direction), combine(1, u, -step, direction))
  d.map(&up)
  d.map(&down)
  #expect(distance(combine(0.5 / step, up, -0.5 / step, down), image) <= 1e-7 * size, label)
}

private func checkConvexity<D: ActivationDivergence>(
  _ d: D, _ v: Matrix<D.Element>, _ w: Matrix<D.Element>, _ u: Matrix<D.Element>, _ other: Matrix<D.Element>,
  _ rounding: Double, _ label: Comment
) {
  let outputs = combine(0.5, v, 0.5, w)
  let inputs = combine(0.5, u, 0.5, other)
  let middle = (Double(d.divergence(outputs, other)), Double(d.divergence(w, inputs)))
  #expect(middle.0 <= Double(d.divergence(v, other) + d.divergence(w, other)) / 2 + rounding, label)
  #expect(middle.1 <= Double(d.divergence(w, u) + d.divergence(w, other)) / 2 + rounding, label)
}

private func checkGradients<D: ActivationDivergence>(
  _ d: D, _ v: Matrix<D.Element>, _ w: Matrix<D.Element>, _ u: Matrix<D.Element>, _ other: Matrix<D.Element>,
  _ rounding: Double, _ label: Comment
) {
  var (g, h) = (v, v)
  // Φ* lies above its tangents, Φ above those of φ⁻¹.
  let turn = combine(1, other, -1, u)
  let rise = Double(d.conjugate(at: other)) - Double(d.conjugate(at: u))
  #expect(rise >= inner(v, turn) - rounding, label)
  #expect(rise <= inner(w, turn) + rounding, label)
  d.invert(v, into: &h)
  if h.storage.allSatisfy({ $0.isFinite }) {
    let reach = max(1, inner(h, h).squareRoot())
    let climb = Double(d.potential(at: w)) - Double(d.potential(at: v))
    #expect(climb >= inner(h, combine(1, w, -1, v)) - reach * rounding, label)
  }
  let value = d.gradient(w, u, into: &g)
  #expect(value == d.divergence(w, u), label)
  #expect(g == combine(1, v, -1, w), label)
  var k = v
  #expect(d.outputGradient(v, other, into: &k) == d.divergence(v, other), label)
  if h.storage.allSatisfy({ $0.isFinite }) { #expect(k == combine(1, h, -1, other), label) }
  let step = combine(1, w, -1, v)
  if d.smoothness.isFinite {
    let most = Double(d.smoothness) * inner(turn, turn).squareRoot()
    #expect(inner(step, step).squareRoot() <= most + rounding, label)
  }
}

private func checkProx<D: ActivationDivergence>(
  _ d: D, near x: Matrix<D.Element>, toward v: Matrix<D.Element>, step γ: D.Element, _ rounding: Double,
  _ label: Comment
) {
  var p = Matrix<D.Element>(x.rows, x.columns, fill: .nan)
  let potential = d.prox(of: x, step: γ, into: &p)
  // Finite, so that p lies in the domain; the order of the sum may differ.
  let again = Double(d.potential(at: p))
  #expect(abs(Double(potential) - again) <= margin(D.Element.self, 16, again), label)
  func objective(_ v: Matrix<D.Element>) -> Double {
    let distance = combine(1, v, -1, x)
    return Double(γ) * Double(d.potential(at: v)) + inner(distance, distance) / 2
  }
  let least = objective(p)
  for share in [1, 0.1, 0.01] {
    let trial = objective(combine(D.Element(1 - share), p, D.Element(share), v))
    #expect(trial >= least - (1 + Double(γ)) * rounding, label)
  }
}

/// Φ* and Φ of an entrywise divergence against the integrals of φ and φ⁻¹ by the midpoint rule.
public func checkIntegrals<D: EntrywiseDivergence>(_ d: D, tolerance: Double = 1e-5)
where D.Element == Double {
  let panels = 200_000
  func integral(_ from: Double, _ to: Double, _ f: (Double) -> Double) -> Double {
    let h = (to - from) / Double(panels)
    return h * (0..<panels).reduce(0) { $0 + f(from + (Double($1) + 0.5) * h) }
  }
  for u in [-4, -1.3, 0.4, 2.5] {
    let exact = d.conjugate(u) - d.conjugate(0.1)
    #expect(abs(integral(0.1, u, d.activation) - exact) <= tolerance, "\(d.name), Φ*(\(u))")
    let (v, zero) = (d.activation(u), d.activation(0.1))
    let climb = d.potential(v) - d.potential(zero)
    #expect(abs(integral(zero, v, d.inverse) - climb) <= tolerance, "\(d.name), Φ(\(v))")
  }
}
