import ArgumentParser

@main
struct FenchelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "fenchel")
}
