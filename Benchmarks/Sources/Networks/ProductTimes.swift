import LinearAlgebra

/// The matrix products of an epoch of backpropagation, and nothing else.
struct ProductTimes {
  /// Of an epoch at the fastest batch, as the ceiling is of the fastest product.
  let seconds: Double
  /// Floating-point operations of an epoch.
  let operations: Double

  init(widths: [Int], batchSize n: Int, samples: Int) {
    let layers = zip(widths, widths.dropFirst()).map { inputs, outputs in
      Layer(inputs: inputs, outputs: outputs, samples: n)
    }
    var work = layers
    let clock = ContinuousClock()
    var times: [Double] = []
    for _ in 0..<100 {
      let time = clock.measure {
        for l in work.indices { work[l].forward() }
        for l in work.indices.reversed() { work[l].backward(isFirst: l == 0) }
      }
      times.append(time / .seconds(1))
    }
    let batches = Double(samples) / Double(n)
    seconds = batches * (times.min() ?? 0)
    operations = layers.enumerated().reduce(0) { sum, layer in
      sum + 2 * Double(samples * layer.element.w.count) * (layer.offset == 0 ? 2 : 3)
    }
  }

  private struct Layer {
    var x, w, u, g, d: Matrix<Float>

    init(inputs: Int, outputs: Int, samples n: Int) {
      x = Philox(seed: 1).uniformMatrix(n, inputs)
      w = Philox(seed: 2).uniformMatrix(inputs, outputs)
      u = Matrix(n, outputs)
      g = w
      d = x
    }

    mutating func forward() { addProduct(x, w, to: &u, beta: 0) }

    mutating func backward(isFirst: Bool) {
      addProduct(x, .yes, u, .no, to: &g, beta: 0)
      if !isFirst { addProduct(u, .no, w, .yes, to: &d, beta: 0) }
    }
  }
}
