import LinearAlgebra

extension Dataset {
  /// What is odd about training data and yet no error: constant, equal and collinear columns, a single row, classes
  /// of one row. Each is one line. Cost n·d, and 2n·d² on small data.
  public func oddities() -> [String] {
    var lines: [String] = []
    if rows == 1 { lines.append("there is a single row to learn from") }
    let names = schema.featureNames
    let constant = constantColumns()
    if !constant.isEmpty {
      lines.append(
        "\(counted(constant.count, "constant column")), of no use: \(listed(constant.map { names[$0] }))")
    }
    if features.count <= 10_000_000 {
      let pairs = equalColumns(except: Set(constant))
      if let (first, second) = pairs.first {
        let more = pairs.count > 1 ? ", and \(pairs.count - 1) more such pairs" : ""
        lines.append("columns \(quoted(names[first])) and \(quoted(names[second])) are equal\(more)")
      }
      let sets = collinearColumns(except: Set(constant).union(pairs.map(\.1)))
      if let first = sets.first {
        let more = sets.count > 1 ? ", and \(counted(sets.count - 1, "more such set"))" : ""
        lines.append("collinear columns: \(listed(first.map { names[$0] }))\(more)")
      }
    }
    if case .classes(let indices, let count) = targets {
      var sizes = [Int](repeating: 0, count: count)
      for index in indices { sizes[Int(index)] += 1 }
      let single = schema.classes.indices.filter { sizes[$0] == 1 }.map { schema.classes[$0] }
      if !single.isEmpty { lines.append("classes of a single row: \(listed(single))") }
    }
    return lines
  }

  private func constantColumns() -> [Int] {
    var candidates = Array(0..<features.columns)
    for row in 1..<max(rows, 1) {
      candidates.removeAll { features[row, $0] != features[0, $0] }
      if candidates.isEmpty { break }
    }
    return rows > 1 ? candidates : []
  }

  private func equalColumns(except skipped: Set<Int>) -> [(Int, Int)] {
    var seen: [[Element]: Int] = [:]
    var pairs: [(Int, Int)] = []
    guard rows > 1 else { return [] }
    var prefixes: [[Element]: [Int]] = [:]
    for j in 0..<features.columns where !skipped.contains(j) {
      prefixes[(0..<min(rows, 16)).map { features[$0, j] }, default: []].append(j)
    }
    for group in prefixes.values.filter({ $0.count > 1 }).sorted(by: { $0[0] < $1[0] }) {
      seen.removeAll()
      for j in group {
        let column = features.column(j)
        if let first = seen[column] { pairs.append((first, j)) } else { seen[column] = j }
      }
    }
    return pairs
  }
}
