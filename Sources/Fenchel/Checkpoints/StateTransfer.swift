import LinearAlgebra

/// A training, or a part of one, whose state can be written down and taken up again, so that it goes on bit for bit.
public protocol Resumable {
  /// Names every number that the steps to come depend on, unless it follows from the data and the settings. The one list
  /// serves both directions: numbers are written down, or replaced by those written down before.
  ///
  /// - Throws: `StateError` where a number that is asked for is missing, or of another shape.
  mutating func transfer(_ state: inout StateTransfer) throws
}

/// The numbers of a training on their way into a checkpoint or out of one, each a tensor with a name.
///
/// What is restored must have the shapes that the training has already: a training is first made anew from data and
/// settings, and then takes up the numbers. Bits are kept, NaN and infinities too. Nothing is copied before it is changed.
public struct StateTransfer {
  /// All that was written down, or is to be taken up.
  public private(set) var tensors: [String: Tensor]
  /// Whether values are replaced by those written down.
  public let isRestoring: Bool
  private var prefix = ""
  private var taken: Set<String> = []

  /// Writes values down.
  public init() { (tensors, isRestoring) = ([:], false) }

  /// Takes up what was written down.
  public init(restoring tensors: [String: Tensor]) { (self.tensors, isRestoring) = (tensors, true) }

  /// - Throws: `StateError` where a tensor was left behind.
  public func finish() throws {
    guard isRestoring, let name = tensors.keys.filter({ !taken.contains($0) }).min() else { return }
    throw StateError("\(name) belongs to no such training")
  }

  /// A part whose names begin with `name.`.
  public mutating func carry(_ name: String, _ part: inout some Resumable) throws {
    try within(name) { try part.transfer(&$0) }
  }

  /// Numbers whose names begin with `name.`.
  public mutating func within(_ name: String, _ body: (inout StateTransfer) throws -> Void) throws {
    let outer = prefix
    prefix += name + "."
    defer { prefix = outer }
    try body(&self)
  }

  public mutating func carry(_ name: String, _ value: inout Double) throws {
    guard case .float64(let values) = try exchange(name, [], .float64([value])) else { return }
    value = values[0]
  }

  /// A natural number below 2⁴⁸.
  public mutating func carry(_ name: String, _ value: inout Int) throws {
    guard case .int64(let values) = try exchange(name, [], .int64([Int64(value)])) else { return }
    guard (0..<1 << 48).contains(values[0]) else { throw StateError("\(prefix)\(name) is \(values[0])") }
    value = Int(values[0])
  }

  public mutating func carry(_ name: String, _ value: inout Bool) throws {
    var number = value ? 1 : 0
    try carry(name, &number)
    guard number == 0 || number == 1 else { throw StateError("\(prefix)\(name) is \(number), not 0 or 1") }
    value = number == 1
  }

  /// As many numbers as there are, or where `isAnyCount` any number of them.
  public mutating func carry<Element: Scalar>(
    _ name: String, _ values: inout [Element], isAnyCount: Bool = false
  ) throws {
    let shape = isAnyCount && isRestoring ? nil : [values.count]
    if let restored = try exchange(name, shape, .init(values)) { values = restored.scalars() }
  }

  public mutating func carry<Element: Scalar>(_ name: String, _ matrix: inout Matrix<Element>) throws {
    let (rows, columns) = (matrix.rows, matrix.columns)
    guard let restored = try exchange(name, [rows, columns], .init(matrix.storage)) else { return }
    matrix = Matrix(rows, columns, storage: restored.scalars())
  }

  /// Matrices `name.0`, `name.1`, …, as many as there are.
  public mutating func carry<Element: Scalar>(_ name: String, _ matrices: inout [Matrix<Element>]) throws {
    try within(name) { state in
      for index in matrices.indices { try state.carry(String(index), &matrices[index]) }
    }
  }

  /// A value that may be absent; `blank` is one of its shape.
  public mutating func carry<Value>(
    _ name: String, optional value: inout Value?, blank: @autoclosure () -> Value,
    _ body: (inout StateTransfer, inout Value) throws -> Void
  ) throws {
    var isThere = value != nil
    try carry(name + ".is-there", &isThere)
    guard isThere else {
      value = nil
      return
    }
    var content = value ?? blank()
    try within(name) { try body(&$0, &content) }
    value = content
  }

  /// Writes values down and returns nil, or returns what was written down under the name, of the same type and, unless
  /// that is nil, of the shape.
  private mutating func exchange(
    _ name: String, _ shape: [Int]?, _ values: @autoclosure () -> Tensor.Values
  ) throws -> Tensor.Values? {
    let name = prefix + name
    guard isRestoring else {
      precondition(tensors[name] == nil, "two numbers of a state have the name \(name)")
      let values = values()
      tensors[name] = Tensor(shape: shape ?? [values.count], values)
      return nil
    }
    guard let tensor = tensors[name] else { throw StateError("\(name) is missing") }
    guard tensor.values.dataType == values().dataType, shape ?? tensor.shape == tensor.shape else {
      throw StateError(
        "\(name) holds \(tensor.shape) \(tensor.values.dataType), not \(shape ?? []) \(values().dataType)")
    }
    taken.insert(name)
    return tensor.values
  }
}

/// Why the numbers of a checkpoint cannot be those of a training.
public struct StateError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String
  init(_ description: String) { self.description = description }
}

extension Tensor.Values {
  /// The numbers in their own precision.
  fileprivate init<Element: Scalar>(_ values: [Element]) {
    // By the type: an array without elements is one of any.
    if Element.self == Double.self {
      self = .float64(values as? [Double] ?? [])
    } else {
      self = .float32(values as? [Float] ?? [])
    }
  }

  /// The numbers as those of the precision that they were made from.
  fileprivate func scalars<Element: Scalar>() -> [Element] {
    switch self {
    case .float64(let values): values as? [Element] ?? values.map { Element($0) }
    case .float32(let values): values as? [Element] ?? values.map { Element($0) }
    case .int64, .uint8: []
    }
  }
}
