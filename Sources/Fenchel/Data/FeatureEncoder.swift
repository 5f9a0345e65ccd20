import LinearAlgebra

/// Fills the feature matrix from columns, tile by tile, and finds entries that cannot be used.
struct FeatureEncoder {
  let schema: Schema
  let table: Table
  /// Whether the table is a part of data that are read piece by piece.
  let isPart: Bool
  let memoryLimit: Int
  private static let tileRows = 64

  /// One feature with what is needed to fill its part of a row.
  private enum Source {
    case numbers(NumericArray, Int, imputation: Double?)
    case categories(codes: [Int32], width: Int)
  }

  init(schema: Schema, table: Table, isPart: Bool = false, memoryLimit: Int) {
    self.schema = schema
    self.table = table
    self.isPart = isPart
    self.memoryLimit = memoryLimit
  }

  func encode<Element: Scalar>(
    _ columns: [Column], as _: Element.Type
  ) throws -> (Matrix<Element>, notices: [String]) {
    let rows = table.rows
    let width = schema.width
    let (entries, overflow) = rows.multipliedReportingOverflow(by: width)
    let needed = overflow || entries > Int.max / 8 ? Int.max : entries * MemoryLayout<Element>.stride
    guard needed <= memoryLimit else {
      throw DataError.tooLarge(
        source: table.source, what: "a feature matrix of \(rows) rows and \(width) columns", bytes: needed,
        limit: memoryLimit)
    }
    var notices: [String] = []
    let sources = try zip(schema.features, columns).map { try source($0, $1, &notices) }
    var result = Matrix<Element>(rows, width)
    let tiles = Parallel.tiles(of: Self.tileRows, covering: rows)
    var badCounts = [Int](repeating: 0, count: tiles)
    badCounts.withUnsafeMutableBufferPointer { badCounts in
      result.withMutablePointer { target in
        Parallel.forEach(tiles: tiles) { tile in
          let range = Parallel.range(ofTile: tile, size: Self.tileRows, count: rows)
          badCounts[tile] = fill(range, sources, width, target + range.lowerBound * width)
        }
      }
    }
    let bad = badCounts.reduce(0, +)
    if bad > 0 { throw unusable(result, count: bad, firstTile: badCounts.firstIndex { $0 > 0 } ?? 0) }
    return (result, notices)
  }

  private func source(
    _ feature: Schema.Feature, _ column: Column, _ notices: inout [String]
  ) throws -> Source {
    if let categories = feature.categories {
      return .categories(
        codes: try codes(feature, categories, column, &notices), width: categories.count)
    }
    guard case .numeric(let array, let index) = column else {
      throw Self.notNumeric(column, name: feature.name, table)
    }
    return .numbers(array, index, imputation: feature.imputation)
  }

  private func codes(
    _ feature: Schema.Feature, _ categories: [String], _ column: Column, _ notices: inout [String]
  ) throws -> [Int32] {
    let lookup = CategoryLookup(categories)
    var codes = lookup.codes(column)
    let stand = feature.imputedCategory.flatMap { categories.firstIndex(of: $0) }
    if let stand {
      for row in codes.indices where codes[row] == CategoryLookup.missing { codes[row] = Int32(stand) }
    } else if let row = codes.firstIndex(of: CategoryLookup.missing) {
      let count = codes.count { $0 == CategoryLookup.missing }
      throw missing(row, feature.name, "is missing, as in \(counted(count, "row")) of \(table.rows)")
    }
    let unknown = codes.indices.filter { codes[$0] == CategoryLookup.unknown }
    if let first = unknown.first {
      notices.append(
        "column \(quoted(feature.name)): \(counted(unknown.count, "row")) with categories unseen in training, such as"
          + " \(quoted(CategoryLookup.name(column, first))): all zeros there")
    }
    return codes
  }

