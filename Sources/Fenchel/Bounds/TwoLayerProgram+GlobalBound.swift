import ConvexOptimization

extension TwoLayerProgram {
  /// A lower bound on ℓ((X W₁)₊ W₂) + (λ/2)(‖W₁‖² + ‖W₂‖²) over networks of any width whose neurons each feed one output,
  /// for the data, loss and λ of a program with cones, whatever its patterns are; its proof is for the same program's data.
  ///
  /// nil where the program has no cones, the effort finds no bound, or memory does not suffice. Cost of the relaxation:
  /// some hundred evaluations of 8 n d min(d + 1, 14) c multiplications.
  ///
  /// - Parameters:
  ///   - solution: where its dual point is good, so is the bound of few features; no bound is above its objective.
  ///   - deadline: ends the search; what was found till then counts.
  ///   - maximumBytes: of the relaxation.
  public func globalBound(
    near solution: Solution<TwoLayerPoint>, effort: BoundEffort = .quick, deadline: Deadline = .none,
    maximumBytes: Int = .max
  ) -> GlobalBound? {
    guard isConstrained else { return nil }
    var bounding = GlobalBounding(self)
    (bounding.effort, bounding.deadline, bounding.maximumBytes) = (effort, deadline, maximumBytes)
    let found = bounding.search(near: solution).bound
    guard !GlobalBounding.isExact(found, for: solution) else { return found }
    return bounding.relaxation(near: solution)?.joined(with: found) ?? found
  }
}
