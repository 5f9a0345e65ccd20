import ConvexOptimization
import LinearAlgebra

/// A polynomial program as a composite problem in working precision. W stacks the matrices Z⁺_1, Z⁻_1, Z⁺_2, …, each of
/// order p; with lifted rows x̂ = (x, 1) and K = [a, ½b; ½b, c] by blocks, M_k = K ∘ x̂_k x̂_kᵀ.
struct SemidefiniteProblem<Element: Scalar>: CompositeProblem {
  let loss: any Loss<Element>
  private let λ: Element
  private let activation: Polynomial
  private let isHomogeneous: Bool
  /// X̂: n × p.
  private let lifted: Matrix<Element>
  /// K: p × p.
  private let weights: Matrix<Element>

  init(_ program: PolynomialProgram) throws(LossError) {
    loss = try program.kind.makeLoss(
      targets: program.loss.targets.converted(to: Element.self),
      weights: program.loss.weights.map { Element($0) }, parameters: program.parameters)
    (λ, activation, isHomogeneous) = (Element(program.λ), program.activation, program.isHomogeneous)
    let x = program.x.converted(to: Element.self)
    lifted = isHomogeneous ? x : x.augmented(hasBias: true)
    let p = program.order
    var weights = Matrix<Element>(p, p, fill: Element(activation.a))
    if !isHomogeneous {
      for i in 0..<p {
        weights[i, p - 1] = Element(activation.b) / 2
        weights[p - 1, i] = Element(activation.b) / 2
      }
      weights[p - 1, p - 1] = Element(activation.c)
    }
    self.weights = weights
  }

  private var order: Int { lifted.columns }
  private var blocks: Int { 2 * loss.outputs }

  var shape: (rows: Int, columns: Int) { (blocks * order, order) }

  /// ν of every matrix.
  var memory: [Element] { [Element](repeating: 0, count: blocks) }

  /// Block b of a stack.
  private func block(_ b: Int, of stack: Matrix<Element>) -> Matrix<Element> {
    let size = order * order
    return Matrix(order, order, storage: Array(stack.storage[b * size..<(b + 1) * size]))
  }

  /// F_kj = x̂_kᵀ(K ∘ (Z⁺_j − Z⁻_j)) x̂_k. Cost 2 n p² c, rows in parallel.
  func apply(_ w: Matrix<Element>, into f: inout Matrix<Element>) {
    let (n, p, c, tile) = (lifted.rows, order, loss.outputs, 256)
    for j in 0..<c {
      var form = block(2 * j, of: w)
      form.add(-1, block(2 * j + 1, of: w))
      form.multiply(by: weights)
      withPointers(lifted, form, &f.storage) { x, form, f in
        Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: n), work: n * p * p) { index in
          let rows = Parallel.range(ofTile: index, size: tile, count: n)
          withTemporary(Element.self, rows.count * p) { product in
            let x = x + rows.lowerBound * p
            Element.gemm(
              .no, .no, m: rows.count, n: p, k: p, alpha: 1, a: x, lda: p, b: form, ldb: p, beta: 0,
              c: product, ldc: p)
            for (i, k) in rows.enumerated() {
              f[k * c + j] = Element.dot(p, x + i * p, product + i * p)
            }
          }
        }
      }
    }
  }

  /// ±K ∘ X̂ᵀ diag(r_j) X̂ for every output. Cost 2 n p² c.
  func applyAdjoint(_ r: Matrix<Element>, into g: inout Matrix<Element>) {
    let (p, size) = (order, order * order)
    for j in 0..<loss.outputs {
      var scaled = lifted
      scaled.scaleRows(by: r.column(j))
      var image = matrixProduct(scaled, .yes, lifted)
      image.multiply(by: weights)
      image = image.symmetricPart
      g.withMutablePointer { g in
        image.withPointer { image in
          let (plus, minus) = (g + 2 * j * size, g + (2 * j + 1) * size)
          plus.update(from: image, count: size)
          minus.update(from: image, count: size)
          Element.scale(p * p, -1, minus)
        }
      }
    }
  }

  /// The projection of Z − τλC onto the cone, block by block in parallel; C = I, or eeᵀ for the last coordinate e.
  func prox(
    of z: Matrix<Element>, step τ: Element, into w: inout Matrix<Element>, _ memory: inout [Element]
  ) -> Element {
    let (p, size) = (order, order * order)
    var amounts = [Element](repeating: 0, count: blocks)
    w.withMutablePointer { w in
      memory.withMutablePointer { memory in
        amounts.withMutablePointer { amounts in
          Parallel.forEach(tiles: blocks) { b in
            var shifted = block(b, of: z)
            for i in isHomogeneous ? 0..<p : p - 1..<p { shifted[i, i] -= τ * λ }
            var projection = shifted
            if isHomogeneous {
              SemidefiniteCone().project(shifted, into: &projection)
            } else {
              memory[b] = SemidefiniteSlice().project(shifted, into: &projection, multiplier: memory[b])
            }
            projection.withPointer { (w + b * size).update(from: $0, count: size) }
            amounts[b] =
              isHomogeneous ? (0..<p).reduce(0) { $0 + projection[$1, $1] } : projection[p - 1, p - 1]
          }
        }
      }
    }
    return λ * amounts.reduce(0, +)
  }

  /// max over outputs and signs of max_{‖u‖=1} ⟨G, M(u)⟩/λ, M(u) = (u, 1)(u, 1)ᵀ or u uᵀ: maxima of quadratic functions on
  /// the sphere.
  func dualGauge(_ g: Matrix<Element>) -> Element {
    let d = isHomogeneous ? order : order - 1
    var maxima = [Double](repeating: 0, count: blocks)
    maxima.withMutablePointer { maxima in
      Parallel.forEach(tiles: blocks) { b in
        let form = block(b, of: g)
        var quadratic = Matrix<Double>(d, d)
        for i in 0..<d { for j in 0..<d { quadratic[i, j] = Double(form[i, j]) } }
        let linear = (0..<d).map { isHomogeneous ? 0 : 2 * Double(form[$0, d]) }
        let constant = isHomogeneous ? 0 : Double(form[d, d])
        maxima[b] = SphereMaximum(linear: linear, quadratic: quadratic).estimate + constant
      }
    }
    return Element(maxima.reduce(0, max)) / λ
  }
}

extension Matrix {
  /// A ← A ∘ B.
  fileprivate mutating func multiply(by other: Matrix) {
    let count = count
    other.withPointer { b in withMutablePointer { Element.multiply(count, b, $0) } }
  }
}
