import Glibc

/// Which name servers are asked, and with how much patience.
package struct NameServers: Hashable, Sendable {
    /// Where a name server listens.
    package struct Address: Hashable, Sendable {
        /// An address in numbers, an IPv6 address without brackets.
        package var host: String
        package var port: UInt16

        /// An address; the port is that of name servers.
        package init(host: String, port: UInt16 = 53) {
            self.host = host
            self.port = port
        }
    }

    /// They are asked in this order.
    package var addresses: [Address]
    /// How long each is waited for, in milliseconds.
    package var patience: UInt64 = 2_000
    /// How many times all of them are asked.
    package var rounds = 2

    /// How long a question takes that none of them answers, in milliseconds.
    var longestQuestion: UInt64 { patience * UInt64(rounds * max(addresses.count, 1)) }

    /// The longest patience that a file may ask for, in milliseconds, and the most rounds and servers.
    private static let mostPatience: UInt64 = 5_000
    private static let mostRounds = 3
    private static let mostServers = 3

    /// These servers.
    package init(_ addresses: [Address]) { self.addresses = addresses }

    /// Those that a file such as `/etc/resolv.conf` names (resolv.conf(5)); one on this machine where it names none.
    package init(configuration text: String) {
        addresses = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let key = words.first, !key.hasPrefix("#"), !key.hasPrefix(";") else { continue }
            switch key {
            case "nameserver":
                guard words.count > 1, addresses.count < Self.mostServers else { continue }
                addresses.append(Address(host: String(words[1])))
            case "options":
                for option in words.dropFirst() { take(option: option) }
            default: break
            }
        }
        if addresses.isEmpty { addresses = [Address(host: "127.0.0.1")] }
    }

    private mutating func take(option: Substring) {
        let parts = option.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let number = UInt64(parts[1]), number > 0 else { return }
        switch parts[0] {
        case "timeout": patience = min(number, Self.mostPatience / 1_000) * 1_000
        case "attempts": rounds = min(Int(clamping: number), Self.mostRounds)
        default: break
        }
    }

    /// Those of this machine, as its file says at this moment.
    static func ofSystem() -> NameServers {
        var text: [UInt8] = []
        let file = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC)
        if file >= 0 {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(file, &buffer, buffer.count)
            if count > 0 { text = Array(buffer[..<count]) }
            close(file)
        }
        return NameServers(configuration: String(decoding: text, as: UTF8.self))
    }
}
