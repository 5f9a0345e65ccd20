extension Array {
  /// Keeps the `count` elements that come first in a strict order, sorted. Cost of a pass or two over all (C. A. R. Hoare,
  /// *Algorithm 65: find*, 1961), and of sorting those that are kept.
  @inlinable
  public mutating func keepFirst(_ count: Int, by precedes: (Element, Element) -> Bool) {
    precondition(count >= 0, "a number of elements to keep, not \(count)")
    if count < self.count {
      withUnsafeMutableBufferPointer { Self.select(count, in: $0, by: precedes) }
      removeLast(self.count - count)
    }
    sort(by: precedes)
  }

  /// Moves the first `count` elements to the front.
  @inlinable
  static func select(
    _ count: Int, in elements: UnsafeMutableBufferPointer<Element>, by precedes: (Element, Element) -> Bool
  ) {
    var open = elements.indices
    while open.count > 1, open.lowerBound < count, count < open.upperBound {
      var (low, high) = (open.lowerBound, open.upperBound - 1)
      let pivot = elements[low + (high - low) / 2]
      while low <= high {
        while precedes(elements[low], pivot) { low += 1 }
        while precedes(pivot, elements[high]) { high -= 1 }
        guard low <= high else { break }
        elements.swapAt(low, high)
        (low, high) = (low + 1, high - 1)
      }
      // Up to `high` elements come first, from `low` on last; one between them is in its place.
      if count <= high {
        open = open.lowerBound..<high + 1
      } else if count >= low {
        open = low..<open.upperBound
      } else {
        return
      }
    }
  }
}
