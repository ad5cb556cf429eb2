import ByteBuffers

/// What only the whole head of a request can tell: the same rules for every version of HTTP, in one place.
extension RequestHead {
    /// Reads framing, host, connection and expectation from the fields, and brings the path into its normal form, which
    /// is appended to the bytes where it differs.
    ///
    /// - Parameters:
    ///   - rest: What is left to do for the path.
    ///   - bodyFollows: Whether the framing of the connection itself says that a body follows, whatever the fields say:
    ///     in HTTP/2 the stream that does not end with the head.
    /// - Returns: Why the request is refused, or nil.
    mutating func settle(_ rest: RequestTarget.Rest, bodyFollows: Bool = false) -> RequestError? {
        if fields.contains(.framingLookalike) {
            return .badRequest("a framing field is spelt with an underscore")
        }
        switch MessageFraming(of: fields, in: bytes, version: version) {
        case .none where bodyFollows: framing = .chunked
        case .none: framing = .none
        case .length(let length): framing = .length(length)
        case .chunked: framing = .chunked
        case .fault(let detail): return .badRequest(detail)
        }
        if let error = HostField.read(&self) { return error }
        guard let options = ConnectionOptions(of: fields, in: bytes) else {
            return .badRequest("Connection has too many options")
        }
        connection = options
        keepsAlive = options.keepsAlive(version)
        if let error = readExpectation() { return error }
        switch rest {
        case .nothing: return nil
        case .normalise: return normalisePath().map { .badRequest($0.detail) }
        case .add:
            addPath()
            return nil
        }
    }

    /// `Expect` has one member that is known, `100-continue` (RFC 9110 §10.1.1). It is void without a body to wait for
    /// and in HTTP/1.0.
    private mutating func readExpectation() -> RequestError? {
        guard let index = fields.first(.expect) else { return nil }
        guard fields.firstIndex(of: .expect, after: index) == nil, value(index).equalsIgnoringCase("100-continue")
        else {
            return RequestError(.unsupportedExpectation, "the one expectation that can be met is 100-continue")
        }
        expectsContinue = version != .http10 && framing.hasBody
        return nil
    }
}
