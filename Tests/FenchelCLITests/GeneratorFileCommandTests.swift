import Foundation
import Testing

/// What becomes of a generator after its training.
@Suite struct GeneratorFileCommandTests {
  private let training = "gan digits --sizes 4,8 --beta-ratio 0.05 --quiet --samples 9 --seed 3"

  /// A generator of the digits, in `out`.
  private func trained(_ tool: CommandLineTool, _ options: String = "") throws {
    let run = try tool.shell("exec \"$FENCHEL\" \(training) --output out \(options)")
    try #require(run.code == 0, "\(run.error)")
  }

  @Test func samplesOfTheFileAreThoseOfTheTraining() throws {
    try CommandLineTool.inFolder { tool in
      try trained(tool)
      let file = "out/generator.safetensors"
      let again = try tool.shell("exec \"$FENCHEL\" gan --from \(file) --samples 9 --seed 3 --output new")
      #expect(again.code == 0 && again.error.isEmpty, "\(again.error)")
      #expect(
        again.output.contains("linear · noise of") && again.output.contains("9 · seed 3"), "\(again.output)")
      for name in ["samples-4.png", "samples-4.pgm", "samples-8.png", "samples-8.pgm"] {
        let made = try #require(tool.contents("new/\(name)"))
        #expect(made == tool.contents("out/\(name)"), "\(name)")
      }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: tool.path("new")).sorted() == [
          "samples-4.pgm", "samples-4.png", "samples-8.pgm", "samples-8.png",
        ])
      // One picture of the last stage; another seed gives another.
      for (name, options) in [("g.png", "--seed 3"), ("g.pgm", "--seed 3"), ("h.png", "--seed 4")] {
        let run = try tool.shell("exec \"$FENCHEL\" gan --from \(file) --samples 9 \(options) --grid \(name)")
        #expect(run.code == 0, "\(run.error)")
      }
      #expect(tool.contents("g.png") == tool.contents("out/samples-8.png"))
      #expect(tool.contents("g.pgm") == tool.contents("out/samples-8.pgm"))
      #expect(tool.contents("h.png") != tool.contents("g.png"))
      let json = try tool.shell("exec \"$FENCHEL\" gan --from \(file) --samples 9 --grid i.png --json")
      let made = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect(made?["files"] as? [String] == ["i.png"] && made?["samples"] as? Int == 9)
    }
  }

  @Test func aGeneratorIsInspectedAndNothingElse() throws {
    try CommandLineTool.inFolder { tool in
      try trained(tool, "--save g.safetensors")
      #expect(tool.files == ["g.safetensors", "out"])
      let text = try tool.run("inspect", "g.safetensors")
      #expect(text.code == 0, "\(text.error)")
      for word in ["a generator of pictures", "1797 images of 8 × 8", "stages of 4, 8 pixels", "β", "solved"]
      {
        #expect(text.output.contains(word), "\(word) in \(text.output)")
      }
      let json = try tool.run("inspect", "g.safetensors", "--json")
      let summary = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect(summary?["kind"] as? String == "generator" && (summary?["stages"] as? [Any])?.count == 2)
      for arguments in [
        ["predict", "g.safetensors", "digits"], ["evaluate", "g.safetensors", "digits"],
        ["verify", "g.safetensors", "digits"], ["predict", "g.safetensors", "digits", "--rule", "lifted"],
        ["train", "digits", "--model", "mlp", "--init", "g.safetensors"],
        ["train", "--resume", "g.safetensors"],
      ] {
        let run = try tool.run(arguments)
        #expect(run.code == 4 && run.output.isEmpty, "\(arguments): \(run.code)")
        #expect(
          run.error.contains("a generator of pictures") && run.error.contains("gan --from")
            && run.error.filter { $0 == "\n" }.count == 1, "\(arguments): \(run.error)")
      }
    }
  }

  @Test func damagedFilesAreErrors() throws {
    try CommandLineTool.inFolder { tool in
      try trained(tool, "--save g")
      let whole = try #require(tool.contents("g"))
      var flipped = whole
      flipped[whole.count - 9] ^= 0x40
      for (name, bytes) in [
        ("truncated", whole.dropLast(100)), ("half", whole.prefix(whole.count / 2)), ("empty", Data()),
        ("flipped", flipped), ("text", Data("no generator\n".utf8)),
      ] {
        try Data(bytes).write(to: URL(fileURLWithPath: tool.path(name)))
        for arguments in [["gan", "--from", name, "--grid", "x.png"], ["inspect", name]] {
          let run = try tool.run(arguments)
          #expect(run.code == 4 && run.output.isEmpty && !run.wasKilled, "\(arguments): \(run.code)")
          #expect(
            run.error.contains(name) && run.error.filter { $0 == "\n" }.count == 1,
            "\(arguments): \(run.error)")
        }
      }
      #expect(tool.contents("x.png") == nil)
      let none = try tool.run("gan", "--from", "none")
      #expect(none.code == 4 && none.error.contains("none"), "\(none.error)")
      let model = try tool.run(
        "train", "iris", "--model", "gated-relu", "--patterns", "3", "--lambda-ratio", "0.5", "--quiet", "-o",
        "m")
      #expect(model.code == 0, "\(model.error)")
      let other = try tool.run("gan", "--from", "m")
      #expect(other.code == 4 && other.error.contains("a model of a network"), "\(other.error)")
      let many = try tool.run("gan", "--from", "g", "--samples", "10000", "--max-memory", "0.001")
      #expect(many.code == 6 && many.error.contains("take fewer"), "\(many.error)")
      let same = try tool.run("gan", "--from", "g.png", "--grid", "g.png")
      #expect(same.code == 4, "\(same.error)")
      try whole.write(to: URL(fileURLWithPath: tool.path("g.png")))
      let over = try tool.run("gan", "--from", "g.png", "--grid", "g.png")
      #expect(over.code == 2 && over.error.contains("also an input") && tool.contents("g.png") == whole)
    }
  }

  /// A ReLU generator of the digits takes far more than a second; what is done by then is written.
  @Test func aTimeLimitLeavesAGenerator() throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.shell(
        "exec \"$FENCHEL\" gan digits --generator relu --sizes 4,6,8 --lambda-ratio 1e-4 --time-limit 1.5 --quiet --json "
          + "--output out")
      #expect(run.code == 5 && run.error.isEmpty, "\(run.code) \(run.error)")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      let stages = try #require(report["stages"] as? [[String: Any]])
      #expect(!stages.isEmpty && report["status"] as? String == "time-limit", "\(report["status"] ?? "")")
      #expect(report["sizes"] as? [Int] == [4, 6, 8])
      #expect(report["seconds"] as? Double ?? .infinity < 30)
      let samples = try tool.run("gan", "--from", "out/generator.safetensors", "--grid", "g.png")
      #expect(samples.code == 0, "\(samples.error)")
      let text = try tool.run("inspect", "out/generator.safetensors")
      #expect(text.output.contains("time-limit"), "\(text.output)")
    }
  }

  @Test func anInterruptedTrainingLeavesAGenerator() throws {
    try CommandLineTool.inFolder { tool in
      let run = try tool.shell(
        "\"$FENCHEL\" gan digits --generator relu --sizes 4,6,8 --lambda-ratio 1e-4 --quiet --output out & "
          + "sleep 2; kill -TERM $!; wait $!")
      #expect(run.code == 143, "\(run.code) \(run.error)")
      #expect(run.output.contains("cancelled"), "\(run.output)")
      let samples = try tool.run("gan", "--from", "out/generator.safetensors", "--grid", "g.png")
      #expect(samples.code == 0, "\(samples.error)")
    }
  }

  @Test func settingsComeFromAFileToo() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(
        "data: digits\nsizes: [4, 8]\nbeta-ratio: 0.05\nsamples: 9\nseed: 3\noutput: own\n", to: "s.yaml")
      try trained(tool)
      let run = try tool.run("gan", "--config", "s.yaml", "--quiet")
      #expect(run.code == 0, "\(run.error)")
      #expect(tool.contents("own/samples-8.png") == tool.contents("out/samples-8.png"))
      // β of the command line in place of the share in the file.
      let other = try tool.run("gan", "--config", "s.yaml", "--quiet", "--beta", "5", "--json")
      #expect(other.code == 0 && other.output.contains("\"beta\" : 5"), "\(other.error)")
    }
  }
}
