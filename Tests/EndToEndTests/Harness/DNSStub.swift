import Foundation
import Glibc
import Synchronization

/// A name server on a port of its own, over UDP and TCP, that knows what a test says and lies as a test wants.
final class DNSStub: Sendable {
    /// How it answers.
    enum Manner: Sendable {
        case honest
        /// Not at all.
        case silent
        /// Bytes that are no message.
        case garbage
        /// A message that breaks off.
        case brokenOff
        /// A name that points to itself.
        case loop
        /// "Does not fit": the answer is to be had over TCP.
        case truncated
        /// After so many milliseconds.
        case late(UInt32)
        /// As the answer to another question.
        case otherNumber
        /// From a port that nobody has asked.
        case otherPort
        /// Over TCP, a byte now and then.
        case trickled
        /// The same record two thousand times.
        case thousandfold
        /// Over TCP, with bytes behind it, as long as a message can be.
        case filled
        /// Over TCP, with a record that nobody asked for, as long as a message can be.
        case padded
        /// Not at all to questions for addresses.
        case withoutAddresses
    }

    /// An answer's record.
    enum Record: Sendable {
        case a(String)
        case aaaa(String)
        case service(priority: UInt16, weight: UInt16, port: Int, target: String)
    }

    private struct Zone {
        var records: [String: [Record]] = [:]
        var timeToLive: UInt32 = 1
        var manner = Manner.honest
        var questions = 0
        var streams = 0
    }

    let port: Int
    private let zone = Mutex(Zone())
    private let datagrams: CInt
    private let listener: CInt

    init(_ records: [String: [Record]], timeToLive: UInt32 = 1) throws {
        let (listener, place) = try SocketPlace.ipv4(port: 0).listen()
        self.listener = listener
        port = place.port
        datagrams = socket(AF_INET, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(datagrams, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw ExchangeFailure("the port of the name server is taken") }
        zone.withLock { zone in
            zone.records = records
            zone.timeToLive = timeToLive
        }
        Thread { [weak self, datagrams] in
            while let answer = DNSStub.receive(datagrams, { self?.answer($0, overStream: false) }) {
                let isStrange = if case .otherPort = self?.manner { true } else { false }
                let other = isStrange ? socket(AF_INET, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) : -1
                answer(isStrange ? other : datagrams)
                if isStrange { close(other) }
            }
            close(datagrams)
        }.start()
        Thread { [weak self, listener] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, let self else { break }
                self.serve(connection)
            }
            close(listener)
        }.start()
    }

    deinit {
        shutdown(listener, CInt(SHUT_RDWR))
        shutdown(datagrams, CInt(SHUT_RDWR))
    }

