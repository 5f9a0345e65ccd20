import ConvexOptimization

extension LBFGS.State: Resumable {
  package mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("point", &x)
    try state.carry("gradient", &gradient)
    try state.carry("value", &value)
    try state.carry("iterations", &iterations)
    try state.carry("evaluations", &evaluations)
    try state.carry("idle-steps", &idleSteps)
    try state.carry("memory", &memory)
  }
}

extension QuasiNewtonMemory: Resumable {
  package mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("steps", &steps)
    try state.carry("differences", &differences)
    try state.carry("reciprocals", &reciprocals)
    try state.carry("scale", &scale)
    var following = newest + 1
    try state.carry("following", &following)
    newest = following - 1
    try state.carry("count", &count)
    guard (-1..<capacity).contains(newest), (0...capacity).contains(count), count == 0 || newest >= 0 else {
      throw StateError("a memory of \(capacity) pairs cannot hold \(count) up to place \(newest)")
    }
  }
}
