import EventLoops
import Glibc
import HTTPListener

/// Sockets that whoever has started this process has opened for it, as systemd does (sd_listen_fds(3)).
enum SocketActivation {
    /// The number of the first one.
    private static let firstDescriptor: CInt = 3

    /// Takes them, and removes what says so from the environment: no child may believe that they are meant for it.
    static func take() -> [InheritedSocket] {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        guard let process = variable("LISTEN_PID"), pid_t(process) == getpid(),
            let count = variable("LISTEN_FDS").flatMap({ CInt($0) }), count > 0, count <= 4_096
        else { return [] }
        let names = variable("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        return (0..<count).map { index in
            let number = firstDescriptor + index
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            return InheritedSocket(
                role: nil, name: Int(index) < names.count ? String(names[Int(index)]) : "", asked: nil,
                address: ListeningSocket.systemAddress(of: number), isLent: true,
                descriptor: PassedDescriptor(owning: number))
        }
    }

    private static func variable(_ name: String) -> String? {
        // SAFETY: getenv returns a string; this runs before there is a second thread that could change it.
        getenv(name).map { String(cString: $0) }
    }
}
