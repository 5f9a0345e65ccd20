import ArgumentParser
import ConvexOptimization
import Fenchel

/// `fenchel verify MODEL DATA`
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Recompute a model's certificate from its file and its training data.",
    discussion: """
      Give the data as they were for training; with --test FRACTION the same rows are held back again. Exit code 0:
      the recomputed values prove what the file says, which need not be that the network is optimal: the gap is what it
      is. 4: they do not.
      """)

  @Argument(help: "The model file.") var model: String
  @Argument(help: ArgumentHelp("The training data.", valueName: "data")) var source: String
  @Option(help: ArgumentHelp("Fraction that was held back for testing.", valueName: "fraction")) var test:
    Double?
  @Option(help: ArgumentHelp("The class weights of the training.", valueName: "weights"))
  var classWeight: String?
  @Option(help: ArgumentHelp("The targets, where they are in a file of their own.", valueName: "file"))
  var targetFile: String?
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Printing") var printing: OutputOptions

  func validate() throws {
    do { _ = try classWeight.map { try ClassWeights($0) } } catch { throw ValidationError("\(error)") }
    guard test.map({ $0 > 0 && $0 < 1 }) ?? true else {
      throw ValidationError("--test must be the fraction between 0 and 1 that was held back")
    }
  }

  func run() throws {
    let file = try ModelFile(contentsOf: model)
    var table = try Loader.joined(
      Loader.table(source, reading, printing, textColumns: file.schema.textColumns), targetFile: targetFile,
      reading, printing)
    if let test {
      let strata = try table.strata(file.schema)
      table = table.selectingRows(
        try Split(rows: table.rows, testFraction: test, seed: file.settings.seed, strata: strata).train)
    }
    let weights = try classWeight.map { try ClassWeights($0) }
    let data: Dataset<Double> = try file.schema.dataset(from: table, classWeights: weights)
    let result = try verify(file, data: data)
    try show(result)
    if !result.agrees { throw ExitCode(Outcome.badModel.rawValue) }
  }

  private func show(_ result: VerificationResult) throws {
    if printing.json { return Terminal.output(try JSONText.encode(result, indented: true)) }
    func line(_ certificate: Certificate) -> String {
      "\(Format.significant(certificate.dual, 12)) ≤ optimum ≤ \(Format.significant(certificate.primal, 12)) · relative gap "
        + Format.scientific(certificate.relativeGap)
    }
    func verdict(_ result: VerificationResult) -> String {
      if result.agrees { return "the certificate holds" }
      let reasons =
        (result.isFeasible ? [] : ["the network does not belong to the patterns that the bound is for"])
        + result.falseStatements
      return "THE CERTIFICATE DOES NOT HOLD for this model and data"
        + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: "; "))
    }
    var lines = [
      (label: "recomputed", text: line(result.recomputed)), (label: "stored", text: line(result.stored)),
    ]
    if let bound = result.globalBound {
      lines.append((label: "any width", text: "every network's objective ≥ \(Format.significant(bound, 12))"))
    }
    if let bound = result.sharedBound {
      lines.append(
        (label: "", text: "≥ \(Format.significant(bound, 12)) where neurons may feed several outputs"))
    }
    lines.append((label: "verdict", text: verdict(result)))
    Terminal.output(TextTable.labelled(lines))
  }
}
