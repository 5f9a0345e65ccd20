import ConvexOptimization
import LinearAlgebra

/// Searches for sub-networks that violate the dual constraint of the three-layer program, max |θᵀz_u(X)| over ‖u‖ ≤ 1: many
/// ascents side by side, each from a start of its own. What it finds are lower bounds on the maximum, never a proof.
///
/// θᵀz_u(X) is homogeneous, and linear in u on each cone: the step goes to the gradient's direction, which is the best there,
/// halved until the value grows. Cost 4 n d m for each start and step.
struct SubnetworkPricing {
  let x: Matrix<Double>
  let width: Int
  var seed: UInt64 = 0
  /// Random starts for each sign and output, and steps of each.
  var starts = 64
  var steps = 40
  var deadline = Deadline.none

  /// A sub-network of unit length with its value σθᵀz > 0.
  struct Maximum {
    var value: Double
    var subnetwork: SubnetworkSet
  }

  /// The distinct maxima that the ascents reach, largest first, from random starts and given ones.
  func maxima(_ θ: Matrix<Double>, from known: SubnetworkSet) -> [Maximum] {
    let begin = start(θ.columns, known)
    var (best, count) = (begin, begin.count)
    best.vectors = begin.vectors.withUnitRows
    var lengths = [Double](repeating: 1, count: count)
    var pass = SubnetworkPass(x: x, inner: begin.inner)
    let slopes = θ.transposed
    var values = evaluate(best, &pass, slopes)
    var gradients = gradients(best, pass, slopes)
    for _ in 0..<steps where !deadline.hasPassed {
      var trial = best
      for k in 0..<count {
        let norm = StrictDual.norm(gradients.row(k))
        guard norm > 0 else { continue }
        for i in 0..<best.vectors.columns {
          trial.vectors[k, i] += lengths[k] * (gradients[k, i] / norm - best.vectors[k, i])
        }
      }
      trial.vectors = trial.vectors.withUnitRows
      let found = evaluate(trial, &pass, slopes)
      let next = self.gradients(trial, pass, slopes)
      for k in 0..<count {
        guard found[k] > values[k] else {
          lengths[k] /= 2
          continue
        }
        (values[k], lengths[k]) = (found[k], min(1, 2 * lengths[k]))
        for i in 0..<best.vectors.columns {
          (best.vectors[k, i], gradients[k, i]) = (trial.vectors[k, i], next[k, i])
        }
      }
    }
    count = best.count
    let order = (0..<count).filter { values[$0] > 0 }.sorted { (values[$0], $1) > (values[$1], $0) }
    var seen = Set<[Int]>()
    return order.filter { k in
      let key = [Int(best.signs[k]), best.outputs[k]] + best.vectors.row(k).map { Int(($0 * 1e6).rounded()) }
      return seen.insert(key).inserted
    }.map { Maximum(value: values[$0], subnetwork: best.selecting([$0])) }
  }

  private func start(_ c: Int, _ known: SubnetworkSet) -> SubnetworkSet {
    let count = 2 * c * starts
    let vectors: Matrix<Double> = Philox(seed: seed, stream: Self.stream).normalMatrix(
      count, width * x.columns)
    let inner = SubnetworkPatterns.inTurn(starts, width: width)
    let random = SubnetworkSet(
      vectors: vectors, inner: inner.selectingRows((0..<count).map { $0 / (2 * c) }),
      signs: (0..<count).map { $0 % 2 == 0 ? 1 : -1 }, outputs: (0..<count).map { $0 / 2 % c })
    return random.appending(known)
  }

  private func evaluate(
    _ subnetworks: SubnetworkSet, _ pass: inout SubnetworkPass, _ slopes: Matrix<Double>
  ) -> [Double] {
    subnetworks.vectors.withPointer { pass.forward($0) }
    return zip(subnetworks.signs, pass.products(with: slopes, outputs: subnetworks.outputs)).map(*)
  }

  private func gradients(
    _ subnetworks: SubnetworkSet, _ pass: SubnetworkPass, _ slopes: Matrix<Double>
  ) -> Matrix<Double> {
    var gradients = Matrix<Double>(subnetworks.count, subnetworks.vectors.columns)
    gradients.withMutablePointer {
      pass.addGradients(
        of: slopes, outputs: subnetworks.outputs, scales: subnetworks.signs, to: $0)
    }
    return gradients
  }

  private static let stream: UInt64 = 0x7072_6963_6573
}
