import ArgumentParser
import Experiments
import Fenchel
import LinearAlgebra

/// `fenchel reproduce EXPERIMENT`
struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce", abstract: "Run a paper's figure or table anew, ours beside the paper's.",
    discussion: """
      fenchel reproduce list
      fenchel reproduce gu-2019/figure-2
      fenchel reproduce all --quick

      EXPERIMENT is a figure or table by its name, all those of a paper (gu-2019), or all. Curves and results are
      written as data and as charts. A quick run takes seconds, and data that come with the program.
      """)

  @Argument(
    help: ArgumentHelp("A name from `fenchel reproduce list`, or list itself.", valueName: "experiment"))
  var experiment: String

  @Flag(help: "A small run on data inside the program: shows that it works, not what the paper shows.")
  var quick = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Runs that are averaged (default: as many as the experiment has).", valueName: "n"))
  var seeds: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Score this many training samples, held out, in place of the test samples: how settings are chosen.",
      valueName: "n"))
  var heldOut: Int?

  @Option(
    name: [.short, .long], help: ArgumentHelp("The folder that curves and charts go to.", valueName: "folder")
  )
  var output = "reproduced"

  @Option(help: ArgumentHelp("Threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @OptionGroup var printing: OutputOptions

  func validate() throws {
    try Check.threads(threads)
    if let seeds, !(1...1000).contains(seeds) {
      throw ValidationError("--seeds \(seeds) must lie between 1 and 1000")
    }
    if let heldOut, heldOut < 1 { throw ValidationError("--held-out \(heldOut) must be at least 1") }
  }

  func run() throws {
    guard experiment != "list" else { return list() }
    let chosen = ExperimentCatalogue.experiments(named: experiment)
    guard !chosen.isEmpty else {
      let names = ["list"] + ExperimentCatalogue.names
      throw UsageError(
        "there is no experiment `\(experiment)`\(Suggestion.phrase(for: experiment, among: names)) "
          + "(`fenchel reproduce list` lists them)")
    }
    if let threads { Parallel.threads = threads }
    Interruption.install()
    let folder = try FindingsFolder(output)
    var options = ExperimentOptions()
    (options.isQuick, options.seeds, options.heldOut) = (quick, seeds, heldOut)
    options.cancellation = Interruption.cancellation
    var reports: [ExperimentReport] = []
    for experiment in chosen where Interruption.signal == nil {
      let report = try report(of: experiment, options, into: folder)
      reports.append(report)
      if !printing.json { Terminal.output(ExperimentText(report: report).text + "\n") }
    }
    if printing.json { Terminal.output(try JSONText.encode(reports, indented: true)) }
    if let signal = Interruption.signal { throw ExitCode(128 + signal) }
  }

  private func report(
    of experiment: any Experiment, _ options: ExperimentOptions, into folder: FindingsFolder
  ) throws -> ExperimentReport {
    let progress = ProgressLine(tolerance: 0, isQuiet: printing.quiet)
    let clock = ContinuousClock()
    let begin = clock.now
    let findings = try progress.showing { handler in
      var options = options
      options.progress = handler
      return try experiment.run(options)
    }
    var report = ExperimentReport(
      experiment, findings, options, seconds: (clock.now - begin) / .seconds(1))
    report.files = try folder.write(report, findings)
    return report
  }

  private func list() {
    let all = ExperimentCatalogue.all
    if printing.json {
      return Terminal.output((try? JSONText.encode(all.map(\.name), indented: true)) ?? "[]")
    }
    var table = TextTable(("experiment", .left), ("what it shows", .left))
    for experiment in all { table.append(experiment.name, experiment.subject) }
    var papers: [String] = []
    for experiment in all where !papers.contains(where: { $0.hasPrefix(experiment.paper.key) }) {
      papers.append("\(experiment.paper.key): \(experiment.paper.citation)")
    }
    Terminal.output(table.text + "\n\n" + papers.joined(separator: "\n"))
  }
}
