import CZlib

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The trials of a search as lines of JSON in a file, each with a checksum: first what the search is, then a line a trial,
/// written and synced before the next trial begins. A line that a killed process left half is cut off. One process at a
/// time may use a journal.
public final class TuningJournal {
  public let path: String
  private var descriptor: Int32 = -1

  public init(path: String) { self.path = path }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private struct Line<Content: Codable>: Codable {
    var check: String
    var content: Content
  }

  /// Opens the journal of a search, or begins it; returns the trials that it has.
  func open(_ identity: SearchIdentity) throws -> [Trial] {
    try AtomicFile.check(path)
    descriptor = Self.opened(path)
    guard descriptor >= 0 else { throw FileWriteError.last(path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw TuningError.journal(path: path, "it is no plain file")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw TuningError.journal(path: path, "another process is writing it")
    }
    let bytes = try InputFile.contents(of: path, limit: 1 << 30)
    let whole = bytes.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let lines = bytes[..<whole].split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    guard let first = lines.first else {
      // Only what a search that was stopped in its first line left behind is written over.
      guard try Self.line(identity).starts(with: bytes) else {
        throw TuningError.damaged(path: path, line: 1, "it is not the first line of a journal")
      }
      guard ftruncate(descriptor, 0) == 0 else { throw FileWriteError.last(path) }
      try write(identity)
      return []
    }
    let known: SearchIdentity = try content(of: first, line: 1)
    guard known == identity else { throw TuningError.journal(path: path, known.difference(from: identity)) }
    let trials: [Trial] = try lines.dropFirst().enumerated().map { try content(of: $1, line: $0 + 2) }
    guard ftruncate(descriptor, off_t(whole)) == 0 else { throw FileWriteError.last(path) }
    return trials
  }

  /// Adds a trial; when this returns it is on the disk.
  func append(_ trial: Trial) throws { try write(trial) }

  private static func opened(_ path: String) -> Int32 {
    open_(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
  }

  private func content<Content: Codable>(of bytes: ArraySlice<UInt8>, line: Int) throws -> Content {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TuningError.damaged(path: path, line: line, "it is not UTF-8")
    }
    do {
      let line_ = try JSONText.decode(Line<Content>.self, text)
      guard try Self.line(line_.content).dropLast() == bytes else {
        throw SafetensorsError("the checksum does not fit; the line was changed")
      }
      return line_.content
    } catch {
      throw TuningError.damaged(
        path: path, line: line, (error as? DecodingError).map(JSONText.describe) ?? "\(error)")
    }
  }

  private func write(_ content: some Codable) throws {
    let line = try Self.line(content)
    var done = 0
    while done < line.count {
      let written = line.withUnsafeBytes { buffer in
        buffer.baseAddress.map { write_(descriptor, $0 + done, line.count - done) } ?? 0
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw FileWriteError.last(path, bytes: line.count) }
      done += written
    }
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileWriteError.last(path, bytes: line.count)
    }
  }

  private static func line(_ content: some Codable) throws -> [UInt8] {
    let check = checksum(try JSONText.encode(content))
    return Array((try JSONText.encode(Line(check: check, content: content)) + "\n").utf8)
  }

  private static func checksum(_ text: String) -> String {
    let bytes = Array(text.utf8)
    return String(crc32_z(0, bytes, bytes.count), radix: 16)
  }
}

extension SearchIdentity {
  /// What of the search is other than in another one, in words.
  fileprivate func difference(from other: SearchIdentity) -> String {
    if version != other.version { return "version \(version) of fenchel wrote it, this is \(other.version)" }
    if (data, rows, schema) != (other.data, other.rows, other.schema) { return "it is of other data" }
    if (validation, validationRows) != (other.validation, other.validationRows) {
      return "other rows were held out"
    }
    if space != other.space { return "it searched through other settings or ranges" }
    if method != other.method { return "its method is \(method.rawValue), not \(other.method.rawValue)" }
    if measure != other.measure { return "its measure is \(measure.rawValue), not \(other.measure.rawValue)" }
    if let (name, before, now) = try? settings.difference(from: other.settings) {
      return "its \(name) is \(before), not \(now)"
    }
    return "its settings are others"
  }
}

/// open(2) and write(2), out of reach of the methods of the same names.
private func open_(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }
private func write_(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
