import ByteBuffers

/// What the `Connection` fields of a message say (RFC 9110 §7.6.1).
package struct ConnectionOptions: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let close = ConnectionOptions(rawValue: 1)
    package static let keepAlive = ConnectionOptions(rawValue: 2)
    package static let upgrade = ConnectionOptions(rawValue: 4)
    package static let te = ConnectionOptions(rawValue: 8)
    /// Other options: each may be the name of a field that goes no further than this connection.
    package static let namesFields = ConnectionOptions(rawValue: 16)

    /// How many options one message may have. Each field is held against each option when a message is passed on, so
    /// the number is bounded; real messages have two or three.
    static let most = 64

    /// Reads the `Connection` fields; nil when there are more than ``most`` options.
    init?(of fields: borrowing HeaderBlock, in bytes: borrowing ByteBuffer) {
        self = []
        var count = 0
        var next = fields.first(.connection)
        while let index = next {
            let value = bytes.span(fields[index].value)
            var cursor = ListCursor()
            while let range = cursor.next(in: value) {
                count += 1
                if count > ConnectionOptions.most { return nil }
                insert(ConnectionOptions(named: value.slice(range)))
            }
            next = fields.firstIndex(of: .connection, after: index)
        }
    }

    private init(named option: Span<UInt8>) {
        switch option.count {
        case 2 where option.equalsIgnoringCase("te"): self = .te
        case 5 where option.equalsIgnoringCase("close"): self = .close
        case 7 where option.equalsIgnoringCase("upgrade"): self = .upgrade
        case 10 where option.equalsIgnoringCase("keep-alive"): self = .keepAlive
        default: self = .namesFields
        }
    }

    /// Whether the connection may carry another message after this one (RFC 9112 §9.3).
    func keepsAlive(_ version: HTTPVersion) -> Bool {
        if contains(.close) { return false }
        return version != .http10 || contains(.keepAlive)
    }
}

extension HeaderBlock {
    /// Whether a `Connection` field has the option `name`, in any case.
    func connectionNames(_ name: Span<UInt8>, in bytes: borrowing ByteBuffer) -> Bool {
        var next = first(.connection)
        while let index = next {
            let value = bytes.span(self[index].value)
            var cursor = ListCursor()
            while let range = cursor.next(in: value) {
                if value.slice(range).equalsIgnoringCase(name) { return true }
            }
            next = firstIndex(of: .connection, after: index)
        }
        return false
    }
}