  /// Fills rows `range` at `target`; returns the number of entries that are not finite.
  private func fill<Element: Scalar>(
    _ range: Range<Int>, _ sources: [Source], _ width: Int, _ target: UnsafeMutablePointer<Element>
  ) -> Int {
    let count = range.count * width
    let raw = UnsafeMutableRawPointer(target)
    if Element.self == Double.self {
      let place = raw.assumingMemoryBound(to: Double.self)
      fill(range, sources, width, doubles: place)
      return (0..<count).count { !place[$0].isFinite }
    }
    return withTemporary(Double.self, count) { temporary in
      temporary.initialize(repeating: 0, count: count)
      fill(range, sources, width, doubles: temporary)
      let place = raw.assumingMemoryBound(to: Float.self)
      var bad = 0
      for k in 0..<count {
        let value = Float(temporary[k])
        place[k] = value
        if !value.isFinite { bad += 1 }
      }
      return bad
    }
  }

  private func fill(
    _ range: Range<Int>, _ sources: [Source], _ width: Int, doubles target: UnsafeMutablePointer<Double>
  ) {
    if let (array, first) = contiguous(sources) {
      array.copyRows(first, width: width, range, to: target)
      return
    }
    var column = 0
    for source in sources {
      switch source {
      case .numbers(let array, let index, let imputation):
        array.copyColumn(index, range, to: target + column, stride: width)
        if let imputation {
          for k in 0..<range.count where target[k * width + column].isNaN {
            target[k * width + column] = imputation
          }
        }
        column += 1
      case .categories(let codes, let count):
        for (k, row) in range.enumerated() where codes[row] >= 0 {
          target[k * width + column + Int(codes[row])] = 1
        }
        column += count
      }
    }
  }

  /// The array and first column when the sources are plain neighbours in one array, as pixels are.
  private func contiguous(_ sources: [Source]) -> (NumericArray, Int)? {
    guard case .numbers(let array, let first, nil)? = sources.first else { return nil }
    let identity = array.identity
    for (k, source) in sources.enumerated() {
      guard case .numbers(let other, let index, nil) = source, index == first + k, other.identity == identity
      else { return nil }
    }
    return (array, first)
  }

  /// The message for the first entry that is not finite.
  private func unusable<Element: Scalar>(_ features: Matrix<Element>, count: Int, firstTile: Int) -> DataError
  {
    let start = firstTile * Self.tileRows * features.columns
    let place = features.storage[start...].firstIndex { !$0.isFinite } ?? start
    let (row, column) = place.quotientAndRemainder(dividingBy: features.columns)
    let name = schema.featureNames[column]
    // A part knows nothing of the rows behind it.
    let total = isPart ? "" : count == 1 ? " (the only such entry)" : " (\(count) such entries in all)"
    if features.storage[place].isNaN { return missing(row, name, "is missing\(total)") }
    let isOverflow = Element.self == Float.self
    return .malformed(
      table.location(ofRow: row),
      "\(table.rowLabel(row)): column \(quoted(name)) is infinite\(isOverflow ? " or too large for Float" : "")\(total)"
    )
  }

  private func missing(_ row: Int, _ name: String, _ problem: String) -> DataError {
    let column = schema.features.first { $0.name == name }
    let flag = schema.hasNames ? printable(name) : String(column?.position ?? 0)
    return .malformed(
      table.location(ofRow: row),
      "\(table.rowLabel(row)): column \(quoted(name)) \(problem); use "
        + (isPart ? "" : "--impute median (in training) or ") + "--ignore \(flag)"
        + (isPart ? ", or --impute median on data that fit into memory" : "")
    )
  }

  /// The message when numbers are wanted and there is text.
  static func notNumeric(_ column: Column, name: String, _ table: Table) -> DataError {
    guard case .text(let text) = column, let first = text.firstNonNumber else {
      return .unsuitable(source: table.source, "column \(quoted(name)) is text; numbers are needed")
    }
    return .malformed(first.location, "column \(quoted(name)): \(quoted(first.token)) \(first.problem)")
  }
}
