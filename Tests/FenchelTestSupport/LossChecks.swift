import ConvexOptimization
import LinearAlgebra
import Testing

/// A loss as a test knows it: how to make it, and targets that it takes.
public struct LossCase<T: Scalar>: Sendable {
  public let kind: LossKind
  public let outputs: Int
  public let parameters: LossParameters

  public init(_ kind: LossKind, outputs: Int, parameters: LossParameters = LossParameters()) {
    self.kind = kind
    self.outputs = outputs
    self.parameters = parameters
  }

  public func loss(_ targets: Matrix<T>, _ weights: [T]?) throws -> any Loss<T> {
    try makeLoss(kind, targets: targets, weights: weights, parameters: parameters)
  }

  /// Random targets of the loss's own kind.
  public func targets(_ samples: Int, _ random: inout SplitMix64) -> Matrix<T> {
    var y: Matrix<T> = random.matrix(samples, outputs)
    switch kind {
    case .logistic, .hinge, .squaredHinge: y.storage = y.storage.map { $0 > 0 ? 1 : -1 }
    case .poisson: y.storage = y.storage.map { abs($0 * 3).rounded(.down) }
    case .softmax:
      for k in 0..<samples {
        let label = Int.random(in: 0..<outputs, using: &random)
        for j in 0..<outputs { y[k, j] = j == label ? 1 : 0 }
      }
    default: break
    }
    return y
  }

  /// Every loss with one and with several outputs.
  public static var all: [LossCase<T>] {
    LossKind.allCases.flatMap { kind in
      (kind == .softmax ? [2, 5] : [1, 3]).map { outputs in
        LossCase(
          kind, outputs: outputs,
          parameters: LossParameters(delta: outputs == 1 ? 1 : 0.4, tau: outputs == 1 ? 0.3 : 0.8))
      }
    }
  }
}

/// Runs every check of a loss on random data, with weights (some 0, some large) and without.
public func checkLoss<T: Scalar>(_ instance: LossCase<T>, seed: UInt64) throws {
  var random = SplitMix64(seed: seed)
  let n = 7
  let targets = instance.targets(n, &random)
  let weights: [T] = [1, 2, 0.5, 0, 3, 1, 10]
  let name = "\(instance.kind.rawValue), \(instance.outputs) outputs, \(T.self)"
  for weights in [nil, weights] {
    try checkFunctions(instance.loss(targets, weights), seed: seed, name)
  }
  try checkRepeatedRows(instance, targets, weights: [1, 2, 3, 0, 1, 4, 1], seed: seed, name)
}

private func checkFunctions<T: Scalar>(_ loss: some Loss<T>, seed: UInt64, _ name: String) {
  let (n, c) = (loss.samples, loss.outputs)
  checkSmooth(loss, rows: n, columns: c, seed: seed, name)
  checkProximable(loss, rows: n, columns: c, seed: seed, name)
  checkConjugate(loss, rows: n, columns: c, seed: seed, name)
  checkFenchelYoung(loss, rows: n, columns: c, seed: seed, name)
  checkProximalPoint(loss, seed: seed, name)
  checkSecondDerivative(loss, seed: seed, name)
  checkHessianFactor(loss, seed: seed, name)
  checkOutputs(loss, seed: seed, name)
  checkKinks(loss, seed: seed, name)
}

/// p + γ∇ℓ(p) = x to full accuracy where ℓ is differentiable, for steps from tiny to huge and far points.
private func checkProximalPoint<T: Scalar>(_ loss: some Loss<T>, seed: UInt64, _ name: String) {
  guard !loss.isPiecewiseLinear else { return }
  var random = SplitMix64(seed: seed &+ 7)
  for γ in [1e-6, 1e-2, 0.7, 30, 1e4] {
    for scale in [0.1, 1, 20] {
      let x: Matrix<T> = random.matrix(loss.samples, loss.outputs, scale: scale)
      var (p, g) = (x, x)
      loss.prox(of: x, step: T(γ), into: &p)
      loss.gradient(at: p, into: &g)
      for i in 0..<x.count {
        let s = Double(loss.weights[i / loss.outputs])
        let residual = Double(p.storage[i]) + γ * Double(g.storage[i]) - Double(x.storage[i])
        // A rounding of p by an ulp moves γ∇ℓ(p) by γ s ℓ'' ulp.
        let curvature = 1 + γ * s * max(1, abs(Double(loss.targets.storage[i])) + abs(Double(g.storage[i])))
        let tolerance = 64 * Double(T.ulpOfOne) * (abs(Double(p.storage[i])) + 1) * curvature
        #expect(
          abs(residual) <= tolerance + 64 * Double(T.ulpOfOne) * abs(Double(x.storage[i])),
          "\(name), seed \(seed), step \(γ), scale \(scale), entry \(i)")
      }
    }
  }
}

