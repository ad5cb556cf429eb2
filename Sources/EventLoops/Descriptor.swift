internal import CLibuv
import Glibc

/// What came of reading from or writing to a descriptor that never blocks.
package enum TransferResult: Equatable, Sendable {
    /// So many bytes were moved; more than none.
    case bytes(Int)
    /// Nothing can be moved at the moment.
    case wouldBlock
    /// The peer has ended its side (reading only).
    case ended
    /// The descriptor is of no more use; the errno tells why.
    case failed(CInt)
}

/// A system descriptor with one owner: it is closed when its owner lets go.
package struct Descriptor: ~Copyable {
    /// The number that the system knows it by.
    package let number: CInt

    /// Takes over `number`.
    package init(owning number: CInt) { self.number = number }

    deinit { if number >= 0 { _ = Glibc.close(number) } }

    /// Gives up the ownership and returns the number.
    package consuming func take() -> CInt {
        let number = number
        discard self
        return number
    }

    /// A new socket of an address family, for a stream or for datagrams, that never blocks and is closed on exec.
    ///
    /// - Returns: nil where the system has none left, or does not know the family.
    package static func socket(_ family: CInt, isStream: Bool) -> Descriptor? {
        let type = isStream ? SOCK_STREAM : SOCK_DGRAM
        let number = Glibc.socket(family, CInt(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        return number >= 0 ? Descriptor(owning: number) : nil
    }

    /// Accepts a connection from a listening socket, non-blocking and closed on exec, and writes its peer's address (a
    /// `sockaddr` of its family) to `peer`.
    ///
    /// - Returns: the new descriptor's number, or -1 with `errno` set.
    package static func accept(_ socket: CInt, peer: UnsafeMutableRawBufferPointer) -> CInt {
        banyan_accept(socket, peer.baseAddress, socklen_t(clamping: peer.count))
    }

    /// Reads what is there into `buffer`.
    package borrowing func receive(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        Self.receive(number, into: buffer)
    }

    /// Writes as much of `bytes` as the system takes. A peer that is gone is an error, never a signal.
    package borrowing func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) -> TransferResult {
        Self.send(number, bytes, more: more)
    }

    /// Reads from a socket that somebody else owns.
    package static func receive(_ socket: CInt, into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        while true {
            let count = recv(socket, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return buffer.isEmpty ? .wouldBlock : .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }

    /// Looks at what can be read from a socket, which stays there.
    package static func peek(_ socket: CInt, into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        while true {
            let count = recv(socket, buffer.baseAddress, buffer.count, CInt(MSG_PEEK))
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }

    /// Takes `count` bytes that have been looked at, and throws them away.
    package static func discard(_ socket: CInt, _ count: Int) {
        withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 1) { buffer in
            var rest = count
            while rest > 0 {
                guard
                    case .bytes(let taken) = receive(
                        socket, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<rest]))
                else { return }
                rest -= taken
            }
        }
    }

    /// Writes to a socket that somebody else owns.
    package static func send(_ socket: CInt, _ bytes: UnsafeRawBufferPointer, more: Bool = false) -> TransferResult {
        let flags = CInt(MSG_NOSIGNAL) | (more ? CInt(MSG_MORE) : 0)
        while true {
            let count = Glibc.send(socket, bytes.baseAddress, bytes.count, flags)
            if count >= 0 { return count == 0 ? .wouldBlock : .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }

    /// How many of the bytes that were written the peer's system has not taken yet.
    package static func untaken(_ socket: CInt) -> Int {
        var count: CInt = 0
        return ioctl(socket, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
    }

    /// Writes several pieces with one system call: what was gathered, a larger piece that need not be copied, and what
    /// follows it. The result counts over all three.
    package static func send(
        _ socket: CInt, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
        _ third: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) -> TransferResult {
        if first.isEmpty, third.isEmpty { return send(socket, second) }
        var pieces = (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: third.baseAddress), iov_len: third.count)
        )
        while true {
            // SAFETY: a tuple of three iovecs is laid out as an array of three; sendmsg only reads what they point to.
            let count = withUnsafeMutablePointer(to: &pieces) { pointer in
                pointer.withMemoryRebound(to: iovec.self, capacity: 3) { vectors in
                    var message = msghdr()
                    message.msg_iov = vectors
                    message.msg_iovlen = 3
                    return sendmsg(socket, &message, CInt(MSG_NOSIGNAL))
                }
            }
            if count >= 0 { return count == 0 ? .wouldBlock : .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno)
            }
        }
    }
}
