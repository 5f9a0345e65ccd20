import LinearAlgebra

/// A stage of a generator: pictures of one size from the noise and the stage before.
public struct GeneratorStage: Sendable, Equatable {
  /// Edge of the pictures.
  public let size: Int
  /// The mean picture, which was taken from the data.
  public let mean: [Double]
  /// r × size²: the pictures that the network's outputs are coordinates of.
  public let directions: Matrix<Double>
  /// From the coordinates of the stage before, divided by `scale`, and the noise: q inputs, r outputs.
  public let network: Network
  /// Of the coordinates of the stage before, so that they are as large as the noise; 1 in the first stage.
  public let scale: Double

  /// A = (C/scale, Z) for coordinates C of the stage before and noise Z.
  static func inputs(_ coordinates: Matrix<Double>?, _ noise: Matrix<Double>, scale: Double) -> Matrix<Double>
  {
    guard let coordinates else { return noise }
    let (a, k) = (coordinates.columns, noise.columns)
    var result = Matrix<Double>(noise.rows, a + k)
    for i in 0..<noise.rows {
      for j in 0..<a { result[i, j] = coordinates[i, j] / scale }
      for j in 0..<k { result[i, a + j] = noise[i, j] }
    }
    return result
  }

  /// Coordinates for noise: n × r.
  func coordinates(after earlier: Matrix<Double>?, _ noise: Matrix<Double>) -> Matrix<Double> {
    network.predict(Self.inputs(earlier, noise, scale: scale))
  }

  /// Pictures of coordinates: n × size², grey 0 to 1 where they stay in the range of the data.
  func pictures(_ coordinates: Matrix<Double>) -> Matrix<Double> {
    var result = matrixProduct(coordinates, directions)
    for i in 0..<result.rows { for j in 0..<result.columns { result[i, j] += mean[j] } }
    return result
  }
}

/// A generator that grows: each stage makes larger pictures from the noise and what the stage before made of it.
public struct ProgressiveGenerator: Sendable, Equatable {
  public let stages: [GeneratorStage]
  /// k.
  public let noiseDimensions: Int

  /// The pictures of every stage for noise Z: n × k, those of one stage n × size². Cost: 2n times the weights and directions of
  /// all stages.
  public func pictures(_ noise: Matrix<Double>) -> [Matrix<Double>] {
    precondition(
      noise.columns == noiseDimensions, "noise of \(noise.columns) dimensions, not \(noiseDimensions)")
    var coordinates: Matrix<Double>?
    return stages.map { stage in
      let own = stage.coordinates(after: coordinates, noise)
      coordinates = own
      return stage.pictures(own)
    }
  }

  /// Fresh noise, standard normal: n × k.
  public func noise(_ count: Int, seed: UInt64) -> Matrix<Double> {
    Philox(seed: seed, stream: 0x6672_6573_68).normalMatrix(count, noiseDimensions)
  }
}
