import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Cones") struct ConeTests {
  @Test("projections", arguments: 0..<4)
  func projections(seed: Int) {
    check(Double.self, UInt64(seed))
    check(Float.self, UInt64(seed))
  }

  private func check<T: Scalar>(_: T.Type, _ seed: UInt64) {
    checkCone(NonnegativeOrthant<T>(), rows: 4, columns: 3, seed: seed)
    checkCone(SecondOrderCone<T>(), rows: 5, columns: 4, seed: seed)
    checkCone(SecondOrderCone<T>(), rows: 3, columns: 1, seed: seed)
    checkCone(SemidefiniteCone<T>(), rows: 5, columns: 5, seed: seed, symmetric: true)
    for order in [1, 2, 5] {
      checkCone(SemidefiniteSlice<T>(), rows: order, columns: order, seed: seed, symmetric: true)
    }
    var random = SplitMix64(seed: seed &+ 100)
    for rows in [1, 3, 12] {
      checkCone(PolyhedralCone<T>(random.matrix(rows, 4)), rows: 2, columns: 4, seed: seed)
    }
  }

  @Test("known projections")
  func known() {
    let cone = SecondOrderCone<Double>()
    #expect(cone.projection(of: Matrix(rows: [[0, 3, 4]])) == Matrix(rows: [[2.5, 1.5, 2]]))
    #expect(
      cone.projection(of: Matrix(rows: [[-5, 3, 4], [6, 3, 4]])) == Matrix(rows: [[0, 0, 0], [6, 3, 4]]))
    #expect(cone.conjugateValue(at: Matrix(rows: [[-5, 3, 4]])) == 0)
    #expect(cone.conjugateValue(at: Matrix(rows: [[-4, 3, 4]])) == .infinity)
    let p = SemidefiniteCone<Double>().projection(of: Matrix(rows: [[0, 2], [2, 0]]))
    #expect(distance(p, Matrix(rows: [[1.0, 1], [1, 1]])) < 1e-14)
    #expect(SemidefiniteCone<Double>().projection(of: Matrix(rows: [[.nan]])).storage[0].isNaN)
    // What a neuron adds, (v, ‖v‖)(v, ‖v‖)ᵀ, stays; ν = −½ moves half of the other one up.
    let slice = SemidefiniteSlice<Double>()
    let neuron = Matrix<Double>(rows: [[9, 12, 15], [12, 16, 20], [15, 20, 25]])
    #expect(distance(slice.projection(of: neuron), neuron) < 1e-13)
    let half = slice.projection(of: Matrix(rows: [[0, 0], [0, 1]]))
    #expect(distance(half, Matrix(rows: [[0.5, 0], [0, 0.5]])) < 1e-14)
    var other = neuron
    #expect(abs(slice.project(Matrix(rows: [[0, 0], [0, 1]]), into: &other, multiplier: 7) + 0.5) < 1e-14)
    #expect(slice.projection(of: Matrix(rows: [[.nan]])).storage[0].isNaN)
    let wedge = PolyhedralCone<Double>(Matrix(rows: [[0, 1], [1, -1]]))
    #expect(distance(wedge.projection(of: Matrix(rows: [[1, -1]])), Matrix(rows: [[1.0, 0]])) < 1e-15)
    #expect(
      wedge.value(at: Matrix(rows: [[2, 1]])) == 0 && wedge.value(at: Matrix(rows: [[1, 2]])) == .infinity)
  }
}
