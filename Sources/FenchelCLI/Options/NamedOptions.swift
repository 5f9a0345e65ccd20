/// Options of a command as texts by name: those of a config file, or those that a stopped run was begun with. Flags are
/// `true` or `false`; `data` is the positional argument.
struct NamedOptions {
  var pairs: [(name: String, text: String)]

  init(_ pairs: [(name: String, text: String)]) { self.pairs = pairs }

  init(_ values: [String: String]) { pairs = values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }

  /// The options of a command line that the command has accepted, its name left out. Of one given twice the last holds.
  init(arguments: some Sequence<String>) {
    var values: [String: String] = [:]
    var rest = Array(arguments)[...]
    while let argument = rest.popFirst() {
      if let (name, text) = Self.short(argument) {
        values[name] = text ?? rest.popFirst()
      } else if let name = Self.name(of: argument) {
        if let equals = argument.firstIndex(of: "=") {
          values[name] = String(argument[argument.index(after: equals)...])
        } else if ConfigKey.kinds[name] == .flag {
          values[name] = argument.hasPrefix("--no-") ? "false" : "true"
        } else {
          values[name] = rest.popFirst()
        }
      } else {
        values[ConfigKey.data] = argument
      }
    }
    self.init(values)
  }

  /// By name.
  var values: [String: String] { Dictionary(pairs.map { ($0.name, $0.text) }) { $1 } }

  /// The option of a short name, with the text that is joined to it.
  private static func short(_ argument: String) -> (name: String, text: String?)? {
    if argument == "-q" { return ("quiet", "true") }
    guard argument.hasPrefix("-o") else { return nil }
    let text = argument.dropFirst(2).drop { $0 == "=" }
    return ("output", text.isEmpty ? nil : String(text))
  }

  /// The options as arguments of a command, less those that its own arguments override.
  func arguments(overriddenBy given: [String], of command: any Configurable) -> [String] {
    let names = Set(given.compactMap { Self.short($0)?.name ?? Self.name(of: $0) })
    var result: [String] = []
    for (name, text) in pairs {
      if name == ConfigKey.data {
        if command.source == nil { result.append(text) }
      } else if !names.contains(where: { ConfigKey.overrides($0, name) }) {
        let isFlag = ConfigKey.kinds[name] == .flag
        result.append(isFlag ? (text == "true" ? "--\(name)" : "--no-\(name)") : "--\(name)=\(text)")
      }
    }
    return result.filter { !["--no-json", "--no-quiet", "--no-stream"].contains($0) }
  }

  /// `--no-bias` and `--bias=…` name the option `bias`.
  private static func name(of argument: String) -> String? {
    guard argument.hasPrefix("--") else { return nil }
    let name = argument.dropFirst(2).prefix { $0 != "=" }
    return String(name.hasPrefix("no-") && ConfigKey.kinds[String(name)] == nil ? name.dropFirst(3) : name)
  }
}
