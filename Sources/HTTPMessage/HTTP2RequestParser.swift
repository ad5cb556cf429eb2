import ByteBuffers

/// Builds request heads from the fields of HTTP/2 header blocks (RFC 9113 §8.2, §8.3), by the rules that hold for
/// HTTP/1.1 as well.
///
/// What HTTP/2 adds is checked here: lower-case names, pseudo-fields, no fields of the connection, cookie crumbs. Each
/// field is then written into the head as the line that it would be in HTTP/1.1, so that the same code reads the target,
/// host and framing, and the same code passes the lines on. One parser serves one connection, whose header blocks never
/// mix. Nothing is stored once a request has been found faulty.
package struct HTTP2RequestParser: ~Copyable {
    /// What a header block turned out to be.
    package enum Outcome: Equatable, Sendable {
        case accepted
        /// Not a message of HTTP/2: a stream error (RFC 9113 §8.1.1). The text says what is wrong.
        case malformed(StaticString)
        /// A message that HTTP/1.1 would refuse, too: it is answered.
        case refused(RequestError)

        package static func == (left: Outcome, right: Outcome) -> Bool {
            switch (left, right) {
            case (.accepted, .accepted): true
            case (.malformed(let one), .malformed(let other)): one.hasSameText(as: other)
            case (.refused(let one), .refused(let other)): one == other
            default: false
            }
        }
    }

    private let limits: HeadLimits
    private var seen: Pseudo = []
    private var methodRange = ByteRange()
    private var pathRange = ByteRange()
    private var authorityRange = ByteRange()
    /// The crumbs of `Cookie`, joined (RFC 9113 §8.2.3).
    private var cookie = ByteBuffer()
    private var hasCookie = false
    private var fieldLines = 0
    private var listSize = 0
    private var fault: Outcome?
    /// How many bytes of body the head promises, where it does: also 0 with a body that follows.
    package private(set) var declaredLength: UInt64?

    /// The pseudo-fields of a request.
    private struct Pseudo: OptionSet {
        let rawValue: UInt8
        static let method = Pseudo(rawValue: 1)
        static let scheme = Pseudo(rawValue: 2)
        static let path = Pseudo(rawValue: 4)
        static let authority = Pseudo(rawValue: 8)
    }

    package init(limits: HeadLimits) { self.limits = limits }

    /// Begins another head; memory is kept.
    package mutating func begin(_ head: inout RequestHead) {
        head.reset()
        seen = []
        methodRange = ByteRange()
        pathRange = ByteRange()
        authorityRange = ByteRange()
        cookie.removeAll(keeping: 4096)
        hasCookie = false
        fieldLines = 0
        listSize = 0
        fault = nil
        declaredLength = nil
    }

    // MARK: - Fields

    /// Takes the next field of the block.
    package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>, to head: inout RequestHead) {
        guard fault == nil else { return }
        // RFC 9113 §6.5.2 counts like this, so that the number of fields costs something, too.
        listSize += name.count + value.count + 32
        if name.count > 0, name[0] == UInt8(ascii: ":") {
            fault = addPseudo(name, value, to: &head)
        } else {
            fieldLines += 1
            fault = addRegular(name, value, to: &head)
        }
        guard fault == nil else { return }
        if listSize > limits.head {
            fault = .refused(RequestError(.headersTooLarge, "the head is too large"))
        } else if fieldLines > limits.fields {
            fault = .refused(RequestError(.headersTooLarge, "the head has too many fields"))
        }
    }

    private mutating func addPseudo(_ name: Span<UInt8>, _ value: Span<UInt8>, to head: inout RequestHead) -> Outcome? {
        guard fieldLines == 0 else { return .malformed("a pseudo-field stands behind a field") }
        guard value.isFieldValue else { return HTTP2RequestParser.badValue }
        let pseudo: Pseudo
        if name.equals(":method") {
            pseudo = .method
        } else if name.equals(":path") {
            pseudo = .path
        } else if name.equals(":scheme") {
            pseudo = .scheme
        } else if name.equals(":authority") {
            pseudo = .authority
        } else {
            return .malformed("a pseudo-field is unknown")
        }
        guard seen.insert(pseudo).inserted else { return .malformed("a pseudo-field stands twice") }
        guard value.count > 0 else { return .malformed("a pseudo-field is empty") }
        if pseudo == .scheme {
            guard value.equalsIgnoringCase("http") || value.equalsIgnoringCase("https") else {
                return .refused(.badRequest("the scheme is neither http nor https"))
            }
            return nil
        }
        if pseudo == .path, value.count > limits.target { return .refused(HTTP1RequestParser.targetTooLong) }
        let range = ByteRange(start: head.bytes.count, count: value.count)
        if listSize <= limits.head {
            head.bytes.append(value)
            head.bytes.append("\r\n")
        }
        switch pseudo {
        case .method: methodRange = range
        case .path: pathRange = range
        default: authorityRange = range
        }
        return nil
    }

    private mutating func addRegular(_ name: Span<UInt8>, _ value: Span<UInt8>, to head: inout RequestHead) -> Outcome?
    {
        guard name.isLowerCaseToken else { return .malformed("a field name is not a token in lower case") }
        guard value.isFieldValue else { return HTTP2RequestParser.badValue }
        guard listSize <= limits.head, fieldLines <= limits.fields else { return nil }
        let id = HeaderName.named(name)
        switch id {
        case .connection, .proxyConnection, .keepAlive, .transferEncoding, .upgrade:
            return .malformed("a field is about a connection of HTTP/1")
        case .te:
            guard value.equalsIgnoringCase("trailers") else { return .malformed("TE is not the one word trailers") }
        case .cookie:
            if hasCookie { cookie.append("; ") }
            hasCookie = true
            cookie.append(value)
            return nil
        default: break
        }
        head.appendLine(name, value, id)
        return nil
    }

    private static var badValue: Outcome { .malformed("a field value has a byte that may not stand in it or there") }

    // MARK: - The end of the block

    /// Reads the head as a whole.
    ///
    /// - Parameter endsStream: Whether nothing follows the block: the request has no body.
    package mutating func finish(_ head: inout RequestHead, endsStream: Bool) -> Outcome {
        if let fault { return fault }
        head.version = .http2
        guard seen.contains(.method) else { return .malformed("there is no :method") }
        head.methodRange = methodRange
        guard methodRange.count <= Method.longest, head.span(methodRange).isToken else {
            return .refused(HTTP1RequestParser.badMethod)
        }
        head.method = Method.named(head.span(methodRange))
        let isConnect = head.method == .connect
        if isConnect {
            guard seen == [.method, .authority] else { return .malformed("CONNECT has no :path and no :scheme") }
        } else {
            guard seen.isSuperset(of: [.path, .scheme]) else { return .malformed("there is no :path or no :scheme") }
            guard head.hasPathForm(pathRange) else { return .malformed(":path is not a path") }
        }
        if let fault = settleAuthority(&head) { return fault }
        if hasCookie { head.appendLine("cookie", cookie.span, .cookie) }
        head.target = isConnect ? authorityRange : pathRange
        var target = RequestTarget()
        if let error = target.read(head.target, in: head.bytes, method: head.method) { return .refused(error) }
        head.take(target)
        if let error = head.settle(target.rest, bodyFollows: !endsStream) { return .refused(error) }
        return settleLength(&head, endsStream: endsStream)
    }

    /// `:authority` is `Host` by another name: whoever reads the head finds it there (RFC 9113 §8.3.1).
    private func settleAuthority(_ head: inout RequestHead) -> Outcome? {
        guard seen.contains(.authority) else { return nil }
        if let index = head.fields.first(.host) {
            return head.isSame(authorityRange, head.fields[index].value)
                ? nil : .malformed(":authority and Host do not agree")
        }
        let start = head.bytes.count
        head.bytes.append("host: ")
        head.bytes.appendOwn(authorityRange)
        head.bytes.append("\r\n")
        head.fields.append(
            HeaderField(
                name: ByteRange(start: start, count: 4),
                value: ByteRange(start: start + 6, count: Int(authorityRange.count)), id: .host))
        return nil
    }

    private mutating func settleLength(_ head: inout RequestHead, endsStream: Bool) -> Outcome {
        if let index = head.fields.first(.contentLength) {
            declaredLength = MessageFraming.decimal(head.value(index))
        }
        if endsStream, let declaredLength, declaredLength > 0 {
            return .malformed("the body is shorter than Content-Length")
        }
        return .accepted
    }
}

