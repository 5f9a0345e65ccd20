import Foundation
import Testing

/// Wrong options end with exit code 2 and one line, before any data is read.
@Suite struct UsageTests {
  @Test(arguments: [
    (["trian", "digits"], "did you mean train?"),
    (["train", "digits", "--lamda", "1"], "'--lambda'"),
    (["train", "digits", "--lambda", "0"], "--lambda"),
    (["train", "digits", "--lambda", "-1"], "--lambda"),
    (["train", "digits", "--lambda", "nan"], "--lambda"),
    (["train", "digits", "--lambda", "1e400"], "--lambda"),
    (["train", "digits", "--lambda", "1", "--lambda-ratio", "1"], "--lambda-ratio"),
    (["train", "digits", "--lambda-ratio", "inf"], "--lambda-ratio"),
    (["train", "digits", "--tolerance", "1e-30"], "--tolerance"),
    (["train", "digits", "--tolerance", "nan"], "--tolerance"),
    (["train", "digits", "--threads", "0"], "--threads"),
    (["train", "digits", "--threads", "1000000"], "--threads"),
    (["train", "digits", "--patterns", "0"], "--patterns"),
    (["train", "digits", "--patterns", "refin"], "did you mean refine?"),
    (["train", "digits", "--loss", "sqared"], "did you mean squared?"),
    (["train", "digits", "--model", "rellu"], "did you mean relu?"),
    (["train", "digits", "--solver", "x"], "--solver"),
    (["train", "digits", "--time-limit", "-5"], "--time-limit"),
    (["train", "digits", "--bound", "quik"], "did you mean quick?"),
    (
      ["train", "iris", "--model", "threshold", "--bound", "none", "--bound-time", "2"], "--bound is not for"
    ),
    (["train", "digits", "--bound-time", "-1"], "--bound-time"),
    (["train", "digits", "--bound-time", "nan"], "--bound-time"),
    (["train", "digits", "--model", "mlp", "--bound", "tight"], "--bound is not for the model mlp"),
    (
      ["train", "iris", "--model", "gated-relu", "--bound-time", "2"],
      "--bound is not for the model gated-relu"
    ),
    (
      ["train", "digits", "--outputs", "nuclear", "--bound", "tight"], "--bound is not for --outputs nuclear"
    ),
    (["train", "digits", "--outputs", "nuclear", "--solver", "newton"], "take auto or fista"),
    (
      ["train", "digits", "--outputs", "nuclear", "--loss", "hinge"],
      "which shared neurons (--outputs nuclear)"
    ),
    (
      ["train", "iris", "--model", "gated-relu", "--outputs", "nuclear", "--solver", "newton"],
      "take auto or fista"
    ),
    (["train", "digits", "--normalise", "before"], "take --model batch-norm"),
    (["train", "digits", "--model", "batch-norm", "--normalise", "befor"], "did you mean before?"),
    (["train", "iris", "--model", "batch-norm", "--normalise", "after", "--loss", "hinge"], "has kinks"),
    (
      ["train", "iris", "--model", "batch-norm", "--normalise", "after", "--bound", "tight"],
      "--bound is not for --normalise after"
    ),
    (
      ["train", "iris", "--model", "batch-norm", "--normalise", "after", "--solver", "interior-point"],
      "take auto"
    ),
    (["train", "iris", "--class-weight", "x"], "not of the form class=weight"),
    (["train", "iris", "--class-weight", "setosa=-1"], "a number of at least 0"),
    (["train", "iris", "--class-weight", "setosa=1,setosa=2"], "appears twice"),
    (["train", "iris", "--class-weight", "rose=2"], "iris has no class \"rose\""),
    (
      ["train", "iris", "--class-weight", "setosa=0,versicolor=0,virginica=0"],
      "--class-weight: all rows of iris weigh nothing"
    ),
    (["train", "diabetes", "--class-weight", "balanced"], "weights of classes need classes"),
    (["path", "iris", "--class-weight", "setosa"], "not of the form class=weight"),
    (["verify", "m", "iris", "--class-weight", "setosa"], "not of the form class=weight"),
    (["verify", "m", "iris", "--test", "1.5"], "between 0 and 1"),
    (["verify", "m", "iris", "--test", "nan"], "between 0 and 1"),
    (["train", "iris", "--test", "0.0001"], "leaves one part empty"),
    (["cv", "iris", "--folds", "151"], "151 folds of 150 rows"),
    (["forecast", "diabetes", "--samples", "100000"], "--samples: 100000 of a signal that has 442"),
    (["train", "diabetes", "--huber-delta", "1"], "give --loss huber"),
    (["train", "diabetes", "--loss", "huber", "--huber-delta", "0"], "--huber-delta 0.0 must be"),
    (["train", "diabetes", "--loss", "huber", "--huber-delta", "-1"], "--huber-delta -1.0 must be"),
    (["train", "diabetes", "--loss", "huber", "--huber-delta", "nan"], "--huber-delta nan must be"),
    (["train", "diabetes", "--loss", "huber", "--huber-delta", "x"], "--huber-delta"),
    (["train", "diabetes", "--loss", "huber", "--quantile", "0.5"], "give --loss quantile"),
    (["train", "diabetes", "--quantile", "0.5"], "give --loss quantile"),
    (["train", "diabetes", "--loss", "quantile", "--quantile", "1"], "must lie between 0 and 1"),
    (["train", "diabetes", "--loss", "quantile", "--quantile", "0"], "must lie between 0 and 1"),
    (["train", "diabetes", "--loss", "quantile", "--quantile", "nan"], "must lie between 0 and 1"),
    (["path", "diabetes", "--quantile", "0.5"], "give --loss quantile"),
    (["train", "iris", "--precision", "float"], "--precision float is not for the model relu"),
    (
      ["train", "iris", "--model", "three-layer", "--precision", "float"],
      "--precision float is not for the model three-layer"
    ),
    (
      ["cv", "iris", "--models", "relu", "--precision", "float"],
      "--precision float is not for the model relu"
    ),
    (
      ["cv", "iris", "--model", "gated-relu", "--models", "relu,cnn", "--precision", "float"],
      "--precision float is not for the models relu, cnn"
    ),
    (["train", "digits", "--run", "r", "--output", "m"], "exclude each other"),
    (["train", "digits", "--kernel", "3"], "--kernel is not for the model relu; take --model cnn"),
    (["train", "digits", "--model", "mlp", "--padding", "1"], "take --model cnn"),
    (["train", "digits", "--model", "cnn", "--kernel", "3y"], "must be a side such as 3"),
    (["train", "digits", "--model", "cnn", "--kernel", "3x3x3"], "height x width"),
    (["train", "digits", "--model", "cnn", "--kernel", "0x3"], "--kernel 0 must be"),
    (["train", "digits", "--model", "cnn", "--kernel", "9"], "a kernel of 9 × 9 is larger"),
    (["train", "diabetes", "--model", "cnn", "--kernel", "11"], "longer than signals of 10"),
    (["train", "diabetes", "--model", "cnn", "--kernel", "3x3"], "give --kernel 3"),
    (["train", "diabetes", "--model", "cnn", "--channels", "3"], "no signals of 3 channels"),
    (["train", "digits", "--model", "cnn", "--channels", "3"], "images of 1 × 8 × 8"),
    (["train", "digits", "--model", "cnn", "--stride", "0"], "--stride 0"),
    (["train", "digits", "--model", "cnn", "--padding", "-1"], "--padding -1"),
    (["train", "digits", "--model", "cnn", "--padding", "3"], "give less than 3"),
    (["train", "digits", "--model", "cnn", "--pooling", "averag"], "did you mean average?"),
    (["train", "digits", "--model", "cnn", "--outputs", "nuclear"], "take --model relu or gated-relu"),
    (["train", "digits", "--coefficients", "1,0,0"], "take --model polynomial"),
    (["train", "digits", "--subnetwork", "2"], "take --model three-layer"),
    (["train", "digits", "--columns", "unit"], "take --model three-layer"),
    (["train", "iris", "--model", "three-layer", "--subnetwork", "5"], "from 1 to 4"),
    (["train", "iris", "--model", "three-layer", "--subnetwork", "0"], "from 1 to 4"),
    (["train", "iris", "--penalty-form"], "take --model three-layer"),
    (["train", "iris", "--model", "three-layer", "--penalty-weight", "1"], "give both"),
    (
      ["train", "iris", "--model", "three-layer", "--penalty-form", "--penalty-weight", "0"],
      "must be a positive number"
    ),
    (
      ["train", "iris", "--model", "three-layer", "--penalty-form", "--penalty-weight", "-1"],
      "must be a positive number"
    ),
    (
      ["train", "iris", "--model", "three-layer", "--penalty-form", "--columns", "frobenius"],
      "for --columns unit"
    ),
    (["train", "iris", "--model", "three-layer", "--penalty-from"], "Did you mean '--penalty-form'?"),
    (["train", "iris", "--model", "three-layer", "--patterns", "exact"], "rank 3 at most"),
    (["train", "digits", "--model", "quadratic", "--coefficients", "1,0,0"], "take --model polynomial"),
    (["train", "digits", "--model", "polynomial", "--coefficients", "1,2"], "must be three numbers"),
    (["train", "digits", "--model", "polynomial", "--coefficients", "0,0,1e-300"], "1e-6 or more"),
    (["train", "digits", "--model", "polynomial", "--coefficients", "1,x,0"], "three numbers between"),
    (["train", "digits", "--model", "polynomial", "--patterns", "9"], "no activation patterns"),
    (["train", "iris", "--model", "polynomial", "--loss", "hinge"], "has kinks"),
    (["train", "iris", "--model", "polynomial", "--solver", "newton"], "take auto or fista"),
    (["train", "digits", "--max-memory", "0"], "--max-memory"),
    (["train", "digits", "--seed", "-1"], "--seed"),
    (["train", "digits", "extra"], "extra"),
    (["train"], "name the data"),
    (["train", "digits", "--output", "/no/such/folder/model"], "no such folder"),
    (["train", "digits", "--output", "/"], "directory"),
    (["path", "digits", "--lambda", "1"], "--ratios"),
    (["path", "digits", "--ratios", "0.1,0.2"], "--ratios"),
    (["path", "digits", "--steps", "0"], "--steps"),
    (["train", "digits", "--hidden", "20"], "--hidden is not for the model relu"),
    (["train", "digits", "--model", "mlp", "--dual-steps", "3"], "take --model fenchel"),
    (["train", "digits", "--model", "fenchel", "--dual-steps", "-1"], "--dual-steps"),
    (["train", "digits", "--model", "fenchel", "--sketch", "8"], "take --model lifted"),
    (["train", "digits", "--model", "lifted", "--sketch", "0"], "--sketch"),
    (["train", "digits", "--model", "mlp", "--early-stopping", "3:1"], "write whole epochs"),
    (["train", "digits", "--init", "m"], "--init is not for the model relu"),
    (["train", "digits", "--initialiser", "xavier"], "--initialiser is not for the model relu"),
    (["train", "digits", "--model", "mlp", "--initialiser", "xavie"], "did you mean xavier?"),
    (["train", "digits", "--model", "mlp", "--init", "m", "--initialiser", "normal"], "exclude each other"),
    (["train", "digits", "--model", "fenchel", "--hidden", "20,x"], "x is no width"),
    (["train", "digits", "--model", "fenchel", "--hidden", "0"], "0 is no width"),
    (
      ["train", "digits", "--model", "lifted", "--batch-size", "50"],
      "--batch-size is not for the model lifted"
    ),
    (["train", "digits", "--model", "fenchel", "--activation", "rel"], "did you mean relu?"),
    (["train", "digits", "--model", "fenchel", "--activation", "tanh:2"], "does not take"),
    (["train", "digits", "--model", "fenchel", "--activation", "sign"], "bounded slope"),
    (["train", "digits", "--model", "lifted", "--activation", "tanh"], "--model fenchel"),
    (["train", "digits", "--model", "fenchel", "--loss", "hinge"], "a loss with a gradient"),
    (["train", "digits", "--model", "fenchel", "--epochs", "-1"], "--epochs"),
    (["train", "digits", "--model", "fenchel", "--batch-size", "0"], "--batch-size"),
    (["train", "digits", "--model", "fenchel", "--learning-rate", "1"], "take --model mlp"),
    (["train", "digits", "--model", "fenchel", "--lambda-ratio", "1"], "--lambda-ratio"),
    (["train", "digits", "--model", "mlp", "--learning-rate", "0"], "--learning-rate"),
    (["train", "digits", "--model", "admm", "--batch-size", "10"], "take --model fenchel"),
    (["train", "digits", "--model", "mlp", "--numbers", "beta=1"], "take --model fenchel, lifted, admm"),
    (["train", "digits", "--model", "admm", "--numbers", "betta=1"], "beta, gamma, warm-up"),
    (["train", "digits", "--model", "bcd", "--numbers", "gamma=0"], "gamma = 0"),
    (["train", "digits", "--model", "bcd", "--numbers", "gamma"], "write such as"),
    (["train", "digits", "--model", "bcd", "--numbers", "rho=1,rho=2"], "twice"),
    (["train", "digits", "--model", "mlp", "--optimizer", "adm"], "did you mean adam?"),
    (["train", "digits", "--model", "mlp", "--weight-decay", "-1"], "--weight-decay"),
    (["train", "digits", "--model", "mlp", "--early-stopping", "0"], "--early-stopping"),
    (["train", "digits", "--model", "mlp", "--early-stopping", "3:1"], "--early-stopping"),
    (["train", "digits", "--model", "fenchel", "--early-stopping", "3"], "take --model"),
    (["train", "digits", "--model", "fenchel", "--numbers", "alternations=1.5"], "0 or a whole number"),
    (["train", "digits", "--model", "fenchel", "--numbers", "average=1.5"], "a whole number"),
    (["train", "digits", "--model", "fenchel", "--numbers", "alternations=1,momentum=0.5"], "momentum"),
    (["path", "digits", "--model", "mlp"], "convex programs"),
    (["cv", "digits", "--models", "relu,lifted"], "convex programs"),
    (["cv", "digits", "--folds", "1"], "--folds"),
    (["cv", "digits", "--models", "rely"], "did you mean relu?"),
    (["gan"], "name the data"),
    (["gan", "digits", "--time-limit", "0"], "--time-limit 0.0 must be"),
    (["gan", "digits", "--output", "g.safetensors"], "--save g.safetensors keeps the generator"),
    (["gan", "digits", "--grid", "g.png"], "--grid goes with --from"),
    (["gan", "digits", "--save", "/no/such/folder/g"], "no such folder"),
    (["gan", "--from", "g", "--grid", "g.jpg"], ".png or .pgm"),
    (["gan", "--from", "g", "--grid", "g.png", "--output", "o"], "exclude each other"),
    (["gan", "--from", "g", "digits"], "--from takes no data"),
    (["gan", "--from", "g", "--noise", "3"], "--from takes no --noise"),
    (["gan", "--from", "g", "--generator", "linear"], "--from takes no --generator"),
    (["gan", "--from", "g", "--time-limit", "3"], "--from takes no --time-limit"),
    (["gan", "--from", "g", "--save", "h"], "--from takes no --save"),
    (["gan", "digits", "--config", "none.yaml"], "none.yaml"),
    (["predict"], "model"),
    (["data", "fetch", "mnst"], "did you mean mnist?"),
    (["data", "fetch", "http://127.0.0.1/x"], "--sha256"),
    (["bench", "--threads", "0"], "--threads"),
    (["reproduce"], "experiment"),
    (["reproduce", "gu-2019/figure-3x", "--quick"], "did you mean gu-2019/figure-"),
    (["reproduce", "lst"], "did you mean list?"),
    (["reproduce", "nothing-like-it"], "fenchel reproduce list"),
    (["reproduce", "gu-2019", "--seeds", "0"], "--seeds"),
    (["reproduce", "gu-2019", "--held-out", "0"], "--held-out"),
    (["reproduce", "all", "--quik"], "--quick"),
    (["reproduce", "all", "--output", "/dev/null/here"], "cannot be made"),
  ])
  func wrongArguments(arguments: [String], message: String) throws {
    try CommandLineTool.inFolder { tool in
      let result = try tool.shell("exec \"$FENCHEL\" \(arguments.map { "'\($0)'" }.joined(separator: " "))")
      #expect(result.code == 2, "\(result.error)")
      #expect(result.error.contains(message), "\(result.error)")
      #expect(result.error.filter { $0 == "\n" }.count == 1, "\(result.error)")
      #expect(result.output.isEmpty)
      #expect(tool.files.isEmpty)
    }
  }

