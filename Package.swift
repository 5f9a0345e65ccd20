// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
  name: "fenchel",
  products: [
    .library(name: "LinearAlgebra", targets: ["LinearAlgebra"]),
    .library(name: "ConvexOptimization", targets: ["ConvexOptimization"]),
    .library(name: "Fenchel", targets: ["Fenchel"]),
    .executable(name: "fenchel", targets: ["FenchelCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CKernels"),
    .target(name: "CDatasets", exclude: ["BuiltIn"]),
    .target(
      name: "LinearAlgebra",
      dependencies: [
        "COpenBLAS", "CKernels", .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict),
    .target(
      name: "ConvexOptimization",
      dependencies: ["LinearAlgebra", .product(name: "RealModule", package: "swift-numerics")],
      swiftSettings: strict),
    .target(
      name: "Fenchel",
      dependencies: [
        "ConvexOptimization", "LinearAlgebra", "CDatasets", "CZlib",
      ],
      swiftSettings: strict),
    .target(
      name: "Experiments", dependencies: ["Fenchel", "ConvexOptimization", "LinearAlgebra"],
      path: "Experiments",
      swiftSettings: strict),
    .executableTarget(
      name: "FenchelCLI",
      dependencies: [
        "Experiments", "Fenchel", "LinearAlgebra", "Yams",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "TrainNetwork", dependencies: ["Fenchel"], path: "Examples/TrainNetwork", swiftSettings: strict),
    .executableTarget(
      name: "ConvexPrograms", dependencies: ["Fenchel", "LinearAlgebra"], path: "Examples/ConvexPrograms",
      swiftSettings: strict),
    .target(
      name: "FenchelTestSupport", dependencies: ["ConvexOptimization", "LinearAlgebra"],
      path: "Tests/FenchelTestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "LinearAlgebraTests", dependencies: ["LinearAlgebra", "FenchelTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ConvexOptimizationTests", dependencies: ["ConvexOptimization", "FenchelTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "FenchelTests", dependencies: ["Fenchel", "FenchelTestSupport"],
      resources: [.copy("Oracle"), .copy("Baselines/Fixtures"), .copy("Export/Golden")],
      swiftSettings: strict),
    .testTarget(
      name: "ExperimentsTests", dependencies: ["Experiments", "Fenchel", "LinearAlgebra"],
      swiftSettings: strict),
    .testTarget(
      name: "FenchelCLITests", dependencies: ["FenchelCLI", "Fenchel"], swiftSettings: strict),
  ]
)

// The documentation's plugin is fetched only where `make docs` asks for it.
if Context.environment["FENCHEL_DOCS"] != nil {
  package.dependencies.append(
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
}
