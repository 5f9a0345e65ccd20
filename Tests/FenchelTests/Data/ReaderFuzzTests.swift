import Fenchel
import LinearAlgebra
import Testing

/// Damaged files must give an error or a table, never a trap.
@Suite struct ReaderFuzzTests {
  private static let csv = [UInt8](
    "a,\"b \"\"q\"\"\",c,y\r\n1,x,2.5e3,u\n-0.25,\"two\nlines\",NA,v\n?,z,12345678901234567890,u\n,,\"7\",v\n"
  )
  private static let libsvm = [UInt8]("1 1:0.5 3:2 # c\n-1 2:1e1\n+1 1:-3 10:4\n")

  private static let seeds: [(FileFormat, [UInt8])] = [
    (.csv, csv), (.tsv, csv.map { $0 == 0x2C ? 0x09 : $0 }), (.libsvm, libsvm),
    (.csv, .init(base64: Fixtures.gzTwo)), (.npy, .init(base64: Fixtures.npyLeF8)),
    (.npy, .init(base64: Fixtures.npyFortranCube)), (.npy, .init(base64: Fixtures.npyHalfSpecial)),
    (.npz, .init(base64: Fixtures.npzStored)), (.npz, .init(base64: Fixtures.npzDeflated)),
    (.npz, .init(base64: Fixtures.npzZip64)), (.npz, .init(base64: Fixtures.npzText)),
    (.npz, .init(base64: Fixtures.npzDescriptor)),
  ]

  /// Reads the bytes and, if that works, goes on to a feature matrix.
  private func use(_ bytes: [UInt8], _ format: FileFormat) {
    var options = ReadOptions()
    options.memoryLimit = 1 << 24
    do {
      let table = try Table.parse(bytes, source: "f", format: format, options: options)
      var roles = SchemaOptions()
      roles.imputesMedian = true
      roles.categorical = table.names.indices.dropLast().filter { table.columns[$0].isText }.map {
        String($0)
      }
      let schema = try Schema(inferredFrom: table, options: roles)
      let data: Dataset<Double> = try schema.dataset(from: table, memoryLimit: 1 << 24)
      let z = Standardisation(fitting: data.features, weights: data.sampleWeights).applied(to: data.features)
      #expect(z.rows == table.rows)
      _ = data.oddities()
    } catch let error as DataError {
      #expect(!error.description.isEmpty && !error.description.contains("\n"))
    } catch {
      Issue.record("not a DataError: \(error)")
    }
  }

  @Test func randomDamage() {
    var generator = TestGenerator(11)
    for round in 0..<6000 {
      let (format, seed) = Self.seeds[round % Self.seeds.count]
      var bytes = seed
      for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        case 2:
          bytes.removeSubrange(place..<min(place + Int.random(in: 1...9, using: &generator), bytes.count))
        case 3:
          bytes.insert(
            [0x22, 0x2C, 0x0A, 0x00, 0xFF, 0x39][Int.random(in: 0..<6, using: &generator)], at: place)
        case 4: bytes.insert(contentsOf: bytes.suffix(Int.random(in: 1...20, using: &generator)), at: place)
        default: bytes.replaceSubrange(place..<min(place + 4, bytes.count), with: [0xFF, 0xFF, 0xFF, 0x7F])
        }
      }
      use(bytes, format)
    }
  }

  @Test func everyTruncationAndEveryFlippedByte() {
    for (format, seed) in Self.seeds {
      for count in seed.indices { use(Array(seed.prefix(count)), format) }
      for place in seed.indices {
        var bytes = seed
        bytes[place] = ~bytes[place]
        use(bytes, format)
      }
    }
  }

  @Test func noise() {
    var generator = TestGenerator(12)
    for round in 0..<2000 {
      let count = Int.random(in: 0...300, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      use(bytes, FileFormat.allCases[round % FileFormat.allCases.count])
    }
  }
}
