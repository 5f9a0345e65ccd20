import ArgumentParser
import Fenchel

/// Which columns of the data are what.
struct ColumnOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Target columns, by name or index (default: the last).", valueName: "column,…"))
  var target: String?

  @Option(help: "What the target is (default: by its values).")
  var task: TaskName?

  @Option(help: ArgumentHelp("Column of sample weights.", valueName: "column"))
  var weights: String?

  @Option(help: ArgumentHelp("balanced, or class=weight,…", valueName: "weights"))
  var classWeight: String?

  @Option(help: ArgumentHelp("Columns to leave out.", valueName: "column,…"))
  var ignore: String?

  @Option(
    help: ArgumentHelp("Columns of categories, even where they look like numbers.", valueName: "column,…"))
  var categorical: String?

  @Option(help: ArgumentHelp("Fill missing numbers.", valueName: "method"))
  var impute: ImputationName?

  @Option(help: ArgumentHelp("The targets, where they are in a file of their own (.npy).", valueName: "file"))
  var targetFile: String?

  /// The weights of `--class-weight`.
  func classWeights() throws -> ClassWeights? { try classWeight.map { try ClassWeights($0) } }

  /// What the text of an option alone tells to be wrong, before any data are read.
  func validate() throws {
    do { _ = try classWeights() } catch { throw ValidationError("\(error)") }
  }

  /// Whether an option says what a column is.
  var saysRoles: Bool {
    target != nil || task != nil || weights != nil || ignore != nil || categorical != nil
  }
}

/// How the bytes of the data are read.
struct ReadingOptions: ParsableArguments {
  @Option(help: "Format, where the name of the file does not say it.")
  var format: FormatName?

  @Flag(inversion: .prefixedNo, help: "The first line of a CSV or TSV file names the columns.")
  var header = true
}

enum TaskName: String, ExpressibleByArgument, CaseIterable { case classification, regression }
enum ImputationName: String, ExpressibleByArgument, CaseIterable { case median }
enum FormatName: String, ExpressibleByArgument, CaseIterable { case csv, tsv, libsvm, npy, npz }

/// What a command prints.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print JSON on standard output.")
  var json = false

  @Flag(name: [.short, .long], help: "No progress and no notes on standard error.")
  var quiet = false
}

/// A list as the command line has it: `a,b,c`.
func commaSeparated(_ text: String?) -> [String] {
  (text ?? "").split(separator: ",").map(String.init)
}
