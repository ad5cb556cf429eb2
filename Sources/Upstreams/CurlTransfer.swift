import ByteBuffers
internal import CLibcurl
import EventLoops
import Glibc
import HTTPMessage

/// One exchange carried by libcurl as a whole: it writes the request and reads the answer, in HTTP/1.1 or HTTP/2, on a
/// connection that a ``TransferLane`` has.
///
/// libcurl's callbacks lead to the attempt's events at once, but nothing here calls libcurl back from inside one: what
/// must be done to the transfer waits for the end of the turn. The object and its handle are used again and again.
final class CurlTransfer: UpstreamTransport, LoopClient {
    let easy: UnsafeMutableRawPointer
    unowned let pool: TransferPool
    let loop: EventLoop
    private let options: CurlOptions
    var attempt: UpstreamAttempt?
    weak var lane: TransferLane?
    var request = TransferRequest()
    var checker = TransferHeadChecker()
    /// What of the request's body libcurl has not taken yet.
    var output = ByteBuffer()
    /// What of the answer came while the attempt was paused.
    var held = ByteBuffer()
    private var addresses: UnsafeMutablePointer<curl_slist>?
    var timer: Deadline<CurlTransfer>?
    var later: LaterWork<CurlTransfer>?
    var fault: StaticString?
    var outcome: UpstreamFailure??
    /// Whether libcurl's handle may hold something of this exchange that the next one must not find.
    var isSpoilt = false
    /// Whether libcurl has a connection for it and may have sent something.
    private(set) var hasStarted = false
    var wasFresh = false
    private var opensConnection = false
    /// Whether the lane had no connection yet when it was given the request.
    private var waitsForConnection = false
    var requestIsWhole = false
    var awaitsBodyInVain = false
    var isPaused = false
    var sendingIsPaused = false
    var receivingIsPaused = false
    var outputWasFull = false
    var pieceHasCome = false
    var headIsDue = false
    var holdsLane = false
    /// Noted by the lane: it has something to do once libcurl has returned.
    var isTouched = false

    /// What is kept of an answer for a paused attempt before the connection is left unread: all that shares it waits
    /// then. A connection of one's own is left unread sooner.
    static let mostHeldAlone = 65_536
    static let mostHeldShared = 1_048_576
    static let mostMemoryKept = 65_536

