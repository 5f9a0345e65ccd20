import LinearAlgebra

/// The maximum of cᵀa over w = Σ_k a_k v_k, a ≥ 0, ‖w‖ ≤ 1, for d unit vectors of ℝᵈ.
package struct SimplicialCone {
  private let d: Int
  private var vectors: [Double]
  private var gram: [Double]
  private var a: [Double]
  private var trial: [Double]
  private var factor: [Double]
  private var isPassive: [Bool]
  /// min_k v_kᵀu for a unit vector u: Σ_k a_k is at most its inverse.
  private var height = 0.0

  package init(dimension d: Int) {
    self.d = d
    let zero = [Double](repeating: 0, count: d)
    (vectors, gram, factor) = ([], [Double](repeating: 0, count: d * d), [Double](repeating: 0, count: d * d))
    (a, trial, isPassive) = (zero, zero, [Bool](repeating: true, count: d))
  }

  package mutating func set(_ v: [Double]) {
    vectors = v
    var u = [Double](repeating: 0, count: d)
    for k in 0..<d { for i in 0..<d { u[i] += v[k * d + i] } }
    let norm = StrictArithmetic.norm(u)
    height = .infinity
    for j in 0..<d {
      var along = 0.0
      for i in 0..<d { along += v[j * d + i] * u[i] }
      height = min(height, along / norm)
      for k in 0...j {
        var sum = 0.0
        for i in 0..<d { sum += v[j * d + i] * v[k * d + i] }
        gram[j * d + k] = sum
        gram[k * d + j] = sum
      }
      (a[j], isPassive[j]) = (0, true)
    }
  }

  /// An upper bound on the maximum, tight to rounding, and p = Σ_k a_k v_k with pᵀv_k ≥ c_k: the projection on the cone
  /// of the vector whose products with the v_k are c.
  package mutating func maximum(of c: [Double], at p: inout [Double]) -> Double {
    project(c)
    for i in 0..<d {
      p[i] = 0
      for k in 0..<d { p[i] += a[k] * vectors[k * d + i] }
    }
    var excess = 0.0
    for k in 0..<d {
      var along = 0.0
      for i in 0..<d { along += vectors[k * d + i] * p[i] }
      excess = max(excess, c[k] - along)
    }
    var square = 0.0
    for i in 0..<d { square += p[i] * p[i] }
    guard excess > 0 else { return square.squareRoot() }
    return height > 0 ? square.squareRoot() + excess / height : .infinity
  }

  /// min ½aᵀGa − cᵀa over a ≥ 0 by an active set, from the one before.
  private mutating func project(_ c: [Double]) {
    for k in 0..<d where !isPassive[k] { a[k] = 0 }
    for _ in 0..<4 * d + 8 {
      settle(c)
      var (next, most) = (-1, 0.0)
      let scale = c.reduce(0) { max($0, abs($1)) }
      for k in 0..<d where !isPassive[k] {
        var slope = c[k]
        for j in 0..<d where isPassive[j] { slope -= gram[k * d + j] * a[j] }
        if slope > most { (next, most) = (k, slope) }
      }
      guard next >= 0, most > 1e-14 * scale else { return }
      isPassive[next] = true
    }
  }

  /// Moves to the minimum over the passive coefficients, dropping those that would turn negative on the way.
  private mutating func settle(_ c: [Double]) {
    for _ in 0...d {
      guard solve(c) else { return }
      var (share, isInside) = (1.0, true)
      for k in 0..<d where isPassive[k] && trial[k] <= 0 {
        isInside = false
        let ratio = a[k] > 0 ? a[k] / (a[k] - trial[k]) : 0
        share = min(share, ratio)
      }
      if isInside {
        for k in 0..<d { a[k] = isPassive[k] ? trial[k] : 0 }
        return
      }
      for k in 0..<d where isPassive[k] {
        let old = a[k]
        a[k] += share * (trial[k] - a[k])
        if trial[k] <= 0, old <= 0 || a[k] <= 1e-300 || old / (old - trial[k]) <= share {
          (a[k], isPassive[k]) = (0, false)
        }
      }
    }
  }

  /// trial: G_PP⁻¹ c_P for the passive set P; a vector that depends on those before it leaves P.
  private mutating func solve(_ c: [Double]) -> Bool {
    let members = (0..<d).filter { isPassive[$0] }
    for (row, j) in members.enumerated() {
      for (column, k) in members.enumerated() where column <= row {
        var sum = gram[j * d + k]
        for l in 0..<column { sum -= factor[row * d + l] * factor[column * d + l] }
        if row == column {
          guard sum > 1e-14 else {
            (isPassive[j], a[j]) = (false, 0)
            return solve(c)
          }
          factor[row * d + row] = sum.squareRoot()
        } else {
          factor[row * d + column] = sum / factor[column * d + column]
        }
      }
    }
    for (row, j) in members.enumerated() {
      var sum = c[j]
      for l in 0..<row { sum -= factor[row * d + l] * trial[members[l]] }
      trial[j] = sum / factor[row * d + row]
    }
    for (row, j) in members.enumerated().reversed() {
      var sum = trial[j]
      for l in row + 1..<members.count { sum -= factor[l * d + row] * trial[members[l]] }
      trial[j] = sum / factor[row * d + row]
    }
    return true
  }
}
