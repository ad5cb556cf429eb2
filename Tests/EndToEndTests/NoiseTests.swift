import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// Bytes at random through the socket: good requests that were bent, cut, doubled and put together (security §2).
    @Suite
    struct Noise {
        private static let corpus: [String] = [
            "GET /a?b=c HTTP/1.1\r\nHost: api.test\r\nAccept: */*\r\nX-Empty:\r\n\r\n",
            "HEAD /a HTTP/1.1\r\nHost: api.test\r\nConnection: keep-alive, x-drop\r\nX-Drop: 1\r\n\r\n",
            "POST /b HTTP/1.1\r\nHost: api.test\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\nhello world",
            "POST /c HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
                + "5;ext=\"1\"\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
            "PUT http://api.test/d%20e/../f%2Fg HTTP/1.1\r\nHost: other.test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
                + "\r\nabc",
            "OPTIONS * HTTP/1.1\r\nHost: api.test\r\nMax-Forwards: 0\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\nCookie: e=f\r\n\r\n",
            "GET /up HTTP/1.1\r\nHost: api.test:80\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nbaggage: a=b;c,d=e\r\n\r\n",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
            "DELETE /x HTTP/1.1\r\nHost: [::1]:8080\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=\"[::1]\"\r\nVia: 1.0 p\r\n\r\n",
        ]
        private static let special =
            Array("\r\n\0 \t:;,=\"%#?/*0123456789abcdefx\u{7F}-_".utf8) + [0x80, 0xC0, 0xFF, 0x0B, 0x1B]

        private static func noise(_ random: inout SeededGenerator) -> [UInt8] {
            var bytes = Array(corpus[random.below(corpus.count)].utf8)
            for _ in 0..<random.below(4) {
                let from = random.below(bytes.count)
                let to = min(from + 1 + random.below(random.below(8) == 0 ? 200 : 12), bytes.count)
                switch random.below(8) {
                case 0: bytes[from] ^= 1 << UInt8(random.below(8))
                case 1: bytes.removeSubrange(from..<to)
                case 2: bytes.insert(contentsOf: bytes[from..<to], at: from)
                case 3: bytes.insert(special[random.below(special.count)], at: from)
                case 4: bytes[from] = special[random.below(special.count)]
                case 5: bytes.removeSubrange(to...)
                case 6:
                    let other = Array(corpus[random.below(corpus.count)].utf8)
                    bytes.replaceSubrange(from..., with: other[random.below(other.count)...])
                default:
                    let other = Array(corpus[random.below(corpus.count)].utf8)
                    let start = random.below(other.count)
                    bytes.insert(contentsOf: other[start..<min(start + 40, other.count)], at: from)
                }
                if bytes.isEmpty { return [UInt8(ascii: "G")] }
            }
            return bytes
        }

        /// What the clients of one thread have seen.
        private struct Tally: Sendable {
            var sent = 0
            var answered = 0
            var faults: [String] = []
        }

        /// Sends noise until the deadline, on connections that are kept as long as the gateway keeps them, or thrown away.
        private static func bother(_ place: SocketPlace, seed: UInt64, until deadline: Deadline) -> Tally {
            var random = SeededGenerator(state: seed)
            var tally = Tally()
            var wire: Wire?
            while !deadline.hasPassed, tally.sent < 2_500 {
                let bytes = noise(&random)
                let pieces = random.below(4) == 0 ? random.below(bytes.count) : 0
                let keeps = random.below(3) > 0
                let resets = random.below(2) == 0
                tally.sent += 1
                guard let current = wire ?? (try? Wire(adopting: place.connect())) else { continue }
                wire = current
                let known = current.pending.count
                // The gateway may close at any time: what counts is what it sends until then.
                try? current.send(bytes[..<pieces])
                try? current.send(bytes[pieces...])
                var entry = pollfd(fd: current.descriptor, events: Int16(POLLIN), revents: 0)
                while poll(&entry, 1, 2) > 0, (try? current.readMore()) == true {}
                if current.pending.count > known { tally.answered += 1 }
                let answer = String(decoding: current.pending.prefix(9), as: UTF8.self)
                if !current.pending.isEmpty, answer != "HTTP/1.1 " {
                    tally.faults.append("seed \(seed), number \(tally.sent): \(current.transcript)")
                }
                if current.isAtEnd || !keeps || current.pending.count > 4_096 {
                    if resets { current.reset() } else { current.close() }
                    wire = nil
                }
            }
            wire?.close()
            return tally
        }

        @Test("Thousands of bent requests: every upstream request is well-formed, and nothing is left behind")
        func noise() throws {
            let faults = Mutex<[String]>([])
            let heads = Mutex(0)
            let stub = try StubUpstream { connection in
                let wire = connection.wire
                while try !wire.pending.isEmpty || wire.readMore() {
                    let head = try wire.take(upTo: "\r\n\r\n")
                    heads.withLock { $0 += 1 }
                    var fault = StrictRequest.fault(in: head)
                    let request = HTTPText(head: head)
                    if fault == nil, request.isChunked {
                        fault = try StrictRequest.faultInChunkedBody(reading: wire)
                    } else if let length = request.contentLength {
                        _ = try wire.take(length)
                    }
                    if let fault {
                        faults.withLock {
                            $0.append("\(fault)\n\(String(decoding: head, as: UTF8.self).debugDescription)")
                        }
                        return
                    }
                    let body = request.method == "HEAD" ? "" : "ok"
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(body)")
                }
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"head": "300ms", "body": "300ms"}"#),
                workers: 2)
            #expect(try gateway.exchange("GET /first").text == "ok")
            let before = try gateway.process.descriptors() - 1
            let tallies = Mutex<[Tally]>([])
            let deadline = Deadline(.seconds(4))
            let place = gateway.place
            DispatchQueue.concurrentPerform(iterations: 4) { number in
                let tally = Self.bother(place, seed: UInt64(number + 1), until: deadline)
                tallies.withLock { $0.append(tally) }
            }
            let all = tallies.withLock { $0 }
            let sent = all.map(\.sent).reduce(0, +)
            let answered = all.map(\.answered).reduce(0, +)
            let found = all.flatMap(\.faults) + faults.withLock { $0 }
            #expect(found.isEmpty, "\(found.count) of \(sent):\n\(found.prefix(5).joined(separator: "\n\n"))")
            #expect(sent >= 400 && answered > sent / 4, "\(sent) sent, \(answered) answered")
            #expect(heads.withLock { $0 } > sent / 10, "\(heads.withLock { $0 }) of \(sent) reached the upstream")

            #expect(gateway.process.exitCode == nil, "\(gateway.process.transcript)")
            #expect(try gateway.exchange("GET /last").text == "ok")
            let line = try gateway.logLine(path: "/last")
            #expect(line["status"] as? Int == 200)
            let internals = gateway.process.lines().filter { $0.contains(#""cause":"internal""#) }
            #expect(internals.isEmpty, "\(internals.prefix(3))")
            try eventually("the descriptors are given back") {
                try gateway.process.descriptors() <= before + stub.connections - stub.closedConnections
            }
        }
    }
}
