import Foundation

/// Standard output for results, standard error for everything else.
enum Terminal {
  /// Writes a line of results. Ends quietly when nobody reads any more.
  static func output(_ text: String) {
    write(text.hasSuffix("\n") ? text : text + "\n", to: 1)
  }

  /// Writes a line for the person in front of the terminal.
  static func error(_ text: String) { write(text + "\n", to: 2) }

  /// Writes the bytes as they are; gives up where the other end is closed or full.
  static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        if descriptor == 1 { failOutput() }
        return
      }
      bytes = bytes.dropFirst(count)
    }
  }

  private static func failOutput() -> Never {
    if errno == EPIPE { exit(128 + SIGPIPE) }
    let reason = String(cString: strerror(errno))
    write("fenchel: standard output: cannot write: \(reason)\n", to: 2)
    exit(Outcome.resources.rawValue)
  }

  /// Whether standard error is a terminal that can rewrite a line.
  static let isInteractive: Bool = {
    let kind = ProcessInfo.processInfo.environment["TERM"]
    return isatty(2) == 1 && kind != "dumb" && kind != nil
  }()

  /// Columns of the terminal behind standard error.
  static var width: Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
