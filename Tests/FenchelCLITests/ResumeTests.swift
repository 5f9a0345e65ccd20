import Fenchel
import Foundation
import Testing

/// `fenchel train --checkpoint` and `--resume`, with the process killed at random moments.
@Suite struct KillTests {
  /// Runs of about a second, one for every kind of loop.
  static let runs = [
    "mlp --epochs 40 --batch-size 40", "fenchel --epochs 30 --batch-size 40", "lifted --epochs 12",
    "mac --epochs 8 --activation tanh", "mlp --optimizer l-bfgs --epochs 60",
  ]

  /// Killed again and again by SIGKILL, each time at a random moment and taken up with another number of threads: the same
  /// model in the end, byte for byte.
  @Test(arguments: runs)
  func killedAtRandomMoments(run: String) throws {
    try CommandLineTool.inFolder { tool in
      let options = "digits --hidden 40,20 --quiet --model \(run)"
      let clock = ContinuousClock()
      let start = clock.now
      #expect(try tool.shell("exec \"$FENCHEL\" train \(options) -o whole").code == 0)
      let seconds = start.duration(to: clock.now) / .seconds(1)
      var command = "train \(options) -o parts --checkpoint c --checkpoint-interval 0"
      let tries = Int(ProcessInfo.processInfo.environment["FENCHEL_KILLS"] ?? "") ?? 3
      for attempt in 0..<tries {
        let moment = Double.random(in: 0...1) * seconds
        try tool.start(command + " --threads \(attempt % 3 + 1)", signalAfter: moment)
        if tool.contents("c") != nil { command = "train --resume c" }
      }
      let end = try tool.shell("exec \"$FENCHEL\" \(command) --threads 2")
      #expect(end.code == 0, "\(end.error)")
      #expect(try tool.timeless("parts") == tool.timeless("whole"))
      #expect(!tool.files.contains { $0.hasSuffix(".fenchel-tmp") }, "\(tool.files)")
    }
  }

  /// An interrupted run of a folder goes on where it was; so does one that is over, which then has nothing to do.
  @Test func interruptedAndOver() throws {
    try CommandLineTool.inFolder { tool in
      let options = "digits --hidden 20 --model mlp --epochs 30 --batch-size 30 --quiet"
      #expect(try tool.shell("exec \"$FENCHEL\" train \(options) -o whole").code == 0)
      try tool.start("train \(options) --run r", signalAfter: 0.3, signal: SIGINT)
      let report = String(decoding: tool.contents("r/run.json") ?? Data(), as: UTF8.self)
      guard report.contains("cancelled") || report.contains("completed") else { return }
      for _ in 0..<2 {
        let end = try tool.run("train", "--resume", "r", "--quiet")
        #expect(end.code == 0, "\(end.error)")
        #expect(try tool.timeless("r/model.safetensors") == tool.timeless("whole"))
      }
    }
  }

  @Test func refusals() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n4,1\n", to: "data.csv")
      try tool.write("a,y\n1,0.5\n2,1.5\n3,2\n4,1.25\n", to: "other.csv")
      let made = try tool.shell(
        "exec \"$FENCHEL\" train data.csv --model mlp --hidden 3 --checkpoint c -o m --config none.yaml")
      #expect(made.code == 2)
      #expect(
        try tool.run("train", "data.csv", "--model", "mlp", "--hidden", "3", "--checkpoint", "c", "-o", "m")
          .code == 0)
      let bytes = try #require(tool.contents("c"))
      try bytes.prefix(bytes.count / 2).write(to: tool.folder.appendingPathComponent("short"))
      for (arguments, code, message) in [
        ("--resume c", 0, ""), ("--resume c --epochs 12", 0, ""), ("other.csv --resume c", 4, "other rows"),
        ("--resume c --test 0.5", 4, "other rows"), ("--resume c --hidden 4", 4, "hidden 3, not 4"),
        ("--resume c --learning-rate 1", 4, "learning-rate unset, not 1"), ("--resume m", 4, "--init"),
        ("--resume short", 4, "usable"), ("--resume absent", 4, "absent"), ("--resume data.csv", 4, "usable"),
        ("--resume c --model relu", 2, "relu"), ("data.csv --checkpoint x", 2, "convex"),
        ("data.csv --model mlp --checkpoint none/x", 2, "none"), ("--resume c -o c", 2, "checkpoint"),
        ("data.csv --model mlp --checkpoint data.csv", 2, "input"),
        ("data.csv --model mlp --checkpoint-interval -1", 2, "--checkpoint-interval"),
        ("data.csv --model mlp --checkpoint-interval 1", 2, "needs a place"),
        ("--resume c --init m", 4, "init unset, not m"),
        ("--resume c --early-stopping 3", 4, "early-stopping unset, not 3:0.1"),
        ("data.csv --model mlp --checkpont x", 2, "--checkpoint"),
        ("data.csv --model mlp --init c", 4, "--resume"),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" train --quiet \(arguments) > /dev/null")
        #expect(result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.error)")
        #expect(message.isEmpty || result.error.contains(message), "\(arguments): \(result.error)")
        if code != 0 { #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)") }
      }
      // A full disk: the model is written, and the exit code says that the checkpoint is not.
      let full = try tool.run(
        "train", "data.csv", "--model", "mlp", "--checkpoint", "/dev/full", "-o", "n", "--quiet")
      #expect(full.code == 6 && tool.contents("n") != nil, "\(full.error)")
    }
  }

  /// What was given in a config file, as a flag, in short form or with an equals sign is known again.
  @Test func optionsAreKnownAgain() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("z,a,y\n3,1,0.5\n1,2,1.5\n2,3,2\n2,4,1\n", to: "data.csv")
      try tool.write("model: mlp\nhidden: [3, 2]\nbias: false\nignore: z\nepochs: 3\n", to: "run.yaml")
      #expect(
        try tool.run(
          "train", "--config", "run.yaml", "data.csv", "--no-standardise", "-o", "m", "--seed=7",
          "--checkpoint", "c", "--epochs", "4", "-q"
        ).code == 0)
      let first = try tool.timeless("m")
      try FileManager.default.removeItem(atPath: tool.path("m"))
      try FileManager.default.removeItem(atPath: tool.path("run.yaml"))
      let again = try tool.run("train", "--resume", "c")
      #expect(again.code == 0, "\(again.error)")
      #expect(try tool.timeless("m") == first)
    }
  }
}

extension CommandLineTool {
  /// A model file with what depends on the clock and the machine left out.
  func timeless(_ name: String) throws -> [UInt8] {
    var file = try ModelFile(contentsOf: path(name))
    file.report.seconds = 0
    file.report.peakMemoryBytes = 0
    file.report.environment.threads = 0
    file.report.settings.threads = nil
    file.report.history = file.report.history?.map {
      Epoch(number: $0.number, loss: $0.loss, validationLoss: $0.validationLoss, seconds: 0)
    }
    return try file.encoded()
  }

  /// Starts `fenchel` with the arguments and sends it a signal after some seconds, then waits for its end.
  func start(_ line: String, signalAfter seconds: Double, signal: Int32 = SIGKILL) throws {
    let process = Process()
    process.executableURL = CommandLineTool.program
    process.arguments = line.split(separator: " ").map(String.init)
    process.currentDirectoryURL = folder
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    usleep(UInt32(seconds * 1e6))
    kill(process.processIdentifier, signal)
    CommandLineTool.wait(for: process)
  }
}
