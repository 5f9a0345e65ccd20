import Foundation
import Testing

@Suite struct TuneCommandTests {
  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// The command line and the config file at the end train the model of the best trial.
  @Test func theBestSettingsTrain() throws {
    try CommandLineTool.inFolder { tool in
      let line =
        "iris --model mlp --hidden 8 --epochs 5 --batch-size 20 --seed 3 --quiet --trials 9 "
        + "--search learning-rate=1e-3:0.1:log,hidden=5/8-4 --search weight-decay=0:0.01"
      let tuned = try tool.shell("exec \"$FENCHEL\" tune \(line) --best best.yaml")
      #expect(tuned.code == 0 && tuned.error.isEmpty, "\(tuned.error)")
      let lines = tuned.output.split(separator: "\n").map(String.init)
      #expect(
        lines.count == 13 && lines[0].contains("learning-rate") && lines[0].contains("accuracy"), "\(lines)")
      let command = try #require(lines.first { $0.hasPrefix("fenchel train iris") })
      #expect(command.contains("--seed 3") && !command.contains("search") && !command.contains("quiet"))
      let report = try json(tool.shell("exec \"$FENCHEL\" tune \(line) --json").output)
      let best = try #require(report["best"] as? Int)
      let trials = try #require(report["trials"] as? [[String: Any]])
      #expect(trials.count == 9)
      let direct = try tool.shell("exec \"$FENCHEL\" \(command.dropFirst(8)) --test 0.2 --json --quiet -o m")
      #expect(direct.code == 0, "\(direct.error)")
      let score = (try json(direct.output)["test"] as? [String: Any])?["accuracy"] as? Double
      #expect(score == trials[best]["score"] as? Double)
      let configured = try tool.run(
        "train", "--config", "best.yaml", "--test", "0.2", "--json", "--quiet", "-o", "n")
      let configuredScore = (try json(configured.output)["test"] as? [String: Any])?["accuracy"] as? Double
      #expect(configured.code == 0 && configuredScore == score, "\(configured.error)")
    }
  }

  /// Killed at a random moment and started again: the trials of a search that was not stopped.
  @Test func killedSearchesGoOn() throws {
    try CommandLineTool.inFolder { tool in
      let line =
        "tune digits --model mlp --hidden 20 --epochs 5 --trials 10 --quiet --json --search learning-rate=1e-4:0.1:log"
      func scores(_ output: String) throws -> [String] {
        let trials = try #require(try json(output)["trials"] as? [[String: Any]])
        return trials.map { "\($0["values"] ?? "") \($0["score"] ?? "")" }
      }
      let whole = try tool.shell("exec \"$FENCHEL\" \(line)")
      #expect(whole.code == 0, "\(whole.error)")
      for _ in 0..<3 {
        try tool.start("\(line) --journal j", signalAfter: Double.random(in: 0.1...0.8))
      }
      let rest = try tool.shell("exec \"$FENCHEL\" \(line) --journal j")
      #expect(rest.code == 0, "\(rest.error)")
      #expect(try scores(rest.output) == scores(whole.output))
    }
  }

  @Test func refusals() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("a,b,y\n" + (0..<40).map { "\($0),\($0 % 7),\($0 % 5).5\n" }.joined(), to: "t.csv")
      try tool.write("no journal\n", to: "j")
      try tool.write(
        "model: mlp\ntrials: 2\nepochs: 1\nsearch: [\"learning-rate=1e-3:1e-2\", hidden=3/4]\n",
        to: "run.yaml")
      for (arguments, code, message) in [
        ("t.csv --config run.yaml", 0, ""), ("t.csv --trials 1 --lambda-ratio 0.1 --patterns 5", 0, ""),
        ("t.csv --model mlp --search learning-rat=1:2", 2, "did you mean learning-rate?"),
        ("t.csv --model mlp --search learning-rate=2:1", 2, "LOW below HIGH"),
        ("t.csv --model mlp --serch learning-rate=1:2", 2, "--search"),
        ("t.csv --model mlp --trials 0", 2, "--trials"),
        ("t.csv --model mlp --method bayes", 2, "bayesian"),
        ("t.csv --model mlp --validation 1.5", 2, "--validation"),
        ("t.csv --model mlp --validation none.csv", 3, "none.csv"), ("none.csv --model mlp", 3, "none.csv"),
        ("t.csv --model mlp --journal none/j", 2, "none"), ("t.csv --model mlp --journal t.csv", 2, "input"),
        ("t.csv --model mlp --trials 1 --journal j", 4, "j:1"),
        ("t.csv --model mlp --measure rms", 2, "rmse"),
        ("t.csv --model mlp --trials 2 --measure accuracy", 5, "no trial"),
        ("t.csv --model mlp --trials 2 --activation sign", 5, "no trial"),
      ] {
        let result = try tool.shell("exec \"$FENCHEL\" tune --quiet \(arguments) > /dev/null")
        #expect(result.code == Int32(code) && !result.wasKilled, "\(arguments): \(result.error)")
        #expect(message.isEmpty || result.error.contains(message), "\(arguments): \(result.error)")
        if code != 0 { #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)") }
      }
      #expect(tool.files == ["j", "run.yaml", "t.csv"])
    }
  }
}
