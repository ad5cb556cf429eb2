import EventLoops
import Glibc

/// The service manager that has started this process and wants to hear of it (sd_notify(3)): systemd, or whoever else has
/// set `NOTIFY_SOCKET`.
final class ServiceManager {
    private let socket: Descriptor
    private let address: [UInt8]
    private var watchdog: ActionTimer?
    private let interval: UInt64

    /// Nil where nobody wants to hear. Removes what says so from the environment.
    init?(loop: EventLoop) {
        defer { for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) } }
        guard let path = Self.variable("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
        let number = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return nil }
        socket = Descriptor(owning: number)
        // A manager that reads nothing does not hold the control plane up for long.
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        // "@" stands for the zero byte of a name that is not in the file system.
        address = path.hasPrefix("@") ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
        let isMeant = Self.variable("WATCHDOG_PID").map { pid_t($0) == getpid() } ?? true
        let microseconds = isMeant ? Self.variable("WATCHDOG_USEC").flatMap { UInt64($0) } ?? 0 : 0
        interval = microseconds == 0 ? 0 : max(microseconds / 2_000, 1)
        if interval > 0 {
            watchdog = ActionTimer(loop: loop) { [unowned self] in alive() }
            watchdog?.schedule(after: interval)
        }
    }

    private static func variable(_ name: String) -> String? {
        // SAFETY: getenv returns a string; this runs before there is a second thread that could change it.
        getenv(name).map { String(cString: $0) }
    }

    /// The process serves, and what it says of itself.
    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }

    /// A reload begins; ``ready(_:)`` ends it.
    func reloading() { send("RELOADING=1\nMONOTONIC_USEC=\(EventLoop.nanoseconds / 1_000)\nSTATUS=reloading") }

    /// The process is about to end.
    func stopping(_ status: String) { send("STOPPING=1\nSTATUS=\(status)") }

    private func alive() {
        send("WATCHDOG=1")
        watchdog?.schedule(after: interval)
    }

    private func send(_ message: String) {
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &target.sun_path) { path in
            guard address.count < path.count else { return false }
            path.copyBytes(from: address)
            return true
        }
        guard fits else { return }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
        let bytes = Array(message.utf8)
        withUnsafePointer(to: target) { pointer in
            // SAFETY: the system's address types all begin with the family, and `length` covers what was filled in.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(socket.number, bytes, bytes.count, CInt(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
