#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the operating system says of this process and its machine.
public enum ProcessMemory {
  /// Largest resident size so far, in bytes. The kernel's count for this program alone where it has one: that of
  /// `getrusage` also holds what the process was before it became this program.
  public static var peak: Int {
    if let text = line(of: "/proc/self/status", beginning: "VmHWM:"),
      let kibibytes = text.split(whereSeparator: \.isWhitespace).compactMap({ Int($0) }).first
    {
      return kibibytes * 1024
    }
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
  }

  /// Name of the processor, or `unknown`.
  public static let processor: String = {
    guard let text = line(of: "/proc/cpuinfo", beginning: "model name"), let colon = text.firstIndex(of: ":")
    else { return "unknown" }
    return text[text.index(after: colon)...].split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }()

  /// The first line of a file that begins with a word, nil where there is none.
  private static func line(of path: String, beginning word: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix(word) { return text }
    }
    return nil
  }
}
