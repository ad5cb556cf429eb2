internal import CLibcurl
import EventLoops

/// The multi that connections are opened with: it watches a socket for as long as libcurl wants it.
final class ConnectMulti: CurlMulti {
    private var watches: [curl_socket_t: CurlSocketWatch] = [:]
    private var waiting: [UnsafeMutableRawPointer: CurlConnector] = [:]
    private var spareRecord: UnsafeMutableRawPointer?

    /// The most that one record of TLS carries.
    private static let recordSize = 16_384

    deinit {
        for easy in waiting.keys { remove(easy) }
        shutDown()
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

    /// Starts the transfer of `connector`, which is told when it has ended. It stays in the multi until
    /// ``remove(connector:)``.
    func add(_ easy: UnsafeMutableRawPointer, for connector: CurlConnector) -> Bool {
        waiting[easy] = connector
        if add(easy) { return true }
        waiting[easy] = nil
        return false
    }

    /// Takes a connector's transfer out. A connection that it holds is closed.
    func remove(connector easy: UnsafeMutableRawPointer) {
        waiting[easy] = nil
        remove(easy)
    }

    override func watch(_ socket: curl_socket_t, _ what: CInt) {
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
        watch.watch(Poll.Events(wanted: what))
    }

    override func transferEnded(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {
        waiting.removeValue(forKey: easy)?.finished(code)
    }

    override func broke() {
        let left = waiting.values
        waiting.removeAll()
        for connector in left { connector.finished(CURLE_FAILED_INIT) }
    }
}

extension Poll.Events {
    /// The events that libcurl asks for by `CURL_POLL_IN` and `CURL_POLL_OUT`.
    init(wanted what: CInt) {
        self = []
        if what & CURL_POLL_IN != 0 { insert(.readable) }
        if what & CURL_POLL_OUT != 0 { insert(.writable) }
    }
}

/// A socket that libcurl wants watched.
private final class CurlSocketWatch: Poll {
    private unowned let multi: ConnectMulti
    private let socket: curl_socket_t

    init(_ multi: ConnectMulti, loop: EventLoop, socket: curl_socket_t) {
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