extension TrailerSection {
    /// Takes the next field of a header block that follows a body. Fields that may not stand there are left out.
    ///
    /// - Returns: What is wrong with the block (RFC 9113 §8.1), or nil.
    package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>) -> StaticString? {
        guard name.isLowerCaseToken else { return "a trailer's name is not a token in lower case" }
        guard value.isFieldValue else { return "a trailer's value has a byte that may not stand in it or there" }
        guard bytes.count + name.count + value.count + 4 <= TrailerSection.mostBytes else {
            return "the trailer section is too large"
        }
        guard fields.count < TrailerSection.mostFields else { return "the trailer section has too many fields" }
        let id = HeaderName.named(name)
        if TrailerSection.mayHold(id) { fields.appendLine(name, value, id, in: &bytes) }
        return nil
    }
}

extension HeaderBlock {
    /// Adds a field, written as a line of HTTP/1.1 behind `bytes`.
    mutating func appendLine(
        _ name: Span<UInt8>, _ value: Span<UInt8>, _ id: HeaderName, in bytes: inout ByteBuffer
    ) {
        let start = bytes.count
        bytes.append(name)
        bytes.append(": ")
        bytes.append(value)
        bytes.append("\r\n")
        append(
            HeaderField(
                name: ByteRange(start: start, count: name.count),
                value: ByteRange(start: start + name.count + 2, count: value.count), id: id))
    }
}

