import ArgumentParser
import ConvexOptimization
import Fenchel
import LinearAlgebra

/// `fenchel gan DATA`
struct GenerateCommand: ParsableCommand, Configurable {
  static let configuration = CommandConfiguration(
    commandName: "gan",
    abstract: "Train a generator of pictures against a quadratic discriminator, in closed form.",
    discussion: """
      fenchel gan faces --sizes 16,32,64 --output generated
      fenchel gan digits --generator relu --save digits.safetensors
      fenchel gan --from digits.safetensors --samples 25 --seed 7 --grid digits.png

      DATA is a folder of PGM images of one size (with folders in it), or a data set of grey images. What the generator is to
      put out, G* = argmin ‖G‖² subject to ‖XᵀX − GᵀG‖₂ ≤ β, is known in closed form; the network is fitted to it, stage by stage
      at growing resolution. Writes grids of samples of each stage as PNG and PGM, with the data beside them, result.json, and the
      generator, of which --from makes samples again.
      """)

  @Argument(help: ArgumentHelp("A folder of PGM images, or a known name.", valueName: "data"))
  var source: String?

  @Option(
    help: ArgumentHelp("Make samples of this generator, and train none.", valueName: "generator"))
  var from: String?

  @Option(
    help:
      "z ↦ zᵀW (linear), or a two-layer network z ↦ (zᵀW₁)₊W₂ by its convex program (relu; default: linear).")
  var generator: GeneratorKind?

