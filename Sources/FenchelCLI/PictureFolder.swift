import Fenchel
import Foundation
import LinearAlgebra

/// Samples of a generator, those of each stage as a grid.
struct SampleGrids {
  private let grids: [(size: Int, grid: GrayBitmap)]
  let columns: Int

  /// - Throws: `GenerativeError.pictures` where the samples take more memory than the limit.
  init(_ generator: ProgressiveGenerator, samples: Int, seed: UInt64, limit: Int) throws {
    let across = Int(Double(samples).squareRoot().rounded(.up))
    // Pictures in double precision and their coordinates, and two copies of the grids as bytes.
    let numbers = generator.stages.reduce(0.0) {
      $0 + 10 * Double($1.mean.count) + 16 * Double($1.directions.rows)
    }
    let bytes = Double(samples) * numbers
    guard bytes <= Double(limit) else {
      throw GenerativeError.pictures(count: samples, bytes: Int(min(bytes, 1e17)), limit: limit)
    }
    columns = across
    let pictures = generator.pictures(generator.noise(samples, seed: seed))
    grids = zip(generator.stages, pictures).map { stage, rows in
      (stage.size, GrayBitmap(grid: rows, height: stage.size, width: stage.size, columns: across))
    }
  }

  /// The files of all stages, as PNG and PGM, with their names.
  var files: [(name: String, bytes: [UInt8])] {
    grids.flatMap { size, grid in
      [("samples-\(size).png", grid.png), ("samples-\(size).pgm", grid.pgm)]
    }
  }

  /// The grid of the last stage as PNG, or as PGM where the name ends so.
  func writeLast(to path: String) throws {
    guard let grid = grids.last?.grid else { return }
    try AtomicFile.write(path.hasSuffix(".pgm") ? grid.pgm : grid.png, to: path)
  }
}

/// The folder that pictures go to. Files of the same names are replaced, others stay.
struct PictureFolder {
  private let path: String

  /// Where pictures go if nothing is said.
  static let usual = "generated"

  /// Fails where the folder cannot be one, or is that of the data.
  static func check(_ path: String, differsFrom source: String) throws {
    var (own, other) = (stat(), stat())
    guard stat(path, &own) == 0 else { return }
    guard own.st_mode & S_IFMT == S_IFDIR else {
      throw FileWriteError(path: path, reason: .badPath("is no folder; name one for the pictures"))
    }
    guard stat(source, &other) == 0, own.st_dev == other.st_dev, own.st_ino == other.st_ino else { return }
    throw UsageError(
      "\(path) is the folder of the data; pictures among them would be data later: write somewhere else")
  }

  /// Makes the folder where it is not there.
  init(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileWriteError(path: path, reason: .badPath("no such folder, and it cannot be made"))
    }
    self.path = path
  }

  /// Where the generator goes if nothing is said.
  var generator: String { "\(path)/generator.safetensors" }

  /// Writes samples and data of each stage, and the report; returns the paths.
  func write(_ result: GenerativeResult, samples: Int, seed: UInt64, limit: Int) throws -> [String] {
    let grids = try SampleGrids(result.generator, samples: samples, seed: seed, limit: limit)
    var files = try write(grids)
    for (stage, images) in zip(result.generator.stages, result.images) {
      let shown = images.pixels.selectingRows(spread(samples, over: images.count))
      let grid = GrayBitmap(grid: shown, height: stage.size, width: stage.size, columns: grids.columns)
      files.append(try write(grid.png, "data-\(stage.size).png"))
    }
    let report = try JSONText.encode(result.report, indented: true) + "\n"
    return files + [try write(Array(report.utf8), "result.json")]
  }

  /// Writes samples of each stage; returns the paths.
  func write(_ grids: SampleGrids) throws -> [String] { try grids.files.map { try write($0.bytes, $0.name) } }

  private func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try AtomicFile.write(bytes, to: "\(path)/\(name)")
    return "\(path)/\(name)"
  }

  /// So many numbers below `count`, evenly spread.
  private func spread(_ samples: Int, over count: Int) -> [Int] {
    (0..<min(samples, count)).map { $0 * count / min(samples, count) }
  }
}
