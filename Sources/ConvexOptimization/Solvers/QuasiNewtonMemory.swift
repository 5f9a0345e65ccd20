import LinearAlgebra

/// The last m pairs (s, y) of steps and gradient differences: an approximation H of an inverse Hessian that is
/// never formed. Product with a vector by the two-loop recursion, cost 4mN. (Nocedal 1980.)
package struct QuasiNewtonMemory {
  private let dimension: Int
  package let capacity: Int
  package var steps: [Double]
  package var differences: [Double]
  /// 1/⟨s, y⟩ of each slot.
  package var reciprocals: [Double]
  /// ⟨s, y⟩/⟨y, y⟩ of the newest pair.
  package var scale = 1.0
  package var newest = -1
  package var count = 0

  init(dimension: Int, capacity: Int) {
    self.dimension = dimension
    self.capacity = capacity
    steps = [Double](repeating: 0, count: dimension * capacity)
    differences = steps
    reciprocals = [Double](repeating: 0, count: capacity)
  }

  mutating func removeAll() {
    count = 0
    scale = 1
  }

  /// Adds the pair s = x₊ − x, y = g₊ − g; refuses it where ⟨s, y⟩ is not clearly positive.
  @discardableResult
  mutating func append(from x: [Double], _ g: [Double], to x₊: [Double], _ g₊: [Double]) -> Bool {
    let slot = (newest + 1) % capacity
    let (offset, n) = (slot * dimension, dimension)
    let (sy, ss, yy) = steps.withMutablePointer { steps in
      differences.withMutablePointer { differences in
        let (s, y) = (steps + offset, differences + offset)
        for i in 0..<n {
          s[i] = x₊[i] - x[i]
          y[i] = g₊[i] - g[i]
        }
        return (Double.dot(n, s, y), Double.dot(n, s, s), Double.dot(n, y, y))
      }
    }
    guard sy > Double.ulpOfOne * ss.squareRoot() * yy.squareRoot(), yy > 0, sy.isFinite else {
      if count == capacity { count -= 1 }  // the slot held the oldest pair
      return false
    }
    reciprocals[slot] = 1 / sy
    scale = sy / yy
    newest = slot
    count = min(count + 1, capacity)
    return true
  }

  /// v ← −H v.
  func descend(_ v: inout [Double]) {
    let n = dimension
    var α = [Double](repeating: 0, count: capacity)
    let slots = (0..<count).map { (newest - $0 + capacity) % capacity }
    v.withMutablePointer { v in
      steps.withPointer { steps in
        differences.withPointer { differences in
          for slot in slots {
            α[slot] = reciprocals[slot] * Double.dot(n, steps + slot * n, v)
            Double.axpy(n, -α[slot], differences + slot * n, v)
          }
          Double.scale(n, -scale, v)
          for slot in slots.reversed() {
            let β = reciprocals[slot] * Double.dot(n, differences + slot * n, v)
            Double.axpy(n, -α[slot] - β, steps + slot * n, v)
          }
        }
      }
    }
  }
}
