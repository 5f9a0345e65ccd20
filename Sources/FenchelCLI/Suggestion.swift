/// The name that somebody meant who wrote another.
enum Suggestion {
  /// The candidate nearest to `word`, where it is near enough to have been meant.
  static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    let limit = max(1, min(3, word.count / 2))
    let ranked = candidates.map { (name: $0, distance: distance(word, $0)) }
    guard let best = ranked.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
    return best.distance <= limit ? best.name : nil
  }

  /// `; did you mean NAME?`, or nothing.
  static func phrase(for word: String, among candidates: some Sequence<String>) -> String {
    nearest(to: word, among: candidates).map { "; did you mean \($0)?" } ?? ""
  }

  /// Least number of inserted, deleted, replaced or swapped neighbouring letters that turns one word into the
  /// other (Damerau–Levenshtein, restricted). Words are cut at 64 letters. Cost: the product of the lengths.
  static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (Array(first.lowercased().prefix(64)), Array(second.lowercased().prefix(64)))
    var rows = [Array(0...b.count)]
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
