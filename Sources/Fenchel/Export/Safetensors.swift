import CZlib

/// A safetensors file: named tensors and a dictionary of strings.
///
/// Layout: 8 bytes of header length (little-endian), the header as JSON, the tensors end to end. Every byte
/// belongs to the header or to exactly one tensor; anything else is refused. The metadata key `checksum` holds
/// the CRC-32 of all names, shapes, metadata and values, so that damage anywhere is found on reading.
public struct Safetensors: Sendable, Equatable {
  /// Strings kept beside the tensors (`__metadata__`), without the checksum.
  public var metadata: [String: String]
  public var tensors: [String: Tensor]

  public init(metadata: [String: String] = [:], tensors: [String: Tensor] = [:]) {
    self.metadata = metadata
    self.tensors = tensors
  }

  static let metadataKey = "__metadata__"
  static let checksumKey = "checksum"

  /// The file as bytes. Widest element types come first and the header is padded to 8 bytes, so that every
  /// tensor is aligned; equal contents give equal bytes.
  public func encoded() -> [UInt8] {
    let names = tensors.keys.sorted { first, second in
      let (a, b) = (tensors[first]?.values.elementSize ?? 0, tensors[second]?.values.elementSize ?? 0)
      return a == b ? first < second : a > b
    }
    var entries = [headerOfMetadata]
    var end = 0
    for name in names {
      guard let tensor = tensors[name] else { continue }
      let start = end
      end += tensor.values.count * tensor.values.elementSize
      entries.append(
        "\(JSON.quoted(name)):{\"dtype\":\"\(tensor.values.dataType)\",\"shape\":\(text(tensor.shape)),"
          + "\"data_offsets\":\(text([start, end]))}")
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    var bytes = [UInt8]()
    bytes.reserveCapacity(8 + header.count + end)
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { bytes.append(contentsOf: $0) }
    bytes += header
    for name in names { tensors[name]?.values.append(to: &bytes) }
    return bytes
  }

  private var headerOfMetadata: String {
    var all = metadata
    all[Safetensors.checksumKey] = checksum
    let pairs = all.sorted { $0.key < $1.key }.map { "\(JSON.quoted($0.key)):\(JSON.quoted($0.value))" }
    return "\(JSON.quoted(Safetensors.metadataKey)):{\(pairs.joined(separator: ","))}"
  }

  /// CRC-32 of everything that the file means, as eight hexadecimal digits.
  var checksum: String {
    var state = crc32(0, nil, 0)
    func add(_ text: String) { add(Array(text.utf8) + [0]) }
    func add(_ bytes: [UInt8]) {
      bytes.withUnsafeBufferPointer { state = crc32_z(state, $0.baseAddress, $0.count) }
    }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key != Safetensors.checksumKey {
      add(key)
      add(value)
    }
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      add("\(name) \(tensor.values.dataType) \(tensor.shape)")
      tensor.values.withBytes { state = crc32_z(state, $0.baseAddress, $0.count) }
    }
    let digits = String(state, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  private func text(_ integers: [Int]) -> String {
    "[" + integers.map(String.init).joined(separator: ",") + "]"
  }
}

extension Tensor.Values {
  /// The name of the element type in the header.
  var dataType: String {
    switch self {
    case .float64: "F64"
    case .float32: "F32"
    case .uint8: "U8"
    case .int64: "I64"
    }
  }

  /// Bytes of one element.
  var elementSize: Int {
    switch self {
    case .float64, .int64: 8
    case .float32: 4
    case .uint8: 1
    }
  }

  /// Calls `body` with the values as bytes in little-endian order.
  func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
    #if _endian(little)
      return try withRawBytes { try $0.withMemoryRebound(to: UInt8.self) { try body($0) } }
    #else
      let bytes: [UInt8] = withRawBytes { raw in
        raw.indices.map { raw[$0 / elementSize * elementSize + elementSize - 1 - $0 % elementSize] }
      }
      return try bytes.withUnsafeBufferPointer(body)
    #endif
  }

  private func withRawBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    switch self {
    case .float64(let values): try values.withUnsafeBytes(body)
    case .float32(let values): try values.withUnsafeBytes(body)
    case .uint8(let values): try values.withUnsafeBytes(body)
    case .int64(let values): try values.withUnsafeBytes(body)
    }
  }

  func append(to bytes: inout [UInt8]) {
    withBytes { bytes.append(contentsOf: $0) }
  }

  /// Values of the named element type from bytes in little-endian order; nil for an unknown name.
  init?(dataType: String, bytes: ArraySlice<UInt8>) {
    func values<T>(_: T.Type, _ convert: (UnsafeRawBufferPointer, Int) -> T) -> [T] {
      bytes.withUnsafeBytes { raw in
        let size = MemoryLayout<T>.size
        return (0..<raw.count / size).map { convert(raw, $0 * size) }
      }
    }
    func integer<T: FixedWidthInteger>(_: T.Type) -> (UnsafeRawBufferPointer, Int) -> T {
      { T(littleEndian: $0.loadUnaligned(fromByteOffset: $1, as: T.self)) }
    }
    switch dataType {
    case "F64": self = .float64(values(Double.self) { Double(bitPattern: integer(UInt64.self)($0, $1)) })
    case "F32": self = .float32(values(Float.self) { Float(bitPattern: integer(UInt32.self)($0, $1)) })
    case "U8": self = .uint8(Array(bytes))
    case "I64": self = .int64(values(Int64.self, integer(Int64.self)))
    default: return nil
    }
  }

  /// Bytes of one element of the named type; nil for an unknown name.
  static func elementSize(ofDataType name: String) -> Int? {
    switch name {
    case "F64", "I64": 8
    case "F32": 4
    case "U8": 1
    default: nil
    }
  }
}
