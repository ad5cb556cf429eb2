internal import CLibcurl
import EventLoops

/// One `curl_multi` driven by a loop: its timer is kept, its results are handed on; subclasses watch its sockets.
///
/// libcurl's callbacks only note what it wants; who waits for a result is told after libcurl has returned, and so may
/// call libcurl again. An error of the multi itself leaves all of its transfers in doubt.
class CurlMulti {
    final let loop: EventLoop
    /// libcurl's handle; not to be used after ``shutDown()``.
    final let raw: UnsafeMutableRawPointer
    private final var timer: CurlTimer?
    private final var step: CurlStep?
    private final var isShutDown = false
    /// Whether libcurl is at work, so that it must not be called again but for what it allows in callbacks.
    private(set) final var isInside = false

    /// nil when libcurl has no memory left.
    init?(loop: EventLoop) {
        guard let raw = curl_multi_init() else { return nil }
        self.raw = raw
        self.loop = loop
        timer = CurlTimer(self, loop: loop)
        step = CurlStep(self)
        // SAFETY: callbacks run only inside calls on this multi; shutDown takes them away before the object is gone.
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

    deinit { shutDown() }

    // MARK: - What subclasses say

    /// libcurl wants `socket` watched for `what`.
    func watch(_ socket: curl_socket_t, _ what: CInt) {}

    /// A transfer has ended and is still in the multi.
    func transferEnded(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {}

    /// The multi has failed: what becomes of its transfers is not known.
    func broke() {}

    /// libcurl has done what it could for now, and all that ended has been told.
    func rested() {}

    // MARK: - Driving

    /// Adds a transfer; it begins in this turn of the loop.
    final func add(_ easy: UnsafeMutableRawPointer) -> Bool {
        inside { curl_multi_add_handle(raw, easy) } == CURLM_OK
    }

    /// Takes a transfer out. What it was doing is cut off.
    final func remove(_ easy: UnsafeMutableRawPointer) {
        _ = inside { curl_multi_remove_handle(raw, easy) }
    }

    /// Calls libcurl, which may call back.
    final func inside<Result>(_ call: () -> Result) -> Result {
        let wasInside = isInside
        isInside = true
        defer { isInside = wasInside }
        return call()
    }

    /// Ends everything; libcurl calls back no more.
    final func shutDown() {
        guard !isShutDown else { return }
        isShutDown = true
        timer?.cancel()
        _ = banyan_curl_multi_set_socket_callback(raw, nil, nil)
        _ = banyan_curl_multi_set_timer_callback(raw, nil, nil)
        curl_multi_cleanup(raw)
    }

    private final func setTimer(_ milliseconds: Int) {
        switch milliseconds {
        case ..<0: timer?.cancel()
        case 0:
            // Not from inside the callback, but still in this turn of the loop.
            timer?.cancel()
            if let step { loop.atEndOfTurn(step) }
        default: timer?.schedule(after: UInt64(milliseconds))
        }
    }

    /// Tells libcurl what `socket` is ready for.
    final func socketIsReady(_ socket: curl_socket_t, _ events: Poll.Events) {
        var mask: CInt = 0
        if events.contains(.readable) { mask |= CURL_CSELECT_IN }
        if events.contains(.writable) { mask |= CURL_CSELECT_OUT }
        act(socket, mask)
    }

    fileprivate final func timeIsOver() { act(CURL_SOCKET_TIMEOUT, 0) }

    private final func act(_ socket: curl_socket_t, _ mask: CInt) {
        guard !isShutDown else { return }
        var running: CInt = 0
        let status = inside { curl_multi_socket_action(raw, socket, mask, &running) }
        var left: CInt = 0
        while !isShutDown, let message = curl_multi_info_read(raw, &left) {
            var code = CURLE_OK
            guard let easy = banyan_curl_finished(message, &code) else { continue }
            transferEnded(easy, code)
        }
        if isShutDown { return }
        if status != CURLM_OK { broke() }
        if !isShutDown { rested() }
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
