import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage

@testable import HTTPListener

/// A server whose exchanges do what the test says, and note what they are told.
final class ScriptedServer: HTTPServer {
    /// What an exchange does when its request's head is there.
    var answer: (ScriptedExchange) -> Void = { $0.echo() }
    /// Exchanges that were told of a request and not yet of its end, in the order of their requests.
    var running: [ScriptedExchange] = []
    /// What was told of each exchange that is over.
    var records: [ScriptedExchange.Record] = []
    /// Whether records are kept: they cost memory.
    var keepsRecords = true
    /// Exchanges that were made; others were used again.
    var made = 0

    /// The bounds that clients were cut off for.
    var floods: [HTTP2Flood] = []

    /// How many connections were closed to let newcomers in.
    var gaveWay = 0
    /// What became of handshakes that did not come to their end.
    var failedHandshakes: [HandshakeFailure] = []

    override func connectionsGaveWay(_ count: Int) { gaveWay += count }

    override func handshakeFailed(_ cause: HandshakeFailure) { failedHandshakes.append(cause) }

    override func clientWasCutOff(_ flood: HTTP2Flood) { floods.append(flood) }

    override func makeExchange() -> ServerExchange {
        made += 1
        return ScriptedExchange(self)
    }
}

/// An exchange that echoes the request, or leaves the answer to the test.
final class ScriptedExchange: ServerExchange {
    /// What an exchange was told, from its request to its end.
    struct Record: Equatable {
        var path = ""
        var body = 0
        var bodyHasEnded = false
        var failures: [RequestFailure] = []
        var refusal: RequestError?
        var writable = 0
        var finished = 0
    }

    private unowned let server: ScriptedServer
    var record = Record()
    var body: [UInt8] = []
    private var path = ByteBuffer()
    private var isKnown = false
    private var echoes = false
    /// What is to be done with each piece of the body, when it is not echoed.
    var onBody: ((ScriptedExchange, Int) -> Void)?
    var onBodyEnd: ((ScriptedExchange) -> Void)?
    var onWritable: ((ScriptedExchange) -> Void)?
    var onFailure: ((ScriptedExchange, RequestFailure) -> Void)?

    init(_ server: ScriptedServer) {
        self.server = server
        super.init()
    }

    private func appear() {
        if !isKnown, server.keepsRecords { server.running.append(self) }
        isKnown = true
    }

    private func copyPath() {
        path.removeAll()
        let range = head.path
        head.copy(range, to: &path)
    }

    // MARK: - Events

    override func headReceived() {
        appear()
        if server.keepsRecords {
            copyPath()
            record.path = path.text
        }
        server.answer(self)
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        record.body += bytes.count
        if echoes {
            write(bytes)
            if outputIsFull { pauseBody() }
            flush()
        } else {
            bytes.withUnsafeBufferPointer { body += $0 }
            onBody?(self, bytes.count)
        }
    }

    override func bodyEnded() {
        record.bodyHasEnded = true
        if echoes { endResponse() } else { onBodyEnd?(self) }
    }

    override func requestFailed(_ failure: RequestFailure) {
        appear()
        record.failures.append(failure)
        record.refusal = refusal
        if let onFailure {
            onFailure(self, failure)
        } else if canRespond {
            let status: UInt16
            switch failure {
            case .refused: status = refusal?.cause.status ?? 400
            case .badBody: status = 400
            case .bodyTooLarge: status = 413
            case .headTimeout, .bodyTimeout: status = 408
            case .clientClosed, .shuttingDown: status = 503
            }
            reply(status: status)
        }
    }

    override func downstreamWritable() {
        record.writable += 1
        if echoes { resumeBody() } else { onWritable?(self) }
    }

    override func finished() {
        record.finished += 1
        if server.keepsRecords {
            server.records.append(record)
            server.running.removeAll { $0 === self }
        }
        record = Record()
        body.removeAll()
        isKnown = false
        echoes = false
        onBody = nil
        onBodyEnd = nil
        onWritable = nil
        onFailure = nil
    }

    // MARK: - Answers

    /// Answers with the request's body as it comes, or with its path where it has none.
    func echo() {
        echoes = true
        beginHead(status: 200)
        switch head.framing {
        case .none:
            endHead(.length(UInt64(head.path.count)))
            copyPath()
            write(path.span)
            endResponse()
        case .length(let length): endHead(.length(length))
        case .chunked, .untilClose: endHead(.stream)
        }
    }

    /// Answers with `text`, whole.
    func reply(status: UInt16 = 200, _ text: String = "") {
        beginHead(status: status)
        endHead(.length(UInt64(text.utf8.count)))
        write(Array(text.utf8))
        endResponse()
    }
}