    /// The member of `gateway` that has it asked.
    var setting: String { #""resolver": "127.0.0.1:\#(port)""# }

    func set(_ name: String, _ records: [Record]) { zone.withLock { $0.records[name] = records } }

    var manner: Manner {
        get { zone.withLock { $0.manner } }
        set { zone.withLock { $0.manner = newValue } }
    }

    /// How many questions have come.
    var questions: Int { zone.withLock { $0.questions } }

    /// How many of them came over TCP.
    var streams: Int { zone.withLock { $0.streams } }

    // MARK: - Sockets

    /// Waits for a question; gives what sends the answer by a socket, nil at the end.
    private static func receive(_ socket: CInt, _ answer: ([UInt8]) -> [UInt8]?) -> ((CInt) -> Void)? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var peer = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(socket, &buffer, buffer.count, 0, $0, &length)
            }
        }
        guard count > 0 else { return nil }
        guard let bytes = answer(Array(buffer[..<count])) else { return { _ in } }
        return { socket in
            _ = withUnsafePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(socket, bytes, bytes.count, 0, $0, length)
                }
            }
        }
    }

    private func serve(_ connection: CInt) {
        defer { close(connection) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 2, let answer = answer(Array(buffer[2..<count]), overStream: true) else { return }
        let message = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
        guard case .trickled = manner else {
            _ = Glibc.send(connection, message, message.count, CInt(MSG_NOSIGNAL))
            return
        }
        for byte in message {
            var byte = byte
            if Glibc.send(connection, &byte, 1, CInt(MSG_NOSIGNAL)) != 1 { return }
            // The pace of this server, and not a wait for something to happen.
            usleep(100_000)
        }
    }

    // MARK: - Answers

    private func answer(_ question: [UInt8], overStream: Bool) -> [UInt8]? {
        let (manner, timeToLive) = zone.withLock { zone in
            zone.questions += 1
            if overStream { zone.streams += 1 }
            return (zone.manner, zone.timeToLive)
        }
        guard let end = question.dropFirst(12).firstIndex(of: 0), question.count >= end + 5 else { return nil }
        let name = Self.text(question[12..<end])
        let type = question[end + 2]
        let asked = question[12..<(end + 5)]
        let records = zone.withLock { $0.records[name] }
        let matching = (records ?? []).compactMap { $0.data(of: type) }
        var flags: [UInt8] = [0x81, records == nil ? 0x83 : 0x80]
        var body: [UInt8] = []
        for data in matching {
            body += [0xC0, 12, 0, type, 0, 1] + (0..<4).map { UInt8(truncatingIfNeeded: timeToLive >> (24 - 8 * $0)) }
            body += [UInt8(data.count >> 8), UInt8(data.count & 255)] + data
        }
        var count = matching.count
        var additional = 0
        var id = Array(question[..<2])
        switch manner {
        case .honest: break
        case .silent: return nil
        case .garbage: return (0..<40).map { _ in .random(in: 0 ... .max) }
        case .brokenOff: body = Array(body.dropLast(3))
        case .loop:
            body = [0xC0, UInt8(12 + asked.count), 0, type, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 12]
            count = 1
        case .truncated:
            if !overStream {
                flags[0] |= 2
                body = []
                count = 0
            }
        case .late(let milliseconds): usleep(milliseconds * 1_000)
        case .otherNumber: id[1] ^= 1
        case .otherPort: break
        case .thousandfold:
            body = Array(repeatElement(body, count: 2_000).joined())
            count *= 2_000
        case .trickled, .filled, .padded:
            if !overStream {
                flags[0] |= 2
                body = []
                count = 0
            } else if case .padded = manner {
                // TXT, which says nothing about servers.
                let size = 65_535 - 12 - asked.count - body.count - 11
                body += [0, 0, 16, 0, 1, 0, 0, 0, 60, UInt8(size >> 8), UInt8(size & 255)]
                body += [UInt8](repeating: 0x78, count: size)
                additional = 1
            } else if case .filled = manner {
                body += [UInt8](repeating: 0, count: 65_535 - 12 - asked.count - body.count)
            }
        case .withoutAddresses: if type != 33 { return nil }
        }
        let counts = [0, 1, UInt8(count >> 8), UInt8(count & 255), 0, 0, 0, UInt8(additional)]
        return id + flags + counts + asked + body
    }

    private static func text(_ labels: ArraySlice<UInt8>) -> String {
        var parts: [String] = []
        var rest = labels
        while let length = rest.first {
            parts.append(String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(1 + Int(length))
        }
        return parts.joined(separator: ".")
    }
}

extension DNSStub.Record {
    /// The record's data where it is of this type.
    fileprivate func data(of type: UInt8) -> [UInt8]? {
        switch (self, type) {
        case (.a(let text), 1): return text.split(separator: ".").compactMap { UInt8($0) }
        case (.aaaa(let text), 28):
            var bytes = [UInt8](repeating: 0, count: 16)
            return inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
        case (.service(let priority, let weight, let port, let target), 33):
            let numbers = [priority, weight, UInt16(port)].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
            return numbers + target.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
        default: return nil
        }
    }
}
