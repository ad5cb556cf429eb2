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
final class CurlTransfer: UpstreamTransport {
    let easy: UnsafeMutableRawPointer
    private unowned let pool: TransferPool
    private let loop: EventLoop
    private let options: CurlOptions
    private(set) var attempt: UpstreamAttempt?
    private(set) weak var lane: TransferLane?
    private var request = TransferRequest()
    private var checker = TransferHeadChecker()
    /// What of the request's body libcurl has not taken yet.
    private var output = ByteBuffer()
    /// What of the answer came while the attempt was paused.
    private var held = ByteBuffer()
    private var addresses: UnsafeMutablePointer<curl_slist>?
    private var timer: TransferDeadline?
    private var later: TransferWork?
    private var fault: StaticString?
    private var outcome: UpstreamFailure??
    /// Whether libcurl's handle may hold something of this exchange that the next one must not find.
    private var isSpoilt = false
    /// Whether libcurl has a connection for it and may have sent something.
    private(set) var hasStarted = false
    private var wasFresh = false
    private var opensConnection = false
    private var requestIsWhole = false
    private var awaitsBodyInVain = false
    private var isPaused = false
    private var sendingIsPaused = false
    private var receivingIsPaused = false
    private var outputWasFull = false
    private var pieceHasCome = false
    private var headIsDue = false
    private var holdsLane = false
    /// Noted by the lane: it has something to do once libcurl has returned.
    var isTouched = false

    /// What is kept of an answer for a paused attempt before the connection is left unread: all that shares it waits
    /// then. A connection of one's own is left unread sooner.
    private static let mostHeldAlone = 65_536
    private static let mostHeldShared = 1_048_576
    private static let mostMemoryKept = 65_536

    /// nil when libcurl has no memory left.
    init?(pool: TransferPool) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.pool = pool
        loop = pool.loop
        options = CurlOptions(easy)
        super.init()
        timer = TransferDeadline(self, loop: loop)
        later = TransferWork(self)
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
        attempt.startedAt = EventLoop.nanoseconds
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

    // MARK: - The answer

    private func tookLine(_ line: UnsafeRawBufferPointer) -> Int {
        guard let attempt else { return 0 }
        // SAFETY: libcurl keeps the line during the call, and the span ends before it.
        switch checker.take(Span(_unsafeBytes: line), into: &attempt.head) {
        case .more: break
        case .interim: attempt.interimReceived()
        case .head:
            timer?.schedule(after: attempt.timeouts.idle)
            lane?.touch(self)
            headIsDue = true
            // Over HTTP/2 a head may be the whole answer, which shows when libcurl has returned.
            if !pool.isHTTP2 { tellHead() }
        case .failed(let detail):
            fault = detail
            return 0
        }
        return self.attempt === attempt ? line.count : 0
    }

    private func tellHead() {
        guard headIsDue, let attempt else { return }
        headIsDue = false
        attempt.headReceived()
    }

    private func tookBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let attempt else { return 0 }
        if held.count >= mostHeld, isPaused || !held.isEmpty {
            // libcurl will hand these bytes over again; and nobody reads the connection until then.
            receivingIsPaused = true
            holdLane()
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        guard checker.takeBody(bytes.count) else {
            fault = "the body is longer than it may be"
            return 0
        }
        tellHead()
        guard self.attempt === attempt else { return 0 }
        // SAFETY: libcurl keeps the bytes during the call, and the span ends before it.
        let piece = Span<UInt8>(_unsafeBytes: bytes)
        if isPaused || !held.isEmpty {
            held.append(piece)
        } else {
            timer?.schedule(after: attempt.timeouts.idle)
            pieceHasCome = true
            lane?.touch(self)
            attempt.bodyReceived(piece)
        }
        return self.attempt === attempt ? bytes.count : 0
    }

    private var mostHeld: Int { lane?.isShared == true ? Self.mostHeldShared : Self.mostHeldAlone }

    private func holdLane() {
        guard !holdsLane, let lane else { return }
        holdsLane = true
        lane.hold()
    }

    private func letLaneGo() {
        guard holdsLane else { return }
        holdsLane = false
        lane?.letGo()
    }

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

