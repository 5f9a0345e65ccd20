/// Why a search cannot begin, or go on.
public enum TuningError: Error, CustomStringConvertible, Sendable, Equatable {
  case syntax(String, String)
  case unknown(String, model: ModelKind, known: [String])
  case value(String, String)
  case empty
  /// A journal of another search.
  case journal(path: String, String)
  /// The bytes of a journal are none.
  case damaged(path: String, line: Int, String)
  case noTrials(String)

  public var description: String {
    switch self {
    case .syntax(let text, let what): "--search: `\(printable(text))`: \(what)"
    case .unknown(let name, let model, let known):
      "--search: the model \(model.rawValue) has no setting `\(printable(name))` to search; it has "
        + known.joined(separator: ", ")
    case .value(let name, let text): "--search: `\(printable(text))` is no value of \(name)"
    case .empty: "--search names nothing to search through"
    case .journal(let path, let what):
      "\(path): the journal of another search: \(what); give the same data and options, or another --journal"
    case .damaged(let path, let line, let what): "\(path):\(line): not a usable journal of a search: \(what)"
    case .noTrials(let why): "no trial came to a result; the last one: \(why)"
    }
  }
}
