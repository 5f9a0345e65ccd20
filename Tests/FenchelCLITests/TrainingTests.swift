import ConvexOptimization
import Fenchel
import Foundation
import Testing

/// `train` and what is done with its model, as processes.
@Suite struct TrainingTests {
  /// Thirty rows of a target that a ReLU network can follow, written to `data.csv`.
  private func writeData(_ tool: CommandLineTool, _ name: String = "data.csv") throws {
    let rows = (0..<30).map { k in
      let (a, b) = (Double(k % 7) - 3, Double(k * k % 11) / 3 - 1.5)
      return "\(a),\(b),\(max(0, a - b) + 0.25 * b)"
    }
    try tool.write((["a,b,y"] + rows).joined(separator: "\n") + "\n", to: name)
  }

  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test func theReportHasTheFieldsOfTheContract() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      let result = try tool.run("train", "data.csv", "--test", "0.2", "--json", "--quiet")
      #expect(result.code == 0, "\(result.error)")
      #expect(result.error.isEmpty)
      let report = try json(result.output)
      let expected: Set = [
        "status", "model", "loss", "samples", "features", "outputs", "lambda", "lambdaMax", "patterns",
        "certificate", "network", "iterations", "seconds", "peakMemoryBytes", "train", "test", "settings",
        "environment", "data", "refinement",
      ]
      #expect(expected.isSubset(of: report.keys))
      let parts: [String: Set<String>] = [
        "patterns": ["count", "exact"], "network": ["neurons", "layers", "objective"],
        "certificate": ["primal", "dual", "gap", "relativeGap", "scope", "heuristicViolation"],
        "refinement": ["rounds", "firstSeconds", "localSeconds", "searchSeconds", "programSeconds"],
        "train": ["loss", "rmse"], "test": ["loss", "rmse"], "data": ["rows", "columns", "sha256"],
        "environment": ["version", "threads", "blasCore", "processor"],
      ]
      for (name, keys) in parts {
        let part = try #require(report[name] as? [String: Any])
        #expect(keys.isSubset(of: part.keys), "\(name): \(part.keys)")
      }
      let proof = try #require(report["certificate"] as? [String: Any])
      let (dual, primal) = (try #require(proof["dual"] as? Double), try #require(proof["primal"] as? Double))
      #expect(dual <= primal && (proof["relativeGap"] as? Double ?? 1) <= 1e-4)
      #expect(tool.files == ["data.csv", "model.safetensors"])
    }
  }

  @Test func aRefinementSaysWhereItsTimeWent() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      let refined = try tool.run("train", "data.csv").output
      let line = try #require(refined.split(separator: "\n").first { $0.hasPrefix("refinement ") })
      for phase in ["round", "local training", "search", "cone programs"] {
        #expect(line.contains(phase), "\(line)")
      }
      let report = try json(tool.run("train", "data.csv", "--json").output)
      let phases = try #require(report["refinement"] as? [String: Any])
      var parts = phases.filter { $0.key.hasSuffix("Seconds") }.compactMapValues { $0 as? Double }
      let first = parts.removeValue(forKey: "firstSeconds") ?? 0
      #expect(first > 0 && first <= parts["localSeconds"] ?? 0, "\(phases)")
      let seconds = Array(parts.values)
      #expect(seconds.count == 3 && seconds.allSatisfy { $0 > 0 }, "\(phases)")
      #expect(seconds.reduce(0, +) <= report["seconds"] as? Double ?? 0, "\(phases)")
      #expect(try !tool.run("train", "data.csv", "--patterns", "20").output.contains("refinement "))
      #expect(
        try json(tool.run("train", "data.csv", "--patterns", "20", "--json").output)["refinement"] == nil)
    }
  }

  @Test func aModelCanBeUsedInEveryWay() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      let trained = try tool.run("train", "data.csv", "--output", "m", "--patterns", "20")
      #expect(trained.code == 0, "\(trained.error)")
      #expect(trained.output.contains("certificate") && trained.output.contains("patterns only"))
      let inspected = try tool.run("inspect", "m")
      #expect(inspected.code == 0 && inspected.output.contains("dense"), "\(inspected.error)")
      #expect(inspected.output.contains("feeds") && inspected.output.contains("divided by"))
      let inspection = try json(tool.run("inspect", "m", "--json").output)
      #expect(inspection["layers"] != nil)
      let largest = (inspection["largestNeurons"] as? [String: Any])?["neurons"] as? [[String: Any]] ?? []
      let shares = largest.compactMap { $0["share"] as? Double }
      #expect(
        (1...5).contains(shares.count) && shares == shares.sorted(by: >) && shares.reduce(0, +) <= 1 + 1e-12)
      let evaluated = try tool.run("evaluate", "m", "data.csv", "--json")
      #expect(evaluated.code == 0, "\(evaluated.error)")
      #expect((try json(evaluated.output)["rSquared"] as? Double ?? 0) > 0.9)
      let verified = try tool.run("verify", "m", "data.csv")
      #expect(verified.code == 0, "\(verified.error)")
      let printed = try tool.run("predict", "m", "data.csv")
      #expect(printed.code == 0 && printed.output.split(separator: "\n").count == 31, "\(printed.error)")
      #expect(try tool.run("predict", "m", "data.csv", "--output", "p.csv").code == 0)
      #expect(tool.contents("p.csv") == Data(printed.output.utf8))
      #expect(try json(tool.run("predict", "m", "data.csv", "--json").output)["rows"] != nil)
      #expect(try tool.run("predict", "m", "data.csv", "--probabilities").code == 2)
    }
  }

  @Test func classesGetProbabilities() throws {
    try CommandLineTool.inFolder { tool in
      #expect(try tool.run("train", "iris", "--patterns", "30", "-o", "m").code == 0)
      let lines = try tool.run("predict", "m", "iris", "--probabilities").output.split(separator: "\n")
      #expect(lines.count == 151)
      for line in lines.dropFirst() {
        let sum = line.split(separator: ",").compactMap { Double($0) }.reduce(0, +)
        #expect(abs(sum - 1) < 1e-12)
      }
      let labels = try tool.run("predict", "m", "iris").output.split(separator: "\n")
      #expect(labels.count == 151 && Set(labels.dropFirst()).count == 3)
    }
  }

  @Test func theSameNetworkTwiceAndOnAnyNumberOfThreads() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      for (name, threads) in [("one", "1"), ("two", "2"), ("again", "2"), ("three", "3")] {
        #expect(try tool.run("train", "data.csv", "-o", name, "--threads", threads).code == 0)
      }
      let networks = try ["one", "two", "again", "three"].map { try ModelFile(contentsOf: tool.path($0)) }
      for other in networks.dropFirst() {
        #expect(other.network == networks[0].network && other.certificate == networks[0].certificate)
      }
    }
  }

  @Test func aTamperedCertificateDoesNotVerify() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      #expect(try tool.run("train", "data.csv", "-o", "m", "--patterns", "20").code == 0)
      var file = try ModelFile(contentsOf: tool.path("m"))
      let primal = file.report.certificate?.primal ?? .nan
      file.report.certificate?.dual = primal
      try file.write(to: tool.path("better"))
      #expect(try tool.run("verify", "better", "data.csv").code == 4)
      file = try ModelFile(contentsOf: tool.path("m"))
      file.certificate["theta"] = nil
      try file.write(to: tool.path("without"))
      #expect(try tool.run("verify", "without", "data.csv").code == 4)
      try tool.write("a,b,y\n1,2,3\n2,1,0\n", to: "other.csv")
      #expect(try tool.run("verify", "m", "other.csv").code == 3)
    }
  }

  @Test func standardInputAConfigAndARunFolder() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      let text = String(decoding: tool.contents("data.csv") ?? Data(), as: UTF8.self)
      try tool.write("lambda-ratio: 0.05\npatterns: 10\nrun: folder\nquiet: true\n", to: "run.yaml")
      let result = try tool.run("train", "-", "--format", "csv", "--config", "run.yaml", input: text)
      #expect(result.code == 0 && result.error.isEmpty, "\(result.error)")
      let report = try json(String(decoding: tool.contents("folder/run.json") ?? Data(), as: UTF8.self))
      let settings = try #require(report["settings"] as? [String: Any])
      #expect(settings["patterns"] as? Int == 10)
      #expect(tool.contents("folder/model.safetensors") != nil)
    }
  }

  @Test func aModelThatWasThereIsSaidToBeReplaced() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      for word in ["written      m", "replaced     m"] {
        let result = try tool.run("train", "data.csv", "--patterns", "10", "-o", "m")
        #expect(result.code == 0 && result.output.hasSuffix(word + "\n"), "\(result.output)")
      }
      let cv = try tool.run("cv", "data.csv", "--folds", "2", "--ratios", "0.5", "--patterns", "5", "-o", "m")
      #expect(cv.code == 0 && cv.output.hasSuffix("replaced     m\n"), "\(cv.output)")
    }
  }

  @Test func lossParametersFromTheCommandLineAndAConfigFile() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("loss: quantile\nquantile: 0.8\npatterns: 20\nmodel: gated-relu\n", to: "run.yaml")
      let result = try tool.run("train", "diabetes", "--config", "run.yaml", "-o", "m", "--json", "--quiet")
      #expect(result.code == 0, "\(result.error)")
      let settings = try #require(try json(result.output)["settings"] as? [String: Any])
      #expect((settings["lossParameters"] as? [String: Any])?["tau"] as? Double == 0.8)
      #expect(try tool.run("verify", "m", "diabetes").code == 0)
      let other = try tool.run(
        "train", "diabetes", "--loss", "huber", "--huber-delta", "0.25", "--patterns", "5", "-o", "h",
        "--json", "--quiet")
      #expect(other.code == 0, "\(other.error)")
      #expect(try ModelFile(contentsOf: tool.path("h")).settings.lossParameters?.δ == 0.25)
      #expect(try tool.run("verify", "h", "diabetes").code == 0)
    }
  }

  /// The whole command has the limit, not each of its trainings.
  @Test func theTimeLimitOfAPathAndACrossValidation() throws {
    try CommandLineTool.inFolder { tool in
      let long =
        "digits --model gated-relu --patterns 60 --solver fista --tolerance 1e-13 --precision double --steps 40 --time-limit 1 --quiet"
      let path = try tool.shell("exec \"$FENCHEL\" path \(long) --json")
      #expect(path.code == 5, "\(path.error)")
      let report = try json(path.output)
      #expect((1..<40).contains((report["points"] as? [Any])?.count ?? 0) && report["planned"] as? Int == 40)
      #expect(report["seconds"] as? Double ?? .infinity < 15, "forty trainings of a second each are 40 s")
      let cv = try tool.shell("exec \"$FENCHEL\" cv \(long) --folds 2 -o m")
      #expect(
        cv.code == 5 && cv.output.contains("of 40 candidates before the limit"), "\(cv.output)\(cv.error)")
      #expect(try ModelFile(contentsOf: tool.path("m")).settings.timeLimit == 1)
    }
  }

  @Test(.enabled(if: DataCatalogue.entry("mnist")?.folder != nil, "mnist is not here (set FENCHEL_DATA)"))
  func predictionsOfAKnownSetAreOfItsTestPart() throws {
    try CommandLineTool.inFolder { tool in
      let training = try tool.run(
        "train", "mnist", "--model", "mlp", "--hidden", "5", "--epochs", "1", "-o", "m", "--quiet")
      #expect(training.code == 0, "\(training.error)")
      let result = try tool.run("predict", "m", "mnist")
      #expect(result.code == 0 && result.output.count { $0 == "\n" } == 10_001, "\(result.error)")
    }
  }

  @Test func aPathAndACrossValidation() throws {
    try CommandLineTool.inFolder { tool in
      try writeData(tool)
      let path = try tool.run("path", "data.csv", "--ratios", "0.5,0.1", "--patterns", "20", "--json")
      #expect(path.code == 0, "\(path.error)")
      let points = try #require(try json(path.output)["points"] as? [[String: Any]])
      #expect(points.count == 2)
      let cv = try tool.run(
        "cv", "data.csv", "--folds", "3", "--ratios", "0.5,0.01", "--patterns", "20", "--json", "-o", "m")
      #expect(cv.code == 0, "\(cv.error)")
      #expect(try json(cv.output)["best"] as? Int == 1)
      #expect(try tool.run("inspect", "m").code == 0)
      // Single precision where one of the models compared takes it, whatever `--model` is.
      let both = try tool.run(
        "cv", "data.csv", "--models", "relu,gated-relu", "--precision", "float", "--folds", "2", "--ratios",
        "0.5", "--patterns", "5", "-o", "m")
      #expect(both.code == 0, "\(both.error)")
      // So are the options of single programs for those that take them.
      let kernels = try tool.run(
        "cv", "data.csv", "--models", "quadratic,gated-cnn", "--kernel", "1", "--folds", "2", "--ratios",
        "0.5",
        "--patterns", "5", "-o", "m")
      #expect(kernels.code == 0, "\(kernels.error)")
      let refused = try tool.run("cv", "data.csv", "--models", "relu,quadratic", "--kernel", "1", "-o", "m")
      #expect(refused.code == 2 && refused.error.contains("the models relu, quadratic"), "\(refused.error)")
    }
  }
}
