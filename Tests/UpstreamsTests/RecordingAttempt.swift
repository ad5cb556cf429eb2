import ByteBuffers
import HTTPMessage

@testable import Upstreams

/// An attempt that notes what it is told.
final class RecordingAttempt: UpstreamAttempt {
    enum Outcome: Equatable {
        case ended
        case failed(UpstreamFailure)
    }

    /// The body that is sent, whole, as soon as there is a connection; nil leaves it to the test.
    var body: String?
    private(set) var outcome: Outcome?
    private(set) var outcomes = 0
    private(set) var heads = 0
    private(set) var starts = 0
    private(set) var writables = 0
    private(set) var interims: [UInt16] = []
    private(set) var status: UInt16 = 0
    private(set) var received: [UInt8] = []
    private(set) var largestPiece = 0
    /// Done in the events, after they are noted.
    var onHead: (RecordingAttempt) -> Void = { _ in }
    var onPiece: (RecordingAttempt) -> Void = { _ in }
    var onFailure: (RecordingAttempt) -> Void = { _ in }

    var isOver: Bool { outcome != nil }
    var text: String { String(decoding: received, as: UTF8.self) }

    override func writeHead(into buffer: inout ByteBuffer) {
        heads += 1
        buffer.append(method == .post ? "POST" : method == .put ? "PUT" : method == .head ? "HEAD" : "GET")
        buffer.append(" / HTTP/1.1\r\nHost: test\r\n")
        switch framing {
        case .length(let length):
            buffer.append("Content-Length: ")
            buffer.appendDecimal(length)
            buffer.append("\r\n")
        case .chunked: buffer.append("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose: break
        }
        buffer.append("\r\n")
    }

    override func started() {
        starts += 1
        guard let body else { return }
        send(Array(body.utf8).span)
        endBody()
    }

    override func interimReceived() { interims.append(head.status) }

    override func headReceived() {
        status = head.status
        onHead(self)
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { received += $0 }
        largestPiece = max(largestPiece, bytes.count)
        onPiece(self)
    }

    override func ended() {
        outcome = .ended
        outcomes += 1
    }

    override func failed(_ failure: UpstreamFailure) {
        outcome = .failed(failure)
        outcomes += 1
        onFailure(self)
    }

    override func writable() { writables += 1 }

    func send(_ text: String) { send(Array(text.utf8).span) }
}

extension ByteBuffer {
    /// The bytes as text.
    var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
