import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// Frames at random (security.md §2.4): good requests whose fields, frames and bytes were bent, left out, doubled and
    /// put in another order.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct HTTP2Noise {
        private typealias H2 = HTTP2Wire

        private static let fields: [(String, String)] = [
            ("accept", "*/*"), ("cookie", "a=b"), ("x-empty", ""), ("te", "trailers"), ("host", "api.test"),
            ("content-length", "5"), ("content-length", "0"), ("content-length", "50"), ("content-length", "5, 5"),
            ("transfer-encoding", "chunked"), ("connection", "close"), ("expect", "100-continue"), ("via", "1.1 a"),
            ("x_a", "b"), ("content_length", "5"), ("X-Upper", "a"), ("x-crlf", "a\r\nb: c"), ("x\r\ny", "a"),
            ("", "a"),
            (":path", "/late"), (":x", "y"), ("x-forwarded-for", "1.2.3.4"), ("traceparent", "00-0-0-00"),
            ("x-nul", "a\0"),
            ("range", "bytes=0-"), ("x-long", String(repeating: "y", count: 9_000)), ("upgrade", "h2c"),
            ("x-pad", " a "),
        ]
        private static let values = [
            "GET", "POST", "HEAD", "OPTIONS", "CONNECT", "G\r\nT", "/", "/a/../b?c=d", "*", "/%zz", "/a b", "http",
            "https",
            "api.test", "api.test:80", "u@a", "", "/\r\nX: y", "/#a", "PUT / HTTP/1.1",
        ]

        /// The frames of a few requests, with something wrong in every second one.
        private static func noise(_ random: inout SeededGenerator) -> [UInt8] {
            var frames: [[UInt8]] = []
            for number in 0..<(1 + random.below(4)) {
                let stream = UInt32(2 * number + 1)
                let hasBody = random.below(2) == 0
                var head = H2.pseudo(hasBody ? "POST" : "GET", "/\(number)")
                for _ in 0..<random.below(4) { head.append(random.pick(fields)) }
                if random.below(4) == 0 { head[random.below(head.count)].1 = random.pick(values) }
                if random.below(8) == 0 { head.remove(at: random.below(head.count)) }
                if random.below(8) == 0 { head.append(random.pick(head)) }
                frames.append(H2.head(stream, head, ends: !hasBody))
                if hasBody {
                    frames.append(H2.data(stream, random.below(4) == 0 ? "" : "hello", ends: random.below(3) > 0))
                    if random.below(3) == 0 { frames.append(H2.head(stream, [random.pick(fields)])) }
                }
                if random.below(8) == 0 { frames.append(H2.window(stream, UInt32(random.next() >> 33))) }
                if random.below(12) == 0 { frames.append(H2.reset(stream)) }
                if random.below(12) == 0 {
                    frames.append(H2.settings([(UInt16(random.below(9)), UInt32(random.below(1 << 20)))]))
                }
                if random.below(16) == 0 { frames.append(H2.frame(6, 0, 0, [UInt8](repeating: 1, count: 8))) }
            }
            if random.below(6) == 0 { frames.append(random.pick(frames)) }
            if random.below(6) == 0 { frames.shuffle(using: &random) }
            if random.below(6) == 0 { frames.remove(at: random.below(frames.count)) }
            var bytes = frames.flatMap { $0 }
            if random.below(4) == 0, !bytes.isEmpty {
                for _ in 0...random.below(3) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
            }
            return random.below(8) == 0 ? Array(bytes.prefix(random.below(bytes.count))) : bytes
        }

        /// Sends noise on connections of this kind, and gives how many it opened.
        private static func bother(_ edge: EdgeGateway, _ kind: ConnectionKind, seed: UInt64, until deadline: Deadline)
            -> Int
        {
            var random = SeededGenerator(state: seed)
            var count = 0
            while !deadline.hasPassed, count < 1_500 {
                count += 1
                guard let wire = try? edge.wire(kind) else { continue }
                try? wire.send(H2.preface + H2.settings([]))
                for _ in 0..<(1 + random.below(2)) { try? wire.send(noise(&random)) }
                var entry = pollfd(fd: wire.descriptor, events: Int16(POLLIN), revents: 0)
                while poll(&entry, 1, 2) > 0, (try? wire.readMore()) == true {}
                if random.below(2) == 0 { wire.reset() } else { wire.close() }
            }
            return count
        }

        /// What threads share that run at the same time; the gateway's places do not change.
        private struct Shared: @unchecked Sendable {
            let edge: EdgeGateway
        }

        @Test("Thousands of bent streams: every upstream request is well-formed, and nothing is left behind")
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
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(request.method == "HEAD" ? "" : "ok")")
                }
            }
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"head": "300ms", "body": "300ms"}"#), workers: 2
            )
            #expect(try edge.exchange(.http1, EdgeRequest("GET", "/first")).text == "ok")
            let before = try edge.process.descriptors() - 1
            let shared = Shared(edge: edge)
            let sent = Mutex(0)
            var seed: UInt64 = 0
            try edge.withstand("noise") {
                let deadline = Deadline(.seconds(2))
                let base = seed
                DispatchQueue.concurrentPerform(iterations: 4) { number in
                    let kind = ConnectionKind.allHTTP2[number % 2]
                    let count = Self.bother(shared.edge, kind, seed: base + UInt64(number + 1), until: deadline)
                    sent.withLock { $0 += count }
                }
                seed += 4
            }
            let found = faults.withLock { $0 }
            #expect(found.isEmpty, "\(found.count):\n\(found.prefix(5).joined(separator: "\n\n"))")
            #expect(sent.withLock { $0 } > 200 && heads.withLock { $0 } > 200)
            #expect(edge.process.exitCode == nil, "\(edge.process.transcript)")
            #expect(try edge.exchange(.http2, EdgeRequest("GET", "/last")).text == "ok")
            let internals = edge.process.lines().filter { $0.contains(#""cause":"internal""#) }
            #expect(internals.isEmpty, "\(internals.prefix(3))")
            try eventually("the descriptors are given back") {
                try edge.process.descriptors() <= before + stub.connections - stub.closedConnections
            }
        }
    }
}
