internal import CLibcurl
import EventLoops
import Glibc

/// One connection that libcurl carries whole transfers on: a multi of its own, which never opens a second one.
///
/// So it is we who say which connection a request takes, how many there are, and when one is given up; libcurl can
/// neither repeat a request on another connection nor go on with one that we hold for dead. The socket stays registered
/// with the kernel from its opening to its end, also while libcurl does not want it: whatever happens to an idle
/// connection ends it.
final class TransferLane: CurlMulti, LoopClient {
    private let pool: TransferPool
    private var sockets: [LaneSocket] = []
    private var active: [CurlTransfer] = []
    private var leaving: [CurlTransfer] = []
    private var arrivals: [CurlTransfer] = []
    private var touched: [CurlTransfer] = []
    private var timer: Deadline<TransferLane>?
    private var later: LaterWork<TransferLane>?
    private(set) var peer = ""
    /// Whether its one connection has been established.
    private(set) var isConnected = false
    /// Whether a request has ended on it.
    private(set) var hasCarried = false
    /// Whether it takes no more requests.
    private(set) var isEnding = false
    private var isClosed = false
    private var holds = 0
    /// Whether a stream was paused since libcurl was last seen to have nothing left in its buffer.
    private var wasPaused = false
    private var mustLook = false
    private var looksInVain = 0
    /// How many requests it takes at a time.
    private var capacity: Int
    /// Noted by the pool: whether it is among the lanes with room.
    var isListed = false

    /// Requests that one HTTP/2 connection carries at a time, where its peer does not want fewer.
    private static let mostStreams = 100

