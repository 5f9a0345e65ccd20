import LinearAlgebra

/// The linear system that couples the groups in a Newton step of the interior-point method, given the blocks'
/// factored H_g and right-hand sides b_g, and E Δθ + ΔF = R of the loss.
protocol NewtonSystem {
  /// Builds and factors the system at the current scaling. Returns false where it is not positive definite.
  mutating func factorise(_ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>) -> Bool
  /// Δθ for the blocks' current right-hand sides.
  func solve(_ blocks: [ConeBlock], _ loss: LossTerm, x: UnsafePointer<Double>) -> Matrix<Double>
}

extension Matrix where Element == Double {
  /// Sum over the blocks of one output of their `contribution`s, in the order of the blocks, into column j.
  mutating func setColumn(_ j: Int, toContributionsOf blocks: [ConeBlock]) {
    for k in 0..<rows { storage[k * columns + j] = 0 }
    for block in blocks where block.group.output == j {
      let contribution = block.contribution
      for k in 0..<rows { storage[k * columns + j] += contribution[k] }
    }
  }
}
