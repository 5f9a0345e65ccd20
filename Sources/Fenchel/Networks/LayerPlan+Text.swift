extension LayerPlan.Step: CustomStringConvertible {
  public var description: String {
    switch self {
    case .convolution(let channels, let height, let width, let stride, let padding):
      "convolution \(channels) \(height)x\(width)" + (stride == 1 ? "" : " stride \(stride)")
        + (padding == 0 ? "" : " padding \(padding)")
    case .pooling(let size): "pooling \(size)"
    case .dense(let width): "dense \(width)"
    }
  }

  /// - Throws: `LayerTextError` for text that is none of these.
  public init(_ text: some StringProtocol) throws(LayerTextError) {
    let words = String(text).split(separator: " ").map(String.init)
    guard let name = words.first else { throw LayerTextError(String(text)) }
    var rest = words.dropFirst()
    func number(_ word: String?) throws(LayerTextError) -> Int {
      guard let word, let value = Int(word), (0...1 << 30).contains(value) else {
        throw LayerTextError(String(text))
      }
      return value
    }
    switch name {
    case "dense": self = .dense(try number(rest.popFirst()))
    case "pooling": self = .pooling(try number(rest.popFirst()))
    case "convolution":
      let channels = try number(rest.popFirst())
      let sides = (rest.popFirst() ?? "").split(separator: "x", omittingEmptySubsequences: false)
      guard sides.count == 2 else { throw LayerTextError(String(text)) }
      let (height, width) = (try number(String(sides[0])), try number(String(sides[1])))
      var (stride, padding) = (1, 0)
      while let option = rest.popFirst() {
        let value = try number(rest.popFirst())
        switch option {
        case "stride": stride = value
        case "padding": padding = value
        default: throw LayerTextError(String(text))
        }
      }
      self = .convolution(
        channels: channels, height: height, width: width, stride: stride, padding: padding)
    default: throw LayerTextError(String(text))
    }
    guard rest.isEmpty else { throw LayerTextError(String(text)) }
  }
}

extension LayerPlan.Step: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    do { try self.init(text) } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Text that names no layer.
public struct LayerTextError: Error, CustomStringConvertible, Sendable, Equatable {
  public let text: String
  init(_ text: String) { self.text = text }

  public var description: String {
    "`\(text.prefix(80))` is no layer; write such as convolution 6 5x5, convolution 16 3x3 stride 2 padding 1, "
      + "pooling 2, dense 120"
  }
}