    init?(pool: TransferPool) {
        self.pool = pool
        capacity = pool.isHTTP2 ? Self.mostStreams : 1
        super.init(loop: pool.loop)
        _ = banyan_curl_multi_set_long(raw, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
        timer = Deadline(self, loop: loop)
        later = LaterWork(self)
    }

    // MARK: - Requests

    /// Whether it can take another request.
    var hasRoom: Bool { !isEnding && holds == 0 && active.count < capacity }

    /// Whether no request is on it.
    var isIdle: Bool { active.isEmpty }

    /// Whether several requests are on it.
    var isShared: Bool { active.count > 1 }

    func carries(_ transfer: CurlTransfer) -> Bool { active.contains { $0 === transfer } }

    /// Carries a transfer.
    func begin(_ transfer: CurlTransfer) -> Bool {
        timer?.cancel()
        active.append(transfer)
        if isInside {
            // An event of another transfer asks for it: libcurl is told when it has returned.
            arrivals.append(transfer)
            if let later { loop.atEndOfTurn(later) }
            return true
        }
        if add(transfer.easy) { return true }
        drop(transfer)
        return false
    }

    /// Has libcurl tell this lane of sockets that it closes.
    func lend(_ options: CurlOptions) {
        // SAFETY: a socket's callbacks come while its connection lives, which goes with the multi in close(), before the
        // lane can.
        let this = Unmanaged.passUnretained(self).toOpaque()
        _ = banyan_curl_set_close_callback(options.easy) { data, socket in
            TransferLane.of(data)?.closeSocket(socket)
            return 0
        }
        options.set(CURLOPT_CLOSESOCKETDATA, pointer: this)
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> TransferLane? {
        // SAFETY: see lend(_:).
        data.map { Unmanaged<TransferLane>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A transfer has been given the connection.
    func connected(to peer: UnsafePointer<CChar>) {
        guard !isConnected else { return }
        isConnected = true
        // SAFETY: libcurl's text ends with a zero and lives during the call; it is copied.
        self.peer = String(cString: peer)
    }

    /// Takes a transfer out before its end.
    func cutOff(_ transfer: CurlTransfer) {
        if isInside {
            leaving.append(transfer)
            if let later { loop.atEndOfTurn(later) }
            return
        }
        guard carries(transfer) else { return }
        // libcurl 7.88 resets a stream, but not one whose request goes on: only the end of the connection ends that.
        if pool.isHTTP2, transfer.isSending { isEnding = true }
        drop(transfer)
        remove(transfer.easy)
        transfer.left(isWhole: false)
        hasCarried = true
        rest()
    }

    private func drop(_ transfer: CurlTransfer) {
        active.removeAll { $0 === transfer }
        arrivals.removeAll { $0 === transfer }
        leaving.removeAll { $0 === transfer }
    }

    /// Has libcurl ask a transfer for more of its body, and hand on what it kept of the answer.
    func goOn(_ transfer: CurlTransfer, receiving: Bool) {
        guard carries(transfer) else { return }
        _ = inside { curl_easy_pause(transfer.easy, receiving ? CURLPAUSE_CONT : CURLPAUSE_RECV) }
    }

    /// A transfer has something to do once libcurl has returned.
    func touch(_ transfer: CurlTransfer) {
        guard !transfer.isTouched else { return }
        transfer.isTouched = true
        touched.append(transfer)
    }

    override func transferEnded(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {
        guard let transfer = active.first(where: { $0.easy == easy }) else { return }
        let wasConnected = isConnected
        drop(transfer)
        remove(easy)
        if transfer.hasStarted {
            hasCarried = true
        } else if wasConnected {
            // libcurl wanted another connection: the peer takes no more requests at a time, or none at all.
            capacity = active.count { $0.hasStarted }
            if capacity == 0 { isEnding = true }
        }
        let failure = transfer.failure(of: code)
        let isLost = failure != nil && sockets.allSatisfy { $0.looksDead() }
        if failure != nil, !pool.isHTTP2 || isLost || Self.endsConnection(code) { isEnding = true }
        transfer.left(isWhole: failure == nil)
        transfer.finished(code, failure, laneWasOpen: wasConnected, laneIsLost: isLost)
    }

    /// The connection of a transfer is gone.
    private func lose(_ transfer: CurlTransfer) {
        isEnding = true
        drop(transfer)
        remove(transfer.easy)
        let failure = transfer.failure(of: CURLE_GOT_NOTHING)
        transfer.left(isWhole: false)
        transfer.finished(CURLE_GOT_NOTHING, failure, laneWasOpen: isConnected, laneIsLost: true)
        rest()
    }

    /// Whether libcurl's words mean that the connection takes no more requests.
    private static func endsConnection(_ code: CURLcode) -> Bool {
        switch code {
        case CURLE_OK, CURLE_HTTP2_STREAM, CURLE_WRITE_ERROR: false
        default: true
        }
    }

    override func broke() {
        while let transfer = active.last { lose(transfer) }
    }

    override func rested() {
        if wasPaused { lookAgain(afterEvents: !touched.isEmpty) }
        while let transfer = touched.popLast() {
            transfer.isTouched = false
            transfer.settle()
        }
        if isClosed { return }
        rest()
    }

    /// libcurl 7.88 may keep frames in its own buffer after a stream was paused, and forget them until more come from the
    /// socket: it is asked to read until that brings nothing.
    private func lookAgain(afterEvents hadEvents: Bool) {
        looksInVain = hadEvents ? 0 : looksInVain + 1
        guard holds == 0 else { return }
        if looksInVain < 2, !isIdle {
            mustLook = true
            if let later { loop.atEndOfTurn(later) }
        } else {
            wasPaused = false
        }
    }

    /// Sees whether the lane is done with, unused, or has room for others.
    private func rest() {
        guard !isClosed, !isInside else { return }
        if isConnected, sockets.isEmpty { isEnding = true }
        guard active.isEmpty else {
            if hasRoom { pool.hasRoom(self) }
            return
        }
        if isEnding || !isConnected || pool.isRetired {
            close()
        } else {
            timer?.schedule(after: EndpointPool.idleTime)
            for socket in sockets { socket.update(isHeld: false) }
            pool.hasRoom(self)
        }
    }

    func workLater() {
        if isClosed { return }
        for transfer in arrivals where !add(transfer.easy) {
            drop(transfer)
            transfer.left(isWhole: false)
            transfer.finished(CURLE_FAILED_INIT, nil, laneWasOpen: false, laneIsLost: false)
        }
        arrivals.removeAll()
        while let transfer = leaving.popLast() { cutOff(transfer) }
        if mustLook, !isClosed, let socket = sockets.first {
            mustLook = false
            socketIsReady(socket.number, .readable)
        }
    }

    // MARK: - Waiting for a slow reader

    /// Leaves the connection unread: an attempt is paused, and more than enough was kept for it.
    func hold() {
        holds += 1
        wasPaused = true
        looksInVain = 0
        for socket in sockets { socket.update(isHeld: true) }
    }

    func letGo() {
        holds -= 1
        guard holds == 0, !isClosed else { return }
        for socket in sockets { socket.update(isHeld: false) }
        rest()
    }

    // MARK: - Sockets

    private func closeSocket(_ number: curl_socket_t) {
        if let index = sockets.firstIndex(where: { $0.number == number }) {
            sockets[index].release()
            sockets.remove(at: index)
        }
        _ = Glibc.close(number)
    }

    override func watch(_ number: curl_socket_t, _ what: CInt) {
        let wanted = what == CURL_POLL_REMOVE ? [] : Poll.Events(wanted: what)
        if let socket = sockets.first(where: { $0.number == number }) {
            socket.want(wanted, isHeld: holds > 0)
            return
        }
        guard what != CURL_POLL_REMOVE else { return }
        let socket = LaneSocket(self, loop: loop, number: number)
        do { try socket.open(number) } catch { return }
        sockets.append(socket)
        socket.want(wanted, isHeld: holds > 0)
    }

    /// Something has happened to a socket that libcurl does not want to hear of now.
    fileprivate func happened(to socket: LaneSocket, _ events: Poll.Events) {
        guard isIdle, !isInside else {
            socket.watch([])
            // libcurl has seen the end, and yet waits for the rest of the request before it says so.
            if !isInside, !pool.isHTTP2, let transfer = active.first, socket.looksDead() { lose(transfer) }
            return
        }
        // An idle HTTP/2 connection may be told of settings and windows; libcurl reads that with the next request.
        if pool.isHTTP2, !events.contains(.disconnect), !socket.looksDead() {
            socket.watch(.disconnect)
        } else {
            close()
        }
    }

    /// Whether the peer has closed the idle connection or said something unasked.
    func looksDead() -> Bool { sockets.first?.looksUnusable() ?? true }

    func timeIsOver() {
        if isIdle { close() }
    }

    /// Closes the connection; nothing is on it.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        isEnding = true
        timer?.cancel()
        shutDown()
        for socket in sockets { socket.release() }
        sockets.removeAll()
        pool.gone(self)
    }
}

/// The socket of a lane.
private final class LaneSocket: Poll {
    private unowned let lane: TransferLane
    let number: curl_socket_t
    private var wanted: Events = []

    init(_ lane: TransferLane, loop: EventLoop, number: curl_socket_t) {
        self.lane = lane
        self.number = number
        super.init(loop: loop)
    }

    /// Watches for what libcurl wants; when that is nothing, for what an idle connection must not bring.
    func want(_ events: Events, isHeld: Bool) {
        wanted = events
        update(isHeld: isHeld)
    }

    func update(isHeld: Bool) {
        if isHeld {
            watch(wanted.subtracting(.readable))
        } else {
            watch(wanted.isEmpty ? .readable : wanted)
        }
    }

    override func ready(_ events: Events) {
        let lane = lane
        if wanted.isEmpty {
            lane.happened(to: self, events)
        } else {
            lane.socketIsReady(number, events)
        }
    }

    /// Whether the peer has closed the connection.
    func looksDead() -> Bool {
        var byte: UInt8 = 0
        let count = recv(number, &byte, 1, CInt(MSG_PEEK | MSG_DONTWAIT))
        return count == 0 || count < 0 && errno != EAGAIN
    }

    /// Whether the peer has closed the connection or said something.
    func looksUnusable() -> Bool {
        var byte: UInt8 = 0
        let count = recv(number, &byte, 1, CInt(MSG_PEEK | MSG_DONTWAIT))
        return !(count < 0 && errno == EAGAIN)
    }
}
