import ByteBuffers
import EventLoops
import Glibc
import HTTPListener
import HTTPMessage
import Synchronization

/// The bytes behind the preface of an HTTP/2 connection, to a server on a loop with a real socket.
enum HTTP2SessionFuzz {
    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let bench = try SessionBench.made()
        let bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + input
        var start = 0
        for end in Splits.derived(from: bytes) + [bytes.count] {
            bench.send(bytes[start..<end])
            bench.turn()
            start = end
        }
        bench.endWriting()
        bench.turn()
        bench.close()
        var turns = 0
        while bench.server.connectionCount > 0 || bench.server.running > 0, turns < 100 {
            bench.turn()
            turns += 1
        }
        try require(bench.server.connectionCount == 0, "a connection is left")
        try require(bench.server.running == 0, "an exchange was not told of its end")
        try checkFrames(bench.received)
    }

    /// What the server wrote are frames, the first of them SETTINGS, none larger than a client has to take (RFC 9113
    /// §4.2, §3.4); the last one may be cut off.
    private static func checkFrames(_ bytes: [UInt8]) throws(BrokenProperty) {
        var rest = bytes[...]
        var isFirst = true
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            try require(head[3] == 4 || !isFirst, "the first frame is not SETTINGS")
            try require(head[3] <= 9, "the server sends a frame of type \(head[3])")
            try require(length <= 16_384, "a frame of \(length) bytes")
            isFirst = false
            rest = rest.dropFirst(9 + length)
        }
    }
}

/// A server that echoes, and a client's end of one connection to it.
private final class SessionBench {
    private let loop: EventLoop
    let server: EchoServer
    private let client: CInt
    private(set) var received: [UInt8] = []
    private var isOpen = true

    /// Tells the sockets of one process from each other.
    private static let number = Atomic(0)

    static func made() throws(BrokenProperty) -> SessionBench {
        do {
            return try SessionBench()
        } catch {
            throw BrokenProperty("there is no connection to be had: \(error)")
        }
    }

    private init() throws {
        let number = Self.number.add(1, ordering: .relaxed).newValue
        let path = "/tmp/banyan-fuzz-\(getpid())-\(number).sock"
        loop = try EventLoop()
        var limits = ConnectionLimits()
        limits.head = HeadLimits(head: 2048, fields: 16, target: 256)
        limits.streams = 8
        server = EchoServer(loop: loop, limits: limits)
        try server.listen(ListeningSocket(.unix(path)), index: 0)
        defer { unlink(path) }
        client = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let status = withUnsafePointer(to: &address) { pointer in
            // SAFETY: every socket address begins as `sockaddr` does, and the length is that of the whole.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw BrokenProperty("connect: \(errno)") }
        _ = fcntl(client, F_SETFL, O_NONBLOCK)
    }

    deinit { close() }

    /// Sends all of it, unless the server is gone.
    func send(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        var turns = 0
        while !rest.isEmpty, turns < 100 {
            switch rest.withUnsafeBytes({ Descriptor.send(client, $0) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: turn()
            case .ended, .failed: return
            }
            turns += 1
        }
    }

    /// Lets the server do what it can without waiting, and takes what it says.
    func turn() {
        for _ in 0..<3 { loop.runOnce(waiting: false) }
        guard isOpen else { return }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while case .bytes(let count) = buffer.withUnsafeMutableBytes({ Descriptor.receive(client, into: $0) }) {
            received += buffer[..<count]
        }
    }

    func endWriting() { shutdown(client, CInt(SHUT_WR)) }

    func close() {
        if isOpen { _ = Glibc.close(client) }
        isOpen = false
    }
}

private final class EchoServer: HTTPServer {
    /// Exchanges that were told of a request and not of its end.
    var running = 0

    override func makeExchange() -> ServerExchange { EchoExchange(self) }
}

/// Answers with the body of the request, or with its path where it has none.
private final class EchoExchange: ServerExchange {
    private unowned let server: EchoServer
    private var isKnown = false

    init(_ server: EchoServer) {
        self.server = server
        super.init()
    }

    private func appear() {
        if !isKnown { server.running += 1 }
        isKnown = true
    }

    override func headReceived() {
        appear()
        beginHead(status: 200)
        switch head.framing {
        case .none:
            var path = ByteBuffer()
            let range = head.path
            head.copy(range, to: &path)
            endHead(.length(UInt64(path.count)))
            write(path.span)
            endResponse()
        case .length(let length): endHead(.length(length))
        case .chunked, .untilClose: endHead(.stream)
        }
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        write(bytes)
        if outputIsFull { pauseBody() }
        flush()
    }

    override func bodyEnded() { endResponse() }

    override func downstreamWritable() { resumeBody() }

    override func requestFailed(_ failure: RequestFailure) {
        appear()
        guard canRespond else { return }
        beginHead(status: refusal?.cause.status ?? 400)
        endHead(.length(0))
        endResponse()
    }

    override func finished() {
        if isKnown { server.running -= 1 }
        isKnown = false
    }
}
