public enum LossKind: String, CaseIterable, Codable, Sendable {
  case squared, logistic, softmax, hinge
  case squaredHinge = "squared-hinge"
  case huber, absolute, quantile, poisson
}
