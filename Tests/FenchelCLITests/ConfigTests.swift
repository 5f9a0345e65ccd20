import Foundation
import Testing

/// Config files are read strictly: everything odd is exit code 2 with the file and line.
@Suite struct ConfigTests {
  @Test(arguments: [
    ("lamda: 1", "did you mean lambda?"), ("lambda: 1\nlambda: 2", "twice"), ("seed: 1\nx: &a 1", ":2:"),
    ("bias: no", "true or false"), ("bias: 'false'", "true or false"), ("lambda: true", "a number"),
    ("lambda: 1_000", "a number"), ("lambda: 0x10", "a number"), ("lambda: .inf", "a number"),
    ("lambda:", "a number"), ("lambda: [1]", "one value"), ("lambda: {a: 1}", "nested"),
    ("target: [a, no]", "quotes"), ("loss: no", "quotes"), ("loss: hing", "hinge"),
    ("lambda: -1", "positive"),
    ("threads: 1.5", "whole number"), ("- a", "option: value"), ("hello", "option: value"),
    ("include: ../x", "no option"), ("a: *x", "aliases"), ("a: !!str x", "tags"), ("<<: *x", "aliases"),
    ("a: \"x", "closed"), ("a: [1,\n 2]", "closed"), ("a: |\n  x", "blocks"), ("a: 1\n---\nb: 2", "YAML"),
    ("\tseed: 1", "YAML"), ("? [a, b]\n: 1", "name of an option"), ("seed: 99999999999999999999", "--seed"),
    ("data: \"\0\"", "UTF-8"),
  ])
  func oddFilesAreRefused(text: String, message: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(text, to: "run.yaml")
      let result = try tool.run("train", "no-such-file.csv", "--config", "run.yaml")
      #expect(result.code == 2, "\(result.error)")
      #expect(result.error.contains("run.yaml") && result.error.contains(message), "\(result.error)")
    }
  }

  @Test(arguments: ["[", "- ", "? ", "{a: ", "a: [\n", "&a "])
  func hostileFilesAreRefusedAtOnce(piece: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(String(repeating: piece, count: 60_000 / piece.count), to: "run.yaml")
      let result = try tool.run("train", "no-such-file.csv", "--config", "run.yaml")
      #expect(result.code == 2 && !result.wasKilled, "\(result.error.prefix(200))")
    }
  }

  @Test(arguments: ["no.yaml", ".", "/dev/zero"])
  func filesThatCannotBeConfigs(path: String) throws {
    try CommandLineTool.inFolder { tool in
      let result = try tool.run("train", "no-such-file.csv", "--config", path)
      #expect(result.code == 2, "\(result.error)")
    }
  }

  @Test func theCommandLineWins() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("data: other.csv\nlambda: -3\nthreads: 0\nbias: true\n", to: "run.yaml")
      let result = try tool.run(
        "train", "no-such-file.csv", "--config", "run.yaml", "--lambda-ratio", "0.1", "--threads=2",
        "--no-bias")
      #expect(result.code == 3 && result.error.contains("no-such-file.csv"), "\(result.error)")
    }
  }

  @Test func theFileMayNameTheData() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("# a comment\ndata: from-config.csv\npatterns: 10\n", to: "run.yaml")
      let result = try tool.run("train", "--config", "run.yaml")
      #expect(result.code == 3 && result.error.contains("from-config.csv"), "\(result.error)")
    }
  }

  /// Every option of the commands has its kind in the table of config keys, and the other way round.
  @Test func theTableOfKeysIsComplete() throws {
    try CommandLineTool.inFolder { tool in
      for command in ["train", "path", "cv"] {
        let help = try tool.run("help", command).output
        let names = help.matches(of: /--([a-z][a-z-]+)/).map { String($0.output.1) }
        let options = Set(names.map { $0.hasPrefix("no-") ? String($0.dropFirst(3)) : $0 })
        for name in options.subtracting(["config", "help", "version"]) {
          try tool.write("\(name):\n", to: "run.yaml")
          let result = try tool.run(command, "x.csv", "--config", "run.yaml")
          #expect(!result.error.contains("there is no option"), "\(command) \(name): \(result.error)")
        }
      }
    }
  }
}
