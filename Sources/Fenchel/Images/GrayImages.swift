import FoundationEssentials
import LinearAlgebra

/// Grey images of one size, a row each: X: n × (height · width), from 0 for black to 1 for white.
public struct GrayImages: Sendable, Equatable {
  /// Where they came from, for messages.
  public let source: String
  /// SHA-256 of the bytes that were read.
  public let sha256: String
  public let height: Int
  public let width: Int
  public let pixels: Matrix<Double>

  public init(source: String, sha256: String = "", height: Int, width: Int, pixels: Matrix<Double>) {
    precondition(pixels.columns == height * width, "\(pixels.columns) pixels for \(height) × \(width)")
    (self.source, self.sha256, self.height, self.width, self.pixels) = (source, sha256, height, width, pixels)
  }

  public var count: Int { pixels.rows }

  /// Images from a folder of PGM files, those of its folders among them, in the order of their paths; or from a data set of
  /// grey images, by its name, file or folder. A folder that is not here is looked for in those of known data sets
  /// (`DataCatalogue.searchPath`).
  ///
  /// Errors: `DataError` where there are no images, an image is damaged, in colour or of another size than the first, or they
  /// take more memory than the limit.
  public static func read(_ location: String, memoryLimit: Int = ReadOptions.defaultMemoryLimit) throws
    -> GrayImages
  {
    if DataCatalogue.entry(location) == nil {
      let places = [location] + DataCatalogue.searchPath.map { "\($0)/\(location)" }
      let isHere = InputFile.kind(location).exists || location.isEmpty || location.contains("/")
      if let folder = places.prefix(isHere ? 1 : places.count).first(where: { InputFile.kind($0).isFolder }) {
        let paths = try imagePaths(in: folder)
        if !paths.isEmpty { return try read(paths, source: location, memoryLimit) }
      }
    }
    return try GrayImages(dataSet: location, memoryLimit)
  }

  private static func read(_ paths: [String], source: String, _ limit: Int) throws -> GrayImages {
    var hash = SHA256()
    var size: (height: Int, width: Int)?
    var pixels: [Double] = []
    for path in paths {
      let bytes = try InputFile.contents(of: path, limit: limit)
      hash.update(bytes)
      let image = try PGMReader.read(bytes, source: path, limit: limit)
      let first = size ?? (image.height, image.width)
      guard image.height == first.height, image.width == first.width else {
        throw DataError.unsuitable(
          source: path,
          "\(image.width) × \(image.height) pixels, but \(paths[0]) has \(first.width) × \(first.height): images of one size "
            + "are needed")
      }
      guard 8 * (pixels.count + image.pixels.count) <= limit else {
        throw DataError.tooLarge(
          source: source, what: "\(paths.count) images", bytes: 8 * paths.count * image.pixels.count,
          limit: limit)
      }
      size = first
      pixels += image.pixels
    }
    let (height, width) = size ?? (0, 0)
    return GrayImages(
      source: source, sha256: hash.hexDigest(), height: height, width: width,
      pixels: Matrix(paths.count, height * width, storage: pixels))
  }

  private init(dataSet location: String, _ limit: Int) throws {
    var options = ReadOptions()
    options.memoryLimit = limit
    let table: Table
    do {
      table = try Table.read(location, options: options)
    } catch DataError.unreadable where InputFile.kind(location).isFolder {
      throw DataError.unsuitable(
        source: location, "the folder holds no PGM images (.pgm), and no data set that is known")
    }
    guard let shape = table.imageShape else {
      throw DataError.unsuitable(
        source: location,
        "its rows are not known to be images; give a folder of PGM files, or a data set of images")
    }
    guard shape.channels == 1 else {
      throw DataError.unsuitable(
        source: location, "its images have \(shape.channels) channels; grey ones are needed")
    }
    let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(
      from: table, targets: .ignored, memoryLimit: limit)
    self.init(
      source: location, sha256: table.sha256, height: shape.height, width: shape.width,
      pixels: Standardisation(dividing: data.features).applied(to: data.features))
  }

  /// The PGM files of a folder and of those in it, sorted by their paths; links to folders are not followed.
  private static func imagePaths(in folder: String, depth: Int = 0) throws -> [String] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw DataError.unreadable(source: folder, reason: "the folder cannot be listed")
    }
    var paths: [String] = []
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) where !name.hasPrefix(".") {
      let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
      if InputFile.kind(path).isFolder {
        let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
        if depth < 8, !isLink { paths += try imagePaths(in: path, depth: depth + 1) }
      } else if name.lowercased().hasSuffix(".pgm") {
        paths.append(path)
      }
    }
    return paths
  }
}

extension GrayImages {
  /// The square in the middle of each image, as large as it can be.
  public var centralSquares: GrayImages {
    let side = min(height, width)
    guard height != width else { return self }
    let (top, left) = ((height - side) / 2, (width - side) / 2)
    var rows: [Double] = []
    rows.reserveCapacity(count * side * side)
    for k in 0..<count {
      for y in 0..<side {
        let start = k * height * width + (top + y) * width + left
        rows += pixels.storage[start..<start + side]
      }
    }
    return GrayImages(
      source: source, sha256: sha256, height: side, width: side,
      pixels: Matrix(count, side * side, storage: rows))
  }

  /// The images without their mean picture, and that picture. Cost: two passes over the pixels.
  public var centred: (deviations: Matrix<Double>, mean: [Double]) {
    var (x, mean) = (pixels, [Double](repeating: 0, count: pixels.columns))
    for i in 0..<x.rows { for j in 0..<x.columns { mean[j] += x[i, j] / Double(x.rows) } }
    for i in 0..<x.rows { for j in 0..<x.columns { x[i, j] -= mean[j] } }
    return (x, mean)
  }

  /// - Throws: `DataError.unsuitable` where squares of this size are larger than the images.
  func check(size: Int) throws(DataError) {
    guard size > 0, size <= min(height, width) else {
      throw DataError.unsuitable(
        source: source,
        "images of \(width) × \(height) pixels cannot be brought to \(size) × \(size); take smaller sizes")
    }
  }

  /// Square images at a smaller resolution: each pixel is the average over its area.
  ///
  /// Errors: `DataError.unsuitable` where they are smaller than that.
  public func reduced(to size: Int) throws -> GrayImages {
    try check(size: size)
    let average = AreaAverage(from: (height, width), to: (size, size))
    return GrayImages(
      source: source, sha256: sha256, height: size, width: size, pixels: average.applied(to: pixels))
  }
}
