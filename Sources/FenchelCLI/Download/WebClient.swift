import Fenchel
import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Why a download failed. Nothing was written.
struct DownloadError: Error, CustomStringConvertible {
  var description: String
  /// Whether bytes came, but not those that were expected.
  var isWrongContent: Bool

  init(_ url: URL, _ problem: String, isWrongContent: Bool = false) {
    description = "\(url.absoluteString): \(problem)"
    self.isWrongContent = isWrongContent
  }
}

/// Fetches a file over HTTP. The calling thread waits.
struct WebClient {
  /// Larger answers are refused.
  var limit = 1 << 30
  /// Seconds without any bytes after which the server counts as dead.
  var patience = 30.0
  /// Called a few times a second with the bytes so far and, where the server says it, the whole number.
  var progress: (_ received: Int64, _ expected: Int64?) -> Void = { _, _ in }

  /// The bytes at the address; HTTP and HTTPS only.
  ///
  /// - Throws: `DownloadError`.
  func bytes(of url: URL) throws -> [UInt8] {
    guard ["http", "https"].contains(url.scheme?.lowercased()), url.host?.isEmpty == false else {
      throw DownloadError(url, "only http and https addresses can be fetched")
    }
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = patience
    configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
    let receiver = Receiver(limit: limit)
    let session = URLSession(configuration: configuration, delegate: receiver, delegateQueue: nil)
    defer { session.invalidateAndCancel() }
    let task = session.dataTask(with: url)
    task.resume()
    while receiver.finished.wait(timeout: .now() + .milliseconds(250)) == .timedOut {
      let (received, expected) = receiver.counts
      progress(received, expected)
    }
    return try receiver.result(url)
  }
}

/// Collects what comes, on the session's own thread.
private final class Receiver: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  struct State {
    var bytes: [UInt8] = []
    var expected: Int64?
    var status: Int?
    var problem: String?
    var error: String?
  }

  let finished = DispatchSemaphore(value: 0)
  private let lock = NSLock()
  private var current = State()
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  var state: State { lock.withLock { current } }

  /// Bytes so far and in all; no copy of the bytes is held.
  var counts: (Int64, Int64?) { lock.withLock { (Int64(current.bytes.count), current.expected) } }

  func urlSession(
    _: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    let length = response.expectedContentLength
    lock.withLock {
      current.status = (response as? HTTPURLResponse)?.statusCode
      current.expected = length >= 0 ? length : nil
      if length > Int64(limit) { current.problem = "\(length) bytes are more than the limit of \(limit)" }
    }
    let isWelcome = lock.withLock { current.problem == nil && current.status == 200 }
    completionHandler(isWelcome ? .allow : .cancel)
  }

  func urlSession(_: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isTooLong = lock.withLock {
      current.bytes.append(contentsOf: data)
      if current.bytes.count > limit { current.problem = "more bytes than the limit of \(limit)" }
      return current.problem != nil
    }
    if isTooLong { dataTask.cancel() }
  }

  func urlSession(_: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    lock.withLock { current.error = error.map { $0.localizedDescription } }
    finished.signal()
  }

  func result(_ url: URL) throws -> [UInt8] {
    let state = state
    if let problem = state.problem { throw DownloadError(url, problem, isWrongContent: true) }
    if let status = state.status, status != 200 { throw DownloadError(url, "the server answers \(status)") }
    if let error = state.error { throw DownloadError(url, "cannot be fetched: \(error)") }
    if let expected = state.expected, expected != state.bytes.count {
      throw DownloadError(url, "\(state.bytes.count) of \(expected) bytes came", isWrongContent: true)
    }
    return state.bytes
  }
}

/// The library's downloads over HTTP.
struct WebDownloader: Fenchel.Downloader {
  func download(
    _ address: String, to path: String, progress: @Sendable (_ received: Int, _ total: Int?) -> Void
  ) async throws {
    guard let url = URL(string: address) else { throw UsageError("\(address) is not an address") }
    let bytes = try withoutActuallyEscaping(progress) { progress in
      try WebClient(progress: { progress(Int($0), $1.map { Int($0) }) }).bytes(of: url)
    }
    try AtomicFile.write(bytes, to: path)
  }
}
