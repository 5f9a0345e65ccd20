import Foundation
import Testing

/// Downloads from a server on the loopback interface.
@Suite(.enabled(if: hasPython, "needs python3 for the server")) struct DownloadTests {
  static let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

  /// Runs `body` while a server gives the files of the tool's folder `web`.
  private func serving(_ body: (CommandLineTool, String) throws -> Void) throws {
    try CommandLineTool.inFolder { tool in
      try FileManager.default.createDirectory(atPath: tool.path("web"), withIntermediateDirectories: true)
      try tool.write("hello\n", to: "web/hello")
      try tool.write(Self.server, to: "server.py")
      let server = Process()
      server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      server.arguments = ["python3", tool.path("server.py"), tool.path("web"), tool.path("port")]
      server.standardOutput = FileHandle.nullDevice
      server.standardError = FileHandle.nullDevice
      try server.run()
      defer {
        kill(server.processIdentifier, SIGKILL)  // SIGTERM may be blocked, as it is in this thread
        CommandLineTool.wait(for: server)
      }
      for _ in 0..<400 where tool.contents("port") == nil { usleep(25_000) }
      let port = String(decoding: try #require(tool.contents("port")), as: UTF8.self)
      try body(tool, "http://127.0.0.1:\(port)")
    }
  }

  /// A server with a file that is cut short and one that never comes.
  private static let server = """
    import http.server, functools, sys, os
    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"hello")
            elif self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/hello")
                self.end_headers()
            elif self.path == "/huge":
                self.send_response(200)
                self.send_header("Content-Length", str(1 << 60))
                self.end_headers()
            else:
                super().do_GET()
    handler = functools.partial(Handler, directory=sys.argv[1])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with open(sys.argv[2] + ".new", "w") as f: f.write(str(server.server_address[1]))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    server.serve_forever()
    """

  @Test func aFileIsFetchedAndChecked() throws {
    try serving { tool, server in
      for name in ["hello", "moved"] {
        let result = try tool.run(
          "data", "fetch", "\(server)/\(name)", "--sha256", Self.hello, "--output", "got-\(name)")
        #expect(result.code == 0, "\(result.error)")
        #expect(tool.contents("got-\(name)") == Data("hello\n".utf8))
      }
    }
  }

  @Test func whatGoesWrongLeavesNoFile() throws {
    try serving { tool, server in
      let other = String(Self.hello.reversed())
      for (name, hash, code) in [
        ("hello", other, 3), ("short", Self.hello, 6), ("missing", Self.hello, 6), ("huge", Self.hello, 3),
      ] {
        let result = try tool.run(
          "data", "fetch", "\(server)/\(name)", "--sha256", hash, "--output", "got")
        #expect(result.code == Int32(code), "\(name): \(result.error)")
        #expect(tool.contents("got") == nil)
      }
      let refused = try tool.run(
        "data", "fetch", "http://127.0.0.1:1/x", "--sha256", Self.hello, "--output", "got")
      #expect(refused.code == 6, "\(refused.error)")
    }
  }

  @Test func aMirrorWithOtherBytesIsRefused() throws {
    try serving { tool, server in
      try FileManager.default.createDirectory(
        atPath: tool.path("web/mnist"), withIntermediateDirectories: true)
      try tool.write("not images", to: "web/mnist/train-images-idx3-ubyte.gz")
      let cache = ["XDG_CACHE_HOME": tool.path("cache")]
      let result = try tool.run(
        "data", "fetch", "mnist", "--mirror", server, environment: cache)
      #expect(result.code == 3, "\(result.error)")
      #expect(!FileManager.default.fileExists(atPath: tool.path("cache/fenchel/mnist")))
    }
  }

  @Test func aMirrorThatIsNotThere() throws {
    try CommandLineTool.inFolder { tool in
      let result = try tool.run(
        "data", "fetch", "mnist", "--mirror", "http://127.0.0.1:1",
        environment: ["XDG_CACHE_HOME": tool.path("cache")])
      #expect(result.code == 6, "\(result.error)")
      #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)")
      #expect(!FileManager.default.fileExists(atPath: tool.path("cache/fenchel/mnist")))
    }
  }

  @Test func anEmptyFolderIsNoDataSet() throws {
    try CommandLineTool.inFolder { tool in
      for root in ["cache/fenchel", "data"] {
        try FileManager.default.createDirectory(
          atPath: tool.path("\(root)/mnist"), withIntermediateDirectories: true)
        try tool.write("half", to: "\(root)/mnist/.train.1.part")
      }
      let places = ["XDG_CACHE_HOME": tool.path("cache"), "FENCHEL_DATA": tool.path("data")]
      let result = try tool.run("train", "mnist", environment: places)
      #expect(result.code == 3 && result.error.contains("fenchel data fetch mnist"), "\(result.error)")
      let list = try tool.run("data", "list", environment: places)
      #expect(list.output.contains("not here: fenchel data fetch mnist"), "\(list.output)")
    }
  }
}

/// Whether `python3` can be run.
private let hasPython: Bool = {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = ["python3", "-c", ""]
  process.standardError = FileHandle.nullDevice
  guard (try? process.run()) != nil else { return false }
  process.waitUntilExit()
  return process.terminationStatus == 0
}()