/// The second derivative against differences of the gradient, in the entries that have one.
private func checkSecondDerivative<T: Scalar>(_ loss: some Loss<T>, seed: UInt64, _ name: String) {
  var random = SplitMix64(seed: seed &+ 8)
  let (n, c) = (loss.samples, loss.outputs)
  let h = Double(T.ulpOfOne).squareRoot().squareRoot()
  for _ in 0..<5 {
    let x: Matrix<T> = random.matrix(n, c)
    var (up, down, second) = (x, x, x)
    loss.secondDerivative(at: x, into: &second)
    for j in 0..<c {
      var move = Matrix<T>(n, c)
      for k in 0..<n { move[k, j] = 1 }
      loss.gradient(at: combine(1, x, T(h), move), into: &up)
      loss.gradient(at: combine(1, x, -T(h), move), into: &down)
      var (upper, lower) = (x, x)
      loss.secondDerivative(at: combine(1, x, T(h), move), into: &upper)
      loss.secondDerivative(at: combine(1, x, -T(h), move), into: &lower)
      for k in 0..<n {
        // Skip entries with a kink or a jump of the second derivative inside the difference.
        let jump = loss.isPiecewiseLinear && up[k, j] != down[k, j]
        let s = Double(loss.weights[k])
        guard !jump, abs(Double(upper[k, j] - lower[k, j])) < 0.2 * s || s == 0 else { continue }
        let difference = Double(up[k, j] - down[k, j]) / (2 * h)
        let size = s * (1 + Double(abs(second[k, j])))
        #expect(
          abs(difference - Double(second[k, j])) <= 50 * h * h * size + h
            * abs(Double(upper[k, j] - lower[k, j])),
          "\(name), seed \(seed), entry \(k), \(j)")
      }
    }
  }
}

