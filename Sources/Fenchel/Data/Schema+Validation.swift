extension Schema {
  /// What makes the schema unusable, or `nil`. One that has no defect cannot lead outside a
  /// table; decoding asks for it.
  public var defect: String? {
    guard !features.isEmpty else { return "there are no features" }
    guard !targets.isEmpty else { return "there are no targets" }
    let roles = targets + ignored + [weights].compactMap { $0 }
    let positions = features.map(\.position) + roles.map(\.position)
    guard positions.allSatisfy({ (0..<columnCount).contains($0) }) else {
      return "a position is out of range"
    }
    guard Set(positions).count == positions.count else { return "two columns share a position" }
    for feature in features {
      if let categories = feature.categories, categories.isEmpty || Set(categories).count != categories.count
      {
        return "the categories of column \(quoted(feature.name)) are not distinct"
      }
      if let imputation = feature.imputation, !imputation.isFinite {
        return "the median of column \(quoted(feature.name)) is not finite"
      }
    }
    if task == .classification {
      guard targets.count == 1 else { return "classification has one target" }
      guard classes.count > 1, Set(classes).count == classes.count else {
        return "the classes are not distinct"
      }
    }
    if let shape = imageShape {
      guard [shape.channels, shape.height, shape.width].allSatisfy({ (1...65_536).contains($0) }),
        shape.count == width
      else { return "the image shape does not fit the features" }
    }
    return nil
  }
}