    /// Hands on what was held while the attempt was paused.
    private func giveHeld() {
        guard !held.isEmpty, !isPaused, let attempt else { return }
        var waiting = ByteBuffer()
        swap(&waiting, &held)
        while !waiting.isEmpty, !isPaused, self.attempt === attempt {
            let count = min(waiting.count, EventLoop.scratchSize)
            Self.hand(waiting, count, to: attempt)
            waiting.removeFirst(count)
        }
        guard self.attempt === attempt else { return }
        swap(&waiting, &held)
        attempt.piecesEnded()
    }

    private static func hand(_ bytes: borrowing ByteBuffer, _ count: Int, to attempt: UpstreamAttempt) {
        attempt.bodyReceived(bytes.span.extracting(0..<count))
    }

    // MARK: - Between libcurl's turns

    /// libcurl has returned: what could not be done inside of it is done now.
    func settle() {
        // A head with gRPC's status is a whole answer, and must be passed on as one; but libcurl says so only when the
        // request has ended, too, which nobody wants any more.
        if headIsDue, attempt?.head.hasGRPCStatus == true {
            guard isSending, let lane, lane.carries(self) else { return }
            lane.cutOff(self)
            return conclude(nil)
        }
        tellHead()
        if outputWasFull, output.count < UpstreamConnection.lowWater, let attempt {
            outputWasFull = false
            attempt.writable()
        }
        if pieceHasCome, let attempt {
            pieceHasCome = false
            attempt.piecesEnded()
        }
        guard attempt != nil, outcome == nil, checker.isComplete, let lane else { return }
        // The answer is whole, but libcurl waits for the rest of a request that nobody wants any more, or for a body
        // that the answer to a HEAD with content does not have.
        if !requestIsWhole || !output.isEmpty || awaitsBodyInVain, lane.carries(self) {
            lane.cutOff(self)
            conclude(nil)
        }
    }

    fileprivate func workLater() {
        giveHeld()
        let receives = receivingIsPaused && held.isEmpty && !isPaused
        let sends = sendingIsPaused && (!output.isEmpty || requestIsWhole)
        if receives {
            receivingIsPaused = false
            letLaneGo()
        }
        if sends { sendingIsPaused = false }
        if receives || sends { lane?.goOn(self, receiving: !receivingIsPaused) }
        if held.isEmpty, let outcome { conclude(outcome) }
    }

    fileprivate func timeIsOver() {
        guard outcome == nil else { return }
        fail(!hasStarted ? .connectTimeout : checker.hasPassedHead ? .truncated : .timeout)
    }

    // MARK: - Ends

    override func cancel() {
        attempt = nil
        timer?.cancel()
        if let lane { lane.cutOff(self) } else { release() }
    }

    private func fail(_ failure: UpstreamFailure) {
        let failed = attempt
        attempt = nil
        timer?.cancel()
        lane?.cutOff(self)
        failed?.fail(failure)
    }

    /// Whether a part of the request's body has not been sent.
    var isSending: Bool { hasStarted && (!requestIsWhole || !output.isEmpty) }

    /// Whether anything of the answer has come.
    var answerHasBegun: Bool { checker.hasBegun }

    /// It could not begin.
    func refuse(_ attempt: UpstreamAttempt) {
        self.attempt = nil
        timer?.cancel()
        lane = nil
        isSpoilt = true
        release()
        attempt.fail(.protocolError("libcurl cannot carry the request"))
    }

    /// The lane takes no more requests, and this one has not been sent: another one will carry it.
    func moveOn() {
        guard let attempt else { return }
        handBack(attempt)
        pool.again(attempt)
    }

    /// The lane no longer has the transfer.
    ///
    /// - Parameter isWhole: whether libcurl has brought it to a good end.
    func left(isWhole: Bool) {
        if !isWhole { isSpoilt = true }
        letLaneGo()
        lane = nil
        if attempt == nil { release() }
    }

    private func release() {
        // libcurl 7.88 keeps in its handle that it wanted to send a body again, for instance.
        if isSpoilt { return }
        output.removeAll(keeping: Self.mostMemoryKept)
        held.removeAll(keeping: Self.mostMemoryKept)
        request.bytes.removeAll(keeping: Self.mostMemoryKept)
        pool.keep(self)
    }

