import LinearAlgebra

/// A named array of a model file: extents and values in row-major order.
public struct Tensor: Sendable, Equatable {
  /// Extents; an empty list is a single value.
  public let shape: [Int]
  public let values: Values

  /// The element types that model files hold.
  public enum Values: Sendable, Equatable {
    case float64([Double])
    case float32([Float])
    case uint8([UInt8])
    case int64([Int64])

    public var count: Int {
      switch self {
      case .float64(let values): values.count
      case .float32(let values): values.count
      case .uint8(let values): values.count
      case .int64(let values): values.count
      }
    }
  }

  /// The product of the extents must be the number of values.
  public init(shape: [Int], _ values: Values) {
    precondition(
      shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == values.count,
      "\(values.count) values for the shape \(shape)")
    self.shape = shape
    self.values = values
  }

  /// A matrix as a tensor of two extents.
  public init(_ matrix: Matrix<Double>) {
    self.init(shape: [matrix.rows, matrix.columns], .float64(matrix.storage))
  }

  /// The tensor as a matrix, where it is F64 with two extents.
  public var matrix: Matrix<Double>? {
    guard case .float64(let values) = values, shape.count == 2 else { return nil }
    return Matrix(shape[0], shape[1], storage: values)
  }

  /// Whether no value is NaN or infinite.
  public var isFinite: Bool {
    switch values {
    case .float64(let values): values.allSatisfy(\.isFinite)
    case .float32(let values): values.allSatisfy(\.isFinite)
    case .uint8, .int64: true
    }
  }
}

extension Tensor {
  /// A bit matrix as packed bytes of shape rows × ⌈columns / 8⌉: bit j of a row is bit j mod 8 of byte j / 8.
  public init(_ bits: BitMatrix) {
    let width = (bits.columns + 7) / 8
    var bytes = [UInt8]()
    bytes.reserveCapacity(bits.rows * width)
    for row in 0..<bits.rows {
      for byte in 0..<width {
        let word = bits.words[row * bits.wordsPerRow + byte >> 3]
        bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * (byte & 7))))
      }
    }
    self.init(shape: [bits.rows, width], .uint8(bytes))
  }

  /// The bit matrix with this many columns that was packed into the tensor; nil where the shape does not fit or
  /// a padding bit is set.
  public func bitMatrix(columns: Int) -> BitMatrix? {
    guard case .uint8(let bytes) = values, shape.count == 2, columns >= 0, shape[1] == (columns + 7) / 8
    else {
      return nil
    }
    var result = BitMatrix(shape[0], columns)
    let width = shape[1]
    for row in 0..<shape[0] {
      for byte in 0..<width {
        let value = bytes[row * width + byte]
        let used = min(8, columns - 8 * byte)
        guard used == 8 || value >> UInt8(used) == 0 else { return nil }
        result.words[row * result.wordsPerRow + byte >> 3] |= UInt64(value) << UInt64(8 * (byte & 7))
      }
    }
    return result
  }
}
