#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Why a file could not be written. The old file, where there was one, is intact.
public struct FileWriteError: Error, CustomStringConvertible, Sendable, Equatable {
  public enum Reason: Sendable, Equatable {
    /// The path cannot name a file to write: a directory, a missing folder, a dangling link, a socket.
    case badPath(String)
    /// The disk is full, or a quota or the largest file size is reached.
    case full(bytes: Int)
    /// The system refuses: no permission, a read-only file system, an input/output error.
    case refused(String)
  }
  public var path: String
  public var reason: Reason

  public init(path: String, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  public var description: String {
    switch reason {
    case .badPath(let why): "\(path): \(why)"
    case .full(let bytes): "\(path): no space for \(bytes) bytes; free some space or write elsewhere"
    case .refused(let why): "\(path): cannot write: \(why)"
    }
  }

  /// The error of the call that just failed.
  static func last(_ path: String, bytes: Int = 0) -> FileWriteError {
    let code = errno
    switch code {
    case ENOSPC, EDQUOT, EFBIG: return FileWriteError(path: path, reason: .full(bytes: bytes))
    case ENOENT, ENOTDIR:
      return FileWriteError(path: path, reason: .badPath("no such folder; create it first"))
    case EISDIR: return FileWriteError(path: path, reason: .badPath("is a directory; name a file in it"))
    default: return FileWriteError(path: path, reason: .refused(String(cString: strerror(code))))
    }
  }
}

/// Writing a file so that at any moment the path holds the whole old or the whole new contents.
///
/// The bytes go to a temporary name in the same folder, are synced, and take the place of the path by renaming.
/// A symbolic link is followed, and stays. Devices and pipes are written to directly. Temporary files that a
/// killed process left behind are removed by the next write of the same path.
public enum AtomicFile {
  /// - Throws: `FileWriteError`; then the path is as it was.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    let target = try destination(of: path)
    if target.isRegular {
      try replace(target, with: bytes, as: path)
    } else {
      try pour(bytes, into: path)
    }
  }

  /// Fails now with the error that `write` would give, as far as that can be known without writing.
  public static func check(_ path: String) throws {
    let target = try destination(of: path)
    guard target.isRegular else { return }
    guard access(target.folder, W_OK | X_OK) == 0 else { throw FileWriteError.last(path) }
  }

  private struct Destination {
    var folder: String
    var name: String
    var isRegular: Bool
    var mode: mode_t?
    var path: String { folder == "/" ? "/" + name : folder + "/" + name }
  }

  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let folder = path[..<slash]
    return (folder.isEmpty ? "/" : String(folder), String(path[path.index(after: slash)...]))
  }

  private static func destination(of path: String) throws -> Destination {
    func bad(_ why: String) -> FileWriteError { FileWriteError(path: path, reason: .badPath(why)) }
    guard !path.isEmpty, !path.utf8.contains(0) else { throw bad("not a file name") }
    var info = stat()
    var place = path
    if lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFLNK {
      guard let resolved = realpath(path, nil) else { throw bad("a symbolic link that leads nowhere") }
      defer { free(resolved) }
      place = String(cString: resolved)
    }
    let (folder, name) = split(place)
    guard stat(place, &info) == 0 else {
      guard errno == ENOENT, !name.isEmpty, name != ".", name != ".." else { throw FileWriteError.last(path) }
      guard stat(folder, &info) == 0 else { throw FileWriteError.last(path) }
      guard info.st_mode & S_IFMT == S_IFDIR else { throw bad("\(folder) is not a folder") }
      return Destination(folder: folder, name: name, isRegular: true, mode: nil)
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG:
      guard access(place, W_OK) == 0 else { throw FileWriteError.last(path) }
      return Destination(folder: folder, name: name, isRegular: true, mode: info.st_mode & 0o7777)
    case S_IFDIR: throw bad("is a directory; name a file in it")
    case S_IFSOCK, S_IFBLK: throw bad("is a socket or a disk, not a file")
    default: return Destination(folder: folder, name: name, isRegular: false, mode: nil)
    }
  }

  private static func replace(_ target: Destination, with bytes: [UInt8], as path: String) throws {
    removeLeftovers(of: target)
    let temporary = try Temporary(in: target.folder, for: target.name, as: path)
    do {
      if let mode = target.mode { _ = fchmod(temporary.descriptor, mode) }
      try writeAll(bytes, to: temporary.descriptor, as: path)
      guard fsync(temporary.descriptor) == 0 else { throw FileWriteError.last(path, bytes: bytes.count) }
      guard rename(temporary.path, target.path) == 0 else { throw FileWriteError.last(path) }
    } catch {
      unlink(temporary.path)
      close(temporary.descriptor)
      throw error
    }
    close(temporary.descriptor)
    let folder = open(target.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// A device or a pipe: no name to replace, so the bytes go straight in.
  private static func pour(_ bytes: [UInt8], into path: String) throws {
    let descriptor = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENXIO { throw FileWriteError(path: path, reason: .badPath("nobody reads from this pipe")) }
      throw FileWriteError.last(path)
    }
    defer { close(descriptor) }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    try writeAll(bytes, to: descriptor, as: path)
  }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32, as path: String) throws {
    try bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var done = 0
      while done < buffer.count {
        let count = posixWrite(descriptor, base + done, buffer.count - done)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw FileWriteError.last(path, bytes: bytes.count) }
        done += count
      }
    }
  }

  private static let suffix = ".fenchel-tmp"

  /// Removes what a killed process left: temporary files of this target that no living process has locked.
  private static func removeLeftovers(of target: Destination) {
    guard let folder = opendir(target.folder) else { return }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasPrefix(".\(target.name)."), name.hasSuffix(suffix) else { continue }
      let path = target.folder + "/" + name
      let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
      close(descriptor)
    }
  }

  /// A new file beside the target, locked while its writer lives.
  private struct Temporary {
    let path: String
    let descriptor: Int32

    init(in folder: String, for name: String, as path: String) throws {
      for _ in 0..<100 {
        let unique = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        let candidate = "\(folder)/.\(name).\(unique)\(suffix)"
        let descriptor = open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else {
          if errno == EEXIST { continue }
          throw FileWriteError.last(path)
        }
        var info = stat()
        let isOurs = flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &info) == 0
        if isOurs && info.st_nlink == 1 {
          (self.path, self.descriptor) = (candidate, descriptor)
          return
        }
        close(descriptor)
      }
      throw FileWriteError(path: path, reason: .refused("no temporary file could be made in \(folder)"))
    }
  }
}

/// write(2), out of reach of the method of the same name.
private func posixWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
