// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]
let libraries: [Target.Dependency] = ["Fenchel", "LinearAlgebra", "ConvexOptimization"].map {
  .product(name: $0, package: "fenchel")
}

let package = Package(
  name: "fenchel-benchmarks",
  dependencies: [.package(name: "fenchel", path: "..")],
  targets: [
    .executableTarget(name: "Fits", dependencies: libraries, swiftSettings: strict),
    .executableTarget(name: "Bounds", dependencies: libraries, swiftSettings: strict),
    .executableTarget(name: "Lifted", dependencies: libraries, swiftSettings: strict),
    .executableTarget(name: "Networks", dependencies: libraries, swiftSettings: strict),
  ]
)
