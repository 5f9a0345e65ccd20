import LinearAlgebra

/// The matrix products of an epoch of a batched lifted network, and nothing else: for every layer its outputs X̃W and the step
/// X̃ᵀR, for inner layers the outputs once more on new inputs and RWᵀ, for the last layer's curvature X̃ᵀX̃, which is symmetric
/// and counts half.
struct LiftedProducts {
  /// Of an epoch at the fastest batch, as the ceiling is of the fastest product.
  let seconds: Double
  /// Floating-point operations of an epoch.
  let operations: Double

  init(widths: [Int], batch n: Int, samples: Int) {
    var layers = zip(widths, widths.dropFirst()).map { Layer(inputs: $0, outputs: $1, samples: n) }
    let clock = ContinuousClock()
    var times: [Double] = []
    for _ in 0..<50 {
      let time = clock.measure {
        for l in layers.indices { layers[l].run(isFirst: l == 0, isLast: l == layers.count - 1) }
      }
      times.append(time / .seconds(1))
    }
    let batches = Double(samples) / Double(n)
    seconds = batches * (times.min() ?? 0)
    operations = layers.enumerated().reduce(0) { sum, layer in
      sum + batches
        * layer.element.operations(isFirst: layer.offset == 0, isLast: layer.offset == layers.count - 1)
    }
  }

  private struct Layer {
    var x, w, u, g, d, gram: Matrix<Float>

    init(inputs: Int, outputs: Int, samples n: Int) {
      x = Philox(seed: 1).uniformMatrix(n, inputs)
      w = Philox(seed: 2).uniformMatrix(inputs, outputs)
      (u, g, d, gram) = (Matrix(n, outputs), w, x, Matrix(inputs, inputs))
    }

    mutating func run(isFirst: Bool, isLast: Bool) {
      addProduct(x, w, to: &u, beta: 0)
      addProduct(x, .yes, u, .no, to: &g, beta: 0)
      if !isFirst {
        addProduct(u, .no, w, .yes, to: &d, beta: 0)
        addProduct(x, w, to: &u, beta: 0)
      }
      if isLast { gram = gramMatrix(x, .yes) }
    }

    func operations(isFirst: Bool, isLast: Bool) -> Double {
      let product = 2 * Double(u.rows * w.count)
      return product * (isFirst ? 2 : 4) + (isLast ? Double(x.count * (x.columns + 1)) : 0)
    }
  }
}
