import ConvexOptimization
import LinearAlgebra
import Testing

/// Checks a cone's projection p of random x: p in K, x − p in the polar cone and orthogonal to p (which only
/// the projection has), idempotence, homogeneity, and no point of K nearer to x.
public func checkCone<K: Cone>(
  _ cone: K, rows: Int, columns: Int, seed: UInt64, symmetric: Bool = false, _ name: String = "\(K.self)"
) {
  typealias T = K.Element
  var random = SplitMix64(seed: seed)
  func draw() -> Matrix<T> {
    let x: Matrix<T> = random.matrix(rows, columns, scale: 2)
    return symmetric ? combine(0.5, x, 0.5, x.transposed) : x
  }
  let tolerance = 8 * Double(cone.projectionTolerance)
  for trial in 0..<20 {
    let label: Comment = "\(name), seed \(seed), trial \(trial)"
    let x = draw()
    var p = Matrix<T>(rows, columns, fill: .nan)
    #expect(cone.prox(of: x, step: 3, into: &p) == 0, label)
    let normal = combine(1, x, -1, p)
    let size = max(inner(x, x), 1e-30)
    #expect(Double(cone.distance(to: p)) <= tolerance * size.squareRoot(), label)
    if inner(p, p) > 1e-2 * size { #expect(cone.contains(p) && cone.value(at: p) == 0, label) }
    #expect(abs(inner(p, normal)) <= tolerance * size, label)
    #expect(Double(cone.projection(of: normal).frobeniusNorm) <= tolerance * size.squareRoot(), label)
    #expect(abs(Double(cone.distance(to: x)) - inner(normal, normal).squareRoot()) <= tolerance * size, label)
    let twice = cone.projection(of: combine(7, p, 0, p))
    #expect(distance(twice, combine(7, p, 0, p)) <= 7 * tolerance * size.squareRoot(), label)
    let other = cone.projection(of: draw())
    #expect(inner(normal, combine(1, other, -1, p)) <= tolerance * (size + inner(other, other)), label)
  }
  let zero = Matrix<T>(rows, columns)
  #expect(cone.projection(of: zero) == zero && cone.contains(zero), "\(name)")
}
