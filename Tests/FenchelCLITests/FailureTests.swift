import Fenchel
import Foundation
import Testing

/// What goes wrong ends with one line, the exit code of the contract, and no half-written file.
@Suite struct FailureTests {
  @Test(arguments: [
    ("a,y\n1,2\n3\n", "", "data.csv:3", 3), ("a,y\n1,2\n3,4,5\n", "", "data.csv:3", 3),
    ("a,y\n1,0.5\n2,x\n", "--task regression", "data.csv:3:3", 3),
    ("a,y\n1,nan\n2,1\n", "--task regression", "data.csv:2", 3),
    ("a,y\nnan,0.5\n2,1.5\n", "", "\"a\" is missing", 3), ("a,y\ninf,0.5\n2,1.5\n", "", "infinite", 3),
    ("a,y\n1,inf\n2,1.5\n", "--task regression", "infinite", 3),
    ("a,w,y\n1,nan,0.5\n2,1,1.5\n", "--weights w", "data.csv:2", 3),
    ("a,w,y\n1,inf,0.5\n2,1,1.5\n", "--weights w", "infinite", 3),
    ("a,w,y\n1,-1,0.5\n2,1,1.5\n", "--weights w", "negative", 3),
    ("a,w,y\n1,0,0.5\n2,0,1.5\n", "--weights w", "weight", 3),
    ("a,w,y\n1,k,0.5\n2,1,1.5\n", "--weights w", "data.csv:2:3", 3),
    ("a,w,y\n1,1e300,0.5\n2,1,1.5\n", "--weights w", "1e100", 3),
    ("a,w,y\n1,1,0.5\n2,1e-300,1.5\n", "--weights w", "1e100", 3),
    ("a,y\n1,1e400\n2,0.5\n", "--task regression", "data.csv:2:3", 3), ("", "", "data.csv", 3),
    ("a,y\n", "", "data.csv", 3), ("a,\"y\n1,2\n", "", "data.csv", 3), ("a,y\n1,k\n2,k\n", "", "class", 3),
    ("a,y\n1,0\n2,1\n", "", "--task", 2), ("y\n0.5\n1.5\n", "", "no column is left", 3),
    ("a,y\n1,0.5\n2,1.5\n", "--target z", "z", 3), ("a,y\n1,0.5\n2,1.5\n", "--loss hinge", "classes", 3),
    ("a,y\n1,0.5\n2,1.5\n", "--test 1.5", "--test", 2),
    ("a,y\n1,0.5\n2,1.5\n", "--test none.csv", "none.csv", 3),
    ("a,y\n1,0.5\n2,1.5\n", "--patterns none.npy", "none.npy", 3),
    ("a,y\n1,0.5\n2,1.5\n", "--lambda 0", "--lambda", 2),
    ("a,y\n1,0.5\n2,1.5\n", "--lambda -1", "--lambda", 2),
    ("a,y\n1,0.5\n2,1.5\n", "--lambda nan", "--lambda", 2),
    ("a,y\n1,0.5\n2,1.5\n", "--patterns refin", "refine", 2),
    ("a,y\n1,0.5\n2,1.5\n", "--solvr auto", "--solver", 2),
    ("a,y\n1,0.5\n2,1.5\n", "--solver newton --loss absolute", "newton", 2),
    ("a,y\n1e300,0.5\n2,1.5\n", "--no-standardise", "1e100", 3),
    ("a,y\n1,1e300\n2,1.5\n", "--no-standardise", "1e100", 3),
    ("a,y\n1e-320,0.5\n2e-320,1.5\n", "--no-standardise --no-bias --patterns exact", "1e-100", 3),
    ("a,y\n1e-320,0.5\n2e-320,1.5\n", "--no-standardise --no-bias", "1e-100", 3),
    ("a,y\n1,0.5\n2,1.5\n", "--max-memory 1e-8", "limit", 6),
    ("a,y\n1,0.5\n2,1.5\n", "--output /dev/full", "/dev/full", 6),
    ("a,y\n1,0.5\n2,1.5\n", "--output none/m", "none", 2), ("a,y\n1,0.5\n2,1.5\n", "--output .", ".", 2),
  ])
  func badInput(text: String, arguments: String, message: String, code: Int) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(text, to: "data.csv")
      let result = try tool.shell("exec \"$FENCHEL\" train data.csv --quiet \(arguments)")
      #expect(result.code == Int32(code) && !result.wasKilled, "\(result.error)")
      #expect(result.error.contains(message), "\(result.error)")
      #expect(result.error.filter { $0 == "\n" }.count == 1 && result.output.isEmpty, "\(result.error)")
      #expect(tool.files == ["data.csv"])
    }
  }

  @Test(
    "A number of a target that is none is an error, not one class of many", arguments: ["x", "12,5", "--"])
  func brokenTarget(token: String) throws {
    try CommandLineTool.inFolder { tool in
      let rows = (1...40).map { "\($0),\($0 == 17 ? "\"\(token)\"" : "\(Double($0) / 4)")" }
      try tool.write("a,y\n" + rows.joined(separator: "\n") + "\n", to: "data.csv")
      let result = try tool.run("train", "data.csv", "--quiet")
      #expect(result.code == 3 && result.error.contains("data.csv:18"), "\(result.error)")
      #expect(result.error.contains("--task classification") && tool.files == ["data.csv"], "\(result.error)")
    }
  }

  @Test func gatesOfTheWrongWidth() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n", to: "data.csv")
      try tool.write("1,2,3,4\n", to: "gates.csv")
      let result = try tool.run("train", "data.csv", "--patterns", "gates.csv")
      #expect(
        result.code == 2 && !result.wasKilled && tool.files == ["data.csv", "gates.csv"], "\(result.error)")
      #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)")
    }
  }

  /// Cut anywhere, or with a bit changed in the header or in a tensor: exit code 4 from every command.
  @Test func badModels() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n", to: "data.csv")
      #expect(try tool.run("train", "data.csv", "-o", "m", "--patterns", "5").code == 0)
      let bytes = try #require(tool.contents("m"))
      var names = ["text", "absent", "."]
      try tool.write("no model at all", to: "text")
      for (index, size) in [0, 7, bytes.count / 2, bytes.count - 1].enumerated() {
        try bytes.prefix(size).write(to: tool.folder.appendingPathComponent("short-\(index)"))
        names.append("short-\(index)")
      }
      for (index, place) in [1, 30, bytes.count / 2, bytes.count - 3].enumerated() {
        var flipped = bytes
        flipped[flipped.startIndex + place] ^= 1
        try flipped.write(to: tool.folder.appendingPathComponent("flipped-\(index)"))
        names.append("flipped-\(index)")
      }
      for name in names {
        for command in ["inspect", "predict", "evaluate", "verify"] {
          let result = try tool.shell(
            "exec \"$FENCHEL\" \(command) \(name) \(command == "inspect" ? "" : "data.csv")")
          #expect(result.code == 4 && result.output.isEmpty, "\(command) \(name): \(result.error)")
          #expect(result.error.contains(name) && result.error.filter { $0 == "\n" }.count == 1)
        }
      }
    }
  }

  @Test func dataThatDoNotFitTheModel() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n", to: "data.csv")
      try tool.write("b,y\n1,2\n", to: "other.csv")
      #expect(try tool.run("train", "data.csv", "-o", "m", "--patterns", "5").code == 0)
      for (arguments, code) in [
        ("predict m other.csv -o p.csv", 3), ("evaluate m other.csv", 3), ("verify m other.csv", 3),
        ("predict m data.csv -o /dev/full", 6), ("predict m data.csv -o .", 2),
        ("predict m data.csv -o none/p", 2),
        ("predict m data.csv -o m", 2), ("predict m data.csv > /dev/full", 6),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" \(arguments)")
        #expect(result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.error)")
        #expect(result.error.filter { $0 == "\n" }.count == 1 && result.output.isEmpty, "\(result.error)")
        if code == 3 { #expect(result.error.contains("\"a\""), "\(result.error)") }
        #expect(tool.files == ["data.csv", "m", "other.csv"], "\(arguments)")
      }
    }
  }

  /// One number changed, and a checksum that fits: the file reads well, and its proof does not hold.
  @Test(arguments: [".weight", "theta"])
  func tamperedModels(tensor part: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n4,1\n", to: "data.csv")
      #expect(try tool.run("train", "data.csv", "-o", "m").code == 0)
      #expect(try tool.run("verify", "m", "data.csv").code == 0)
      var file = try Safetensors(decoding: Array(try #require(tool.contents("m"))), needsChecksum: true)
      let name = try #require(file.tensors.keys.sorted().first { $0.hasSuffix(part) })
      let tensor = try #require(file.tensors[name])
      guard case .float64(var values) = tensor.values else {
        Issue.record("\(name) is not float64")
        return
      }
      values[0] += 0.5
      file.tensors[name] = Tensor(shape: tensor.shape, .float64(values))
      try Data(file.encoded()).write(to: tool.folder.appendingPathComponent("m"))
      #expect(try tool.run("inspect", "m").code == 0)
      let result = try tool.run("verify", "m", "data.csv")
      #expect(result.code == 4 && result.output.contains("DOES NOT HOLD"), "\(result.output)\(result.error)")
    }
  }

  /// Rows held back or left over by a split are named as they stand in the file: row 17 is line 18.
  @Test(arguments: ["", "--stream --model mlp --hidden 3 --batch-size 5"])
  func rowsOfASplitAreThoseOfTheFile(options: String) throws {
    try CommandLineTool.inFolder { tool in
      func table(_ row: (Int) -> String) -> String {
        "a,y\n" + (1...40).map { row($0) + "\n" }.joined()
      }
      try tool.write(table { $0 == 17 ? "nan,1.5" : "\($0),\($0).5" }, to: "missing.csv")
      try tool.write(table { "\($0),\($0 == 17 ? "inf" : "\($0).5")" }, to: "target.csv")
      try tool.write(table { "\($0),\($0 == 17 ? -3 : $0)" }, to: "negative.csv")
      let poisson = "--loss poisson --no-standardise"
      for (file, own) in [("missing.csv", ""), ("target.csv", ""), ("negative.csv", poisson)] {
        for seed in [0, 5] {
          let result = try tool.shell(
            "exec \"$FENCHEL\" train \(file) --quiet --task regression --test 0.5 --seed \(seed) -o m \(own) \(options)"
          )
          #expect(result.code == 3, "\(file): \(result.error)")
          if file != "target.csv" { #expect(result.error.contains("row 17"), "\(result.error)") }
          let place = file == "negative.csv" ? "\(file): row 17, column \"y\" is -3" : "\(file):18"
          #expect(result.error.contains(place), "\(result.error)")
        }
      }
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
      let result = try tool.shell(
        "exec \"$FENCHEL\" train digits --model gated-relu --patterns 60 --solver fista --tolerance 1e-13 "
          + "--precision double --time-limit 0.3 -o m --json --quiet")
      #expect(result.code == 5, "\(result.error)")
      let file = try ModelFile(contentsOf: tool.path("m"))
      #expect(file.report.status == "time-limit" && (file.report.certificate?.relativeGap ?? .nan) > 1e-13)
    }
  }

  @Test(arguments: [
    ("digits --model gated-relu --solver newton --patterns 50 --max-memory 0.05", "this program needs"),
    ("digits --model mlp --hidden 1000000,1000000", "training these layers needs"),
    ("digits --model lifted --hidden 2000 --max-memory 0.05", "training these layers needs"),
    (
      "digits --model mlp --hidden 2000 --batch-size 20 --initialiser lifted --max-memory 0.08",
      "training these layers needs"
    ),
    ("digits --patterns 100000000 --max-memory 1", "patterns take"),
    ("digits --max-memory 0.0005", "digits: "), ("long.csv --max-memory 0.0001", "long.csv: "),
    ("wide.csv --max-memory 0.001 --categorical c", "feature matrix"),
  ])
  func whatMemoryDoesNotHold(arguments: String, message: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,b,y\n" + String(repeating: "1,2,0.5\n", count: 10_000), to: "long.csv")
      let rows = (0..<1000).map { "k\($0),\($0).5\n" }
      try tool.write("c,y\n" + rows.joined(), to: "wide.csv")
      let result = try tool.shell("exec \"$FENCHEL\" train \(arguments)")
      #expect(result.code == 6 && result.error.contains(message), "\(result.error)")
      #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)")
      #expect(tool.files == ["long.csv", "wide.csv"])
    }
  }

  /// The first signal stops the training and saves what there is; a second one ends the process at once.
  @Test(arguments: [[SIGINT], [SIGTERM], [SIGHUP], [SIGINT, SIGTERM], [SIGTERM, SIGHUP]])
  func signalsStopTheTraining(signals: [Int32]) throws {
    try CommandLineTool.inFolder { tool in
      let process = Process()
      process.executableURL = CommandLineTool.program
      process.arguments = [
        "train", "digits", "--model", "gated-relu", "--patterns", "60", "--solver", "fista", "--tolerance",
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
      let line = String(decoding: tool.contents("progress") ?? Data(), as: UTF8.self)
      #expect(line.contains("group lasso") && line.contains("gap ≈ "), "\(line)")
      // Two different ones: a signal that is pending already does not come a second time.
      for signal in signals { kill(process.processIdentifier, signal) }
      CommandLineTool.wait(for: process)
      try progress.close()
      #expect(process.terminationReason == .exit)
      #expect(signals.contains(process.terminationStatus - 128), "\(process.terminationStatus)")
      if signals.count > 1 {
        #expect(tool.files == ["progress"], "ended at once, with nothing written")
      } else {
        let file = try ModelFile(contentsOf: tool.path("m"))
        #expect(file.report.status == "cancelled" && (file.report.certificate?.relativeGap ?? .nan) > 0)
      }
    }
  }
}
