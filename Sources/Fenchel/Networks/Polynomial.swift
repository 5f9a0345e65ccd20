import LinearAlgebra

/// The polynomial activation σ(t) = a t² + b t + c, entry by entry. a = 0.09, b = 0.5, c = 0.47 is near ReLU on [−5, 5]
/// (Bartan & Pilanci 2021); a = 1, b = c = 0 is the quadratic one.
///
/// Not an `Activation`: these are monotone, as a Fenchel divergence needs it.
public struct Polynomial: LayerContent, Hashable, Codable {
  static let kind = "polynomial"
  public var kind: String { Self.kind }
  public let a: Double
  public let b: Double
  public let c: Double

  /// - Throws: `PolynomialError` where a coefficient is NaN, infinite or beyond 1e6 in magnitude, or all are below 1e-6.
  public init(a: Double, b: Double, c: Double) throws(PolynomialError) {
    guard [a, b, c].allSatisfy({ abs($0) <= 1e6 }), [a, b, c].contains(where: { abs($0) >= 1e-6 }) else {
      throw PolynomialError(coefficients: [a, b, c])
    }
    self.init(validated: a, b, c)
  }

  private init(validated a: Double, _ b: Double, _ c: Double) { (self.a, self.b, self.c) = (a, b, c) }

  /// t².
  public static let quadratic = Polynomial(validated: 1, 0, 0)
  /// Near ReLU on [−5, 5].
  public static let nearReLU = Polynomial(validated: 0.09, 0.5, 0.47)

  /// σ(t).
  public func callAsFunction(_ t: Double) -> Double { (a * t + b) * t + c }

  public var inputs: Int? { nil }
  public var outputs: Int? { nil }
  public var parameters: Int { 0 }
  public var attributes: [String: Int] { [:] }
  public var tensors: [String: Tensor] { ["coefficients": Tensor(shape: [3], .float64([a, b, c]))] }

  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    var result = x
    let count = result.count
    result.withMutablePointer { entries in for i in 0..<count { entries[i] = self(entries[i]) } }
    return result
  }

  init(from parts: LayerParts) throws {
    let values = try parts.doubles("coefficients", extents: 1).values
    guard values.count == 3, let known = try? Polynomial(a: values[0], b: values[1], c: values[2]) else {
      throw NetworkError.shape(parts.index, "the coefficients are no three numbers of a polynomial")
    }
    self = known
  }
}

/// Coefficients that make no activation.
public struct PolynomialError: Error, CustomStringConvertible, Sendable, Equatable {
  public var coefficients: [Double]

  public var description: String {
    "\(coefficients.map { "\($0)" }.joined(separator: ", ")) are no coefficients a, b, c of an activation a t² + b t + c: "
      + "give three numbers between -1e6 and 1e6, one of them 1e-6 or more in magnitude"
  }
}
