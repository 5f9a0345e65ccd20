import ConvexOptimization
import LinearAlgebra

/// What a layer does to its pre-activations u: a monotone map φ = ∇Φ*, entry by entry or row by row.
///
/// Each comes with its Fenchel divergence, which lifted models train with. As text it is the name, followed by a colon
/// and the parameter where there is one: `relu`, `leaky-relu:0.1`.
public struct Activation: Sendable, Hashable {
  /// The maps by their names in options and files.
  enum Form: String, CaseIterable {
    case relu, leakyReLU = "leaky-relu", sigmoid, tanh, softplus, hardTanh = "hard-tanh"
    case hardSigmoid = "hard-sigmoid", sign, sine, identity, softThreshold = "soft-threshold", simplex,
      softmax
  }

  let form: Form
  /// α of leaky ReLU, λ of soft thresholding; 0 for the others.
  let parameter: Double

  private init(_ form: Form, _ parameter: Double = 0) { (self.form, self.parameter) = (form, parameter) }

  /// max(u, 0).
  public static let relu = Activation(.relu)
  /// 1/(1 + e⁻ᵘ).
  public static let sigmoid = Activation(.sigmoid)
  /// tanh u.
  public static let tanh = Activation(.tanh)
  /// log(1 + eᵘ).
  public static let softplus = Activation(.softplus)
  /// min(max(u, −1), 1).
  public static let hardTanh = Activation(.hardTanh)
  /// min(max(u, 0), 1).
  public static let hardSigmoid = Activation(.hardSigmoid)
  /// −1, 0 or 1.
  public static let sign = Activation(.sign)
  /// sin u on [−π/2, π/2], ±1 beyond.
  public static let sine = Activation(.sine)
  /// u.
  public static let identity = Activation(.identity)
  /// The nearest point of the probability simplex, row by row.
  public static let simplex = Activation(.simplex)
  /// eᵘ/Σeᵘ, row by row.
  public static let softmax = Activation(.softmax)

  /// max(αu, u).
  ///
  /// - Throws: `ParameterError` unless 0 < α < 1.
  public static func leakyReLU(alpha α: Double = 0.01) throws(ParameterError) -> Activation {
    _ = try LeakyReLUDivergence<Double>(alpha: α)
    return Activation(.leakyReLU, α)
  }

  /// sign(u)(|u| − λ)₊.
  ///
  /// - Throws: `ParameterError` unless λ is a finite number of at least 0.
  public static func softThreshold(_ λ: Double) throws(ParameterError) -> Activation {
    _ = try SoftThresholdDivergence<Double>(λ)
    return Activation(.softThreshold, λ)
  }

  /// The names of all activations.
  public static var names: [String] { Form.allCases.map(\.rawValue) }

  /// The activation of this name with its parameter, or the usual one where none is given.
  ///
  /// - Throws: `ActivationError` for a name that is none; `ParameterError` for a parameter out of its range.
  public init(name: String, parameter: Double? = nil) throws {
    guard let form = Form(rawValue: name) else { throw ActivationError.unknown(name) }
    switch form {
    case .leakyReLU: self = try .leakyReLU(alpha: parameter ?? 0.01)
    case .softThreshold: self = try .softThreshold(parameter ?? 0.1)
    default:
      guard parameter == nil else { throw ActivationError.noParameter(name) }
      self.init(form)
    }
  }

  /// The name without the parameter.
  public var name: String { form.rawValue }

  /// Whether the map has a parameter.
  var hasParameter: Bool { form == .leakyReLU || form == .softThreshold }

  /// The Fenchel divergence B of the activation, B(φ(u), u) = 0.
  public func divergence<Element: Scalar>(_: Element.Type) -> any ActivationDivergence<Element> {
    switch form {
    case .relu: IntervalDivergence.relu
    case .hardTanh: IntervalDivergence.hardTanh
    case .hardSigmoid: IntervalDivergence.hardSigmoid
    case .identity: IntervalDivergence.identity
    case .leakyReLU: LeakyReLUDivergence(validated: Element(parameter))
    case .softThreshold: SoftThresholdDivergence(validated: Element(parameter))
    case .sigmoid: SigmoidDivergence()
    case .tanh: TanhDivergence()
    case .softplus: SoftplusDivergence()
    case .sign: SignDivergence()
    case .sine: SineDivergence()
    case .simplex: SimplexDivergence()
    case .softmax: SoftmaxDivergence()
    }
  }
}

extension Activation: LosslessStringConvertible, Codable {
  public var description: String { hasParameter ? "\(name):\(parameter)" : name }

  public init?(_ description: String) {
    let parts = description.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var parameter: Double?
    if parts.count == 2 {
      guard let value = Double(parts[1]) else { return nil }
      parameter = value
    }
    guard let known = try? Activation(name: String(parts[0]), parameter: parameter) else { return nil }
    self = known
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let activation = Activation(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no activation")
    }
    self = activation
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

extension Activation: LayerContent {
  public var kind: String { name }
  public var inputs: Int? { nil }
  public var outputs: Int? { nil }
  public var parameters: Int { 0 }
  public var attributes: [String: Int] { [:] }
  public var tensors: [String: Tensor] {
    hasParameter ? ["parameter": Tensor(shape: [1], .float64([parameter]))] : [:]
  }

  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    var result = x
    divergence(Double.self).map(&result)
    return result
  }

  /// The activation of a kind of layer in a file, nil where the kind is another.
  init?(kind: String, from parts: LayerParts) throws {
    guard let form = Form(rawValue: kind) else { return nil }
    let isBare = Activation(form).hasParameter == false
    let parameter = isBare ? nil : try parts.doubles("parameter", extents: 1).values.first
    do {
      try self.init(name: kind, parameter: parameter)
    } catch { throw NetworkError.shape(parts.index, "\(error)") }
  }
}

/// Why a text names no activation.
public enum ActivationError: Error, CustomStringConvertible, Sendable, Equatable {
  case unknown(String)
  case noParameter(String)

  public var description: String {
    switch self {
    case .unknown(let name):
      "\(name) is no activation; take one of \(Activation.names.joined(separator: ", "))"
    case .noParameter(let name): "the activation \(name) has no parameter"
    }
  }
}
