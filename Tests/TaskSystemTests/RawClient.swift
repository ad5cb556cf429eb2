import Dispatch
import Foundation

/// A client of a few lines that sends bytes and reads bytes: tests see exactly what crosses the wire.
struct RawClient {
    enum Ending: Equatable {
        case endOfFile, reset, silence
    }

    struct Transcript {
        var bytes: [UInt8]
        var ending: Ending
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    struct Failure: Error {
        var step: String
        var number: Int32
    }

    let port: Int
    /// How long silence is waited for before an exchange counts as hanging, in seconds.
    static let patience = 60

    /// Sends `parts` one after another and reads until the server ends the connection.
    ///
    /// The socket calls block, so they run on a thread of their own, not on the pool that the server's work needs.
    func exchange(_ parts: String..., closesWrite: Bool = false) async throws -> Transcript {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try run(parts, closesWrite: closesWrite) })
            }
        }
    }

    private func run(_ parts: [String], closesWrite: Bool) throws -> Transcript {
        let descriptor = try connected()
        defer { close(descriptor) }
        for part in parts {
            let bytes = Array(part.utf8)
            var sent = 0
            while sent < bytes.count {
                // SAFETY: the pointer and the count are of the part that is left, which lives for the call.
                let count = bytes[sent...].withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { break }
                sent += count
            }
        }
        if closesWrite {
            shutdown(descriptor, Int32(SHUT_WR))
        }
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 {
                return Transcript(bytes: received, ending: .endOfFile)
            }
            guard count > 0 else {
                return Transcript(bytes: received, ending: errno == ECONNRESET ? .reset : .silence)
            }
            received += chunk[..<count]
        }
    }

    private func connected() throws -> Int32 {
        let descriptor = socket(AF_INET, streamType, 0)
        guard descriptor >= 0 else { throw Failure(step: "socket", number: errno) }
        var wait = timeval(tv_sec: Self.patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        // SAFETY: a sockaddr_in is read as the sockaddr that it begins with, for the time of the call.
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let number = errno
            close(descriptor)
            throw Failure(step: "connect", number: number)
        }
        return descriptor
    }

    private var streamType: Int32 {
        #if canImport(Glibc)
            Int32(SOCK_STREAM.rawValue)
        #else
            SOCK_STREAM
        #endif
    }
}
