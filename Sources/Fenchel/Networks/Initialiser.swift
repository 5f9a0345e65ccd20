import LinearAlgebra

/// How the weights of a network begin, drawn from the seed: layer l is stream l, so a wider or deeper network begins
/// with other numbers and a longer training with the same. Table 1 of Askari, Negiar, Sambharya & El Ghaoui (2018)
/// compares the last four.
public enum Initialiser: String, Codable, Sendable, CaseIterable {
  /// w ~ N(0, 0.01²).
  case normal
  /// w ~ N(0, 0.1).
  case wideNormal = "wide-normal"
  /// w uniform on ±√(6/(d_l + d_{l+1})) (Glorot & Bengio 2010).
  case xavier
  /// w ~ N(0, 2/d_l) (He et al. 2015).
  case varianceScaling = "variance-scaling"
  /// What a lifted model with squared distances comes to in a few sweeps over the data, begun with Xavier's weights; as
  /// a draw, these.
  case lifted

  /// Sweeps over the blocks of a lifted model that make its weights a start for another method.
  static var liftedSweeps: Int { 5 }

  /// Weights for the widths d_0, …, d_{L+1}, with every bias at the given value.
  ///
  /// - Throws: `FeedForwardError` for a width below 1, or not one activation a hidden layer.
  public func feedForward<Element: Scalar>(
    widths: [Int], activations: [Activation], hasBias: Bool = true, bias: Double = 0, seed: UInt64,
    _: Element.Type = Element.self
  ) throws -> FeedForward<Element> {
    for l in 0..<max(widths.count - 1, 0) where widths[l] <= 0 || widths[l + 1] <= 0 {
      throw FeedForwardError.width(layer: l)
    }
    let layers = zip(widths, widths.dropFirst()).map { LayerShape(map: .dense, rows: $0, columns: $1) }
    return try feedForward(layers, activations: activations, hasBias: hasBias, bias: bias, seed: seed)
  }

  /// The same for layers of any kind. A convolution has as many inputs as its kernel has weights, and as many outputs as
  /// see an input.
  func feedForward<Element: Scalar>(
    _ layers: [LayerShape], activations: [Activation], hasBias: Bool, bias: Double, seed: UInt64,
    _: Element.Type = Element.self
  ) throws -> FeedForward<Element> {
    var weights: [Matrix<Element>] = []
    for (l, layer) in layers.enumerated() {
      var w = draw(layer, Philox(seed: seed, stream: UInt64(l)), Element.self)
      if hasBias {
        w = Matrix(
          w.rows + 1, w.columns,
          storage: w.storage + [Element](repeating: Element(bias), count: w.columns))
      }
      weights.append(w)
    }
    return try FeedForward(
      weights: weights, maps: layers.map(\.map), activations: activations, hasBias: hasBias)
  }

  private func draw<Element: Scalar>(
    _ layer: LayerShape, _ random: Philox, _: Element.Type
  ) -> Matrix<Element> {
    var w: Matrix<Element>
    let (rows, columns, fans) = (layer.rows, layer.columns, layer.fans)
    switch self {
    case .normal, .wideNormal:
      w = random.normalMatrix(rows, columns)
      w.scale(by: self == .normal ? 0.01 : Element(0.1.squareRoot()))
    case .xavier, .lifted:
      w = random.uniformMatrix(rows, columns)
      let half = Matrix<Element>(rows, columns, fill: 0.5)
      w.add(-1, half)
      w.scale(by: Element(2 * (6 / Double(fans.in + fans.out)).squareRoot()))
    case .varianceScaling:
      w = random.normalMatrix(rows, columns)
      w.scale(by: Element((2 / Double(fans.in)).squareRoot()))
    }
    return w
  }
}
