internal import CLibcurl
import EventLoops

/// One `curl_multi` driven by a loop: its sockets are watched, its timer is kept, its results are handed on.
///
/// libcurl's callbacks only note what it wants; who waits for a result is told after libcurl has returned, and so may
/// call libcurl again. An error of the multi itself leaves all of its transfers in doubt: each is told that it failed.
final class CurlMulti {
    private let raw: UnsafeMutableRawPointer
    private let loop: EventLoop
    private var timer: CurlTimer?
    private var step: CurlStep?
    private var watches: [curl_socket_t: CurlSocketWatch] = [:]
    private var waiting: [UnsafeMutableRawPointer: CurlConnector] = [:]
    private var spareRecord: UnsafeMutableRawPointer?

    /// The most that one record of TLS carries.
    private static let recordSize = 16_384

    /// nil when libcurl has no memory left.
    init?(loop: EventLoop) {
        guard let raw = curl_multi_init() else { return nil }
        self.raw = raw
        self.loop = loop
        timer = CurlTimer(self, loop: loop)
        step = CurlStep(self)
        // SAFETY: callbacks run only inside calls on this multi; deinit takes them away before the object is gone.
        let this = Unmanaged.passUnretained(self).toOpaque()
        _ = banyan_curl_multi_set_socket_callback(
            raw,
            { _, socket, what, data, _ in
                guard let data else { return 0 }
                Unmanaged<CurlMulti>.fromOpaque(data).takeUnretainedValue().watch(socket, what)
                return 0
            }, this)
        _ = banyan_curl_multi_set_timer_callback(
            raw,
            { _, milliseconds, data in
                guard let data else { return 0 }
                Unmanaged<CurlMulti>.fromOpaque(data).takeUnretainedValue().setTimer(milliseconds)
                return 0
            }, this)
    }

    deinit {
        for easy in waiting.keys { curl_multi_remove_handle(raw, easy) }
        _ = banyan_curl_multi_set_socket_callback(raw, nil, nil)
        _ = banyan_curl_multi_set_timer_callback(raw, nil, nil)
        curl_multi_cleanup(raw)
        spareRecord?.deallocate()
    }

    /// Memory for one record: the same for all sessions as long as what they send is taken at once.
    func takeRecord() -> UnsafeMutableRawBufferPointer {
        let memory = spareRecord ?? .allocate(byteCount: Self.recordSize, alignment: 64)
        spareRecord = nil
        return UnsafeMutableRawBufferPointer(start: memory, count: Self.recordSize)
    }

    /// Takes memory back that came from ``takeRecord()``.
    func giveRecord(_ record: UnsafeMutableRawBufferPointer) {
        if spareRecord == nil { spareRecord = record.baseAddress } else { record.baseAddress?.deallocate() }
    }

    /// Starts the transfer of `connector`, which is told when it has ended. It stays in the multi until ``remove(_:)``.
    func add(_ easy: UnsafeMutableRawPointer, for connector: CurlConnector) -> Bool {
        waiting[easy] = connector
        guard curl_multi_add_handle(raw, easy) == CURLM_OK else {
            waiting[easy] = nil
            return false
        }
        return true
    }

    /// Takes a transfer out. A connection that it holds is closed.
    func remove(_ easy: UnsafeMutableRawPointer) {
        waiting[easy] = nil
        curl_multi_remove_handle(raw, easy)
    }

    private func watch(_ socket: curl_socket_t, _ what: CInt) {
        if what == CURL_POLL_REMOVE {
            // libcurl may close the number and get it again for another socket at once: the watch ends here and now.
            watches.removeValue(forKey: socket)?.release()
            return
        }
        let watch: CurlSocketWatch
        if let known = watches[socket] {
            watch = known
        } else {
            watch = CurlSocketWatch(self, loop: loop, socket: socket)
            do { try watch.open(socket) } catch { return }
            watches[socket] = watch
        }
        var events: Poll.Events = []
        if what & CURL_POLL_IN != 0 { events.insert(.readable) }
        if what & CURL_POLL_OUT != 0 { events.insert(.writable) }
        watch.watch(events)
    }

    private func setTimer(_ milliseconds: Int) {
        switch milliseconds {
        case ..<0: timer?.cancel()
        case 0:
            // Not from inside the callback, but still in this turn of the loop.
            timer?.cancel()
            if let step { loop.atEndOfTurn(step) }
        default: timer?.schedule(after: UInt64(milliseconds))
        }
    }

    fileprivate func socketIsReady(_ socket: curl_socket_t, _ events: Poll.Events) {
        var mask: CInt = 0
        if events.contains(.readable) { mask |= CURL_CSELECT_IN }
        if events.contains(.writable) { mask |= CURL_CSELECT_OUT }
        act(socket, mask)
    }

    fileprivate func timeIsOver() { act(CURL_SOCKET_TIMEOUT, 0) }

    private func act(_ socket: curl_socket_t, _ mask: CInt) {
        var running: CInt = 0
        let status = curl_multi_socket_action(raw, socket, mask, &running)
        var ended: [(CurlConnector, CURLcode)] = []
        var left: CInt = 0
        while let message = curl_multi_info_read(raw, &left) {
            var code = CURLE_OK
            guard let easy = banyan_curl_finished(message, &code) else { continue }
            if let connector = waiting.removeValue(forKey: easy) { ended.append((connector, code)) }
        }
        if status != CURLM_OK {
            for connector in waiting.values { ended.append((connector, CURLE_FAILED_INIT)) }
            waiting.removeAll()
        }
        for (connector, code) in ended { connector.finished(code) }
    }
}

/// A socket that libcurl wants watched.
private final class CurlSocketWatch: Poll {
    private unowned let multi: CurlMulti
    private let socket: curl_socket_t

    init(_ multi: CurlMulti, loop: EventLoop, socket: curl_socket_t) {
        self.multi = multi
        self.socket = socket
        super.init(loop: loop)
    }

    override func ready(_ events: Events) {
        // The multi may go while it handles the event: it is kept until then.
        let multi = multi
        multi.socketIsReady(socket, events)
    }
}

/// The one timer that libcurl asks for.
private final class CurlTimer: EventLoops.Timer {
    private unowned let multi: CurlMulti

    init(_ multi: CurlMulti, loop: EventLoop) {
        self.multi = multi
        super.init(loop: loop)
    }

    override func fire() {
        let multi = multi
        multi.timeIsOver()
    }
}

/// A step that libcurl wants without delay.
private final class CurlStep: DeferredWork {
    private weak var multi: CurlMulti?

    init(_ multi: CurlMulti) { self.multi = multi }

    override func run() { multi?.timeIsOver() }
}
