package import ByteBuffers

/// Protocol buffers as they stand on the wire (protobuf encoding guide §Message Structure): what OTLP needs of them.
///
/// Lengths stand before what they count, so that whoever writes a message inside another one knows its length first, or
/// writes it to a buffer of its own.
package enum Protobuf {
    /// How a field's value is written.
    package enum WireType: UInt8, Sendable {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    /// The number of bytes that `value` takes as a varint.
    package static func size(_ value: UInt64) -> Int { value == 0 ? 1 : (70 - value.leadingZeroBitCount) / 7 }

    /// The number of bytes that a field of `count` bytes takes, with its tag (fields 1 to 15) and length.
    package static func fieldSize(_ count: Int) -> Int { 1 + size(UInt64(count)) + count }
}

extension ByteBuffer {
    /// Appends a varint.
    package mutating func appendVarint(_ value: UInt64) {
        if value < 0x80 { return append(UInt8(value)) }
        if value < 0x4000 { return append(lowestOf: value & 0x7F | 0x80 | (value >> 7) << 8, count: 2) }
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Appends what stands before a field's value.
    @inline(__always)
    package mutating func appendTag(_ field: UInt64, _ type: Protobuf.WireType) {
        appendVarint(field << 3 | UInt64(type.rawValue))
    }

    /// Appends a number; 0 is written, too.
    package mutating func appendField(_ field: UInt64, varint value: UInt64) {
        appendTag(field, .varint)
        appendVarint(value)
    }

    /// Appends 8 bytes, the lowest first.
    package mutating func appendField(_ field: UInt64, fixed64 value: UInt64) {
        appendTag(field, .fixed64)
        append(lowestOf: value, count: 8)
    }

    /// Appends 4 bytes, the lowest first.
    package mutating func appendField(_ field: UInt64, fixed32 value: UInt32) {
        appendTag(field, .fixed32)
        append(lowestOf: UInt64(value), count: 4)
    }

    /// Appends a text, some bytes, or a message that is already written.
    package mutating func appendField(_ field: UInt64, _ bytes: borrowing Span<UInt8>) {
        appendTag(field, .bytes)
        appendVarint(UInt64(bytes.count))
        append(bytes)
    }

    /// Appends a text.
    package mutating func appendField(_ field: UInt64, _ text: StaticString) {
        appendTag(field, .bytes)
        appendVarint(UInt64(text.utf8CodeUnitCount))
        append(text)
    }

    /// Appends an id, the highest byte first.
    package mutating func appendBigEndian(_ value: UInt64) {
        append(lowestOf: value.byteSwapped, count: 8)
    }
}

/// Reads the fields of one message. What is not a message ends the reading.
package struct ProtobufReader {
    private let end: Int
    private var position: Int

    /// One field: its number and where its value stands, or the value itself where it is a number.
    package struct Field {
        package var number: UInt64
        package var type: Protobuf.WireType
        package var number64: UInt64 = 0
        package var range = ByteRange()
    }

    /// A reader of the message that stands in `range` of the bytes that are given to ``next(in:)``.
    package init(_ range: ByteRange) {
        position = Int(range.start)
        end = Int(range.start) + Int(range.count)
    }

    /// The next field; nil at the end, and where the bytes make no sense.
    package mutating func next(in bytes: borrowing Span<UInt8>) -> Field? {
        guard end <= bytes.count, position < end, let tag = varint(bytes),
            let type = Protobuf.WireType(rawValue: UInt8(tag & 7))
        else { return nil }
        var field = Field(number: tag >> 3, type: type)
        switch type {
        case .varint:
            guard let value = varint(bytes) else { return nil }
            field.number64 = value
        case .fixed64, .fixed32:
            let count = type == .fixed64 ? 8 : 4
            guard end - position >= count else { return nil }
            for index in 0..<count { field.number64 |= UInt64(bytes[position + index]) << UInt64(8 * index) }
            position += count
        case .bytes:
            guard let count = varint(bytes), count <= UInt64(end - position) else { return nil }
            field.range = ByteRange(start: position, count: Int(count))
            position += Int(count)
        }
        return field
    }

    private mutating func varint(_ bytes: borrowing Span<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < end else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