    /// libcurl is done with the transfer: why it failed, as far as the answer tells, nil when it did not.
    func failure(of code: CURLcode) -> UpstreamFailure? {
        // libcurl may take a request that it can send no more of for a failure, although the answer was whole.
        if pool.isHTTP2, headIsDue, attempt?.head.hasGRPCStatus == true { return nil }
        let isPassedOn = checker.hasPassedHead && !headIsDue
        if let fault { return isPassedOn ? .truncated : .protocolError(fault) }
        if code == CURLE_OK {
            switch checker.end() {
            case .whole: return nil
            case .withoutHead: return .closed
            case .short: return isPassedOn ? .truncated : .closed
            }
        }
        if isPassedOn { return .truncated }
        switch code {
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_OUT_OF_MEMORY, CURLE_HTTP2, CURLE_WRITE_ERROR,
            CURLE_BAD_CONTENT_ENCODING:
            return .protocolError("libcurl could not read the answer")
        default:
            return .closed
        }
    }

    /// libcurl is done with the transfer, and the lane has let it go.
    ///
    /// - Parameters:
    ///   - failure: what ``failure(of:)`` has said.
    ///   - laneWasOpen: whether there was a connection before.
    ///   - laneIsLost: whether there is none now.
    func finished(_ code: CURLcode, _ failure: UpstreamFailure?, laneWasOpen: Bool, laneIsLost: Bool) {
        guard let attempt else { return }
        if !hasStarted {
            if laneWasOpen {
                moveOn()
            } else {
                fail(UpstreamFailure(opening: code))
            }
            return
        }
        if let failure {
            if case .closed = failure, !checker.hasBegun, laneIsLost || Self.refuses(code), !attempt.wasReplaced,
                mayBeStale, attempt.method.isIdempotent, attempt.replayIsWhole
            {
                handBack(attempt)
                attempt.wasReplaced = true
                pool.start(attempt, fresh: true)
                return
            }
            end(.some(failure))
        } else {
            end(nil)
        }
    }

    private func handBack(_ attempt: UpstreamAttempt) {
        self.attempt = nil
        timer?.cancel()
        attempt.transport = nil
        attempt.state = .waiting
        release()
    }

    /// Whether libcurl's words mean that the connection was of no use, or that the stream was refused unprocessed: it
    /// wanted to send the request again.
    private static func refuses(_ code: CURLcode) -> Bool {
        switch code {
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_COULDNT_CONNECT, CURLE_SEND_FAIL_REWIND: true
        default: false
        }
    }

    /// Ends the attempt, when it has taken all that was held for it.
    private func end(_ failure: UpstreamFailure?) {
        if held.isEmpty {
            conclude(failure)
        } else {
            outcome = .some(failure)
            timer?.cancel()
            if !isPaused, let later { loop.atEndOfTurn(later) }
        }
    }

    private func conclude(_ failure: UpstreamFailure?) {
        guard let attempt else { return }
        timer?.cancel()
        if failure == nil { checker.appendTrailers(to: &attempt.trailers) }
        if headIsDue, failure == nil, attempt.head.framing == .untilClose, attempt.trailers.isEmpty {
            attempt.head.framing = .length(0)
        }
        if failure == nil { tellHead() }
        guard self.attempt === attempt else { return }
        self.attempt = nil
        if lane == nil { release() }
        if let failure {
            attempt.fail(failure)
        } else {
            attempt.finish()
            attempt.ended()
        }
    }
}

extension ResponseHead {
    /// Whether the status of a gRPC call stands in the head: a failure that is answered without a message.
    fileprivate var hasGRPCStatus: Bool {
        guard fields.contains(.other) else { return false }
        for index in 0..<fields.count where name(index).equalsIgnoringCase("grpc-status") { return true }
        return false
    }
}

/// The deadline of whatever a transfer waits for.
private final class TransferDeadline: EventLoops.Timer {
    private unowned let transfer: CurlTransfer

    init(_ transfer: CurlTransfer, loop: EventLoop) {
        self.transfer = transfer
        super.init(loop: loop)
    }

    override func fire() {
        let transfer = transfer
        transfer.timeIsOver()
    }
}

/// What a transfer puts off to the end of a turn.
private final class TransferWork: DeferredWork {
    private weak var transfer: CurlTransfer?

    init(_ transfer: CurlTransfer) { self.transfer = transfer }

    override func run() { transfer?.workLater() }
}
