import ByteBuffers
import Testing

struct HexadecimalTests {
    @Test("the low digits of a value, for every number of digits", arguments: 0...16)
    func digits(_ count: Int) {
        var values: [UInt64] = [0, 1, .max, 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210, 0x9A9A_9A9A_A9A9_A9A9]
        for shift in 0..<64 as Range<UInt64> { values.append(0xAF << shift) }
        for value in values {
            let all = String(repeating: "0", count: 16) + String(value, radix: 16)
            var buffer = ByteBuffer()
            buffer.append("x")
            buffer.appendHex(value, digits: count)
            buffer.append("y")
            #expect(buffer.text == "x\(all.suffix(count))y")
        }
    }

    @Test("every value of one byte")
    func bytes() {
        for value in 0...255 as ClosedRange<UInt64> {
            var buffer = ByteBuffer()
            buffer.appendHex(value, digits: 2)
            #expect(buffer.text == (value < 16 ? "0" : "") + String(value, radix: 16))
        }
    }
}
