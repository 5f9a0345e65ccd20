import Foundation
import Testing

/// `--architecture` with LeNet-5 and with files of layers.
@Suite struct ArchitectureTests {
  private func train(
    _ tool: CommandLineTool, _ architecture: String, _ more: String..., data: String = "digits"
  ) throws -> CommandLineTool.Result {
    try tool.run(
      ["train", data, "--architecture", architecture, "--epochs", "1", "--test", "0.8"] + more)
  }

  @Test func aFileOfLayersTrainsAndIsRead() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(
        "# small\nlayers:\n  - convolution 4 3x3 padding 1\n  - pooling 2\n  - dense 20\n", to: "net.yaml")
      for model in ["mlp", "fenchel"] {
        let result = try train(tool, "net.yaml", "--model", model, "--json", "--batch-size", "50")
        #expect(result.code == 0, "\(result.error)")
        #expect(result.output.contains("convolution 4 3x3 padding 1"))
      }
      let inspected = try tool.run("inspect", "model.safetensors")
      #expect(inspected.code == 0 && inspected.output.contains("average-pooling"), "\(inspected.error)")
      let evaluated = try tool.run("evaluate", "model.safetensors", "digits")
      #expect(evaluated.code == 0, "\(evaluated.error)")
      let goingOn = try tool.run(
        "train", "digits", "--model", "mlp", "--init", "model.safetensors", "--epochs", "1", "-o",
        "next.safetensors")
      #expect(goingOn.code == 0, "\(goingOn.error)")
    }
  }

  @Test(arguments: [
    ("layers: [convolution 4 9x9]", "layer 1 (convolution): a kernel of 9 × 9 is larger"),
    ("layers: [convolution 4 2x2, pooling 2]", "layer 2 (pooling): averages of 2 × 2 do not divide"),
    ("layers: [dense 4, pooling 2]", "layer 2 (pooling) takes images"),
    ("image: 1x4x4\nlayers: [convolution 4 3x3]", "have 16 pixels, the data 64"),
    ("layers: [conv 4 3x3]", "`conv 4 3x3` is no layer"), ("layer: [dense 3]", "did you mean layers?"),
    ("side: 33\nlayers: [convolution 4 3x3]", "33 × 33"), ("image: 8x8\nlayers: [dense 3]", "is no shape"),
    ("side: 32", "there are no layers"),
  ])
  func wrongFilesAreRefused(text: String, message: String) throws {
    try CommandLineTool.inFolder { tool in
      try tool.write(text, to: "net.yaml")
      let result = try train(tool, "net.yaml", "--model", "mlp")
      #expect(result.code == 2 && result.error.contains(message), "\(result.error)")
    }
  }

  @Test func imagesAreChangedForBothMethods() throws {
    try CommandLineTool.inFolder { tool in
      try tool.write("layers: [convolution 4 3x3, dense 20]", to: "net.yaml")
      for model in ["mlp", "fenchel"] {
        let result = try train(
          tool, "net.yaml", "--model", model, "--augment", "shift:1,flip", "--batch-size", "50")
        #expect(result.code == 0, "\(result.error)")
      }
      let dense = try tool.run("train", "digits", "--model", "fenchel", "--augment", "flip")
      #expect(dense.code == 2 && dense.error.contains("--architecture"), "\(dense.error)")
      let sweeps = try tool.run("train", "digits", "--model", "admm", "--augment", "flip")
      #expect(sweeps.code == 2 && sweeps.error.contains("all samples at once"), "\(sweeps.error)")
      let word = try train(tool, "net.yaml", "--model", "mlp", "--augment", "rotate")
      #expect(word.code == 2 && word.error.contains("shift:n"), "\(word.error)")
    }
  }

  @Test func wrongUses() throws {
    try CommandLineTool.inFolder { tool in
      let named = try train(tool, "lenet", "--model", "mlp")
      #expect(named.code == 2 && named.error.contains("did you mean lenet-5?"), "\(named.error)")
      let both = try train(tool, "lenet-5", "--model", "mlp", "--hidden", "3")
      #expect(both.code == 2 && both.error.contains("exclude each other"), "\(both.error)")
      let model = try train(tool, "lenet-5", "--model", "admm")
      #expect(model.code == 2 && model.error.contains("--model fenchel, lifted, mlp"), "\(model.error)")
      let rows = try train(tool, "lenet-5", "--model", "mlp", data: "iris")
      #expect(rows.code == 2 && rows.error.contains("convolutions need images"), "\(rows.error)")
      let kfac = try train(tool, "lenet-5", "--model", "mlp", "--optimizer", "kfac")
      #expect(kfac.code == 2 && kfac.error.contains("dense layers only"), "\(kfac.error)")
    }
  }
}
