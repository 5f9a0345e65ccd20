import ArgumentParser
import Fenchel
import Foundation
import LinearAlgebra

/// The command `fenchel`.
struct FenchelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fenchel",
    abstract: "Train neural networks as convex programs, with a proof of how far from optimal they are.",
    discussion: """
      fenchel train digits --test 0.2
      fenchel predict model.safetensors new.csv --output predictions.csv

      DATA is a file (.csv .tsv .libsvm .npy .npz, also .gz), a folder of IDX or CIFAR files, - for standard
      input, or a known name: `fenchel data list`.
      Exit codes: 0 done · 1 internal error · 2 usage · 3 bad data · 4 bad model file · 5 stopped before the
      tolerance · 6 memory or disk · 130/143 after SIGINT/SIGTERM.
      """,
    version: Release.version,
    subcommands: commands)

  static let commands: [any ParsableCommand.Type] = [
    TrainCommand.self, PredictCommand.self, EvaluateCommand.self, VerifyCommand.self, PathCommand.self,
    CrossValidateCommand.self, TuneCommand.self, ForecastCommand.self, GenerateCommand.self,
    InspectCommand.self, DataCommand.self,
    ReproduceCommand.self,
    BenchCommand.self,
  ]
}

/// Parses the arguments, runs the command, and turns what went wrong into one line and an exit code.
@main
enum Main {
  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    FreedMemory.keep()
    signal(SIGXFSZ, SIG_IGN)  // a file that may not grow is an error of the write, not of the process
    do {
      var command = try parse(arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      report(error)
    }
  }

  /// The command that the arguments name, with the settings of its files under those of the command line.
  private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
    try checkCommand(arguments)
    return try Invocation.command(arguments, parse: parseAlone) { error, file in
      let failure = (error as? ParsingFailure)?.error ?? error
      return ConfigError(file, nil, UsageMessage.oneLine(FenchelCommand.message(for: failure)))
    }
  }

  private static func parseAlone(_ arguments: [String]) throws -> any ParsableCommand {
    do {
      return try FenchelCommand.parseAsRoot(arguments)
    } catch {
      throw ParsingFailure(error: error)
    }
  }

  /// A misspelt command is named as such, with the command that was meant.
  private static func checkCommand(_ arguments: [String]) throws {
    guard let first = arguments.first, !first.hasPrefix("-") else { return }
    let names = FenchelCommand.commands.map { $0._commandName } + ["help"]
    guard !names.contains(first) else { return }
    throw UsageError(
      "there is no command `\(first)`\(Suggestion.phrase(for: first, among: names)) "
        + "(`fenchel --help` lists them)")
  }

  /// Says what went wrong in one line (or prints the help that was asked for) and ends the process.
  private static func report(_ error: any Error) -> Never {
    let failure = (error as? ParsingFailure)?.error ?? error
    switch FenchelCommand.exitCode(for: failure) {
    case .success:
      Terminal.output(FenchelCommand.fullMessage(for: failure))
      exit(Outcome.done.rawValue)
    case .validationFailure:
      Terminal.error("fenchel: \(UsageMessage.oneLine(FenchelCommand.message(for: failure)))")
      exit(Outcome.usage.rawValue)
    default:
      Terminal.error("fenchel: \(error)")
      if case StreamError.interrupted = error, let signal = Interruption.signal { exit(128 + signal) }
      exit(Outcome(error).rawValue)
    }
  }
}

/// What the argument parser refused, or a request for help.
private struct ParsingFailure: Error {
  var error: any Error
}

/// The argument parser's messages, on one line.
enum UsageMessage {
  /// A list of possible values becomes `one of a, b, c`, with the one that was probably meant.
  static func oneLine(_ message: String) -> String {
    let parts = message.components(separatedBy: ". Please provide one of ")
    guard parts.count == 2 else { return message.split(separator: "\n").joined(separator: " ") }
    let bullets = parts[1].components(separatedBy: "\n  - ").dropFirst()
    let quoted = parts[1].components(separatedBy: "'").enumerated().filter { $0.offset % 2 == 1 }
    let values = bullets.isEmpty ? quoted.map(\.element) : Array(bullets)
    let names = values.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    let word = parts[0].components(separatedBy: "'").dropFirst().first ?? ""
    return "\(parts[0]); choose one of \(names.joined(separator: ", "))"
      + Suggestion.phrase(for: word, among: names)
  }
}
