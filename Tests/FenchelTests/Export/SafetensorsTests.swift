import Fenchel
import LinearAlgebra
import Testing

@Suite struct SafetensorsTests {
  let small = Safetensors(
    metadata: ["format": "1", "text": "quotes \" and é\n"],
    tensors: [
      "a": Tensor(shape: [2, 2], .float64([1, -0.0, .leastNonzeroMagnitude, 3])),
      "b": Tensor(shape: [3], .uint8([0, 127, 255])),
      "c": Tensor(shape: [], .int64([.min])),
      "d": Tensor(shape: [1, 1], .float32([0.1])),
      "e": Tensor(shape: [0, 5], .float64([])),
    ])

  /// A file with this header and this many bytes of data.
  private func file(_ header: String, data: Int = 0, claim: UInt64? = nil) -> [UInt8] {
    var bytes = [UInt8]()
    withUnsafeBytes(of: (claim ?? UInt64(header.utf8.count)).littleEndian) { bytes += $0 }
    return bytes + Array(header.utf8) + [UInt8](repeating: 0, count: data)
  }

  @Test func whatIsWrittenReadsBack() throws {
    let bytes = small.encoded()
    #expect(try Safetensors(decoding: bytes) == small)
    #expect(small.encoded() == bytes)
    let empty = Safetensors()
    #expect(try Safetensors(decoding: empty.encoded()) == empty)
  }

  @Test func everyTruncationIsAnError() {
    let bytes = small.encoded()
    for count in 0..<bytes.count {
      #expect(throws: SafetensorsError.self) { try Safetensors(decoding: Array(bytes[..<count])) }
    }
  }

  @Test func everyByteFlipIsAnErrorOrChangesNothing() {
    let bytes = small.encoded()
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << UInt8(bit)
        if let read = try? Safetensors(decoding: damaged, needsChecksum: true) {
          #expect(read == small, "byte \(index) bit \(bit)")
        }
      }
    }
  }

  @Test(arguments: [
    UInt64(1) << 63, .max, 200_000_000, 100_000_001, 3,
  ])
  func aHeaderLongerThanTheFileIsAnError(claim: UInt64) {
    #expect(throws: SafetensorsError.self) { try Safetensors(decoding: file("{}", claim: claim)) }
  }

  @Test(arguments: [
    ("[]", 0), (" {}", 0), ("{", 0), ("", 0), ("{} x", 0), ("{}", 1),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
      1
    ),
    (#"{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}"#, 1),
    (#"{"__metadata__":{"k":1}}"#, 0), (#"{"__metadata__":[]}"#, 0),
    (#"{"__metadata__":{"k":"1","k":"2"}}"#, 0),
    (#"{"__metadata__":{"checksum":"00000001"}}"#, 0),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
      3
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
      3
    ),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 2),
    (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[9223372036854775807,3],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}"#, 2),
    (#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":0}}"#, 1),
    (#"{"a":{"dtype":"U8","shape":[1]}}"#, 1), (#"{"a":7}"#, 0),
  ])
  func faultyHeadersAreErrors(header: String, data: Int) {
    #expect(throws: SafetensorsError.self) { try Safetensors(decoding: file(header, data: data)) }
  }

  @Test func deepNestingIsAnError() {
    let header = "{\"a\":" + String(repeating: "[", count: 100_000)
    #expect(throws: SafetensorsError.self) { try Safetensors(decoding: file(header)) }
  }

  @Test func aFileWithoutChecksumFromElsewhereIsRead() throws {
    let bytes = file(#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}   "#, data: 2)
    #expect(try Safetensors(decoding: bytes).tensors == ["a": Tensor(shape: [2], .uint8([0, 0]))])
  }

  @Test(arguments: [0, 1, 8, 63, 64, 65, 130])
  func bitsArePackedAndBack(columns: Int) throws {
    var bits = BitMatrix(3, columns)
    for i in 0..<3 { for j in 0..<columns where (i * 7 + j * j) % 3 == 0 { bits[i, j] = true } }
    let tensor = Tensor(bits)
    #expect(tensor.shape == [3, (columns + 7) / 8])
    #expect(tensor.bitMatrix(columns: columns) == bits)
    #expect(tensor.bitMatrix(columns: columns + 9) == nil)
  }

  @Test func setPaddingBitsAreRefused() {
    #expect(Tensor(shape: [1, 1], .uint8([0b1000])).bitMatrix(columns: 3) == nil)
  }
}