  @Test func helpAndVersionAreResults() throws {
    try CommandLineTool.inFolder { tool in
      for arguments in [["--help"], ["--version"], ["help", "train"], ["train", "--help"], ["data"]] {
        let result = try tool.shell("\"$FENCHEL\" \(arguments.joined(separator: " "))")
        #expect(result.code == 0 && !result.output.isEmpty && result.error.isEmpty, "\(arguments)")
      }
    }
  }

  @Test func anOutputThatIsAnInputIsRefused() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("x,y\n1,2\n", to: "data.csv")
      let result = try tool.run("train", "data.csv", "--output", "./data.csv")
      #expect(result.code == 2)
      #expect(tool.contents("data.csv") == Data("x,y\n1,2\n".utf8))
    }
  }

  /// More than a pipe holds, so that the program is still writing when its reader has gone.
  @Test func aReaderThatLeavesEndsTheProgramQuietly() throws {
    try CommandLineTool.inFolder { tool in
      let training = try tool.run(
        "train", "digits", "--model", "gated-relu", "--patterns", "3", "--lambda-ratio", "0.5", "-o", "m",
        "--quiet")
      #expect(training.code == 0, "\(training.error)")
      let whole = try tool.run("predict", "m", "digits", "--probabilities")
      #expect(whole.code == 0 && whole.output.utf8.count > 2 << 16)
      let result = try tool.shell(
        "{ \"$FENCHEL\" predict m digits --probabilities; echo $? > code; } | head -1")
      #expect(result.error.isEmpty, "\(result.error)")
      #expect(result.output == whole.output.prefix { $0 != "\n" } + "\n")
      #expect(tool.contents("code") == Data("141\n".utf8), "128 and SIGPIPE")
    }
  }

  @Test func aFullStandardOutputIsAnError() throws {
    try CommandLineTool.inFolder { tool in
      let result = try tool.shell("\"$FENCHEL\" data list > /dev/full")
      #expect(result.code == 6, "\(result.error)")
    }
  }
}
