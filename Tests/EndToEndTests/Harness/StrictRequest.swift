import Foundation

/// Checks what an upstream is sent byte by byte, by the letter of RFC 9112, with nothing of the gateway's own parser.
enum StrictRequest {
    /// Fields that concern one connection only, and are none of an upstream's business (RFC 9110 §7.6.1).
    private static let hopByHop: Set = [
        "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "trailer", "upgrade",
    ]

    /// What is wrong with a head, which goes up to its empty line and does not include it; nil if nothing is.
    static func fault(in head: [UInt8]) -> String? {
        let lines = split(head)
        guard let first = lines.first else { return "no request line" }
        if lines.contains(where: { $0.contains(13) || $0.contains(10) }) { return "a bare CR or LF" }
        let words = first.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, isToken(words[0]), words[2].elementsEqual("HTTP/1.1".utf8) else {
            return "no request line: \(text(first))"
        }
        let target = words[1]
        guard target.first == UInt8(ascii: "/") || target.elementsEqual("*".utf8),
            target.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
        else { return "no target: \(text(first))" }
        var values: [String: [String]] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]) else {
                return "no field: \(text(line))"
            }
            let value = line[(colon + 1)...]
            guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 }) else {
                return "control bytes: \(text(line))"
            }
            values[text(line[..<colon]).lowercased(), default: []]
                .append(text(value).trimmingCharacters(in: .whitespaces))
        }
        return fault(in: values)
    }

    private static func fault(in values: [String: [String]]) -> String? {
        if values["host"]?.count != 1 { return "Host: \(values["host"] ?? [])" }
        let lengths = values["content-length"] ?? []
        let codings = values["transfer-encoding"] ?? []
        if lengths.count + codings.count > 1 { return "two framings: \(lengths) \(codings)" }
        if let length = lengths.first, length.isEmpty || !length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return "Content-Length: \(length)"
        }
        if let coding = codings.first, coding != "chunked" { return "Transfer-Encoding: \(coding)" }
        if let found = hopByHop.first(where: { values[$0] != nil }) { return "a field of the connection: \(found)" }
        if let te = values["te"], te != ["trailers"] { return "TE: \(te)" }
        for name in ["traceparent", "x-request-id", "via"] where values[name]?.isEmpty != false { return "no \(name)" }
        if values["traceparent"]?.count != 1 { return "traceparent: \(values["traceparent"] ?? [])" }
        return nil
    }

    /// Reads a chunked body by the letter; the fault if there is one. Throws when it is cut off.
    static func faultInChunkedBody(reading wire: Wire) throws -> String? {
        while true {
            let line = try wire.take(upTo: "\r\n")
            guard !line.isEmpty, line.count <= 15, line.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let size = Int(text(line), radix: 16)
            else { return "no chunk size: \(text(line))" }
            if size == 0 { break }
            _ = try wire.take(size)
            guard try wire.take(2) == [13, 10] else { return "a chunk does not end where it said" }
        }
        while true {
            let line = try wire.take(upTo: "\r\n")
            if line.isEmpty { return nil }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]),
                line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 })
            else { return "no trailer: \(text(line))" }
        }
    }

    private static func split(_ head: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var rest = head[...]
        while let end = rest.firstRange(of: [13, 10]) {
            lines.append(rest[..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        return lines + [rest]
    }

    private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
