// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "fenchel-benchmarks",
  dependencies: [.package(name: "fenchel", path: "..")],
  targets: [
    .executableTarget(
      name: "Fits",
      dependencies: [
        .product(name: "Fenchel", package: "fenchel"), .product(name: "LinearAlgebra", package: "fenchel"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")])
  ]
)
