import ByteBuffers

/// A request target (RFC 9112 §3.2) taken apart; the ranges point into the bytes of the head.
struct RequestTarget {
    /// The normalised path; see ``RequestHead/path``.
    private(set) var path = ByteRange()
    private(set) var query = ByteRange()
    private(set) var hasQuery = false
    /// The authority, where the target names one.
    private(set) var authority = ByteRange()
    private(set) var host = ByteRange()
    private(set) var port: UInt16?
    private(set) var hasAuthority = false
    private(set) var isAsterisk = false
    /// What is left to do for the path once the whole head is there, since it adds to the bytes.
    private(set) var rest = Rest.nothing

    enum Rest {
        /// The path is normal as it stands.
        case nothing
        /// The path may not be normal.
        case normalise
        /// The target of an absolute form has no path: `/` is meant, or `*`.
        case add
    }

    /// Reads the target at `range` in the form that the method asks for.
    ///
    /// - Parameters:
    ///   - range: Where the target stands, without the spaces around it.
    ///   - bytes: The bytes of the head.
    ///   - method: The method of the request.
    /// - Returns: Why the target is refused, or nil.
    mutating func read(_ range: ByteRange, in bytes: borrowing ByteBuffer, method: Method) -> RequestError? {
        if method == .connect { return readAuthorityForm(range, in: bytes) }
        guard !range.isEmpty, range.end <= bytes.count else { return .badRequest("the request target is empty") }
        switch bytes[Int(range.start)] {
        case UInt8(ascii: "/"):
            return readPathAndQuery(from: Int(range.start), to: range.end, in: bytes)
        case UInt8(ascii: "*") where range.count == 1:
            guard method == .options else { return .badRequest("the target * goes with OPTIONS alone") }
            isAsterisk = true
            path = range
            return nil
        default:
            return readAbsoluteForm(range, in: bytes, method: method)
        }
    }

    /// `http://authority/path?query` (RFC 9112 §3.2.2): its authority wins over `Host`.
    private mutating func readAbsoluteForm(
        _ range: ByteRange, in bytes: borrowing ByteBuffer, method: Method
    ) -> RequestError? {
        guard let schemeLength = RequestTarget.schemeLength(bytes.span(range)) else {
            return .badRequest("the request target has no form that the method allows")
        }
        let start = Int(range.start) + schemeLength
        var end = start
        while end < range.end, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?") { end += 1 }
        if let error = readAuthority(ByteRange(start: start, count: end - start), in: bytes) { return error }
        if end < range.end, bytes[end] == UInt8(ascii: "/") {
            return readPathAndQuery(from: end, to: range.end, in: bytes)
        }
        if let error = readQuery(from: end, to: range.end, in: bytes.span) { return error }
        // An empty path means `/`, and `*` in OPTIONS without a query (RFC 9112 §3.2.4).
        isAsterisk = method == .options && end == range.end
        rest = .add
        return nil
    }

    private static func schemeLength(_ target: Span<UInt8>) -> Int? {
        if target.count >= 7, target.extracting(0..<7).equalsIgnoringCase("http://") { return 7 }
        if target.count >= 8, target.extracting(0..<8).equalsIgnoringCase("https://") { return 8 }
        return nil
    }

    /// `host:port`, for CONNECT alone (RFC 9112 §3.2.3).
    private mutating func readAuthorityForm(_ range: ByteRange, in bytes: borrowing ByteBuffer) -> RequestError? {
        if let error = readAuthority(range, in: bytes) { return error }
        return port == nil ? .badRequest("the target of CONNECT has no port") : nil
    }

    private mutating func readAuthority(_ range: ByteRange, in bytes: borrowing ByteBuffer) -> RequestError? {
        guard let parts = Authority(bytes.span(range)) else {
            return .badRequest("the authority in the request target is not host and port")
        }
        authority = range
        host = ByteRange(start: Int(range.start), count: Int(parts.host.count))
        port = parts.port
        hasAuthority = true
        return nil
    }

    /// Reads the path that begins with `/` at `start`, and the query behind it.
    private mutating func readPathAndQuery(from start: Int, to end: Int, in bytes: borrowing ByteBuffer)
        -> RequestError?
    {
        let (pathEnd, isNormal) = RequestTarget.scanPath(from: start, to: end, in: bytes.span)
        if pathEnd < end, bytes[pathEnd] != UInt8(ascii: "?") {
            let isBackslash = bytes[pathEnd] == UInt8(ascii: "\\")
            return .badRequest(isBackslash ? PathFault.backslash.detail : RequestTarget.foreignByte)
        }
        if let error = readQuery(from: pathEnd, to: end, in: bytes.span) { return error }
        path = ByteRange(start: start, count: pathEnd - start)
        if !isNormal { rest = .normalise }
        return nil
    }

    /// The end of the path: where a `?` stands, or a byte that no path has, or the target ends. And whether the path is
    /// sure to be normal as it stands: no `%`, and no segment that begins with a dot.
    private static func scanPath(from start: Int, to end: Int, in bytes: Span<UInt8>) -> (end: Int, isNormal: Bool) {
        var index = start
        var isNormal = true
        while index < end {
            let byte = bytes[index]
            if ByteClass.contains(byte, ByteClass.plainPath) {
                index += 1
            } else if byte == UInt8(ascii: "/") {
                index += 1
                if index < end, bytes[index] == UInt8(ascii: ".") { isNormal = false }
            } else if byte == UInt8(ascii: "%") {
                isNormal = false
                index += 1
            } else {
                break
            }
        }
        return (index, isNormal)
    }

    /// Reads `?query` at `start`, or nothing where the target ends.
    private mutating func readQuery(from start: Int, to end: Int, in bytes: Span<UInt8>) -> RequestError? {
        guard start < end else { return nil }
        for index in (start + 1)..<end where !ByteClass.contains(bytes[index], ByteClass.target) {
            return .badRequest(RequestTarget.foreignByte)
        }
        hasQuery = true
        query = ByteRange(start: start + 1, count: end - start - 1)
        return nil
    }

    private static var foreignByte: StaticString { "the request target has a byte that may not stand in it" }
}
