import LinearAlgebra

/// What the columns of a table mean: which are features and how they become numbers, which are targets, what the
/// task is. It is kept in the model, so that later tables are read the same way.
///
/// Columns are matched by name where the table names them, else by position and count.
public struct Schema: Codable, Sendable, Equatable {
  /// A column that feeds the network: one number, or one 0/1 number a category.
  public struct Feature: Codable, Sendable, Equatable {
    public var name: String
    /// Position among all columns of the table that the schema was made from.
    public var position: Int
    /// Categories in their order (numbers rising, else by bytes), or `nil` of a numeric column.
    public var categories: [String]?
    /// What stands in for a missing number (the weighted median); `nil`: missing numbers are errors.
    public var imputation: Double?
    /// What stands in for a missing category (the most frequent); `nil`: missing categories are errors.
    public var imputedCategory: String?

    /// Columns of the feature matrix that it fills.
    public var width: Int { categories?.count ?? 1 }
  }

  /// A column that is not a feature.
  public struct Role: Codable, Sendable, Equatable {
    public var name: String
    public var position: Int
  }

  public var features: [Feature]
  public var targets: [Role]
  public var weights: Role?
  public var ignored: [Role]
  public var task: LearningTask
  /// Class names in the order of the network's outputs: rising if all are numbers, else by their UTF-8 bytes.
  public var classes: [String]
  /// Whether the columns had names in the file.
  public var hasNames: Bool
  /// How many columns the table had.
  public var columnCount: Int
  public var imageShape: ImageShape?

  init(
    features: [Feature], targets: [Role], weights: Role?, ignored: [Role], task: LearningTask,
    classes: [String], hasNames: Bool, columnCount: Int, imageShape: ImageShape?
  ) {
    self.features = features
    self.targets = targets
    self.weights = weights
    self.ignored = ignored
    self.task = task
    self.classes = classes
    self.hasNames = hasNames
    self.columnCount = columnCount
    self.imageShape = imageShape
  }

  private enum CodingKeys: CodingKey {
    case features, targets, weights, ignored, task, classes, hasNames, columnCount, imageShape
  }

  /// Reads a schema from a model file; refuses one with a `defect`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    features = try container.decode([Feature].self, forKey: .features)
    targets = try container.decode([Role].self, forKey: .targets)
    weights = try container.decodeIfPresent(Role.self, forKey: .weights)
    ignored = try container.decode([Role].self, forKey: .ignored)
    task = try container.decode(LearningTask.self, forKey: .task)
    classes = try container.decode([String].self, forKey: .classes)
    hasNames = try container.decode(Bool.self, forKey: .hasNames)
    columnCount = try container.decode(Int.self, forKey: .columnCount)
    imageShape = try container.decodeIfPresent(ImageShape.self, forKey: .imageShape)
    if let defect {
      throw DecodingError.dataCorruptedError(forKey: .features, in: container, debugDescription: defect)
    }
  }

  /// d, the columns of the feature matrix.
  public var width: Int { features.reduce(0) { $0 + $1.width } }

  /// Names of the d columns of the feature matrix: `age`, `colour=red`, `colour=blue`, …
  public var featureNames: [String] {
    features.flatMap { feature in
      feature.categories.map { $0.map { "\(feature.name)=\($0)" } } ?? [feature.name]
    }
  }

  /// c, the network's outputs: the targets, or the classes (one output for two classes under a loss with −1/1
  /// labels is the loss's affair).
  public var outputs: Int { task == .classification ? classes.count : targets.count }

  /// Columns to be read as text, for `ReadOptions.textColumns`.
  public var textColumns: Set<String> {
    var names = Set(features.filter { $0.categories != nil }.map(\.name))
    if task == .classification, !hasNumericClasses { names.formUnion(targets.map(\.name)) }
    return names
  }

  /// Whether all class names are numbers.
  var hasNumericClasses: Bool { classes.allSatisfy { DecimalNumber.parse($0).1 == .number } }

  /// Names in their order: rising when all are numbers, else by their UTF-8 bytes.
  static func ordered(_ names: some Collection<String>) -> [String] {
    let numbers = names.compactMap { name -> (Double, String)? in
      let (value, outcome) = DecimalNumber.parse(name)
      return outcome == .number ? (value, name) : nil
    }
    func byBytes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
    if numbers.count == names.count {
      return numbers.sorted { $0.0 == $1.0 ? byBytes($0.1, $1.1) : $0.0 < $1.0 }.map(\.1)
    }
    return names.sorted(by: byBytes)
  }
}

/// How the columns of a table are to be used.
public struct SchemaOptions: Sendable {
  /// Target columns by name or position; empty: what the table says (the last column).
  public var targets: [String] = []
  /// Columns to leave out.
  public var ignore: [String] = []
  /// Columns to be split into one 0/1 column a category.
  public var categorical: [String] = []
  /// Whether missing entries are replaced (numbers by the median, categories by the most frequent one).
  public var imputesMedian = false
  /// The column of sample weights.
  public var weights: String?
  public var classWeights: ClassWeights?
  /// The task; `nil`: by the target.
  public var task: LearningTask?

  public init() {}
}

/// Factors on the sample weights of each class.
public enum ClassWeights: Sendable, Equatable {
  /// W / (k · W_j): every one of the k classes weighs the same, W in all as before.
  case balanced
  /// Given factors by class name; classes left out have 1.
  case factors([String: Double])

  /// Reads `balanced` or `class=w,class=w,…`.
  ///
  /// Errors: `DataError.option` for anything else.
  public init(_ text: String) throws {
    guard text != "balanced" else {
      self = .balanced
      return
    }
    var factors: [String: Double] = [:]
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let equals = part.lastIndex(of: "=") else {
        throw DataError.option(
          "--class-weight", "\(quoted(part)) is not of the form class=weight (or balanced)")
      }
      let name = String(part[..<equals])
      let (value, outcome) = DecimalNumber.parse(String(part[part.index(after: equals)...]))
      guard outcome == .number, value >= 0 else {
        throw DataError.option(
          "--class-weight", "the weight of class \(quoted(name)) must be a number of at least 0")
      }
      guard factors.updateValue(value, forKey: name) == nil else {
        throw DataError.option("--class-weight", "class \(quoted(name)) appears twice")
      }
    }
    self = .factors(factors)
  }
}
