import Foundation
import Yams

/// A command whose options may also come from a YAML file.
protocol Configurable {
  /// The file of `--config`, or nil.
  var config: String? { get }
  /// The positional DATA, or nil where the file may give it.
  var source: String? { get }
}

/// What is wrong with a config file.
struct ConfigError: Error, CustomStringConvertible {
  var description: String

  init(_ path: String, _ line: Int?, _ problem: String) {
    description = path + (line.map { ":\($0)" } ?? "") + ": " + problem
  }
}

/// A YAML file with any of the long options of a command as keys: `lambda-ratio: 0.02`, `bias: false`.
///
/// One flat mapping of names to numbers, words, true/false or lists of words. Unknown and repeated keys,
/// anchors, tags, nesting and values of another kind are errors with their line.
struct ConfigFile {
  var path: String
  private var pairs: [(key: String, value: Node, line: Int)] = []

  /// Config files are short; a longer one is not a config file.
  static let longest = 65_536

  init(path: String) throws {
    self.path = path
    let text = try ConfigFile.contents(of: path)
    try ConfigGuard.check(text, path: path)
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw ConfigFile.translate(error, path)
    }
    guard let node else { return }
    guard case .mapping(let mapping) = node else {
      throw ConfigError(path, 1, "lines of `option: value` are expected")
    }
    for (key, value) in mapping {
      guard case .scalar(let name) = key else {
        throw ConfigError(path, key.mark?.line, "the name of an option is expected before the colon")
      }
      pairs.append((name.string, value, key.mark?.line ?? 1))
    }
  }

  private static func contents(of path: String) throws -> String {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw ConfigError(path, nil, "cannot be opened: \(String(cString: strerror(errno)))")
    }
    defer { try? file.close() }
    let data: Data
    do {
      data = try file.read(upToCount: longest + 1) ?? Data()
    } catch {
      throw ConfigError(path, nil, "cannot be read; is it a folder?")
    }
    guard data.count <= longest else {
      throw ConfigError(path, nil, "longer than \(longest) bytes; a config file only names options")
    }
    guard let text = String(validating: data, as: UTF8.self), !text.utf8.contains(0) else {
      throw ConfigError(path, nil, "not UTF-8 text")
    }
    return text
  }

  private static func translate(_ error: YamlError, _ path: String) -> ConfigError {
    switch error {
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "`\($0)`" }.sorted().joined(separator: ", ")
      return ConfigError(path, context.mark.line, "\(names) given twice")
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return ConfigError(path, mark.line, "not YAML: \(problem)")
    default: return ConfigError(path, nil, "not YAML")
    }
  }

  /// The settings by their names, which are among these.
  func options(of kinds: [String: ConfigKey.Kind] = ConfigKey.kinds) throws -> NamedOptions {
    NamedOptions(try pairs.map { ($0.key, try text(of: $0, kinds)) })
  }

  private func text(
    of pair: (key: String, value: Node, line: Int), _ kinds: [String: ConfigKey.Kind]
  ) throws -> String {
    let (key, value, line) = pair
    guard let kind = kinds[key] else {
      let hint = Suggestion.phrase(for: key, among: kinds.keys)
      throw ConfigError(path, line, "there is no option `\(key)`\(hint)")
    }
    return try ConfigKey.text(of: value, as: kind) { problem in
      ConfigError(path, value.mark?.line ?? line, "\(key): \(problem)")
    }
  }
}
