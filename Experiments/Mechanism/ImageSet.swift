import Fenchel
import LinearAlgebra

/// Images with their classes, pixels from 0 to 1, in training and test samples.
struct ImageSet {
  let name: String
  private(set) var training: OrdinaryTraining.Samples<Float>
  private(set) var test: (x: Matrix<Float>, labels: [Int])
  /// Channels, height and width.
  let shape: ImageShape?

  /// The sets that experiments are about, by their names in the catalogue of data.
  enum Source: String {
    case mnist
    case fashionMNIST = "fashion-mnist"
    case cifar10 = "cifar-10"

    var title: String {
      switch self {
      case .mnist: "MNIST"
      case .fashionMNIST: "Fashion-MNIST"
      case .cifar10: "CIFAR-10"
      }
    }
  }

  /// A set of images, or for quick runs the digits inside the program; with `heldOut` training samples in place of the test
  /// ones.
  ///
  /// Errors: `DataError` where the set is not on this machine.
  init(_ options: ExperimentOptions, of source: Source = .mnist) throws {
    let all = try Part(options.isQuick ? "digits" : source.rawValue, .train)
    let n = all.labels.count
    guard options.isQuick || options.heldOut != nil else {
      let test = try Part(source.rawValue, .test)
      self.init(source.title, all, Array(0..<n), test, Array(0..<test.labels.count))
      return
    }
    let held = options.heldOut ?? n / 5
    guard (1..<n).contains(held) else {
      throw DataError.unsuitable(source: all.name, "\(held) samples cannot be held out of \(n)")
    }
    let order = Array(Philox(seed: 77, stream: 5).permutation(of: n))
    self.init(
      options.isQuick ? "digits" : source.title, all, Array(order[held...]), all, Array(order[..<held]))
  }

  private init(_ name: String, _ training: Part, _ rows: [Int], _ test: Part, _ testRows: [Int]) {
    self.name = name
    shape = training.shape
    let isWhole = rows.count == training.labels.count
    let x = isWhole ? training.x : training.x.selectingRows(rows)
    var y = Matrix<Float>(rows.count, training.classes)
    for (k, row) in rows.enumerated() { y[k, training.labels[row]] = 1 }
    self.training = OrdinaryTraining.Samples(x: x, targets: y)
    self.test = (test.x.selectingRows(testRows), testRows.map { test.labels[$0] })
  }

  /// With every pixel of mean 0 and deviation 1 over the training images.
  var standardised: ImageSet {
    let scaling = Standardisation(
      fitting: training.x, weights: [Double](repeating: 1, count: training.x.rows))
    var images = self
    images.training.x = scaling.applied(to: training.x)
    images.test.x = scaling.applied(to: test.x)
    return images
  }

  var inputs: Int { training.x.columns }
  var classes: Int { training.targets.columns }

  /// What it is, for people.
  func description(_ options: ExperimentOptions) -> String {
    let samples = "\(training.x.rows) training images"
    let scored = test.labels.count
    if options.isQuick {
      return "quick: \(name), \(samples) of 8 × 8, \(scored) for the test; not the paper’s images"
    }
    let held = options.heldOut != nil ? "training images held out, not the test images" : "test images"
    return "\(name), pixels from 0 to 1, \(samples), scored on \(scored) \(held)"
  }

  /// The share of test samples that a network puts into their class.
  func accuracy(of network: FeedForward<Float>) -> Double { accuracy(of: network.output(test.x)) }

  /// The same of a network in Double.
  func accuracy(of network: Network) -> Double {
    accuracy(of: network.predict(test.x.converted(to: Double.self)))
  }

  private func accuracy<Element: Scalar>(of f: Matrix<Element>) -> Double {
    let right = test.labels.indices.count { k in
      let row = f.row(k)
      return row.firstIndex(of: row.max() ?? 0) == test.labels[k]
    }
    return Double(right) / Double(max(test.labels.count, 1))
  }
}

/// The training or the test samples of a data set with classes 0, 1, ….
private struct Part {
  let name: String
  let x: Matrix<Float>
  let labels: [Int]
  let classes: Int
  let shape: ImageShape?

  init(_ name: String, _ part: DataPart) throws {
    var options = ReadOptions()
    options.part = part
    let table = try Table.read(name, options: options)
    let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
    guard case .classes(let indices, let count) = data.targets else { throw TrainingError.noTargets(name) }
    self.name = name
    // Classes are numbered by their names, so that both parts agree.
    labels = indices.map { Int(data.schema.classes[Int($0)]) ?? Int($0) }
    classes = count
    shape = data.schema.imageShape
    x = Standardisation(dividing: data.features).applied(to: data.features).converted(to: Float.self)
  }
}
