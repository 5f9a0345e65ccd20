import Fenchel
import LinearAlgebra

/// The largest neurons of a network of one hidden layer, by ‖(w, b)‖·‖v‖ of inputs and outputs: what a person can read of it.
struct LargestNeurons: Encodable {
  struct Neuron: Encodable {
    /// The output that it feeds most, and v there.
    var output: String
    var effect: Double
    /// Its share of the sum of ‖(w, b)‖·‖v‖ over all neurons.
    var share: Double
    /// Features with the largest weights first, as the network sees them.
    var weights: [Weight]
    var bias: Double
  }

  struct Weight: Encodable {
    var feature: String
    var weight: Double
  }

  /// The largest first.
  var neurons: [Neuron]

  /// Nil for networks of another form, or of features without names.
  init?(_ network: Network, _ schema: Schema, count: Int = 5) {
    let names = schema.featureNames
    guard network.layers.count == 3, case .dense(let hidden) = network.layers[0],
      case .activation = network.layers[1], case .dense(let output) = network.layers[2],
      hidden.weights.rows == names.count
    else { return nil }
    let outputs = schema.task == .classification ? schema.classes : schema.targets.map(\.name)
    let lengths = (0..<hidden.weights.columns).map { m in
      let square = hidden.weights.column(m).reduce(hidden.bias[m] * hidden.bias[m]) { $0 + $1 * $1 }
      return (square * output.weights.row(m).reduce(0) { $0 + $1 * $1 }).squareRoot()
    }
    let total = lengths.reduce(0, +)
    let order = lengths.indices.filter { lengths[$0] > 0 }.sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    neurons = order.prefix(count).map { m in
      let v = output.weights.row(m)
      let j = v.indices.reduce(0) { abs(v[$1]) > abs(v[$0]) ? $1 : $0 }
      let w = zip(names, hidden.weights.column(m)).map { Weight(feature: $0, weight: $1) }
      return Neuron(
        output: v.count == outputs.count ? outputs[j] : outputs.last ?? "", effect: v[j],
        share: lengths[m] / total,
        weights: w.filter { $0.weight != 0 }.sorted {
          (abs($0.weight), $1.feature) > (abs($1.weight), $0.feature)
        },
        bias: hidden.bias[m])
    }
  }

  /// With so many features each.
  func text(features: Int = 4) -> String {
    var table = TextTable(
      ("share", .right), ("feeds", .left), ("by", .right), ("weights of the inputs as scaled", .left))
    for neuron in neurons {
      let shown = neuron.weights.prefix(features).map { "\(Format.significant($0.weight, 2)) \($0.feature)" }
      let more = neuron.weights.count - shown.count
      table.append(
        "\(Format.significant(100 * neuron.share, 2)) %", neuron.output, Format.significant(neuron.effect, 3),
        (shown + (more > 0 ? ["\(more) more"] : [])).joined(separator: " · "))
    }
    return table.text
  }
}

/// What becomes of the columns of a table before a network sees them, as text.
struct ColumnTable {
  let text: String

  /// Nil where nothing is scaled or filled in, or for more columns than a person reads.
  init?(_ schema: Schema, _ scaling: Scaling, atMost count: Int = 30) {
    let (mean, scale) = (scaling.features.mean, scaling.features.scale)
    guard (1...count).contains(schema.features.count), mean.count == schema.width else { return nil }
    var table = TextTable(
      ("column", .left), ("less", .right), ("divided by", .right), ("categories", .left),
      ("where missing", .left))
    var first = 0
    for feature in schema.features {
      let isNumber = feature.categories == nil
      table.append(
        feature.name, isNumber ? Format.significant(mean[first], 4) : "",
        isNumber ? Format.significant(scale[first], 4) : "",
        (feature.categories ?? []).prefix(6).joined(separator: ", ")
          + ((feature.categories ?? []).count > 6 ? ", …" : ""),
        feature.imputation.map { Format.significant($0, 4) } ?? feature.imputedCategory ?? "")
      first += feature.width
    }
    text = table.text
  }
}