/// L Lᵀ has the second derivative on its diagonal, couples no two samples, and ⟨L t, v⟩ = ⟨t, Lᵀ v⟩.
private func checkHessianFactor<T: Scalar>(_ loss: some Loss<T>, seed: UInt64, _ name: String) {
  var random = SplitMix64(seed: seed &+ 9)
  let (n, c) = (loss.samples, loss.outputs)
  let x: Matrix<T> = random.matrix(n, c)
  let factor = loss.hessianFactor(at: x)
  var second = x
  loss.secondDerivative(at: x, into: &second)
  let tolerance = 32 * Double(T.ulpOfOne)
  for j in 0..<c {
    var column = Matrix<T>(n, c)
    for k in 0..<n { column[k, j] = 1 }
    factor.applyTransposed(&column)
    factor.apply(&column)
    for k in 0..<n {
      let scale = 1 + Double(abs(second[k, j])) + Double(loss.weights[k])
      #expect(
        abs(Double(column[k, j] - second[k, j])) <= tolerance * scale, "\(name), seed \(seed), H \(k), \(j)")
      if loss.isSeparable { for l in 0..<c where l != j { #expect(column[k, l] == 0) } }
    }
  }
  let (t, v): (Matrix<T>, Matrix<T>) = (random.matrix(n, c), random.matrix(n, c))
  var (lt, lv) = (t, v)
  factor.apply(&lt)
  factor.applyTransposed(&lv)
  let scale = 1 + Double(lt.frobeniusNorm) * Double(v.frobeniusNorm)
  #expect(abs(inner(lt, v) - inner(t, lv)) <= tolerance * scale, "\(name), seed \(seed), L")
}

/// A separable loss is the sum of the losses of its outputs.
private func checkOutputs<T: Scalar>(_ loss: some Loss<T>, seed: UInt64, _ name: String) {
  guard loss.isSeparable else { return }
  var random = SplitMix64(seed: seed &+ 10)
  let x: Matrix<T> = random.matrix(loss.samples, loss.outputs)
  let sum = (0..<loss.outputs).reduce(0.0) {
    $0 + Double(loss.restricted(toOutput: $1).value(at: Matrix(column: x.column($1))))
  }
  let value = Double(loss.value(at: x))
  #expect(abs(sum - value) <= 64 * Double(T.ulpOfOne) * (1 + abs(value)), "\(name), seed \(seed), outputs")
}

/// The kinks of a loss that has them give its values again.
private func checkKinks<T: Scalar>(_ loss: some Loss<T>, seed: UInt64, _ name: String) {
  var random = SplitMix64(seed: seed &+ 9)
  let f: Matrix<T> = random.matrix(loss.samples, loss.outputs, scale: 3)
  var total = 0.0
  var hasKinks = false
  for k in 0..<loss.samples {
    for j in 0..<loss.outputs {
      let kink = loss.kink(sample: k, output: j)
      if loss.isPiecewiseLinear { #expect((kink != nil) == (loss.weights[k] > 0), "\(name), \(k), \(j)") }
      guard let kink else { continue }
      #expect((kink.compliance == 0) == loss.isPiecewiseLinear && loss.weights[k] > 0, "\(name)")
      hasKinks = true
      #expect(kink.left < kink.right, "\(name)")
      total += Double(kink.value(at: f[k, j]))
    }
  }
  if hasKinks {
    #expect(abs(total - Double(loss.value(at: f))) <= 1e3 * Double(T.ulpOfOne) * max(1, total), "\(name)")
  }
}

/// A weight of w equals the row given w times: value, gradient, conjugate, and proximal step.
private func checkRepeatedRows<T: Scalar>(
  _ instance: LossCase<T>, _ targets: Matrix<T>, weights: [Int], seed: UInt64, _ name: String
) throws {
  var random = SplitMix64(seed: seed &+ 10)
  let source = weights.indices.flatMap { k in Array(repeating: k, count: weights[k]) }
  let weighted = try instance.loss(targets, weights.map { T($0) })
  let repeated = try instance.loss(targets.selectingRows(source), nil)
  let f: Matrix<T> = random.matrix(targets.rows, targets.columns, scale: 2)
  var g = f
  var h: Matrix<T> = Matrix(source.count, f.columns)
  let value = Double(weighted.gradient(at: f, into: &g))
  let other = Double(repeated.gradient(at: f.selectingRows(source), into: &h))
  #expect(abs(value - other) <= margin(T.self, 256, value), "\(name), seed \(seed)")
  var sum = Matrix<T>(targets.rows, targets.columns)
  for (row, k) in source.enumerated() { for j in 0..<f.columns { sum[k, j] += h[row, j] } }
  for i in 0..<g.count {
    #expect(
      abs(Double(g.storage[i] - sum.storage[i])) <= margin(T.self, 64, Double(g.storage[i])),
      "\(name), seed \(seed)")
  }
  let conjugates = (Double(weighted.conjugateValue(at: g)), Double(repeated.conjugateValue(at: h)))
  #expect(abs(conjugates.0 - conjugates.1) <= margin(T.self, 1e3, conjugates.0), "\(name), seed \(seed)")
  var p = f
  weighted.prox(of: f, step: 0.5, into: &p)
  for k in 0..<targets.rows {
    let alone = try instance.loss(targets.selectingRows([k]), nil)
    let x = f.selectingRows([k])
    var q = x
    if weights[k] > 0 { alone.prox(of: x, step: T(0.5) * T(weights[k]), into: &q) }
    for j in 0..<f.columns {
      #expect(
        abs(Double(p[k, j] - q[0, j])) <= margin(T.self, 64, Double(q[0, j])), "\(name), seed \(seed)")
    }
  }
}

/// The minimiser of a convex function of one variable on [low, high], by golden sections: slow, and
/// independent of every formula of the library. Good to about √ε.
public func minimiseByGoldenSection(_ low: Double, _ high: Double, _ f: (Double) -> Double) -> Double {
  let ratio = (5.0.squareRoot() - 1) / 2
  var (a, b) = (low, high)
  for _ in 0..<120 {
    let (left, right) = (b - ratio * (b - a), a + ratio * (b - a))
    if f(left) <= f(right) { b = right } else { a = left }
  }
  return (a + b) / 2
}