  @Option(
    help: ArgumentHelp(
      "Edges of the square pictures, a stage each (default: those of 16, 32 and 64 that the images hold).",
      valueName: "n,…"))
  var sizes: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "β of the discriminator, for XᵀX of pixels from 0 to 1 without their mean.", valueName: "β"))
  var beta: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("β = R·σ_max(X)² in each stage (default: 0.02).", valueName: "R"))
  var betaRatio: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Dimensions of the noise (default: the largest rank of a G*).", valueName: "k"))
  var noise: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of relu: λ = R·λ_max; the smaller, the nearer to G* (default: 0.005).", valueName: "R"))
  var lambdaRatio: Double?

  @Option(
    help: ArgumentHelp(
      "Of relu: refine, or a number of patterns to sample (default: refine).", valueName: "patterns"))
  var patterns: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("Pictures in a grid.", valueName: "n"))
  var samples = 64

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Relative gap to reach for relu (default: 0.0001).", valueName: "gap"))
  var tolerance: Double?

  @Option(parsing: .unconditional, help: ArgumentHelp("Threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stop after this many seconds, at least one stage made.", valueName: "s"))
  var timeLimit: Double?

  @Option(parsing: .unconditional, help: ArgumentHelp("Seed of the noise.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Memory to stay below (default: 80 % of what there is).", valueName: "GiB"))
  var maxMemory: Double?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The folder that pictures go to (default: generated).", valueName: "folder"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Where the generator goes (default: generator.safetensors in the folder of the pictures).",
      valueName: "generator"))
  var save: String?

  @Option(
    help: ArgumentHelp(
      "With --from: one picture of the last stage’s samples, .png or .pgm, in place of the folder.",
      valueName: "file"))
  var grid: String?

  @Option(
    help: ArgumentHelp("YAML file with any of these options; the command line wins.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Printing") var printing: OutputOptions

  func validate() throws {
    for (β, option) in [(beta, "--beta"), (betaRatio, "--beta-ratio")] {
      if let β, !(β.isFinite && β >= 0) {
        throw ValidationError("\(option) \(β) must be a finite number of at least 0")
      }
    }
    if beta != nil && betaRatio != nil {
      throw ValidationError("--beta and --beta-ratio exclude each other; give one")
    }
    if let noise { try Check.count(noise, "--noise") }
    try Check.positive(lambdaRatio, "--lambda-ratio")
    try Check.positive(maxMemory, "--max-memory")
    try Check.positive(timeLimit, "--time-limit")
    try Check.threads(threads)
    if let tolerance, !(tolerance >= Check.leastTolerance && tolerance < 1) {
      throw ValidationError("--tolerance \(tolerance) must lie between \(Check.leastTolerance) and 1")
    }
    guard (1...10_000).contains(samples) else {
      throw ValidationError("--samples \(samples) must lie between 1 and 10000")
    }
    _ = try edges()
    try checkPlaces()
    guard (generator ?? .linear) == .linear else { return _ = try patternChoice() }
    let ofNetworks = [
      ("--lambda-ratio", lambdaRatio != nil), ("--patterns", patterns != nil),
      ("--tolerance", tolerance != nil),
    ]
    if let (name, _) = ofNetworks.first(where: \.1) {
      throw ValidationError("\(name) is not for the generator linear; take --generator relu")
    }
  }

  /// What is made of a generator takes no data and no settings of training, and training makes no single picture.
  private func checkPlaces() throws {
    if let output, output.hasSuffix(".safetensors") {
      throw ValidationError(
        "--output \(output) is the folder of the pictures; --save \(output) keeps the generator")
    }
    if let grid, !grid.hasSuffix(".png"), !grid.hasSuffix(".pgm") {
      throw ValidationError("--grid \(grid): give a name that ends with .png or .pgm")
    }
    guard from != nil else {
      guard grid == nil else {
        throw ValidationError("--grid goes with --from; training writes its grids to --output")
      }
      return
    }
    let ofTraining = [
      ("data", source != nil), ("--generator", generator != nil), ("--sizes", sizes != nil),
      ("--beta", beta != nil), ("--beta-ratio", betaRatio != nil), ("--noise", noise != nil),
      ("--lambda-ratio", lambdaRatio != nil), ("--patterns", patterns != nil),
      ("--tolerance", tolerance != nil),
      ("--time-limit", timeLimit != nil), ("--save", save != nil),
    ]
    if let (name, _) = ofTraining.first(where: \.1) {
      throw ValidationError("--from takes no \(name): it trains nothing")
    }
    guard grid == nil || output == nil else {
      throw ValidationError("--grid and --output exclude each other; give one")
    }
  }

  private func edges() throws -> [Int]? {
    guard let sizes else { return nil }
    let edges = try commaSeparated(sizes).map { text in
      guard let edge = Int(text), (1...16_384).contains(edge) else {
        throw ValidationError("--sizes: \(text) is no size; give rising whole numbers, such as 16,32,64")
      }
      return edge
    }
    guard !edges.isEmpty, zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw ValidationError("--sizes \(sizes): give rising whole numbers, such as 16,32,64")
    }
    return edges
  }

  private func patternChoice() throws -> PatternChoice {
    guard let patterns, patterns != "refine" else { return .refine }
    guard let count = Int(patterns), (1...1_000_000).contains(count) else {
      throw ValidationError("--patterns \(patterns): write refine, or a number from 1 to 1000000")
    }
    return .sampled(count)
  }

  func run() throws {
    if let threads { Parallel.threads = threads }
    if let from { return try makeSamples(of: from) }
    let source = try Inputs.require(source)
    let folder = output ?? PictureFolder.usual
    try PictureFolder.check(folder, differsFrom: source)
    // The folder of the pictures may be one that is yet to be made.
    if let save, !save.hasPrefix(folder + "/") { try Outputs.check(save, differsFrom: [source, config]) }
    var training = TrainingSettings()
    training.maxMemory = maxMemory.map { $0 * 1_073_741_824 }
    let images = try GrayImages.read(source, memoryLimit: training.memoryLimit)
    var generation = try GenerativeTraining(try settings(for: images, training))
    Interruption.install()
    generation.cancellation = Interruption.cancellation
    let progress = ProgressLine(tolerance: tolerance ?? 1e-4, isQuiet: printing.quiet)
    let result = try progress.showing { handler in
      generation.progress = handler
      return try generation.run(images)
    }
    let pictures = try PictureFolder(folder)
    let place = save ?? pictures.generator
    try GeneratorFile(result).write(to: place)
    let files =
      try pictures.write(result, samples: samples, seed: seed, limit: training.memoryLimit) + [place]
    if printing.json {
      Terminal.output(try JSONText.encode(result.report, indented: true))
    } else {
      Terminal.output(GenerativeText(report: result.report).text)
      Terminal.output(Self.written(files))
    }
    let gaps = result.report.stages.compactMap { $0.certificate?.relativeGap }
    throw ExitCode(Exit.code(for: result.status, gaps: gaps, tolerance: tolerance ?? 1e-4))
  }

  /// Fresh samples of a generator that was trained before.
  private func makeSamples(of path: String) throws {
    let folder = output ?? PictureFolder.usual
    if let grid {
      try Outputs.check(grid, differsFrom: [path, config])
    } else {
      try PictureFolder.check(folder, differsFrom: path)
    }
    var training = TrainingSettings()
    training.maxMemory = maxMemory.map { $0 * 1_073_741_824 }
    let file = try GeneratorFile(contentsOf: path)
    let grids = try SampleGrids(file.generator, samples: samples, seed: seed, limit: training.memoryLimit)
    let files: [String]
    if let grid {
      try grids.writeLast(to: grid)
      files = [grid]
    } else {
      files = try PictureFolder(folder).write(grids)
    }
    let made = SamplesMade(generator: path, samples: samples, seed: seed, files: files)
    guard !printing.json else { return Terminal.output(try JSONText.encode(made, indented: true)) }
    Terminal.output(
      TextTable.labelled([
        (label: "generator", text: "\(path) · \(GenerativeText(report: file.report).summary)"),
        (label: "samples", text: "\(samples) · seed \(seed)"),
      ]))
    Terminal.output(Self.written(files))
  }

  private static func written(_ files: [String]) -> String {
    "\nwritten      " + files.joined(separator: "\n             ")
  }

  private struct SamplesMade: Encodable {
    var generator: String
    var samples: Int
    var seed: UInt64
    var files: [String]
  }

  private func settings(for images: GrayImages, _ training: TrainingSettings) throws -> GeneratorSettings {
    var settings = GeneratorSettings()
    let side = min(images.height, images.width)
    let usual = settings.sizes.filter { $0 <= side }
    settings.kind = generator ?? .linear
    settings.sizes = try edges() ?? (usual.isEmpty ? [side] : usual)
    settings.β = beta.map { .value($0) } ?? .ratio(betaRatio ?? 0.02)
    settings.noise = noise
    settings.training.lambda = .ratio(lambdaRatio ?? 0.005)
    settings.training.patterns = try patternChoice()
    settings.training.tolerance = tolerance ?? 1e-4
    (settings.training.seed, settings.training.maxMemory) = (seed, training.maxMemory)
    settings.training.timeLimit = timeLimit
    return settings
  }
}

extension GeneratorKind: ExpressibleByArgument {}
