#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file that is read at any place, and that must not change while it is.
///
/// By `pread`, not by a map: a mapped file that shrinks ends the process with SIGBUS, and mapped pages count as memory of the
/// process. A file that was written to since it was opened is an error, whatever it holds by then.
final class PlainFile: Sendable {
  /// What messages call the file.
  let name: String
  let size: Int
  private let descriptor: Int32
  private let modified: (seconds: Int, nanoseconds: Int)

  /// - Throws: `DataError.unreadable` where there is no such file, or it is none whose bytes have places.
  convenience init(path: String) throws {
    var descriptor = open(path, O_RDONLY | O_CLOEXEC)
    while descriptor < 0, errno == EINTR { descriptor = open(path, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else {
      throw DataError.unreadable(
        source: path, reason: "cannot be opened: \(String(cString: strerror(errno)))")
    }
    try self.init(owning: descriptor, name: path)
  }

  /// Takes over a descriptor, and closes it in the end.
  init(owning descriptor: Int32, name: String) throws {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw DataError.unreadable(
        source: name, reason: "is no plain file, and rows cannot be read from it by their places")
    }
    (self.name, self.descriptor, size) = (name, descriptor, Int(status.st_size))
    modified = (Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec))
  }

  deinit { close(descriptor) }

  /// - Throws: `DataError.unreadable` where the file was written to since it was opened.
  func check() throws {
    var status = stat()
    let isSame =
      fstat(descriptor, &status) == 0 && Int(status.st_size) == size
      && (Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec)) == modified
    guard isSame else { throw changed(to: Int(status.st_size)) }
  }

  private func changed(to other: Int) -> DataError {
    .unreadable(
      source: name,
      reason:
        "was changed while it was read (\(size) bytes before, \(other) now); leave it alone while training reads it"
    )
  }

  /// Fills `target` with the bytes from `offset` on; false where the file does not hold them any more. Safe on any thread.
  func fill(_ target: UnsafeMutableRawPointer, _ count: Int, from offset: Int) -> Bool {
    var done = 0
    while done < count {
      let received = pread(descriptor, target + done, count - done, off_t(offset + done))
      if received < 0, errno == EINTR { continue }
      guard received > 0 else { return false }
      done += received
    }
    return true
  }

  /// The bytes in a range, as far as the file has them.
  func bytes(_ range: Range<Int>) throws -> [UInt8] {
    try check()
    let range = range.clamped(to: 0..<size)
    var isWhole = true
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      isWhole = fill(base, range.count, from: range.lowerBound)
      count = isWhole ? range.count : 0
    }
    guard isWhole else { throw lost() }
    try check()
    return bytes
  }

  /// The error of a read that `fill` could not make.
  func lost() -> DataError {
    do {
      try check()
      return .unreadable(source: name, reason: "cannot be read: \(String(cString: strerror(errno)))")
    } catch let error as DataError { return error } catch { return changed(to: size) }
  }

  /// Calls `body` with all bytes in order, in pieces.
  func forEachPiece(of count: Int = 1 << 22, _ body: ([UInt8]) throws -> Void) throws {
    for start in stride(from: 0, to: size, by: count) {
      try body(bytes(start..<min(start + count, size)))
    }
  }
}