    /// nil when libcurl has no memory left.
    init?(pool: TransferPool) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.pool = pool
        loop = pool.loop
        options = CurlOptions(easy)
        super.init()
        timer = Deadline(self, loop: loop)
        later = LaterWork(self)
        configure()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(addresses)
    }

    private func configure() {
        options.lead(to: pool.address)
        options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        options.set(CURLOPT_PIPEWAIT, 1)
        options.set(CURLOPT_PATH_AS_IS, 1)
        options.set(CURLOPT_HTTP09_ALLOWED, 0)
        options.set(CURLOPT_HTTP_CONTENT_DECODING, 0)
        // How long an unused connection is kept is the lane's business.
        options.set(CURLOPT_MAXAGE_CONN, 86_400)
        // SAFETY: libcurl calls back only while the handle is in a multi, which its lane takes it out of before the
        // transfer can go: the lane holds the transfers that it carries.
        let this = Unmanaged.passUnretained(self).toOpaque()
        options.set(CURLOPT_PRIVATE, pointer: this)
        _ = banyan_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, _, count, data in
            CurlTransfer.of(data)?.tookLine(UnsafeRawBufferPointer(start: bytes, count: count)) ?? 0
        }
        options.set(CURLOPT_HEADERDATA, pointer: this)
        _ = banyan_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, _, count, data in
            CurlTransfer.of(data)?.tookBody(UnsafeRawBufferPointer(start: bytes, count: count)) ?? 0
        }
        options.set(CURLOPT_WRITEDATA, pointer: this)
        _ = banyan_curl_set_data_callback(easy, CURLOPT_READFUNCTION) { bytes, size, count, data in
            let room = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
            return CurlTransfer.of(data)?.giveBody(room) ?? Int(CURL_READFUNC_ABORT)
        }
        options.set(CURLOPT_READDATA, pointer: this)
        _ = banyan_curl_set_trailer_callback(easy) { list, data in
            CurlTransfer.of(data)?.giveTrailers(list) ?? CURL_TRAILERFUNC_ABORT
        }
        options.set(CURLOPT_TRAILERDATA, pointer: this)
        _ = banyan_curl_set_prerequest_callback(easy) { data, peer, _, _, _ in
            guard let transfer = CurlTransfer.of(data), let peer else { return CURL_PREREQFUNC_ABORT }
            return transfer.connected(to: peer) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
        options.set(CURLOPT_PREREQDATA, pointer: this)
        _ = banyan_curl_set_open_callback(easy) { data, _, address in
            guard let transfer = CurlTransfer.of(data), let address else { return -1 }
            return transfer.openSocket(address.pointee)
        }
        options.set(CURLOPT_OPENSOCKETDATA, pointer: this)
    }

    static func of(_ data: UnsafeMutableRawPointer?) -> CurlTransfer? {
        // SAFETY: see configure(): the transfer lives while libcurl can call.
        data.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: - Beginning

    /// Takes `attempt` on, to be carried on `lane`.
    ///
    /// - Parameter candidates: the addresses to connect to, in numbers, where the lane has no connection yet.
    /// - Returns: false when its head cannot be sent.
    func prepare(_ attempt: UpstreamAttempt, on lane: TransferLane, connectingTo candidates: [String]?) -> Bool {
        self.attempt = attempt
        self.lane = lane
        attempt.transport = self
        outcome = nil
        fault = nil
        hasStarted = false
        wasFresh = !lane.hasCarried
        waitsForConnection = !lane.isConnected
        if waitsForConnection { attempt.noteOpening() }
        isPaused = false
        sendingIsPaused = false
        receivingIsPaused = false
        outputWasFull = false
        pieceHasCome = false
        headIsDue = false
        requestIsWhole = !attempt.framing.hasBody
        awaitsBodyInVain = attempt.method == .head && attempt.framing != .none
        checker.expectAnswer(to: attempt.method, overHTTP2: pool.isHTTP2)
        request.bytes.removeAll()
        attempt.writeHead(into: &request.bytes)
        guard request.prepare() else { return false }
        describe(attempt)
        lane.lend(options)
        opensConnection = candidates != nil
        if let candidates {
            connect(to: candidates, before: attempt.waitDeadline)
        } else if addresses != nil {
            options.set(CURLOPT_RESOLVE, list: nil)
            curl_slist_free_all(addresses)
            addresses = nil
        }
        // libcurl before 8.0 begins HTTP/2 anew on a connection that has it, when it is told to know of it beforehand:
        // only who opens the connection says so. No other request may open one, so none is sent as HTTP/1.1.
        if pool.isHTTP2 {
            let version = opensConnection ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS
            options.set(CURLOPT_HTTP_VERSION, Int(version))
        }
        timer?.schedule(at: attempt.waitDeadline)
        return true
    }

    private func describe(_ attempt: UpstreamAttempt) {
        options.set(CURLOPT_HTTPGET, 1)
        var method = request.method
        switch attempt.framing {
        case .none, .untilClose:
            if attempt.method == .head {
                options.set(CURLOPT_NOBODY, 1)
                method = nil
            } else if attempt.method == .get {
                method = nil
            }
        case .length(let length):
            options.set(CURLOPT_UPLOAD, 1)
            _ = banyan_curl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(clamping: length))
        case .chunked:
            options.set(CURLOPT_UPLOAD, 1)
            _ = banyan_curl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, -1)
        }
        options.set(CURLOPT_CUSTOMREQUEST, text: method)
        options.set(CURLOPT_REQUEST_TARGET, text: request.target)
        options.set(CURLOPT_HTTPHEADER, list: request.fields)
    }

    private func connect(to candidates: [String], before deadline: UInt64) {
        curl_slist_free_all(addresses)
        addresses = CurlOptions.resolved(pool.address, to: candidates)
        options.set(CURLOPT_RESOLVE, list: addresses)
        let left = deadline == .max ? UInt64(Int32.max) : deadline > loop.now ? deadline - loop.now : 1
        options.set(CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: left))
    }

    /// libcurl wants another socket; -1 refuses it.
    private func openSocket(_ address: curl_sockaddr) -> curl_socket_t {
        // A lane has one connection. libcurl wants another one to repeat a request, or because ours is dead.
        guard opensConnection, let lane, !lane.isConnected else { return -1 }
        return Glibc.socket(address.family, address.socktype | CInt(SOCK_CLOEXEC.rawValue), address.protocol)
    }

    /// libcurl has a connection and will send now; false keeps it from sending.
    private func connected(to peer: UnsafePointer<CChar>) -> Bool {
        // A second time: libcurl wants to send the request again on another connection, whatever its method.
        guard !hasStarted, let lane, let attempt else { return false }
        hasStarted = true
        lane.connected(to: peer)
        attempt.state = .active
        attempt.noteStart(on: waitsForConnection ? (0, .max) : nil)
        timer?.schedule(after: requestIsWhole ? attempt.timeouts.head : attempt.timeouts.idle)
        if attempt.wasReplaced { attempt.replayBody() } else { attempt.started() }
        return self.attempt === attempt
    }

    // MARK: - The request

    override var isFull: Bool { !hasStarted || output.count >= UpstreamConnection.highWater }

    override var mayBeStale: Bool { pool.isHTTP2 || !wasFresh }

    override func send(_ bytes: Span<UInt8>) {
        guard let attempt, lane != nil else { return }
        output.append(bytes)
        if output.count >= UpstreamConnection.highWater { outputWasFull = true }
        timer?.schedule(after: attempt.timeouts.idle)
        goOnSending()
    }

    override func endRequest() {
        guard let attempt, lane != nil, hasStarted else { return }
        requestIsWhole = true
        if output.isEmpty, !checker.hasBegun { timer?.schedule(after: attempt.timeouts.head) }
        goOnSending()
    }

    private func goOnSending() {
        if sendingIsPaused, let later { loop.atEndOfTurn(later) }
    }

    private func giveBody(_ room: UnsafeMutableRawBufferPointer) -> Int {
        guard let attempt else { return Int(CURL_READFUNC_ABORT) }
        if output.isEmpty {
            if requestIsWhole { return 0 }
            sendingIsPaused = true
            return Int(CURL_READFUNC_PAUSE)
        }
        let count = min(output.count, room.count)
        output.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        output.removeFirst(count)
        if !checker.hasBegun {
            let isSent = requestIsWhole && output.isEmpty
            timer?.schedule(after: isSent ? attempt.timeouts.head : attempt.timeouts.idle)
        }
        if outputWasFull, output.count < UpstreamConnection.lowWater { lane?.touch(self) }
        return count
    }

    private func giveTrailers(_ list: UnsafeMutablePointer<UnsafeMutablePointer<curl_slist>?>?) -> CInt {
        guard let attempt, let list else { return CURL_TRAILERFUNC_ABORT }
        Self.append(attempt.requestTrailers, to: list)
        return CURL_TRAILERFUNC_OK
    }

    private static func append(
        _ trailers: borrowing ByteBuffer, to list: UnsafeMutablePointer<UnsafeMutablePointer<curl_slist>?>
    ) {
        var line = ByteBuffer()
        for index in 0..<trailers.count {
            let byte = trailers[index]
            if byte != UInt8(ascii: "\n") {
                line.append(byte == UInt8(ascii: "\r") ? 0 : byte)
                continue
            }
            line.append(0)
            line.withUnsafeBytes { raw in
                guard let text = raw.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
                // SAFETY: the line ends with a zero, libcurl copies it, and frees the list that it is given.
                if let more = curl_slist_append(list.pointee, text) { list.pointee = more }
            }
            line.removeAll()
        }
    }

    // MARK: - The attempt's wishes

    override func pause() {
        isPaused = true
        timer?.cancel()
    }

    override func resume() {
        guard isPaused, let attempt else { return }
        isPaused = false
        timer?.schedule(after: attempt.timeouts.idle)
        if let later { loop.atEndOfTurn(later) }
    }

    override func cancel() {
        attempt = nil
        timer?.cancel()
        if let lane { lane.cutOff(self) } else { release() }
    }
}
