import Fenchel
import FoundationEssentials
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A folder of its own for a test, removed afterwards.
private func withFolder(_ body: (String) throws -> Void) throws {
  var template = Array("/tmp/fenchel-test-XXXXXX".utf8CString)
  let folder = String(cString: try #require(mkdtemp(&template)))
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try body(folder)
}

private func contents(_ path: String) -> String? {
  FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
}

private func names(in folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

@Suite struct AtomicFileTests {
  @Test func writesAndOverwritesAndKeepsTheMode() throws {
    try withFolder { folder in
      let path = folder + "/model"
      try AtomicFile.write(Array("old".utf8), to: path)
      #expect(contents(path) == "old")
      chmod(path, 0o640)
      try AtomicFile.write(Array("newer".utf8), to: path)
      #expect(contents(path) == "newer")
      #expect(try names(in: folder) == ["model"])
      var info = stat()
      #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o640)
    }
  }

  @Test func emptyContents() throws {
    try withFolder { folder in
      try AtomicFile.write([], to: folder + "/empty")
      #expect(contents(folder + "/empty") == "")
    }
  }

  @Test func aSymbolicLinkStaysAndItsTargetIsReplaced() throws {
    try withFolder { folder in
      try AtomicFile.write(Array("old".utf8), to: folder + "/real")
      symlink("real", folder + "/link")
      try AtomicFile.write(Array("new".utf8), to: folder + "/link")
      #expect(contents(folder + "/real") == "new")
      var info = stat()
      #expect(lstat(folder + "/link", &info) == 0 && info.st_mode & S_IFMT == S_IFLNK)
      symlink("nowhere", folder + "/dangling")
      #expect(throws: FileWriteError.self) { try AtomicFile.write([1], to: folder + "/dangling") }
    }
  }

  @Test func pathsThatCannotBeFilesAreErrors() throws {
    try withFolder { folder in
      for path in ["", folder, folder + "/", folder + "/no/file", folder + "/f/file", "a\0b"] {
        if path.hasSuffix("f/file") { try AtomicFile.write([1], to: folder + "/f") }
        let error = #expect(throws: FileWriteError.self) { try AtomicFile.write([1], to: path) }
        if case .badPath = error?.reason {} else { Issue.record("\(path): \(String(describing: error))") }
        #expect(throws: FileWriteError.self) { try AtomicFile.check(path) }
      }
      #expect(try names(in: folder) == ["f"])
    }
  }

  @Test func aFullDiskIsAnError() {
    let error = #expect(throws: FileWriteError.self) { try AtomicFile.write([1, 2], to: "/dev/full") }
    #expect(error == FileWriteError(path: "/dev/full", reason: .full(bytes: 2)))
  }

  @Test(.enabled(if: geteuid() != 0)) func aReadOnlyFolderIsAnError() throws {
    try withFolder { folder in
      chmod(folder, 0o500)
      defer { chmod(folder, 0o700) }
      #expect(throws: FileWriteError.self) { try AtomicFile.write([1], to: folder + "/model") }
      #expect(throws: FileWriteError.self) { try AtomicFile.check(folder + "/model") }
    }
  }

  @Test func aPipeWithoutAReaderIsAnErrorAndNotAHang() throws {
    try withFolder { folder in
      mkfifo(folder + "/pipe", 0o600)
      #expect(throws: FileWriteError.self) { try AtomicFile.write([1], to: folder + "/pipe") }
      let reader = open(folder + "/pipe", O_RDONLY | O_NONBLOCK)
      defer { close(reader) }
      try AtomicFile.write([7, 8], to: folder + "/pipe")
      var bytes = [UInt8](repeating: 0, count: 4)
      #expect(read(reader, &bytes, 4) == 2 && bytes == [7, 8, 0, 0])
    }
  }

  @Test func leftoversOfKilledProcessesGoButNotThoseOfLivingOnes() throws {
    try withFolder { folder in
      let (dead, alive) = (folder + "/.model.dead.fenchel-tmp", folder + "/.model.alive.fenchel-tmp")
      for path in [dead, alive, folder + "/.other.x.fenchel-tmp"] {
        close(open(path, O_CREAT | O_WRONLY, 0o600))
      }
      let lock = open(alive, O_RDONLY)
      flock(lock, LOCK_EX)
      defer { close(lock) }
      try AtomicFile.write([1], to: folder + "/model")
      #expect(
        try names(in: folder) == [".model.alive.fenchel-tmp", ".other.x.fenchel-tmp", "model"])
    }
  }
}
