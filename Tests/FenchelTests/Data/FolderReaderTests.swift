import Fenchel
import LinearAlgebra
import Testing

@Suite struct FolderReaderTests {
  private func images(_ rows: UInt8, _ height: UInt8, _ width: UInt8, type: UInt8 = 8) -> [UInt8] {
    let count = Int(rows) * Int(height) * Int(width)
    return [0, 0, type, 3, 0, 0, 0, rows, 0, 0, 0, height, 0, 0, 0, width] + (0..<count).map { UInt8($0) }
  }

  private func labels(_ values: [UInt8]) -> [UInt8] { [0, 0, 8, 1, 0, 0, 0, UInt8(values.count)] + values }

  @Test func idxPairsPackedOrNot() throws {
    try withFolder { folder in
      try write(images(2, 2, 3), "\(folder)/train-images-idx3-ubyte")
      try write(labels([7, 3]), "\(folder)/train-labels-idx1-ubyte")
      let table = try Table.read(folder)
      let pixels = (0..<6).map { [Double($0), Double($0 + 6)] }
      #expect(table.columns.compactMap(\.numbers) == pixels + [[7, 3]])
      #expect(table.imageShape == ImageShape(channels: 1, height: 2, width: 3))
      #expect(table.declaredTask == .classification && table.defaultTargets == [6])
      expectError(["no data set that is known (a test part)"]) {
        var options = ReadOptions()
        options.part = .test
        return try Table.read(folder, options: options)
      }
    }
  }

  @Test func badIDX() throws {
    let good = images(2, 2, 3)
    let cases: [([UInt8], [UInt8], String)] = [
      (Array(good.dropLast()), labels([1, 2]), "need 12 bytes of data, the file has 11: it is truncated"),
      (good + [0], labels([1, 2]), "need 12 bytes of data, the file has 13"),
      (images(2, 2, 3, type: 7), labels([1, 2]), "IDX element type 7"),
      ([1, 2, 3], labels([1]), "two zero bytes"),
      ([0, 0], labels([1]), "ends inside the IDX header"), ([0, 0, 8, 0], labels([1]), "0 dimensions"),
      (good, labels([1]), "1 labels for the 2 rows"), (good, good, "labels must have one dimension"),
      ([0, 0, 8, 3] + [UInt8](repeating: 0xFF, count: 12), labels([1]), "are too large"),
      (images(0, 2, 3), labels([]), "the array is empty"),
    ]
    for (pixels, classes, part) in cases {
      try withFolder { folder in
        try write(pixels, "\(folder)/train-images-idx3-ubyte")
        try write(classes, "\(folder)/train-labels-idx1-ubyte")
        expectError([part]) { try Table.read(folder) }
      }
    }
  }

  @Test func cifarBatches() throws {
    try withFolder { folder in
      let record: [UInt8] = [4] + (0..<3072).map { UInt8(truncatingIfNeeded: $0) }
      try write(record + record, "\(folder)/data_batch_1.bin")
      try write([5] + record.dropFirst(), "\(folder)/data_batch_2.bin")
      let table = try Table.read(folder)
      #expect(table.rows == 3 && table.columns.count == 3073)
      #expect(table.numbers("label") == [4, 4, 5])
      #expect(table.columns[257].numbers == [1, 1, 1])
      #expect(table.notices == ["only 2 of the 5 training batches are in \(folder)"])
      try write(record + [99] + record.dropFirst(), "\(folder)/data_batch_1.bin")
      expectError(["record 2 has the label 99; there are 10"]) { try Table.read(folder) }
      try write(Array(record.dropLast()), "\(folder)/data_batch_1.bin")
      expectError(["not a whole number of records of 3073 bytes"]) { try Table.read(folder) }
    }
  }

  @Test func filesThatAreNotThere() throws {
    try withFolder { folder in
      expectError(["no data set that is known"]) { try Table.read(folder) }
      expectError(["no such file, and no known data set (digits, iris"]) {
        try Table.read("\(folder)/none.xyz")
      }
      expectError(["none.csv: cannot be opened: No such file"]) { try Table.read("\(folder)/none.csv") }
      try write([1], "\(folder)/a.parquet")
      expectError(["the ending says no known format"]) { try Table.read("\(folder)/a.parquet") }
      try write([UInt8]("a,b\n1,2\n"), "\(folder)/t.csv")
      #expect(try Table.read("\(folder)/t.csv").numbers("b") == [2])
    }
  }
}
