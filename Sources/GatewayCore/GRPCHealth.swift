import ByteBuffers
import DistributedTracing

/// The messages of `grpc.health.v1.Health/Check`, framed as gRPC has them: a byte for compression, four for the length.
enum GRPCHealth {
    /// The path of the call.
    static let path: StaticString = "/grpc.health.v1.Health/Check"
    /// What a service says that is at work (`SERVING`).
    static let serving: UInt64 = 1

    private static let prefixSize = 5

    /// Appends a request (`HealthCheckRequest`) for `service`; an empty name stands for the server as a whole.
    static func appendRequest(for service: [UInt8], to buffer: inout ByteBuffer) {
        let count = service.isEmpty ? 0 : Protobuf.fieldSize(service.count)
        buffer.append(0)
        for shift in [24, 16, 8, 0] { buffer.append(UInt8(truncatingIfNeeded: count >> shift)) }
        if !service.isEmpty { buffer.appendField(1, service.span) }
    }

    /// The status in an answer (`HealthCheckResponse`), 0 where none is written; nil where it is not one whole message.
    static func status(in answer: borrowing Span<UInt8>) -> UInt64? {
        // Compression was not offered.
        guard answer.count >= prefixSize, answer[0] == 0 else { return nil }
        var count = 0
        for index in 1..<prefixSize { count = count << 8 | Int(answer[index]) }
        guard answer.count == prefixSize + count else { return nil }
        var reader = ProtobufReader(ByteRange(start: prefixSize, count: count))
        var status: UInt64 = 0
        while let field = reader.next(in: answer) {
            if field.number == 1, field.type == .varint { status = field.number64 }
        }
        return status
    }

    /// The value of `grpc-status` in field lines, each with its end; nil where there is none that is a number.
    static func code(inLines lines: String) -> UInt64? {
        for line in lines.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == "grpc-status" else { continue }
            return UInt64(line[line.index(after: colon)...].filter { $0 != " " && $0 != "\t" })
        }
        return nil
    }
}
