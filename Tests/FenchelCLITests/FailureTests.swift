import Fenchel
import Foundation
import Testing

/// What goes wrong ends with one line, the exit code of the contract, and no half-written file.
@Suite struct FailureTests {
  @Test(arguments: [
    ("a,y\n1,2\n3\n", [], "data.csv:3", 3),
    ("a,y\n1,0.5\n2,x\n", ["--task", "regression"], "data.csv:3:3", 3),
    ("a,y\n1,nan\n2,1\n", ["--task", "regression"], "data.csv:2", 3),
    ("a,y\nnan,0.5\n2,1.5\n", [], "\"a\" is missing", 3),
    ("a,y\n1,inf\n2,1.5\n", ["--task", "regression"], "infinite", 3),
    ("a,w,y\n1,nan,0.5\n2,1,1.5\n", ["--weights", "w"], "w", 3),
    ("a,y\n1,1e400\n2,0.5\n", ["--task", "regression"], "data.csv:2:3", 3), ("", [], "data.csv", 3),
    ("a,y\n", [], "data.csv", 3),
    ("a,\"y\n1,2\n", [], "data.csv", 3), ("a,y\n1,k\n2,k\n", [], "class", 3),
    ("a,y\n1,0\n2,1\n", [], "--task", 2), ("a,w,y\n1,-1,0.5\n2,1,1.5\n", ["--weights", "w"], "weight", 3),
    ("a,w,y\n1,0,0.5\n2,0,1.5\n", ["--weights", "w"], "weight", 3),
    ("a,y\n1,0.5\n2,1.5\n", ["--target", "z"], "z", 3),
    ("a,y\n1,0.5\n2,1.5\n", ["--loss", "hinge"], "classes", 3),
    ("a,y\n1,0.5\n2,1.5\n", ["--test", "1.5"], "--test", 2),
    ("a,y\n1,0.5\n2,1.5\n", ["--test", "none.csv"], "none.csv", 3),
    ("a,y\n1,0.5\n2,1.5\n", ["--patterns", "none.npy"], "none.npy", 3),
    ("a,y\n1,0.5\n2,1.5\n", ["--lambda", "0"], "--lambda", 2),
    ("a,y\n1,0.5\n2,1.5\n", ["--lambda", "nan"], "--lambda", 2),
    ("a,y\n1,0.5\n2,1.5\n", ["--patterns", "refin"], "refine", 2),
    ("a,y\n1,0.5\n2,1.5\n", ["--solvr", "auto"], "--solver", 2),
    ("a,y\n1,0.5\n2,1.5\n", ["--solver", "newton"], "newton", 2),
    ("a,y\n1,0.5\n2,1.5\n", ["--output", "/dev/full"], "/dev/full", 6),
  ])
  func badInput(text: String, arguments: [String], message: String, code: Int) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(text, to: "data.csv")
      let quoted = arguments.map { "'\($0)'" }.joined(separator: " ")
      let result = try tool.shell("exec \"$FENCHEL\" train data.csv --quiet \(quoted)")
      #expect(result.code == Int32(code) && !result.wasKilled, "\(result.error)")
      #expect(result.error.contains(message), "\(result.error)")
      #expect(result.error.filter { $0 == "\n" }.count == 1 && result.output.isEmpty, "\(result.error)")
      #expect(tool.files == ["data.csv"])
    }
  }

  @Test func gatesOfTheWrongWidth() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n", to: "data.csv")
      try tool.write("1,2,3,4\n", to: "gates.csv")
      let result = try tool.run("train", "data.csv", "--patterns", "gates.csv")
      #expect(result.code == 2 && !result.wasKilled, "\(result.error)")
    }
  }

  @Test func badModels() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n", to: "data.csv")
      #expect(try tool.run("train", "data.csv", "-o", "m", "--patterns", "5").code == 0)
      let bytes = try #require(tool.contents("m"))
      try bytes.dropLast().write(to: tool.folder.appendingPathComponent("short"))
      var flipped = bytes
      flipped[flipped.count - 3] ^= 1
      try flipped.write(to: tool.folder.appendingPathComponent("flipped"))
      try tool.write("no model at all", to: "text")
      for name in ["short", "flipped", "text", "absent", "."] {
        for command in [["inspect"], ["predict"], ["evaluate"], ["verify"]] {
          let data = command == ["inspect"] ? "" : "data.csv"
          let result = try tool.shell("exec \"$FENCHEL\" \(command[0]) \(name) \(data)")
          #expect(result.code == 4 && result.output.isEmpty, "\(command) \(name): \(result.error)")
          #expect(result.error.contains(name))
        }
      }
      try tool.write("b,y\n1,2\n", to: "other.csv")
      let other = try tool.run("predict", "m", "other.csv", "--output", "p.csv")
      #expect(other.code == 3 && other.error.contains("\"a\""), "\(other.error)")
      #expect(tool.contents("p.csv") == nil)
    }
  }

  @Test func aFileThatMayNotGrowLeavesTheOldOne() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n", to: "data.csv")
      try tool.write("old", to: "m")
      let result = try tool.shell("ulimit -f 1; exec \"$FENCHEL\" train data.csv -o m --patterns 5 --quiet")
      #expect(result.code == 6 && !result.wasKilled, "\(result.error)")
      #expect(tool.contents("m") == Data("old".utf8))
      #expect(tool.files == ["data.csv", "m"])
    }
  }

  @Test func aLimitThatEndsTheRunIsNotAnError() throws {
    try CommandLineTool.inFolder { tool in
      let result = try tool.run(
        "train", "digits", "--model", "gated-relu", "--tolerance", "1e-13", "--patterns", "300",
        "--time-limit",
        "0.3", "-o", "m", "--json", "--quiet")
      #expect(result.code == 5, "\(result.error)")
      let file = try ModelFile(contentsOf: tool.path("m"))
      #expect(file.report.status == "time-limit" && file.report.certificate.relativeGap > 1e-13)
    }
  }

  @Test func programsThatMemoryDoesNotHold() throws {
    try CommandLineTool.inFolder { tool in
      let result = try tool.run("train", "digits", "--patterns", "300", "--max-memory", "0.01")
      #expect(result.code == 6 && result.error.contains("MiB"), "\(result.error)")
      #expect(tool.files.isEmpty)
    }
  }

  /// The first signal stops the training and saves what there is; a second one ends the process at once.
  @Test(arguments: [(SIGINT, false), (SIGTERM, false), (SIGINT, true)])
  func signalsStopTheTraining(signal: Int32, twice: Bool) throws {
    try CommandLineTool.inFolder { tool in
      let process = Process()
      process.executableURL = CommandLineTool.program
      process.arguments = [
        "train", "digits", "--model", "gated-relu", "--patterns", "1000", "--solver", "fista", "--tolerance",
        "1e-13", "--precision", "double", "-o", "m",
      ]
      process.currentDirectoryURL = tool.folder
      try tool.write("", to: "progress")
      let progress = try FileHandle(forWritingTo: tool.folder.appendingPathComponent("progress"))
      process.standardError = progress
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      for _ in 0..<2400 where process.isRunning && tool.contents("progress")?.isEmpty != false {
        usleep(25_000)
      }
      #expect(process.isRunning)
      for _ in 0..<(twice ? 2 : 1) {
        kill(process.processIdentifier, signal)
        usleep(1000)
      }
      process.waitUntilExit()
      try progress.close()
      #expect(process.terminationReason == .exit && process.terminationStatus == 128 + signal)
      if !twice {
        let file = try ModelFile(contentsOf: tool.path("m"))
        #expect(file.report.status == "cancelled" && file.report.certificate.relativeGap > 0)
      }
    }
  }
}
