import LinearAlgebra

/// A trained network as a plain value: its layers in order. It knows nothing of how it was trained.
public struct Network: Sendable, Equatable {
  public let layers: [Layer]
  /// Width of the rows that go in.
  public let inputs: Int
  /// Width of the rows that come out.
  public let outputs: Int

  /// - Throws: `NetworkError` where there is no layer, two neighbours do not fit, the width of the input is
  ///   nowhere said, or a weight is NaN or infinite.
  public init(layers: [Layer]) throws {
    guard !layers.isEmpty else { throw NetworkError.empty }
    var first: Int?
    var width: Int?
    for (index, layer) in layers.enumerated() {
      let content = layer.content
      if let inputs = content.inputs {
        if let width, width != inputs {
          throw NetworkError.shape(index, "takes \(inputs) inputs, the layer before gives \(width)")
        }
        if first == nil { first = inputs }
        width = inputs
      }
      width = content.outputs ?? width
      for (name, tensor) in content.tensors where !tensor.isFinite {
        throw NetworkError.notFinite(index, name)
      }
    }
    guard let first, let width else { throw NetworkError.shape(0, "no layer says how wide the input is") }
    self.layers = layers
    inputs = first
    outputs = width
  }

  /// The two-layer ReLU network f(x) = (xᵀW₁ + b₁)₊ W₂ + b₂.
  public init(hidden: Dense, output: Dense) throws {
    try self.init(layers: [.dense(hidden), .relu, .dense(output)])
  }

  /// The networks that programs of two layers speak of.
  enum TwoLayerForm {
    case relu(hidden: Dense, output: Dense)
    case gated(Gated)
    case polynomial(hidden: Dense, activation: Polynomial, output: Dense)
  }

  /// The network as one of two layers, or nil.
  var twoLayerForm: TwoLayerForm? {
    if layers.count == 1, case .gated(let gated) = layers[0] { return .gated(gated) }
    guard layers.count == 3, case .dense(let hidden) = layers[0], case .dense(let output) = layers[2] else {
      return nil
    }
    switch layers[1] {
    case .relu: return .relu(hidden: hidden, output: output)
    case .polynomial(let activation):
      return .polynomial(hidden: hidden, activation: activation, output: output)
    case .activation, .dense, .gated, .gatedConvolution, .convolution, .averages, .pooling: return nil
    }
  }

  /// Hidden neurons: the widths that an activation acts on, plus the non-zero vectors of gated layers.
  public var neurons: Int {
    var total = 0
    var width = inputs
    for layer in layers {
      switch layer {
      case .activation, .polynomial: total += width
      case .gated(let gated): total += gated.activeVectors
      case .gatedConvolution(let layer): total += layer.gated.activeVectors
      case .dense, .convolution, .averages, .pooling: break
      }
      width = layer.content.outputs ?? width
    }
    return total
  }

  /// Weights, biases and gates, all together.
  public var parameters: Int { layers.reduce(0) { $0 + $1.content.parameters } }

  /// f(X): n × outputs for X: n × inputs. The columns of X must be as many as `inputs`.
  ///
  /// Rows are cut into tiles whose size depends on the network only, so the bits do not depend on the number of
  /// threads. Cost: 2n times the number of weights; memory: one tile of the widest layer per thread.
  public func predict(_ x: Matrix<Double>) -> Matrix<Double> {
    precondition(x.columns == inputs, "X has \(x.columns) columns, the network takes \(inputs)")
    var result = Matrix<Double>(x.rows, outputs)
    let (size, d, c) = (tileSize, inputs, outputs)
    result.withMutablePointer { result in
      let shared = SendablePointer(result)
      Parallel.forEach(tiles: Parallel.tiles(of: size, covering: x.rows)) { index in
        let range = Parallel.range(ofTile: index, size: size, count: x.rows)
        var tile = Matrix(
          range.count, d, storage: Array(x.storage[range.lowerBound * d..<range.upperBound * d]))
        for layer in layers { tile = layer.content.apply(to: tile) }
        tile.withPointer {
          (shared.pointer + range.lowerBound * c).update(from: $0, count: tile.count)
        }
      }
    }
    return result
  }

  /// Rows in a tile: about four million entries of the widest layer, between 16 and 1024 rows.
  var tileSize: Int {
    var widest = max(inputs, outputs)
    for layer in layers {
      switch layer {
      case .gated(let gated): widest = max(widest, gated.weights.rows)
      case .dense, .activation, .gatedConvolution, .convolution, .averages, .pooling, .polynomial:
        widest = max(widest, layer.content.outputs ?? 0)
      }
    }
    return min(1024, max(16, (1 << 22) / max(widest, 1)))
  }
}

/// A pointer that tiles may write through, each to rows of its own.
private struct SendablePointer: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<Double>
  init(_ pointer: UnsafeMutablePointer<Double>) { self.pointer = pointer }
}

/// What is wrong with the layers of a network. Layers are counted from 0.
public enum NetworkError: Error, CustomStringConvertible, Sendable, Equatable {
  case empty
  case shape(Int, String)
  case notFinite(Int, String)
  case missing(Int, String)
  case unknownLayer(Int, kind: String)

  public var description: String {
    switch self {
    case .empty: "the network has no layers; give at least one"
    case .shape(let layer, let what): "layer \(layer): \(what)"
    case .notFinite(let layer, let tensor): "layer \(layer): \(tensor) holds NaN or an infinity"
    case .missing(let layer, let name): "layer \(layer): \(name) is missing"
    case .unknownLayer(let layer, let kind):
      "layer \(layer): kind \(kind) is unknown to this version; a newer one may read it"
    }
  }
}
