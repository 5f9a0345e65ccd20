import LinearAlgebra

/// One layer of a `Network`.
///
/// A new kind of layer is a struct of its own that conforms to `LayerContent`, a case here, and a line in
/// `content` and in `Layer.read`; prediction, counting and saving go through `LayerContent` and stay as they are.
public enum Layer: Sendable, Equatable {
  /// x ↦ xᵀW + b.
  case dense(Dense)
  /// x ↦ φ(x).
  case activation(Activation)
  /// x ↦ Σ_i 1[xᵀg_i > 0] xᵀw_{i,j}.
  case gated(Gated)
  /// Images ↦ the outputs of a gated layer, pooled over their patches.
  case gatedConvolution(GatedConvolution)
  /// Images ↦ their convolution with filters.
  case convolution(ConvolutionLayer)
  /// Images ↦ averages over squares of their pixels.
  case averages(AveragePooling)
  /// Images ↦ sums or averages of their channels.
  case pooling(GlobalPooling)
  /// x ↦ a x² + b x + c, entry by entry.
  case polynomial(Polynomial)

  /// The layer behind the case.
  public var content: any LayerContent {
    switch self {
    case .dense(let layer): layer
    case .activation(let activation): activation
    case .gated(let layer): layer
    case .gatedConvolution(let layer): layer
    case .convolution(let layer): layer
    case .averages(let layer): layer
    case .pooling(let layer): layer
    case .polynomial(let activation): activation
    }
  }

  /// Rebuilds a layer from what `LayerContent.attributes` and `tensors` gave.
  ///
  /// - Throws: `NetworkError` where an attribute or a tensor is missing or has the wrong shape.
  package static func read(kind: String, from parts: LayerParts) throws -> Layer {
    switch kind {
    case Dense.kind: .dense(try Dense(from: parts))
    case Gated.kind: .gated(try Gated(from: parts))
    case GatedConvolution.kind: .gatedConvolution(try GatedConvolution(from: parts))
    case ConvolutionLayer.kind: .convolution(try ConvolutionLayer(from: parts))
    case AveragePooling.kind: .averages(try AveragePooling(from: parts))
    case GlobalPooling.kind: .pooling(try GlobalPooling(from: parts))
    case Polynomial.kind: .polynomial(try Polynomial(from: parts))
    default:
      if let activation = try Activation(kind: kind, from: parts) {
        .activation(activation)
      } else {
        throw NetworkError.unknownLayer(parts.index, kind: kind)
      }
    }
  }

  /// x ↦ max(x, 0), entry by entry.
  public static let relu = Layer.activation(.relu)
}

/// What every kind of layer can do: say its widths, map rows, and be taken apart for a file.
public protocol LayerContent: Sendable {
  /// Name in model files, such as `dense`.
  var kind: String { get }
  /// Width of the rows that go in, nil where any width does.
  var inputs: Int? { get }
  /// Width of the rows that come out.
  var outputs: Int? { get }
  /// Weights, biases and gates of the layer, all together.
  var parameters: Int { get }
  /// The layer applied to each row of X, on the calling thread.
  func apply(to x: Matrix<Double>) -> Matrix<Double>
  /// Small integers that a file keeps beside the tensors.
  var attributes: [String: Int] { get }
  /// Arrays that a file keeps, by name.
  var tensors: [String: Tensor] { get }
}

/// The attributes and tensors of one layer, on the way from a file.
package struct LayerParts {
  package var index: Int
  package var attributes: [String: Int]
  package var tensors: [String: Tensor]

  package init(index: Int, attributes: [String: Int], tensors: [String: Tensor]) {
    (self.index, self.attributes, self.tensors) = (index, attributes, tensors)
  }

  func attribute(_ name: String) throws -> Int {
    guard let value = attributes[name] else { throw NetworkError.missing(index, name) }
    return value
  }

  /// The Double tensor of this name, which must have as many extents as asked.
  func doubles(_ name: String, extents: Int) throws -> (shape: [Int], values: [Double]) {
    guard let tensor = tensors[name] else { throw NetworkError.missing(index, name) }
    guard case .float64(let values) = tensor.values, tensor.shape.count == extents else {
      throw NetworkError.shape(index, "tensor \(name) must be F64 with \(extents) extents")
    }
    return (tensor.shape, values)
  }
}
