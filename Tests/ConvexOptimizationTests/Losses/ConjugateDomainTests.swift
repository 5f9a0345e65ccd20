import ConvexOptimization
import LinearAlgebra
import Testing

/// A dual bound is only as good as the +∞ of a conjugate off its domain: a finite value there proves too much.
@Suite("Domains of conjugates") struct ConjugateDomainTests {
  struct Domain: Sendable, CustomStringConvertible {
    var kind: LossKind
    var target: [Double]
    var inside: [[Double]]
    var outside: [[Double]]
    var description: String { "\(kind), y = \(target)" }
  }

  static let domains = [
    Domain(kind: .logistic, target: [1], inside: [[-1], [-0.5], [0]], outside: [[0.01], [-1.01]]),
    Domain(kind: .logistic, target: [-1], inside: [[1], [0.5], [0]], outside: [[-0.01], [1.01]]),
    Domain(kind: .hinge, target: [1], inside: [[-1], [-0.5], [0]], outside: [[0.01], [-1.01]]),
    Domain(kind: .hinge, target: [-1], inside: [[1], [0.5], [0]], outside: [[-0.01], [1.01]]),
    Domain(kind: .squaredHinge, target: [1], inside: [[-3], [0]], outside: [[0.01]]),
    Domain(kind: .squaredHinge, target: [-1], inside: [[3], [0]], outside: [[-0.01]]),
    Domain(kind: .huber, target: [2], inside: [[-1], [1]], outside: [[-1.01], [1.01]]),
    Domain(kind: .absolute, target: [2], inside: [[-1], [1]], outside: [[-1.01], [1.01]]),
    Domain(kind: .quantile, target: [2], inside: [[-0.5], [0.5]], outside: [[-0.51], [0.51]]),
    Domain(kind: .poisson, target: [2], inside: [[-2], [5]], outside: [[-2.01]]),
    Domain(kind: .squared, target: [2], inside: [[-9], [9]], outside: []),
    Domain(
      kind: .softmax, target: [1, 0, 0], inside: [[0, 0, 0], [-1, 0.5, 0.5], [-0.5, 0.5, 0]],
      outside: [[0.01, -0.01, 0], [-0.5, 0.25, 0.2], [-0.5, 0.3, 0.25], [0.2, 0.2, 0.2]]),
  ]

  private func conjugate<T: Scalar>(_ domain: Domain, _ a: [Double], weight: T) throws -> T {
    let loss = try makeLoss(
      domain.kind, targets: Matrix(rows: [domain.target.map { T($0) }]), weights: [weight])
    return loss.conjugateValue(at: Matrix(rows: [a.map { T($0) }]))
  }

  @Test("finite inside, +∞ outside", arguments: domains)
  func domain(domain: Domain) throws {
    for a in domain.inside {
      #expect(try conjugate(domain, a, weight: Double(1)).isFinite, "\(a)")
      #expect(try conjugate(domain, a, weight: Float(1)).isFinite, "\(a)")
    }
    for a in domain.outside {
      #expect(try conjugate(domain, a, weight: Double(1)) == .infinity, "\(a)")
      #expect(try conjugate(domain, a, weight: Float(1)) == .infinity, "\(a)")
    }
  }

  @Test("the domain grows with the weight, and is {0} for weight 0", arguments: domains)
  func weights(domain: Domain) throws {
    for a in domain.inside {
      #expect(try conjugate(domain, a.map { 2 * $0 }, weight: 2.0).isFinite, "\(a)")
      let isZero = a.allSatisfy { $0 == 0 }
      #expect(try conjugate(domain, a, weight: 0.0) == (isZero ? 0 : .infinity), "\(a)")
    }
    for a in domain.outside {
      #expect(try conjugate(domain, a.map { 2 * $0 }, weight: 2.0) == .infinity, "\(a)")
    }
  }
}