extension RequestHead {
    fileprivate mutating func appendLine(_ name: Span<UInt8>, _ value: Span<UInt8>, _ id: HeaderName) {
        fields.appendLine(name, value, id, in: &bytes)
    }

    fileprivate mutating func appendLine(_ name: StaticString, _ value: Span<UInt8>, _ id: HeaderName) {
        // SAFETY: the text of a static string with a pointer lives for ever.
        let text = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        fields.appendLine(Span(_unsafeElements: text), value, id, in: &bytes)
    }

    /// Whether the range begins with `/` or is `*`: the forms that `:path` has (RFC 9113 §8.3.1).
    fileprivate borrowing func hasPathForm(_ range: ByteRange) -> Bool {
        let text = span(range)
        return text.count > 0 && (text[0] == UInt8(ascii: "/") || text.equals("*"))
    }

    /// Whether both ranges hold the same text, in any case.
    fileprivate borrowing func isSame(_ one: ByteRange, _ other: ByteRange) -> Bool {
        span(one).equalsIgnoringCase(span(other))
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes are a token without upper-case letters.
    var isLowerCaseToken: Bool {
        for index in 0..<count {
            let byte = self[unchecked: index]
            if !ByteClass.isToken(byte) || byte &- UInt8(ascii: "A") < 26 { return false }
        }
        return count > 0
    }

    /// Whether the bytes are a field value: no control byte but HTAB, and no white space around it (RFC 9113 §8.2.1).
    var isFieldValue: Bool {
        guard count > 0 else { return true }
        if self[0].isBlank || self[count - 1].isBlank { return false }
        var index = 0
        while true {
            index = firstControl(from: index, to: count)
            if index == count { return true }
            if self[index] != UInt8(ascii: "\t") { return false }
            index += 1
        }
    }
}
