import ByteBuffers
import HTTPMessage

/// Everything that is known of a request's head, as values that can be compared.
struct ReadRequest: Equatable {
    var method: String
    var version: HTTPVersion
    var target: [UInt8]
    var path: [UInt8]
    var query: [UInt8]?
    var authority: [UInt8]?
    var host: [UInt8]
    var port: UInt16?
    var isAsterisk: Bool
    var framing: BodyFraming
    var keepsAlive: Bool
    var expectsContinue: Bool
    var connection: UInt8
    var fields: [ReadField]

    init(_ head: borrowing RequestHead) throws(BrokenProperty) {
        func bytes(_ range: ByteRange, of head: borrowing RequestHead) throws(BrokenProperty) -> [UInt8] {
            try require(range.end <= head.bytes.count, "a range of the head ends behind its bytes")
            return Array(copying: head.span(range))
        }
        method = String(decoding: try bytes(head.methodRange, of: head), as: UTF8.self)
        version = head.version
        target = try bytes(head.target, of: head)
        path = try bytes(head.path, of: head)
        let query = try bytes(head.query, of: head)
        self.query = head.hasQuery ? query : nil
        let authority = try bytes(head.authority, of: head)
        self.authority = head.hasAuthority ? authority : nil
        host = try bytes(head.host, of: head)
        port = head.port
        isAsterisk = head.isAsterisk
        framing = head.framing
        keepsAlive = head.keepsAlive
        expectsContinue = head.expectsContinue
        connection = head.connection.rawValue
        fields = try ReadField.all(of: head.fields, in: head.bytes)
    }
}

/// A field as values that can be compared.
struct ReadField: Equatable, CustomStringConvertible {
    var name: [UInt8]
    var value: [UInt8]

    var description: String {
        String(decoding: name + Array(": ".utf8) + value, as: UTF8.self).debugDescription
    }

    /// The name in lower case.
    var key: String { String(decoding: name.map(\.asciiLowercased), as: UTF8.self) }

    /// The fields of a block, whose ranges must lie in `bytes`, hold no control byte and have a token for a name.
    static func all(of block: borrowing HeaderBlock, in bytes: borrowing ByteBuffer) throws(BrokenProperty)
        -> [ReadField]
    {
        var fields: [ReadField] = []
        for index in 0..<block.count {
            let field = block[index]
            try require(
                field.name.end <= bytes.count && field.value.end <= bytes.count, "a field ends behind the bytes")
            let read = ReadField(
                name: Array(copying: bytes.span(field.name)), value: Array(copying: bytes.span(field.value)))
            try require(!read.name.isEmpty && read.name.allSatisfy(\.isTokenByte), "the name of a field is no token")
            try require(read.value.allSatisfy { $0 == 9 || $0 >= 32 && $0 != 127 }, "a field has a control byte")
            for edge in [read.value.first, read.value.last] {
                try require(edge != 9 && edge != 32, "white space stands around a value")
            }
            fields.append(read)
        }
        return fields
    }
}

extension UInt8 {
    /// `tchar` of RFC 9110 §5.6.2, written from the RFC and not from the table of the parser.
    var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}

extension Array where Element == UInt8 {
    /// The bytes of a span.
    init(copying span: Span<UInt8>) { self = span.withUnsafeBufferPointer { Array($0) } }

    /// The bytes of a buffer.
    init(copying buffer: borrowing ByteBuffer) { self = buffer.withUnsafeBytes { Array($0) } }
}
