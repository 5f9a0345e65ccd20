import LinearAlgebra

/// Anderson acceleration of a fixed-point iteration x ← G(x): the combination Σ c_i G(x_i), Σ c_i = 1, of the
/// last images whose residual Σ c_i (G(x_i) − x_i) is least (type II, with a little regularisation: Scieur,
/// d'Aspremont & Bach 2016). Cost mN a step and N memory for each of 2m matrices.
///
/// An extrapolation is a guess: `next` takes it only where it does not increase the objective.
public struct AndersonAcceleration<Element: Scalar>: Sendable {
  public let memory: Int
  /// Added to the diagonal of the normalised Gram matrix of residuals.
  public let regularisation: Double
  /// G(x_i) and G(x_i) − x_i of the past, the latest last.
  package private(set) var images: [Matrix<Element>] = []
  package private(set) var residuals: [Matrix<Element>] = []
  /// Inner products of the residuals.
  private var gram: [[Double]] = []

  /// - Parameters:
  ///   - memory: m ≥ 2 images combined; few are enough.
  ///   - regularisation: ≥ 0; larger values keep the combination nearer to the mean.
  public init(memory: Int = 5, regularisation: Double = 1e-10) throws(ParameterError) {
    guard memory >= 2 else {
      throw ParameterError("Anderson acceleration", "memory", Double(memory), allowed: "at least 2")
    }
    try ParameterError.checkNonnegative(regularisation, "regularisation", of: "Anderson acceleration")
    self.memory = memory
    self.regularisation = regularisation
  }

  /// Forgets the past, as after the map has changed.
  public mutating func restart() {
    images = []
    residuals = []
    gram = []
  }

  /// Takes up a past, as of a run that was stopped.
  package mutating func restore(images: [Matrix<Element>], residuals: [Matrix<Element>]) {
    precondition(images.count == residuals.count && images.count <= memory, "a past of another length")
    (self.images, self.residuals) = (images, residuals)
    gram = residuals.indices.map { i in
      residuals.indices.map { Double(residuals[min(i, $0)].inner(residuals[max(i, $0)])) }
    }
  }

  /// The point to go on from: the extrapolation where there is one and the objective there is at most that at
  /// the image G(x), otherwise the image, with the past forgotten.
  public mutating func next(
    after x: Matrix<Element>, image: Matrix<Element>, objective: (Matrix<Element>) -> Element
  ) -> Matrix<Element> {
    guard let guess = extrapolation(after: x, image: image) else { return image }
    if objective(guess) <= objective(image) { return guess }
    restart()
    return image
  }

  /// Takes in x and its image G(x); the extrapolated point, or nil while there is one image only or where the
  /// combination is not to be trusted.
  public mutating func extrapolation(
    after x: Matrix<Element>, image: Matrix<Element>
  ) -> Matrix<Element>? {
    record(x, image)
    guard images.count >= 2 else { return nil }
    guard let weights = combination() else {
      restart()
      return nil
    }
    var result = Matrix<Element>(image.rows, image.columns)
    for (weight, image) in zip(weights, images) { result.add(Element(weight), image) }
    return result
  }

  private mutating func record(_ x: Matrix<Element>, _ image: Matrix<Element>) {
    if images.count == memory {
      images.removeFirst()
      residuals.removeFirst()
      gram.removeFirst()
      for i in gram.indices { gram[i].removeFirst() }
    }
    var residual = image
    residual.add(-1, x)
    images.append(image)
    residuals.append(residual)
    let products = residuals.map { Double($0.inner(residual)) }
    for i in gram.indices { gram[i].append(products[i]) }
    gram.append(products)
  }

  /// c = z/Σz with (R + εI) z = 1, R the Gram matrix of residuals with mean diagonal 1; nil where R is singular
  /// or the weights are so large that rounding rules.
  private func combination() -> [Double]? {
    let m = gram.count
    let size = (0..<m).reduce(0) { $0 + gram[$1][$1] } / Double(m)
    guard size > 0, size.isFinite else { return nil }
    var factor = (0..<m).flatMap { i in
      (0..<m).map { gram[i][$0] / size + (i == $0 ? regularisation : 0) }
    }
    var z = [Double](repeating: 1, count: m)
    let info = factor.withMutablePointer { factor in
      let info = Double.potrf(m, factor, m)
      if info == 0 {
        z.withMutablePointer { z in
          Double.trsm(.no, m: m, n: 1, l: factor, ldl: m, b: z, ldb: 1)
          Double.trsm(.yes, m: m, n: 1, l: factor, ldl: m, b: z, ldb: 1)
        }
      }
      return info
    }
    let sum = z.reduce(0, +)
    let weights = z.map { $0 / sum }
    let total = weights.reduce(0) { $0 + abs($1) }
    return info == 0 && total.isFinite && total < 1e6 ? weights : nil
  }
}
