import EventLoops
import HTTPListener

/// What two processes say to each other when one takes over from the other: messages of a `SOCK_SEQPACKET` socket, in the
/// order in which they stand here.
///
/// The number in the greeting is raised when anything of it changes: another version is refused and changes nothing.
enum HandoverMessage {
    /// The new process asks for the sockets.
    static let greeting = "banyan-handover 1\n"
    /// The old process is being taken over from already.
    static let busy = "busy\n"
    /// The new process serves.
    static let ready = "ready\n"
    /// The old process has stopped accepting.
    static let yours = "yours\n"

    private static let more = "sockets, more follow"
    private static let last = "sockets, the last ones"

    /// How many sockets go with one message, so that it fits with the longest paths of unix sockets.
    private static let socketsPerMessage = 100

    /// Sends all sockets, each with a line that says what it is for; false when the system did not take them all.
    static func send(_ sockets: [HeldSocket], to socket: CInt) -> Bool {
        var start = 0
        repeat {
            let end = min(start + socketsPerMessage, sockets.count)
            let part = sockets[start..<end]
            let lines = part.map { "\($0.role.rawValue) \($0.isLent ? "lent" : "own") \($0.asked)" }
            let text = ([end == sockets.count ? last : more] + lines).joined(separator: "\n")
            guard PassedMessage.send(text, passing: part.map(\.number), to: socket) else { return false }
            start = end
        } while start < sockets.count
        return true
    }

    /// Reads sockets out of a message; nil for what is none of ours.
    static func sockets(in message: PassedMessage) -> (sockets: [InheritedSocket], isLast: Bool)? {
        let lines = message.text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, first == more || first == last, lines.count == message.descriptors.count + 1
        else { return nil }
        var sockets: [InheritedSocket] = []
        for (line, descriptor) in zip(lines.dropFirst(), message.descriptors) {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3, let role = SocketRole(rawValue: String(words[0])) else { return nil }
            let isLent = words[1] == "lent"
            guard isLent || words[1] == "own", let taken = descriptor.take() else { return nil }
            let number = taken.take()
            sockets.append(
                InheritedSocket(
                    role: role, name: "", asked: String(words[2]), address: ListeningSocket.systemAddress(of: number),
                    isLent: isLent, descriptor: PassedDescriptor(owning: number)))
        }
        return (sockets, first == last)
    }
}
