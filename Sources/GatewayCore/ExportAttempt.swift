import ByteBuffers
import DistributedTracing
import EventLoops
import Glibc
import HTTPMessage
import Upstreams

/// One attempt to hand a batch of spans to a collector (OTLP specification §OTLP/HTTP).
final class ExportAttempt: UpstreamAttempt {
    /// What stands before the fields that differ from request to request.
    private let lines: [UInt8]
    private let path: [UInt8]
    private let done: (Outcome) -> Void
    /// The body, or what of it stands before the spans of `chunks`.
    private var body = ByteBuffer()
    private var chunks: [SpanChunk] = []
    /// The first of them that was not sent yet.
    private var next = 0
    private var hasEnded = false
    private var isCompressed = false
    /// What the final head of the answer says of the batch; nil before it has come.
    private var verdict: ExportRetry.Outcome?
    private var answer = ByteBuffer()
    private var answerIsTooLarge = false

    /// What the attempt came to.
    struct Outcome {
        var result: ExportRetry.Outcome
        /// Of an answer of success: how many spans the collector refused, and what it says about it.
        var partial = PartialSuccess()
        /// Why there is no answer.
        var failure: UpstreamFailure?
    }

    /// The part of a collector's answer that is looked at, in bytes.
    private static let mostAnswer = 65_536

    /// Attempts at requests for `path` with these header lines; `done` is called with what each comes to.
    init(path: String, headers: [ExportSettings.Header], done: @escaping (Outcome) -> Void) {
        self.path = Array(path.utf8)
        var lines = ""
        for header in headers { lines += "\(header.name): \(header.value)\r\n" }
        self.lines = Array(lines.utf8)
        self.done = done
        super.init()
        method = .post
    }

    /// Takes what is to be sent next, and gives the memory of the last request for it. It is kept, to be sent once more.
    ///
    /// - Parameter chunks: The spans that follow `bytes`, which go out from where they are.
    func take(_ bytes: inout ByteBuffer, _ chunks: [SpanChunk] = [], isCompressed: Bool = false) {
        swap(&body, &bytes)
        self.chunks = chunks
        self.isCompressed = isCompressed
        framing = .length(UInt64(chunks.reduce(body.count) { $0 + $1.count }))
    }

    /// Forgets the spans.
    func forget() { chunks = [] }

    override func writeHead(into buffer: inout ByteBuffer) {
        guard let endpoint, case .length(let length) = framing else { return }
        next = 0
        hasEnded = false
        verdict = nil
        answer.removeAll(keeping: Self.mostAnswer)
        answerIsTooLarge = false
        buffer.append("POST ")
        buffer.append(path)
        buffer.append(" HTTP/1.1\r\nHost: ")
        buffer.append(endpoint.hostField)
        buffer.append("\r\nUser-Agent: OTel-OTLP-Exporter-Swift/banyan\r\nContent-Type: application/x-protobuf\r\n")
        if isCompressed { buffer.append("Content-Encoding: gzip\r\n") }
        buffer.append(lines)
        buffer.append("Content-Length: ")
        buffer.appendDecimal(length)
        buffer.append("\r\n\r\n")
    }

    override func started() {
        var bytes = ByteBuffer()
        swap(&bytes, &body)
        send(bytes.span)
        // Put back: the attempt may have to be started once more.
        swap(&bytes, &body)
        sendChunks()
    }

    override func writable() { if isStarted { sendChunks() } }

    /// Sends as much as the connection takes without keeping it in a buffer.
    private func sendChunks() {
        while next < chunks.count {
            if isFull { return }
            let chunk = chunks[next]
            next += 1
            send(chunk.span)
        }
        if hasEnded { return }
        hasEnded = true
        endBody()
    }

    override func headReceived() {
        verdict = .answered(status: head.status, retryAfter: head.retryAfter(at: Int64(time(nil))))
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        if answer.count + bytes.count > Self.mostAnswer { answerIsTooLarge = true } else { answer.append(bytes) }
    }

    override func ended() {
        var outcome = outcome(.closed)
        if !answerIsTooLarge { outcome.partial = PartialSuccess(reading: answer.span) }
        done(outcome)
    }

    override func failed(_ failure: UpstreamFailure) { done(outcome(failure)) }

    /// Gives up what is under way, as its time is over; what it came to by then.
    func giveUp() -> Outcome {
        let outcome = outcome(.timeout)
        cancel()
        return outcome
    }

    /// What the attempt has come to if it ends so. The head of an answer tells what became of the batch, whether or not the
    /// rest follows: a collector that has it must not get it twice. Only that of spans it never got it cannot speak.
    private func outcome(_ failure: UpstreamFailure) -> Outcome {
        guard let verdict else { return Outcome(result: .unreachable, failure: failure) }
        if case .answered(200..<300, _) = verdict, !hasEnded {
            return Outcome(result: .unreachable, failure: .protocolError("an answer before it was asked"))
        }
        return Outcome(result: verdict)
    }
}

extension ResponseHead {
    /// How long the answer asks to wait, in milliseconds.
    fileprivate borrowing func retryAfter(at now: Int64) -> UInt64? {
        for index in 0..<fields.count where name(index).equalsIgnoringCase("retry-after") {
            return ExportRetry.wait(forField: value(index), now: now)
        }
        return nil
    }
}
