// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]

let package = Package(
  name: "fenchel-benchmarks",
  dependencies: [.package(name: "fenchel", path: "..")],
  targets: [
    .executableTarget(
      name: "Fits",
      dependencies: [
        .product(name: "Fenchel", package: "fenchel"), .product(name: "LinearAlgebra", package: "fenchel"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "Bounds",
      dependencies: [
        .product(name: "Fenchel", package: "fenchel"), .product(name: "LinearAlgebra", package: "fenchel"),
        .product(name: "ConvexOptimization", package: "fenchel"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "Lifted",
      dependencies: [
        .product(name: "Fenchel", package: "fenchel"), .product(name: "LinearAlgebra", package: "fenchel"),
        .product(name: "ConvexOptimization", package: "fenchel"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "Networks",
      dependencies: [
        .product(name: "Fenchel", package: "fenchel"), .product(name: "LinearAlgebra", package: "fenchel"),
        .product(name: "ConvexOptimization", package: "fenchel"),
      ],
      swiftSettings: strict),
  ]
)
