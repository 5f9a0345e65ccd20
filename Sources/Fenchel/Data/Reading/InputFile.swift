#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whole files and standard input as bytes, with the system's own reason when that fails.
package enum InputFile {
  /// The bytes of the file at `path`, or of standard input for `-`.
  package static func contents(of path: String, limit: Int) throws -> [UInt8] {
    let name = path == "-" ? "standard input" : path
    let descriptor = path == "-" ? 0 : openForReading(path)
    guard descriptor >= 0 else { throw failure(name, "cannot be opened") }
    defer { if descriptor != 0 { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(name, "cannot be read") }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw DataError.unreadable(source: name, reason: "is a folder, not a file")
    }
    let expected = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
    if expected > limit {
      throw DataError.tooLarge(source: name, what: "reading the file", bytes: expected, limit: limit)
    }
    return try readAll(descriptor, name, expected: expected, limit: limit)
  }

  private static func readAll(
    _ descriptor: Int32, _ name: String, expected: Int, limit: Int
  ) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var wanted = max(expected + 1, 1 << 16)
    while true {
      var received = 0
      let start = bytes.count
      let piece = try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        while count < wanted {
          guard let base = buffer.baseAddress else { break }
          received = read(descriptor, base + count, min(wanted - count, 1 << 30))
          if received < 0 && errno == EINTR { continue }
          if received < 0 { throw failure(name, "cannot be read") }
          if received == 0 { break }
          count += received
        }
      }
      if start == 0 { bytes = piece } else { bytes += piece }
      if bytes.count > limit {
        throw DataError.tooLarge(source: name, what: "reading it", bytes: bytes.count, limit: limit)
      }
      if received == 0 { return bytes }
      wanted = max(1 << 16, bytes.count)
    }
  }

  private static func openForReading(_ path: String) -> Int32 {
    while true {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      if descriptor >= 0 || errno != EINTR { return descriptor }
    }
  }

  private static func failure(_ name: String, _ what: String) -> DataError {
    .unreadable(source: name, reason: "\(what): \(String(cString: strerror(errno)))")
  }

  /// Whether something lies at `path`, and whether it is a folder.
  package static func kind(_ path: String) -> (exists: Bool, isFolder: Bool) {
    var status = stat()
    guard stat(path, &status) == 0 else { return (false, false) }
    return (true, status.st_mode & S_IFMT == S_IFDIR)
  }

  /// An environment variable that is set and not empty.
  package static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// Bytes of memory that this process may take: those of the machine, of its control group, or of its address space,
  /// whichever are fewest.
  package static var availableMemory: Int {
    var limits = [sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))]
    for file in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
      // The file is one number, or a word for none.
      guard let bytes = try? contents(of: file, limit: 64) else { continue }
      limits.append(Int(String(decoding: bytes.prefix { (48...57).contains($0) }, as: UTF8.self)) ?? .max)
    }
    var space = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &space) == 0 {
      limits.append(Int(exactly: space.rlim_cur) ?? .max)
    }
    return limits.filter { $0 > 0 }.min() ?? .max
  }
}
