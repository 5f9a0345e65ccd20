/// Calls `body` with a pointer to the first entry of each matrix, valid during the call only.
@inlinable
public func withPointers<A: Scalar, B: Scalar, R>(
  _ a: Matrix<A>, _ b: Matrix<B>, _ body: (UnsafePointer<A>, UnsafePointer<B>) throws -> R
) rethrows -> R {
  try a.withPointer { a in try b.withPointer { b in try body(a, b) } }
}

/// Calls `body` with pointers to two matrices that are read and an array that is written.
@inlinable
public func withPointers<A: Scalar, B: Scalar, C, R>(
  _ a: Matrix<A>, _ b: Matrix<B>, _ c: inout [C],
  _ body: (UnsafePointer<A>, UnsafePointer<B>, UnsafeMutablePointer<C>) throws -> R
) rethrows -> R {
  try withPointers(a, b) { a, b in try c.withMutablePointer { c in try body(a, b, c) } }
}

/// Calls `body` with a pointer to `count` uninitialised entries, freed afterwards.
@inlinable
public func withTemporary<T: Scalar, R>(
  _: T.Type, _ count: Int, _ body: (UnsafeMutablePointer<T>) throws -> R
) rethrows -> R {
  let pointer = UnsafeMutablePointer<T>.allocate(capacity: max(count, 1))
  defer { pointer.deallocate() }
  return try body(pointer)
}

extension Matrix {
  /// Calls `body` with a pointer to the first entry, valid during the call only (of an empty matrix: to a
  /// place that must not be read).
  @inlinable
  public func withPointer<R>(_ body: (UnsafePointer<Element>) throws -> R) rethrows -> R {
    try storage.withPointer(body)
  }

  /// Calls `body` with a pointer to the first entry, through which entries may be written.
  @inlinable
  public mutating func withMutablePointer<R>(
    _ body: (UnsafeMutablePointer<Element>) throws -> R
  ) rethrows -> R {
    try storage.withMutablePointer(body)
  }
}

extension Array {
  /// Calls `body` with a pointer to the first element, valid during the call only.
  @inlinable
  public func withPointer<R>(_ body: (UnsafePointer<Element>) throws -> R) rethrows -> R {
    try withUnsafeBufferPointer { buffer in
      if let base = buffer.baseAddress { return try body(base) }
      return try withUnsafeTemporaryAllocation(of: Element.self, capacity: 1) { empty in
        try body(UnsafePointer(empty.baseAddress.unsafelyUnwrapped))
      }
    }
  }

  /// Calls `body` with a pointer to the first element, through which elements may be written.
  @inlinable
  public mutating func withMutablePointer<R>(
    _ body: (UnsafeMutablePointer<Element>) throws -> R
  ) rethrows -> R {
    try withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { return try body(base) }
      return try withUnsafeTemporaryAllocation(of: Element.self, capacity: 1) { empty in
        try body(empty.baseAddress.unsafelyUnwrapped)
      }
    }
  }
}
