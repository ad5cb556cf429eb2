import ByteBuffers
import DistributedTracing
import HTTPListener
import HTTPMessage
import Upstreams

/// Attributes of spans that a configuration fixes, as they stand in OTLP: made once, so that telling them is a copy.
struct SpanBlocks: ~Copyable {
    private var bytes = ByteBuffer()
    private var ranges = PlainList<ByteRange>()
    private let goodCalls: Int
    private let statuses: Int
    private let attempts: Int
    private let routes: Int
    private let upstreams: Int

    private static let methods: [StaticString] = [
        "_OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY",
    ]
    private static let versions: [StaticString] = ["1.0", "1.1", "2"]
    /// The statuses of HTTP (RFC 9110 §15).
    private static let codes = 100...599
    private static let numbers = 1...4

    /// The attributes of routes with these paths and upstreams with these names, by their numbers.
    init(routePaths: [[UInt8]], upstreamNames: [[UInt8]]) {
        goodCalls = 2 * Self.methods.count + 2 * Self.versions.count
        statuses = goodCalls + Self.methods.count
        attempts = statuses + Self.codes.count
        routes = attempts + Self.numbers.count
        upstreams = routes + routePaths.count
        for method in Self.methods { add { $0.add("http.request.method", method) } }
        for method in Self.methods {
            add {
                $0.setName(Array("\(method)".utf8).span)
                $0.add("http.request.method", method)
            }
        }
        for version in Self.versions {
            for scheme in ["http", "https"] as [StaticString] {
                add {
                    $0.add("url.scheme", scheme)
                    $0.add("network.protocol.version", version)
                }
            }
        }
        for method in Self.methods {
            add {
                $0.setName(Array("\(method)".utf8).span)
                $0.add("http.request.method", method)
                $0.add("http.response.status_code", 200)
                $0.add("banyan.attempt", 1)
            }
        }
        for code in Self.codes { add { $0.add("http.response.status_code", code) } }
        for number in Self.numbers { add { $0.add("banyan.attempt", number) } }
        for path in routePaths { add { if !path.isEmpty { $0.add("http.route", path) } } }
        for name in upstreamNames { add { $0.add("banyan.served_by", name) } }
    }

    private mutating func add(_ write: (inout SpanWriter) -> Void) {
        let block = SpanWriter.attributes(write)
        ranges.append(ByteRange(start: bytes.count, count: block.count))
        bytes.append(block)
    }

    /// Adds the method, `_OTHER` where it is none of those that have a name.
    borrowing func addMethod(_ method: Method, to writer: inout SpanWriter) { add(Int(method.rawValue), to: &writer) }

    /// Adds the name of a request with this method, which has a name, by a route with this path, and the method.
    borrowing func addServer(_ method: Method, _ path: [UInt8], to writer: inout SpanWriter) {
        let name = Array("\(Self.methods[Int(method.rawValue)])".utf8)
        writer.setName(name.span, path)
        addMethod(method, to: &writer)
    }

    /// Adds the name of a call with this method, which has a name, and the method.
    borrowing func addCall(_ method: Method, to writer: inout SpanWriter) {
        add(Self.methods.count + Int(method.rawValue), to: &writer)
    }

    /// Adds the name, the method, the status and the number of a first attempt with a method that has a name, which was
    /// answered with 200: what most calls are.
    borrowing func addGoodCall(_ method: Method, to writer: inout SpanWriter) {
        add(goodCalls + Int(method.rawValue), to: &writer)
    }

    /// Adds the scheme and the version of the client's protocol.
    borrowing func addProtocol(_ version: HTTPVersion, isSecure: Bool, to writer: inout SpanWriter) {
        add(2 * Self.methods.count + 2 * Int(version.rawValue) + (isSecure ? 1 : 0), to: &writer)
    }

    /// Adds the status of an answer.
    borrowing func addStatus(_ status: UInt16, to writer: inout SpanWriter) {
        let code = Int(status)
        if Self.codes.contains(code) {
            add(statuses + code - Self.codes.lowerBound, to: &writer)
        } else {
            writer.add("http.response.status_code", code)
        }
    }

    /// Adds which attempt it is, counted from 1.
    borrowing func addAttempt(_ number: Int, to writer: inout SpanWriter) {
        if Self.numbers.contains(number) {
            add(attempts + number - Self.numbers.lowerBound, to: &writer)
        } else {
            writer.add("banyan.attempt", number)
        }
    }

    /// Adds the path of the route with this number.
    borrowing func addRoute(_ number: Int, to writer: inout SpanWriter) { add(routes + number, to: &writer) }

    /// Adds the name of the upstream with this number as the one that was decided for.
    borrowing func addServedBy(_ number: Int, to writer: inout SpanWriter) { add(upstreams + number, to: &writer) }

    private borrowing func add(_ number: Int, to writer: inout SpanWriter) {
        writer.add(madeBefore: bytes.span(ranges[number]))
    }

    /// What spans say about a client that is this peer itself.
    static func client(_ peer: PeerAddress) -> [UInt8] {
        SpanWriter.attributes { writer in
            var text = ByteBuffer()
            text.append(peer.address)
            writer.add("client.address", text.span)
            writer.add("network.peer.address", text.span)
            writer.add("network.peer.port", Int(peer.port))
        }
    }

    /// What spans of calls say about `endpoint` of the upstream with this name.
    static func call(of endpoint: Endpoint, upstream name: [UInt8]) -> [UInt8] {
        SpanWriter.attributes { writer in
            writer.add("server.address", endpoint.host)
            writer.add("server.port", Int(endpoint.port))
            writer.add("network.protocol.version", endpoint.isHTTP2 ? "2" : "1.1")
            writer.add("banyan.upstream", name)
        }
    }
}
