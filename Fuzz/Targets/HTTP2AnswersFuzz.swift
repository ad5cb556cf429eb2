import ByteBuffers
import EventLoops
import Glibc
import HTTPMessage
import Upstreams

/// What an upstream says over HTTP/2 behind its SETTINGS, to three requests on a connection with real sockets.
enum HTTP2AnswersFuzz {
    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let bench = try AnswersBench.made()
        let attempts = [bench.begin(.get), bench.begin(.post), bench.begin(.head)]
        attempts[0].pausesAtFirst = true
        try require(bench.accepts(), "no connection comes")
        // An empty SETTINGS frame: requests follow it.
        bench.send([0, 0, 0, 4, 0, 0, 0, 0, 0])
        var start = 0
        for end in Splits.derived(from: input) + [input.count] {
            bench.send(input[start..<end])
            bench.turn()
            start = end
        }
        attempts[0].resume()
        bench.turn()
        bench.close()
        bench.turn(until: {
            attempts[0].resume()
            return attempts.allSatisfy { $0.ends > 0 }
        })
        for attempt in attempts {
            try require(attempt.ends == 1, "\(attempt.method) has \(attempt.ends) ends, head \(attempt.hasHead)")
            try require(attempt.hasHead || attempt.content == 0, "content without a head")
        }
        try require(attempts[2].content == 0, "an answer to HEAD has content")
        try require(bench.active == 0, "requests are left")
        try checkFrames(bench.received)
    }

    /// What the gateway wrote is the preface and frames, the first of them SETTINGS, none larger than a server has to take
    /// (RFC 9113 §3.4, §4.2); the last one may be cut off.
    private static func checkFrames(_ bytes: [UInt8]) throws(BrokenProperty) {
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        try require(bytes.starts(with: preface), "no preface")
        var rest = bytes.dropFirst(preface.count)
        var isFirst = true
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            try require(head[3] == 4 || !isFirst, "the first frame is not SETTINGS")
            try require(head[3] <= 9 && head[3] != 5, "the gateway sends a frame of type \(head[3])")
            try require(length <= 16_384, "a frame of \(length) bytes")
            isFirst = false
            rest = rest.dropFirst(9 + length)
        }
    }
}

/// One upstream on a loop of its own, and its server's end, which takes one connection and no second one.
private final class AnswersBench {
    private let loop: EventLoop
    private let set: UpstreamSet
    private let upstream: Upstream
    private let listener: CInt
    private var server: CInt = -1
    private(set) var received: [UInt8] = []

    static func made() throws(BrokenProperty) -> AnswersBench {
        do {
            return try AnswersBench()
        } catch {
            throw BrokenProperty("there is no upstream to be had: \(error)")
        }
    }

    private init() throws {
        loop = try EventLoop()
        guard let set = UpstreamSet(loop: loop) else { throw BrokenProperty("no libcurl") }
        self.set = set
        listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = listener
        withUnsafeMutablePointer(to: &address) { pointer in
            // SAFETY: a sockaddr_in begins with what a sockaddr has, and the length says how long it is.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(number, $0, length)
                _ = listen(number, 8)
                _ = getsockname(number, $0, &length)
            }
        }
        let place = EndpointAddress(
            isSecure: false, host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port), carrier: .http2)
        let definition = UpstreamDefinition(name: "fuzz", servers: [UpstreamDefinition.Server(address: place)])
        upstream = set.apply([definition], bounds: [UpstreamBounds()])[0]
    }

    deinit {
        set.retire()
        close()
        Glibc.close(listener)
    }

    var active: Int { upstream.endpoints[0].active }

    func begin(_ method: HTTPMessage.Method) -> FuzzAttempt {
        let attempt = FuzzAttempt()
        attempt.method = method
        attempt.framing = method == .post ? .length(4) : .none
        _ = upstream.start(attempt, UpstreamOrder(random: 1)) == nil
        return attempt
    }

    /// Takes the connection; nobody listens any more.
    func accepts() -> Bool {
        turn(until: {
            server = Glibc.accept(listener, nil, nil)
            return server >= 0
        })
        shutdown(listener, CInt(SHUT_RDWR))
        if server >= 0 { _ = fcntl(server, F_SETFL, O_NONBLOCK) }
        turn()
        return server >= 0
    }

    /// Sends all of it, unless the gateway is gone.
    func send(_ bytes: ArraySlice<UInt8>) {
        guard server >= 0, !bytes.isEmpty else { return }
        _ = bytes.withUnsafeBytes { Descriptor.send(server, $0) }
        turn()
    }

    /// Lets the gateway do what it can without waiting, and takes what it says.
    func turn() {
        for _ in 0..<4 { loop.runOnce(waiting: false) }
        guard server >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while case .bytes(let count) = buffer.withUnsafeMutableBytes({ Descriptor.receive(server, into: $0) }) {
            received += buffer[..<count]
        }
    }

    /// Runs turns until `condition` holds, for two seconds at most.
    func turn(until condition: () -> Bool) {
        var isLate = false
        let tick = ActionTimer(loop: loop) {}
        let end = ActionTimer(loop: loop) { isLate = true }
        loop.refreshNow()
        end.schedule(after: 2_000)
        while !condition(), !isLate {
            tick.schedule(after: 1)
            loop.runOnce()
        }
        tick.cancel()
        end.cancel()
    }

    func close() {
        if server >= 0 { Glibc.close(server) }
        server = -1
    }
}

/// Counts what it is told.
private final class FuzzAttempt: UpstreamAttempt {
    private(set) var ends = 0
    private(set) var hasHead = false
    private(set) var content = 0
    var pausesAtFirst = false

    override func writeHead(into buffer: inout ByteBuffer) {
        buffer.append(method == .post ? "POST" : method == .head ? "HEAD" : "GET")
        buffer.append(" /a HTTP/1.1\r\nHost: fuzz\r\n")
        if method == .post { buffer.append("Content-Length: 4\r\n") }
        buffer.append("\r\n")
    }

    override func started() {
        guard method == .post else { return }
        send([1, 2, 3, 4].span)
        endBody()
    }

    override func headReceived() {
        hasHead = true
        if pausesAtFirst { pause() }
        pausesAtFirst = false
    }

    override func bodyReceived(_ bytes: Span<UInt8>) { content += bytes.count }
    override func ended() { ends += 1 }
    override func failed(_ failure: UpstreamFailure) { ends += 1 }
}
