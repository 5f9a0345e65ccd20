import Fenchel
import LinearAlgebra

/// Gradient descent–ascent on the game of a linear generator with the weights W: k × d against a discriminator with the
/// quadratic activation, D(x) = Σ_j s_j (xᵀa_j)² with s_j = ±1, whose weights cost β:
///
///     min_W max_A  ‖W‖_F² + Σ_j s_j (‖X a_j‖² − ‖W a_j‖²) − β Σ_j ‖a_j‖²,
///
/// the noise being white, so that the generator's pictures have the second moments WᵀW. The value of the inner problem is that
/// of the constraint ‖XᵀX − WᵀW‖₂ ≤ β: 0 where it holds, and ∞. All is divided by σ_max(X)².
package struct GameDescent: DescentModel {
  /// XᵀX and (XᵀX − βI)₊, divided by σ_max².
  private let moments: Matrix<Double>
  private let optimum: Matrix<Double>
  private let β: Double
  /// W.
  package private(set) var generator: Matrix<Double>
  /// a_j, one a row; s_j is 1 for even j.
  package private(set) var discriminator: Matrix<Double>

  let samples = 1

  /// - Parameters:
  ///   - x: X: n × d.
  ///   - generator: W: k × d, of X divided by σ_max.
  ///   - discriminator: the a_j as rows.
  package init(
    _ x: Matrix<Double>, _ game: QuadraticWassersteinGame, generator: Matrix<Double>,
    discriminator: Matrix<Double>
  ) {
    func scaled(_ m: Matrix<Double>) -> Matrix<Double> {
      var m = m
      m.scale(by: 1 / game.largest)
      return m
    }
    moments = scaled(gramMatrix(x, .yes))
    optimum = scaled(gramMatrix(game.output, .yes))
    β = game.β / game.largest
    (self.generator, self.discriminator) = (generator, discriminator)
  }

  /// Small random weights: W as large as the optimum needs, four neurons of the discriminator for each of its directions.
  init(_ x: Matrix<Double>, _ game: QuadraticWassersteinGame, seed: UInt64) {
    func drawn(_ rows: Int, _ stream: UInt64) -> Matrix<Double> {
      var m: Matrix<Double> = Philox(seed: seed, stream: stream).normalMatrix(rows, x.columns)
      m.scale(by: 0.1 / Double(x.columns).squareRoot())
      return m
    }
    self.init(x, game, generator: drawn(game.rank, 31), discriminator: drawn(4 * game.rank, 32))
  }

  /// ‖WᵀW − (XᵀX − βI)₊‖_F / ‖(XᵀX − βI)₊‖_F, what is left to the one optimum.
  package var objective: Double {
    let distance = difference(gramMatrix(generator, .yes), optimum).frobeniusNorm
    return distance.isFinite ? distance / optimum.frobeniusNorm : .infinity
  }

  /// σ²/σ_max² of the generator's pictures, largest first.
  package var spectrum: [Double] { get throws { try SVD(generator).values.map { $0 * $0 } } }

  /// One step of the discriminator up its slope, then one of the generator down its own.
  package mutating func step(on batch: ArraySlice<Int>, rate: Double) {
    let gap = difference(moments, gramMatrix(generator, .yes))
    let seen = matrixProduct(discriminator, gap)
    for j in 0..<discriminator.rows {
      let sign = j % 2 == 0 ? 1.0 : -1.0
      for i in 0..<discriminator.columns {
        discriminator[j, i] += 2 * rate * (sign * seen[j, i] - β * discriminator[j, i])
      }
    }
    // W M with M = Σ s_j a_j a_jᵀ.
    var judged = matrixProduct(generator, .no, discriminator, .yes)
    for i in 0..<judged.rows { for j in 0..<judged.columns where j % 2 == 1 { judged[i, j] = -judged[i, j] } }
    let pull = matrixProduct(judged, discriminator)
    for i in 0..<generator.count {
      generator.storage[i] -= 2 * rate * (generator.storage[i] - pull.storage[i])
    }
  }

  private func difference(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Matrix<Double> {
    var result = a
    for i in 0..<result.count { result.storage[i] -= b.storage[i] }
    return result
  }
}
