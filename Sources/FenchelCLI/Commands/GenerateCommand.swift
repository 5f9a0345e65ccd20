import ArgumentParser
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

/// `fenchel gan DATA`
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gan",
    abstract: "Train a generator of pictures against a quadratic discriminator, in closed form.",
    discussion: """
      fenchel gan faces --sizes 16,32,64 --output generated
      fenchel gan digits --generator relu

      DATA is a folder of PGM images of one size (with folders in it), or a data set of grey images. What the generator is to
      put out, G* = argmin ‖G‖² subject to ‖XᵀX − GᵀG‖₂ ≤ β, is known in closed form; the network is fitted to it, stage by stage
      at growing resolution. Writes grids of samples of each stage as PNG and PGM, with the data beside them, and result.json.
      """)

  @Argument(help: ArgumentHelp("A folder of PGM images, or a known name.", valueName: "data"))
  var source: String

  @Option(help: "z ↦ zᵀW (linear), or a two-layer network z ↦ (zᵀW₁)₊W₂ by its convex program (relu).")
  var generator: GeneratorKind = .linear

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

  @Option(parsing: .unconditional, help: ArgumentHelp("Seed of the noise.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Memory to stay below (default: 80 % of what there is).", valueName: "GiB"))
  var maxMemory: Double?

  @Option(name: [.short, .long], help: ArgumentHelp("The folder that pictures go to.", valueName: "folder"))
  var output = "generated"

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
    try Check.threads(threads)
    if let tolerance, !(tolerance >= Check.leastTolerance && tolerance < 1) {
      throw ValidationError("--tolerance \(tolerance) must lie between \(Check.leastTolerance) and 1")
    }
    guard (1...10_000).contains(samples) else {
      throw ValidationError("--samples \(samples) must lie between 1 and 10000")
    }
    _ = try edges()
    guard generator == .linear else { return _ = try patternChoice() }
    let ofNetworks = [
      ("--lambda-ratio", lambdaRatio != nil), ("--patterns", patterns != nil),
      ("--tolerance", tolerance != nil),
    ]
    if let (name, _) = ofNetworks.first(where: \.1) {
      throw ValidationError("\(name) is not for the generator linear; take --generator relu")
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
    try PictureFolder.check(output, differsFrom: source)
    if let threads { Parallel.threads = threads }
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
    let files = try PictureFolder(output).write(result, samples: samples, seed: seed)
    if printing.json {
      Terminal.output(try JSONText.encode(result.report, indented: true))
    } else {
      Terminal.output(GenerativeText(report: result.report).text)
      Terminal.output("\nwritten      " + files.joined(separator: "\n             "))
    }
    let gaps = result.report.stages.compactMap { $0.certificate?.relativeGap }
    throw ExitCode(Exit.code(for: result.status, gaps: gaps, tolerance: tolerance ?? 1e-4))
  }

  private func settings(for images: GrayImages, _ training: TrainingSettings) throws -> GeneratorSettings {
    var settings = GeneratorSettings()
    let side = min(images.height, images.width)
    let usual = settings.sizes.filter { $0 <= side }
    settings.kind = generator
    settings.sizes = try edges() ?? (usual.isEmpty ? [side] : usual)
    settings.β = beta.map { .value($0) } ?? .ratio(betaRatio ?? 0.02)
    settings.noise = noise
    settings.training.lambda = .ratio(lambdaRatio ?? 0.005)
    settings.training.patterns = try patternChoice()
    settings.training.tolerance = tolerance ?? 1e-4
    (settings.training.seed, settings.training.maxMemory) = (seed, training.maxMemory)
    return settings
  }
}

extension GeneratorKind: ExpressibleByArgument {}

/// The folder that pictures go to. Files of the same names are replaced, others stay.
struct PictureFolder {
  private let path: String

  /// Fails where the folder cannot be one, or is that of the data.
  static func check(_ path: String, differsFrom source: String) throws {
    var (own, other) = (stat(), stat())
    guard stat(path, &own) == 0 else { return }
    guard own.st_mode & S_IFMT == S_IFDIR else {
      throw FileWriteError(path: path, reason: .badPath("is no folder; name one for the pictures"))
    }
    guard stat(source, &other) == 0, own.st_dev == other.st_dev, own.st_ino == other.st_ino else { return }
    throw UsageError(
      "\(path) is the folder of the data; pictures among them would be data later: write somewhere else")
  }

  /// Makes the folder where it is not there.
  init(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileWriteError(path: path, reason: .badPath("no such folder, and it cannot be made"))
    }
    self.path = path
  }

  /// Writes samples and data of each stage, and the report; returns the paths.
  func write(_ result: GenerativeResult, samples: Int, seed: UInt64) throws -> [String] {
    var files: [String] = []
    func write(_ bytes: [UInt8], _ name: String) throws {
      try AtomicFile.write(bytes, to: "\(path)/\(name)")
      files.append("\(path)/\(name)")
    }
    let across = Int(Double(samples).squareRoot().rounded(.up))
    let pictures = result.generator.pictures(result.generator.noise(samples, seed: seed))
    for (place, stage) in result.generator.stages.enumerated() {
      func grid(_ rows: Matrix<Double>) -> GrayBitmap {
        GrayBitmap(grid: rows, height: stage.size, width: stage.size, columns: across)
      }
      let made = grid(pictures[place])
      let shown = spread(samples, over: result.images[place].count)
      try write(made.png, "samples-\(stage.size).png")
      try write(made.pgm, "samples-\(stage.size).pgm")
      try write(grid(result.images[place].pixels.selectingRows(shown)).png, "data-\(stage.size).png")
    }
    try write(Array((try JSONText.encode(result.report, indented: true) + "\n").utf8), "result.json")
    return files
  }

  /// So many numbers below `count`, evenly spread.
  private func spread(_ samples: Int, over count: Int) -> [Int] {
    (0..<min(samples, count)).map { $0 * count / min(samples, count) }
  }
}
