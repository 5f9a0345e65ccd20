import Fenchel
import FoundationEssentials
import Testing

extension [UInt8] {
  init(_ text: String) { self = Array(text.utf8) }
  init(base64 text: String) { self = Array(Data(base64Encoded: text) ?? Data()) }
}

/// A table from text.
func parsed(
  _ text: String, _ format: FileFormat = .csv, _ change: (inout ReadOptions) -> Void = { _ in }
) throws -> Table {
  var options = ReadOptions()
  change(&options)
  return try Table.parse(Array(text.utf8), source: "f", format: format, options: options)
}

/// The message of the error that `body` throws; it must be one line.
func message(_ body: () throws -> Any) -> String {
  do {
    let result = try body()
    return "no error but \(result)"
  } catch let error as DataError {
    let text = error.description
    #expect(!text.contains("\n"))
    return text
  } catch {
    return "another error: \(error)"
  }
}

/// Expects a `DataError` whose message contains all the parts.
func expectError(
  _ parts: [String], sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Any
) {
  let text = message(body)
  for part in parts {
    #expect(text.contains(part), "\(text)", sourceLocation: sourceLocation)
  }
}

extension Table {
  /// The numbers of a column by its name.
  func numbers(_ name: String) -> [Double]? {
    names.firstIndex(of: name).flatMap { columns[$0].numbers }
  }

  /// The texts of a column by its name.
  func texts(_ name: String) -> [String?]? {
    guard let index = names.firstIndex(of: name), case .text(let text) = columns[index] else { return nil }
    return (0..<rows).map { text[$0] }
  }
}

/// A folder that is removed afterwards.
func withFolder<R>(_ body: (String) throws -> R) throws -> R {
  let folder = try makeFolder()
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

func makeFolder() throws -> String {
  let folder = FileManager.default.temporaryDirectory.path + "/fenchel-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  return folder
}

func write(_ bytes: [UInt8], _ path: String) throws {
  try Data(bytes).write(to: URL(filePath: path))
}

/// Random numbers for tests, the same in every run.
struct TestGenerator: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_F491_4F6C_DD1D
  }
}
