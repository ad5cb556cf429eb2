import ByteBuffers
import HTTPMessage

/// Reads a route pattern from left to right. It runs when a configuration is read, never for a request.
struct RoutePatternParser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The methods before the first space; none where there is no space.
    mutating func parseMethods() throws(RoutePatternError) -> [String] {
        guard let space = bytes.firstIndex(of: UInt8(ascii: " ")) else { return [] }
        if space == 0 { throw fault("expected a method, a host or a path, found a space", at: 0) }
        var methods: [String] = []
        while position < space {
            var end = position
            while end < space, bytes[end] != UInt8(ascii: "|") { end += 1 }
            let method = try checkedMethod(position..<end)
            if methods.contains(method) { throw fault("\(method) is named twice", at: position) }
            methods.append(method)
            position = end + 1
        }
        if bytes[space - 1] == UInt8(ascii: "|") { throw fault("expected a method after |", at: space) }
        position = space
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
        return methods
    }

    /// The host before the first slash; nil where the path begins at once.
    mutating func parseHost() throws(RoutePatternError) -> String? {
        let slash = bytes[position...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        let text = String(decoding: bytes[position..<slash], as: UTF8.self)
        if slash == bytes.count {
            let isMethod = text.isEmpty || Self.isKnownMethod(text.uppercased())
            throw fault(
                isMethod ? "expected a path, which begins with /" : "expected a / and a path after the host \(text)",
                at: slash)
        }
        if text.isEmpty { return nil }
        if Self.isKnownMethod(text) { throw fault("expected a space between \(text) and the path", at: slash) }
        for index in position..<slash {
            switch bytes[index] {
            case UInt8(ascii: "*"):
                throw fault("wildcards in hosts are not supported: name each host, or none for all", at: index)
            case UInt8(ascii: "{"), UInt8(ascii: "}"):
                throw fault("a host has no parameters", at: index)
            case UInt8(ascii: ":") where bytes[position] != UInt8(ascii: "["):
                throw fault("a host stands without a port, which plays no part in matching", at: index)
            default: break
            }
        }
        let host = Array(bytes[position..<slash])
        guard let authority = Authority(host.span), authority.port == nil, Int(authority.host.count) == host.count,
            !host.contains(UInt8(ascii: "%"))
        else { throw fault("\(text) is not a host name or an address", at: position) }
        if host.last == UInt8(ascii: ".") { throw fault("a host stands without a dot at its end", at: slash - 1) }
        position = slash
        return text.lowercased()
    }

    /// The segments of the path, to the end of the text.
    mutating func parseSegments() throws(RoutePatternError) -> [RoutePattern.Segment] {
        var segments: [RoutePattern.Segment] = []
        var names: Set<String> = []
        while position < bytes.count {
            position += 1
            let start = position
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "/") { end += 1 }
            let segment = try parseSegment(start..<end, isLast: end == bytes.count)
            switch segment {
            case .literal: break
            case .parameter(let name), .rest(let name):
                if !names.insert(name).inserted { throw fault("the parameter {\(name)} is named twice", at: start) }
            }
            if segments.count == RoutePattern.maximumSegments {
                throw fault("a pattern has at most \(RoutePattern.maximumSegments) segments", at: start)
            }
            segments.append(segment)
            position = end
        }
        return segments
    }

    // MARK: - Pieces

    private func checkedMethod(_ range: Range<Int>) throws(RoutePatternError) -> String {
        let text = String(decoding: bytes[range], as: UTF8.self)
        let isToken = Array(bytes[range]).span.isToken
        guard isToken, range.count <= Method.longest else {
            throw fault("expected a method such as GET or POST|PUT before the space", at: range.lowerBound)
        }
        if text == "CONNECT" {
            throw fault("CONNECT cannot be routed: the gateway opens no tunnels", at: range.lowerBound)
        }
        if !Self.isKnownMethod(text), Self.isKnownMethod(text.uppercased()) {
            throw fault("methods are case-sensitive: write \(text.uppercased())", at: range.lowerBound)
        }
        return text
    }

    private static func isKnownMethod(_ text: String) -> Bool {
        Method.named(Array(text.utf8).span) != .other
    }

    private func parseSegment(_ range: Range<Int>, isLast: Bool) throws(RoutePatternError) -> RoutePattern.Segment {
        let open = bytes[range].firstIndex(of: UInt8(ascii: "{"))
        let close = bytes[range].firstIndex(of: UInt8(ascii: "}"))
        guard open != nil || close != nil else { return .literal(try parseLiteral(range)) }
        guard let open, open == range.lowerBound, let close, close == range.upperBound - 1 else {
            throw fault("a parameter is a whole segment, {name} or {name...}", at: open ?? close ?? range.lowerBound)
        }
        var name = bytes[(open + 1)..<close]
        let isRest = name.suffix(3).elementsEqual("...".utf8)
        if isRest { name.removeLast(3) }
        for index in name.indices {
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(name[index])
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(name[index] | 0x20)
            guard isLetter || name[index] == UInt8(ascii: "_") || isDigit && index > name.startIndex else {
                throw fault("a parameter's name has letters, digits and _, and begins with no digit", at: index)
            }
        }
        if name.isEmpty { throw fault("expected the parameter's name", at: open + 1) }
        let text = String(decoding: name, as: UTF8.self)
        if !isRest { return .parameter(text) }
        if !isLast { throw fault("{\(text)...} takes all that follows, so it is the last segment", at: open) }
        return .rest(text)
    }

    /// The literal in the normal form that paths of requests are brought to before they are matched.
    private func parseLiteral(_ range: Range<Int>) throws(RoutePatternError) -> [UInt8] {
        var literal: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "%"):
                let decoded = try decodedTriplet(at: index, end: range.upperBound)
                if decoded.isUnreserved {
                    literal.append(decoded)
                } else {
                    literal += "%".utf8
                    literal += String(decoding: bytes[(index + 1)..<(index + 3)], as: UTF8.self).uppercased().utf8
                }
                index += 3
                continue
            case UInt8(ascii: "*"):
                throw fault("* has no meaning in a path: write {name} for a segment, {name...} for the rest", at: index)
            case UInt8(ascii: ":") where index == range.lowerBound:
                throw fault("parameters are written {name}, not :name", at: index)
            case UInt8(ascii: "?"):
                throw fault("a pattern has no query: use \"when\": {\"query\": …}", at: index)
            case UInt8(ascii: "#"): throw fault("a fragment never reaches a server", at: index)
            case UInt8(ascii: "\\"): throw fault("a path has no backslash", at: index)
            case 0x80...0xFF:
                let hex = String(byte, radix: 16, uppercase: true)
                throw fault("characters beyond ASCII are percent-encoded in a path: here %\(hex)…", at: index)
            case 0x21...0x7E: literal.append(byte)
            default: throw fault("spaces and control characters have no place in a path", at: index)
            }
            index += 1
        }
        if literal == Array(".".utf8) || literal == Array("..".utf8) {
            throw fault("dot segments are resolved before a path is matched", at: range.lowerBound)
        }
        return literal
    }

    private func decodedTriplet(at index: Int, end: Int) throws(RoutePatternError) -> UInt8 {
        guard index + 2 < end, let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue else {
            throw fault("expected two hexadecimal digits after %", at: index)
        }
        let decoded = high << 4 | low
        if decoded == 0 { throw fault("a path with %00 is never accepted", at: index) }
        return decoded
    }

    private func fault(_ message: String, at offset: Int) -> RoutePatternError {
        RoutePatternError(offset: offset, message: message)
    }
}

extension UInt8 {
    /// Whether it is one of RFC 3986's unreserved characters (§2.3), which percent-encoding does not change.
    fileprivate var isUnreserved: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
