import LinearAlgebra

/// Ascent on f(w) = Σ_k θ_k (x_kᵀw)₊ over unit vectors for the starts of a few panels, 16 side by side, on one
/// thread. Every accepted move raises the value of its lane; a lane that cannot rise stays where it is.
package struct PanelAscent {
  private let problem: Problem
  private let panels: Int
  private let outputs: [Int32]
  /// Unit vectors w and images h = Xᵀ D(w) θ, in panels; f(w) = wᵀh.
  package private(set) var points: [Double]
  package private(set) var values: [Double]
  private var images: [Double]
  private var trial: [Double]
  private var trialImages: [Double]
  private var trialValues: [Double]
  private var signs: [Int8]
  private var unused: [Double]

  /// What all starts share: X, θ, and the rows with θ_k < 0 times |θ_k|.
  package struct Problem: Sendable {
    let x: Matrix<Double>
    let θ: [Double]
    let convexPart: [Double]
    let concave: Matrix<Double>
    let concaveSquares: [Double]

    package init(x: Matrix<Double>, θ: [Double]) {
      (self.x, self.θ) = (x, θ)
      convexPart = θ.map { max($0, 0) }
      let negative = θ.indices.filter { θ[$0] < 0 }
      var rows = x.selectingRows(negative)
      for (i, k) in negative.enumerated() {
        for j in 0..<x.columns { rows[i, j] *= -θ[k] }
      }
      concave = rows
      concaveSquares = (0..<rows.rows).map { i in
        rows.withPointer { Double.dot(x.columns, $0 + i * x.columns, $0 + i * x.columns) }
      }
    }
  }

  private var d: Int { problem.x.columns }
  private static let lanes = RectifiedProducts.lanes

  /// Begins at the given rows, scaled to unit length; zero rows have value 0 and stay.
  package init(_ problem: Problem, starts: [[Double]]) {
    self.problem = problem
    let d = problem.x.columns
    panels = RectifiedProducts.panels(for: starts.count)
    outputs = [Int32](repeating: 0, count: panels)
    points = [Double](repeating: 0, count: panels * Self.lanes * d)
    for (i, start) in starts.enumerated() {
      for j in 0..<d { points[(i / Self.lanes * d + j) * Self.lanes + i % Self.lanes] = start[j] }
    }
    images = points
    (trial, trialImages) = (points, points)
    values = [Double](repeating: 0, count: panels * Self.lanes)
    trialValues = values
    signs = [Int8](repeating: 0, count: problem.x.rows * values.count)
    unused = [Double](repeating: 0, count: max(problem.x.rows, values.count))
    Self.normalise(&points, panels, d)
    trial = points
    evaluateTrial()
    (images, values) = (trialImages, trialValues)
  }

  /// The unit vector of start i.
  package func point(_ i: Int) -> [Double] {
    (0..<d).map { points[(i / Self.lanes * d + $0) * Self.lanes + i % Self.lanes] }
  }

  /// w ← w + t (h/‖h‖ − w), scaled to length 1, with t halved where the value would fall and doubled where it rises.
  /// Where θ ≥ 0 the full step never fails. Ends when no lane rises any more. Cost of a sweep: 4nd for each lane.
  package mutating func followFixedPoint(sweeps: Int) {
    var steps = [Double](repeating: 1, count: values.count)
    for _ in 0..<sweeps {
      trial = images
      Self.normalise(&trial, panels, d)
      blendTrial(steps)
      Self.normalise(&trial, panels, d)
      evaluateTrial()
      let risen = acceptTrial()
      var isDone = true
      for l in values.indices {
        steps[l] = risen[l] ? min(1, steps[l] * 2) : steps[l] / 4
        if risen[l] || (steps[l] > 1e-3 && values[l] > 0) { isDone = false }
      }
      if isDone { break }
    }
  }

  /// Linearises the convex part of f at w and maximises the concave rest exactly: w = p/‖p‖ with
  /// p = c − Σ α_k |θ_k| x_k of least length over 0 ≤ α ≤ 1. Where concave kinks meet, this moves along them.
  package mutating func climbConvexParts(rounds: Int, sweeps: Int) {
    let (rows, width) = (problem.concave.rows, Self.lanes)
    var α = [Double](repeating: 0.5, count: panels * rows * width)
    for round in 0..<rounds {
      linearise()
      for panel in 0..<panels {
        descend(&α, panel, sweeps: round == 0 ? 2 * sweeps : sweeps)
      }
      Self.normalise(&trial, panels, d)
      evaluateTrial()
      if !acceptTrial().contains(true) { break }
    }
  }

  /// trial ← Xᵀ D(w) θ₊, from the signs at w.
  private mutating func linearise() {
    swap(&points, &trial)
    computeSigns()
    swap(&points, &trial)
    backward(problem.convexPart)
    swap(&trial, &trialImages)
  }

  /// Takes Σ α_k |θ_k| x_k from the panel's trial and sweeps until it is as short as it gets.
  private mutating func descend(_ α: inout [Double], _ panel: Int, sweeps: Int) {
    let (rows, d, width) = (problem.concave.rows, d, Self.lanes)
    guard rows > 0 else { return }
    withPointers(problem.concave, problem.concave, &α) { y, _, α in
      problem.concaveSquares.withPointer { squares in
        trial.withMutablePointer { trial in
          let (α, rest) = (α + panel * rows * width, trial + panel * d * width)
          Double.gemm(
            .yes, .no, m: d, n: width, k: rows, alpha: -1, a: y, lda: d, b: α, ldb: width, beta: 1, c: rest,
            ldc: width)
          for _ in 0..<sweeps {
            let moved = RectifiedProducts.boxSweep(y: y, squares: squares, n: rows, d: d, α: α, rest: rest)
            if moved < 1e-4 { break }
          }
        }
      }
    }
  }

  private mutating func computeSigns() {
    let (x, panels, d) = (problem.x, panels, d)
    withPointers(x, x, &unused) { x, _, unused in
      trial.withPointer { w in
        signs.withMutablePointer { signs in
          outputs.withPointer { outputs in
            // The sums themselves are not wanted: their coefficients may be anything finite.
            RectifiedProducts.forward(
              x: x, n: problem.x.rows, d: d, vectors: w, scales: w, outputs: outputs, panels: panels, c: 1,
              predictions: unused, signs: signs)
          }
        }
      }
    }
  }

  private mutating func backward(_ slopes: [Double]) {
    let (x, panels, d) = (problem.x, panels, d)
    withPointers(x, x, &trialImages) { x, _, images in
      slopes.withPointer { slopes in
        signs.withPointer { signs in
          outputs.withPointer { outputs in
            RectifiedProducts.backward(
              x: x, n: problem.x.rows, d: d, slopes: slopes, outputs: outputs, panels: panels, c: 1,
              signs: signs,
              images: images)
          }
        }
      }
    }
  }

  private mutating func evaluateTrial() {
    computeSigns()
    backward(problem.θ)
    let (d, width) = (d, Self.lanes)
    for panel in 0..<panels {
      for l in 0..<width {
        var sum = 0.0
        for j in 0..<d {
          sum += trial[(panel * d + j) * width + l] * trialImages[(panel * d + j) * width + l]
        }
        trialValues[panel * width + l] = sum
      }
    }
  }

  /// Takes the trial in every lane where it is higher, by more than rounding; says where.
  private mutating func acceptTrial() -> [Bool] {
    let (d, width) = (d, Self.lanes)
    return values.indices.map { s in
      guard trialValues[s] > values[s] + 1e-12 * abs(values[s]) else { return false }
      values[s] = trialValues[s]
      for j in 0..<d {
        let place = (s / width * d + j) * width + s % width
        points[place] = trial[place]
        images[place] = trialImages[place]
      }
      return true
    }
  }

  /// trial ← w + step (trial − w), lane by lane.
  private mutating func blendTrial(_ steps: [Double]) {
    let (d, width) = (d, Self.lanes)
    for panel in 0..<panels {
      for j in 0..<d {
        for l in 0..<width {
          let place = (panel * d + j) * width + l
          trial[place] = points[place] + steps[panel * width + l] * (trial[place] - points[place])
        }
      }
    }
  }

  /// Scales every lane to length 1; zero lanes stay.
  private static func normalise(_ vectors: inout [Double], _ panels: Int, _ d: Int) {
    vectors.withMutablePointer { vectors in
      withTemporary(Double.self, lanes) { factors in
        for panel in 0..<panels {
          let panel = vectors + panel * d * lanes
          factors.update(repeating: 0, count: lanes)
          for j in 0..<d { for l in 0..<lanes { factors[l] += panel[j * lanes + l] * panel[j * lanes + l] } }
          for l in 0..<lanes { factors[l] = factors[l] > 0 ? 1 / factors[l].squareRoot() : 0 }
          for j in 0..<d { for l in 0..<lanes { panel[j * lanes + l] *= factors[l] } }
        }
      }
    }
  }
}
