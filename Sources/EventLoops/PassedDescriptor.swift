internal import CLibuv
import Glibc

/// A descriptor that came from another process, until somebody takes it; one that nobody takes is closed.
package final class PassedDescriptor {
    private var content: Descriptor?

    /// Takes over `number`.
    package init(owning number: CInt) { content = Descriptor(owning: number) }

    /// The descriptor; nil when it has been taken.
    package func take() -> Descriptor? { content.take() }
}

/// A message of a unix socket that keeps messages apart, with the descriptors that came beside it.
package struct PassedMessage {
    /// How many bytes a message has at most.
    package static let mostBytes = 32_768
    /// How many descriptors travel beside one message at most.
    package static let mostDescriptors = Int(BANYAN_MOST_DESCRIPTORS)

    /// What it says.
    package let text: String
    /// What came beside it, in the order in which it was sent.
    package let descriptors: [PassedDescriptor]

    /// What came of waiting for a message.
    package enum Receipt {
        case message(PassedMessage)
        /// Nothing is there at the moment.
        case wouldBlock
        /// The peer has gone, or the socket is of no more use.
        case ended
    }

    /// Receives one message from `socket`.
    package static func receive(from socket: CInt) -> Receipt {
        var numbers = [CInt](repeating: -1, count: mostDescriptors)
        var bytes = [UInt8](repeating: 0, count: mostBytes)
        var found = 0
        while true {
            let count = banyan_receive_descriptors(socket, &bytes, bytes.count, &numbers, &found)
            let descriptors = numbers[..<found].map { PassedDescriptor(owning: $0) }
            if count > 0 {
                return .message(
                    PassedMessage(text: String(decoding: bytes[..<count], as: UTF8.self), descriptors: descriptors))
            }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .ended
            }
        }
    }

    /// Sends one message; false when the system did not take it.
    package static func send(_ text: String, passing descriptors: [CInt] = [], to socket: CInt) -> Bool {
        let bytes = Array(text.utf8)
        while true {
            let count = banyan_send_descriptors(socket, bytes, bytes.count, descriptors, descriptors.count)
            if count < 0, errno == EINTR { continue }
            return count == bytes.count
        }
    }

    /// Who has opened the other end of a unix socket: its process and user.
    package static func peer(of socket: CInt) -> (process: CInt, user: UInt32)? {
        var process: CInt = 0
        var user: UInt32 = 0
        return banyan_peer(socket, &process, &user) == 0 ? (process, user) : nil
    }
}
