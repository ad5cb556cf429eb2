import ByteBuffers
import HTTPMessage

/// A request target: its form, and the normal form of its path.
enum PathFuzz {
    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let path = Array(input.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        if path.first == UInt8(ascii: "/"), path.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) { try checkPath(path) }
        for method in ["GET ", "OPTIONS ", "CONNECT "] { try checkTarget(input, method) }
    }

    /// The normal form that the gateway finds is that of a plain reading of RFC 3986 §6.2.2.
    private static func checkPath(_ path: [UInt8]) throws(BrokenProperty) {
        var buffer = ByteBuffer()
        buffer.append(path)
        let fault = buffer.appendNormalisedPath(ByteRange(start: 0, count: path.count))
        let all = Array(copying: buffer)
        try require(Array(all.prefix(path.count)) == path, "the path itself was changed")
        let expected = PlainPath.normal(path)
        guard fault == nil else {
            try require(all.count == path.count, "a refused path leaves something behind")
            try require(
                expected == nil || PlainPath.mayBeAmbiguous(path),
                "a plain path is refused: \(String(describing: fault))")
            return
        }
        let normal = Array(all.dropFirst(path.count))
        try require(normal.count <= path.count, "the normal form is longer")
        guard let expected else { throw BrokenProperty("a path without a normal form is accepted") }
        try requireSame(normal, expected, "the normal form is another")
        try checkNormal(normal)
    }

    /// What holds for every path that the gateway matches and sends.
    static func checkNormal(_ path: [UInt8]) throws(BrokenProperty) {
        let text = String(decoding: path, as: UTF8.self)
        try require(path.first == UInt8(ascii: "/"), "a path does not begin with a slash: \(text)")
        try require(path.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a path has a byte of no URI")
        for byte in [UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "\\")] {
            try require(!path.contains(byte), "a path has a byte of no path: \(text)")
        }
        // As the most careless recipient would read it: triplets undone, parameters dropped, both slashes taken.
        for piece in PlainPath.carelessSegments(path) {
            try require(piece != Array(".".utf8) && piece != Array("..".utf8), "a dot segment is left: \(text)")
        }
        try require(PlainPath.normal(path) == path, "a normal path is not normal: \(text)")
        var buffer = ByteBuffer()
        buffer.append(path)
        let fault = buffer.appendNormalisedPath(ByteRange(start: 0, count: path.count))
        try require(fault == nil, "a normal path is refused: \(text)")
        try require(Array(copying: buffer) == path + path, "the normal form of a normal path is another: \(text)")
    }

    /// The target in a request line: what is accepted is normal.
    private static func checkTarget(_ target: [UInt8], _ method: String) throws(BrokenProperty) {
        let head = Array(method.utf8) + target + Array(" HTTP/1.1\r\nHost: a.example\r\n\r\n".utf8)
        let reading = try HTTP1RequestFuzz.read(head, cutAt: [], limits: HTTP1RequestFuzz.wideLimits)
        guard let read = reading.messages.first?.head, read.target == target else { return }
        try require(!target.contains { $0 <= 0x20 || $0 >= 0x7F }, "a target has a byte of no URI")
        guard read.method != "CONNECT", !read.isAsterisk else { return }
        try checkNormal(read.path)
    }
}

/// The rules for paths, written for their plainness and not for speed.
enum PlainPath {
    /// The normal form (RFC 3986 §6.2.2), or nil where there is none: a bad triplet, NUL, `\`, above the root.
    static func normal(_ path: [UInt8]) -> [UInt8]? {
        guard !path.contains(UInt8(ascii: "\\")) else { return nil }
        var kept: [[UInt8]] = []
        let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        for (number, segment) in segments.enumerated() {
            guard let text = normalTriplets(Array(segment)) else { return nil }
            let isLast = number == segments.count - 1
            if text == Array(".".utf8) || text == Array("..".utf8) {
                if text.count == 2, kept.popLast() == nil { return nil }
                if isLast { kept.append([]) }
            } else {
                kept.append(text)
            }
        }
        return kept.flatMap { [UInt8(ascii: "/")] + $0 }
    }

    private static func normalTriplets(_ segment: [UInt8]) -> [UInt8]? {
        var text: [UInt8] = []
        var rest = segment[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                text.append(byte)
                continue
            }
            guard let value = value(ofDigits: rest.prefix(2)), value != 0 else { return nil }
            rest = rest.dropFirst(2)
            if isUnreserved(value) {
                text.append(value)
            } else {
                let digits = String(value, radix: 16, uppercase: true)
                text += Array((digits.utf8.count == 1 ? "%0" : "%").utf8) + Array(digits.utf8)
            }
        }
        return text
    }

    private static func value(ofDigits digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2, digits.allSatisfy({ $0.hexValue != nil }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        byte.isTokenByte && !"!#$%&'*+^`|".utf8.contains(byte)
    }

    /// Whether the gateway may refuse a path that has a normal form: some recipient reads a dot segment in it, or an
    /// overlong form of UTF-8.
    static func mayBeAmbiguous(_ path: [UInt8]) -> Bool {
        let text = String(decoding: path.map(\.asciiLowercased), as: UTF8.self)
        if ["%c0", "%c1", "%e0", "%f0"].contains(where: { text.contains($0) }) { return true }
        return carelessSegments(path).contains { $0 == Array(".".utf8) || $0 == Array("..".utf8) }
    }

    /// The segments as a recipient has them that undoes every triplet, takes `\` and what was encoded for `/` and drops
    /// what follows a `;`.
    static func carelessSegments(_ path: [UInt8]) -> [[UInt8]] {
        var segments: [[UInt8]] = [[]]
        var isParameter = false
        var rest = path[...]
        while var byte = rest.popFirst() {
            if byte == UInt8(ascii: ";") { isParameter = true }
            if byte == UInt8(ascii: "%"), let value = value(ofDigits: rest.prefix(2)) {
                byte = value
                rest = rest.dropFirst(2)
            }
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
                segments.append([])
                isParameter = false
            } else if !isParameter {
                segments[segments.count - 1].append(byte)
            }
        }
        return segments
    }
}
