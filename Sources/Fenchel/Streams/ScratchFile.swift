#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file without a name, for what does not fit into memory: it is gone with the process, however that ends.
///
/// In `$TMPDIR`, or else in `/var/tmp`, which other than `/tmp` is on a disk as a rule.
struct ScratchFile: ~Copyable {
  private let descriptor: Int32
  private let folder: String
  private var pending: [UInt8] = []
  private(set) var size = 0

  /// - Throws: `FileWriteError` where the folder takes no file.
  init() throws {
    folder = Self.folder
    var template = Array("\(folder)/.fenchel-scratch-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw FileWriteError(
        path: folder,
        reason: .badPath(
          "takes no file for what does not fit into memory (\(String(cString: strerror(errno)))); set TMPDIR to a folder that does"
        ))
    }
    unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  /// Where such files lie.
  static var folder: String {
    if let folder = InputFile.environment("TMPDIR") { return folder }
    return InputFile.kind("/var/tmp").isFolder ? "/var/tmp" : "/tmp"
  }

  /// - Throws: `FileWriteError`, with the number of bytes needed so far where the disk is full.
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
    size += bytes.count
    pending.append(contentsOf: bytes)
    if pending.count >= 1 << 20 { try flush() }
  }

  private mutating func flush() throws {
    try pending.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let written = write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw FileWriteError.last(folder, bytes: size) }
        done += written
      }
    }
    pending.removeAll(keepingCapacity: true)
  }

  /// Ends the writing: the file, to be read under a name for messages.
  consuming func finished(name: String) throws -> PlainFile {
    try flush()
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw FileWriteError.last(folder) }
    return try PlainFile(owning: copy, name: name)
  }

  deinit { close(descriptor) }
}
