import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct GrayImagesTests {
  private func pgm(_ width: Int, _ height: Int, _ pixels: [UInt8]) -> [UInt8] {
    [UInt8]("P5\n\(width) \(height)\n255\n") + pixels
  }

  @Test func foldersAreReadInTheOrderOfPaths() throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/b", withIntermediateDirectories: true)
      try write(pgm(2, 1, [0, 255]), folder + "/c.pgm")
      try write([UInt8]("P2 # text\n2 1 # wide\n10\n5 10\n"), folder + "/b/x.PGM")
      try write([UInt8]("P5 2 1 1000\n") + [0x01, 0xF4, 0x00, 0x00], folder + "/a.pgm")
      try write([1, 2, 3], folder + "/notes.txt")
      try write([1, 2, 3], folder + "/.hidden.pgm")
      let images = try GrayImages.read(folder)
      #expect(images.height == 1 && images.width == 2 && images.count == 3)
      #expect(images.pixels == Matrix(rows: [[0.5, 0], [0.5, 1], [0, 1]]))
      #expect(images.sha256.count == 64)
    }
  }

  @Test(arguments: [
    ("P6\n1 1\n255\n...", "neither P5 nor P2"), ("P5", "neither"), ("", "neither"),
    ("P5\n", "width is missing"),
    ("P5\n2", "height is missing"), ("P5\nx 2\n255\n", "width is no number"), ("P5\n0 2\n255\n", "0 × 2"),
    ("P5\n1 1\n0\n\0", "largest value is 0"), ("P5\n1 1\n65536\n\0", "65536"),
    ("P5\n2 2\n255\nabc", "truncated"),
    ("P5\n2 2\n255\nabcde", "4 bytes of pixels are expected, the file has 5"), ("P5\n1 1\n255", "expected"),
    ("P5\n1 1\n9\nz", "above the largest value 9"), ("P2\n2 1\n9\n1", "pixel 2 is missing"),
    ("P2\n1 1\n9\n1 2", "text follows"), ("P2\n1 1\n9\nx", "pixel 1 is no number"),
    ("P5\n99999999 99999999\n255\n", "99999999"), ("P5\n-3 2\n255\n", "no number"),
    ("P5\n1 1\n255\u{23}x", "expected"),
  ])
  func damagedFilesAreNamed(content: String, words: String) throws {
    try withFolder { folder in
      try write(pgm(1, 1, [7]), folder + "/a.pgm")
      try write([UInt8](content), folder + "/b.pgm")
      expectError(["b.pgm", words]) { try GrayImages.read(folder) }
    }
  }

  @Test func everyTruncationIsAnError() throws {
    let whole = pgm(3, 2, [1, 2, 3, 4, 5, 6])
    try withFolder { folder in
      for length in 0..<whole.count {
        try write(Array(whole.prefix(length)), folder + "/a.pgm")
        #expect(throws: DataError.self, "\(length) bytes") { try GrayImages.read(folder) }
      }
      // Any byte may be another: an error or an image, never a trap.
      var generator = TestGenerator(3)
      for _ in 0..<300 {
        var bytes = whole
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
          in: 0...255, using: &generator)
        try write(bytes, folder + "/a.pgm")
        do { #expect(try GrayImages.read(folder).count == 1) } catch { #expect(error is DataError) }
      }
    }
  }

  @Test func mixedSizesFoldersWithoutImagesAndLargeOnes() throws {
    try withFolder { folder in
      expectError([folder, "no PGM images"]) { try GrayImages.read(folder) }
      try write(pgm(2, 1, [0, 255]), folder + "/a.pgm")
      try write(pgm(1, 2, [0, 255]), folder + "/b.pgm")
      expectError(["b.pgm", "1 × 2 pixels", "a.pgm has 2 × 1"]) { try GrayImages.read(folder) }
      try write(pgm(2, 1, [0, 255]), folder + "/b.pgm")
      expectError(["the limit"]) { try GrayImages.read(folder, memoryLimit: 20) }
    }
    expectError(["iris", "not known to be images"]) { try GrayImages.read("iris") }
    expectError(["no such file"]) { try GrayImages.read("no-such-folder") }
    let digits = try GrayImages.read("digits")
    #expect(digits.count == 1797 && digits.height == 8 && digits.width == 8)
    #expect(digits.pixels.storage.max() == 1 && digits.pixels.storage.min() == 0)
  }

  @Test func squaresAreInTheMiddle() {
    let rows: [Double] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    let wide = GrayImages(source: "w", height: 2, width: 6, pixels: Matrix(1, 12, storage: rows))
      .centralSquares
    #expect(wide.height == 2 && wide.width == 2 && wide.pixels.storage == [2, 3, 8, 9])
    let tall = GrayImages(source: "t", height: 6, width: 2, pixels: Matrix(1, 12, storage: rows))
      .centralSquares
    #expect(tall.pixels.storage == [4, 5, 6, 7])
  }

  @Test(arguments: 0..<20)
  func areasAreAveraged(seed: Int) throws {
    var generator = TestGenerator(UInt64(seed))
    let (h, w) = (Int.random(in: 1...20, using: &generator), Int.random(in: 1...20, using: &generator))
    let (a, b) = (Int.random(in: 1...h, using: &generator), Int.random(in: 1...w, using: &generator))
    let image: Matrix<Double> = Philox(seed: UInt64(seed)).normalMatrix(2, h * w)
    let average = AreaAverage(from: (h, w), to: (a, b))
    let small = average.applied(to: image)
    for k in 0..<2 {
      // The image blown up until both grids fit, and averaged over blocks.
      for y in 0..<a {
        for x in 0..<b {
          var sum = 0.0
          for v in y * h..<(y + 1) * h { for u in x * w..<(x + 1) * w { sum += image[k, v / a * w + u / b] } }
          #expect(abs(sum / Double(h * w) - small[k, y * b + x]) <= 1e-12, "seed \(seed)")
        }
      }
      let (mean, own) = (image.row(k).reduce(0, +) / Double(h * w), small.row(k).reduce(0, +) / Double(a * b))
      #expect(abs(mean - own) <= 1e-12, "seed \(seed)")
    }
    #expect(AreaAverage(from: (h, w), to: (h, w)).applied(to: image) == image)
  }

  @Test func bitmapsCutOffAndRound() {
    let images = Matrix(rows: [[0, 1, 0.5, -3], [2, .nan, 0.1, 0.999]])
    let grid = GrayBitmap(grid: images, height: 2, width: 2, columns: 2, gap: 1)
    #expect(grid.width == 7 && grid.height == 4)
    #expect(Array(grid.pixels[7..<14]) == [255, 0, 255, 255, 255, 0, 255])
    #expect(Array(grid.pixels[14..<21]) == [255, 128, 0, 255, 26, 255, 255])
    #expect(grid.pgm == [UInt8]("P5\n7 4\n255\n") + grid.pixels)
  }

  /// Read by the standard's own words: signature, chunks with their CRC, one zlib stream of unfiltered lines.
  @Test(arguments: [(1, 1), (3, 5), (70, 41), (300, 200)])
  func picturesAreReadBackFromPNG(width: Int, height: Int) throws {
    let noise = Philox(seed: 8)
    let pixels = (0..<width * height).map { UInt8(truncatingIfNeeded: noise.bits(at: UInt64($0))) }
    let png = GrayBitmap(height: height, width: width, pixels: pixels).png
    #expect(Array(png.prefix(8)) == [137, 80, 78, 71, 13, 10, 26, 10])
    func word(_ place: Int) -> Int { png[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
    /// CRC-32 bit by bit, as the standard's annex has it.
    func crc(_ bytes: ArraySlice<UInt8>) -> Int {
      var c: UInt32 = 0xFFFF_FFFF
      for byte in bytes {
        c ^= UInt32(byte)
        for _ in 0..<8 { c = c & 1 == 1 ? 0xEDB8_8320 ^ c >> 1 : c >> 1 }
      }
      return Int(c ^ 0xFFFF_FFFF)
    }
    var (place, chunks) = (8, [(name: String, content: Range<Int>)]())
    while place < png.count {
      let length = word(place)
      #expect(word(place + 8 + length) == crc(png[place + 4..<place + 8 + length]))
      chunks.append(
        (String(decoding: png[place + 4..<place + 8], as: UTF8.self), place + 8..<place + 8 + length))
      place += 12 + length
    }
    #expect(chunks.map(\.name) == ["IHDR", "IDAT", "IEND"] && place == png.count)
    let header = chunks[0].content.lowerBound
    #expect(
      word(header) == width && word(header + 4) == height
        && Array(png[header + 8..<header + 13]) == [8, 0, 0, 0, 0])
    let data = chunks[1].content
    let lines = try Inflate.deflate(
      png, data.lowerBound + 2..<data.upperBound - 4, name: "png", expected: height * (width + 1),
      limit: 1 << 30)
    #expect(lines.count == height * (width + 1))
    for y in 0..<height {
      let line = lines[y * (width + 1)..<(y + 1) * (width + 1)]
      #expect(line.first == 0 && Array(line.dropFirst()) == Array(pixels[y * width..<(y + 1) * width]))
    }
    // Adler-32 of the stream.
    var (a, b) = (1, 0)
    for byte in lines { (a, b) = ((a + Int(byte)) % 65_521, (a + Int(byte) + b) % 65_521) }
    #expect(word(data.upperBound - 4) == b << 16 | a)
  }
}
