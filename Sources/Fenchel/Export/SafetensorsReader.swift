/// What is wrong with a safetensors file.
public struct SafetensorsError: Error, CustomStringConvertible, Sendable, Equatable {
  public var description: String
  init(_ description: String) { self.description = description }
}

extension Safetensors {
  /// Longest header that is read; the format's reference reader has the same limit.
  static let longestHeader = 100_000_000

  /// Reads the bytes of a file. Memory is bounded by a constant times the size of the file.
  ///
  /// Files from elsewhere have no checksum; where `needsChecksum`, its absence is an error.
  ///
  /// - Throws: `SafetensorsError` where the bytes are not exactly one header and its tensors, or the checksum
  ///   does not fit.
  public init(decoding bytes: [UInt8], needsChecksum: Bool = false) throws {
    guard bytes.count >= 8 else {
      throw SafetensorsError("\(bytes.count) bytes are too few for a safetensors file")
    }
    let claimed = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard claimed <= UInt64(Safetensors.longestHeader), claimed <= UInt64(bytes.count - 8) else {
      throw SafetensorsError(
        "the header claims \(claimed) bytes, the file has \(bytes.count - 8) after its length")
    }
    let start = 8 + Int(claimed)
    guard bytes[8..<start].first == UInt8(ascii: "{") else {
      throw SafetensorsError("the header is not a JSON object; is this a safetensors file?")
    }
    var header: [String: JSON]
    do {
      header = try JSON(parsing: bytes[8..<start]).object ?? [:]
    } catch let error as JSONError {
      throw SafetensorsError("header, \(error)")
    }
    let metadata = try Safetensors.metadata(of: header.removeValue(forKey: Safetensors.metadataKey))
    let entries = try header.map { try TensorEntry(name: $0, description: $1) }
    try TensorEntry.check(entries, cover: bytes.count - start)
    self.init(metadata: metadata)
    for entry in entries {
      let slice = bytes[start + entry.offsets.lowerBound..<start + entry.offsets.upperBound]
      guard let values = Tensor.Values(dataType: entry.dataType, bytes: slice) else { continue }
      tensors[entry.name] = Tensor(shape: entry.shape, values)
    }
    let stored = self.metadata.removeValue(forKey: Safetensors.checksumKey)
    if let stored, stored != checksum {
      throw SafetensorsError("the checksum is \(checksum), the file says \(stored); the file is damaged")
    }
    if stored == nil && needsChecksum { throw SafetensorsError("there is no checksum; the file is damaged") }
  }

  private static func metadata(of value: JSON?) throws -> [String: String] {
    guard let value else { return [:] }
    guard let object = value.object else { throw SafetensorsError("\(metadataKey) is not an object") }
    return try object.mapValues { value in
      guard let text = value.string else { throw SafetensorsError("\(metadataKey) holds more than strings") }
      return text
    }
  }
}

/// One tensor as the header describes it.
private struct TensorEntry {
  var name: String
  var dataType: String
  var shape: [Int]
  var offsets: Range<Int>

  init(name: String, description: JSON) throws {
    func failure(_ reason: String) -> SafetensorsError {
      SafetensorsError("tensor \(JSON.quoted(name)): \(reason)")
    }
    guard let object = description.object, object.count == 3, let type = object["dtype"]?.string,
      let extents = object["shape"]?.array, let ends = object["data_offsets"]?.array
    else { throw failure("exactly dtype, shape and data_offsets expected") }
    guard let size = Tensor.Values.elementSize(ofDataType: type) else {
      throw failure("dtype \(JSON.quoted(type)) is not one of F64, F32, U8, I64")
    }
    let shape = extents.compactMap(\.natural)
    let bounds = ends.compactMap(\.natural)
    guard shape.count == extents.count else { throw failure("an extent is not a whole number") }
    guard bounds.count == 2, ends.count == 2, bounds[0] <= bounds[1] else {
      throw failure("data_offsets must be two whole numbers in order")
    }
    var bytes = size
    for extent in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw failure("the shape \(shape) overflows") }
      bytes = product
    }
    guard bytes == bounds[1] - bounds[0] else {
      throw failure("the shape \(shape) needs \(bytes) bytes, data_offsets give \(bounds[1] - bounds[0])")
    }
    self.name = name
    self.shape = shape
    dataType = type
    offsets = bounds[0]..<bounds[1]
  }

  /// Requires that the tensors lie end to end and fill the data.
  static func check(_ entries: [TensorEntry], cover count: Int) throws {
    let sorted = entries.sorted {
      ($0.offsets.lowerBound, $0.offsets.upperBound) < ($1.offsets.lowerBound, $1.offsets.upperBound)
    }
    var end = 0
    for entry in sorted {
      guard entry.offsets.lowerBound == end else {
        let fault =
          entry.offsets.lowerBound < end ? "overlaps the tensor before it" : "leaves a gap before it"
        throw SafetensorsError("tensor \(JSON.quoted(entry.name)) \(fault)")
      }
      end = entry.offsets.upperBound
    }
    guard end == count else {
      throw SafetensorsError("the tensors end at byte \(end) of the data, the file at \(count)")
    }
  }
}
