import ByteBuffers
import Testing

struct NumberTextTests {
    /// Every power of ten and of two with its neighbours, and some in between.
    static let values: [UInt64] = {
        var values: Set<UInt64> = [0, .max]
        var power: UInt64 = 1
        for _ in 0..<20 {
            values.formUnion([power - 1, power, power + 1])
            power = power.multipliedReportingOverflow(by: 10).partialValue
        }
        for shift in 0..<64 as Range<UInt64> { values.formUnion([1 << shift, (1 << shift) - 1]) }
        return values.sorted()
    }()

    @Test("decimal digits of numbers of every length")
    func decimal() {
        for value in Self.values + Array(0...1_100) {
            var buffer = ByteBuffer()
            buffer.append("x")
            buffer.appendDecimal(value)
            buffer.append("y")
            #expect(buffer.text == "x\(value)y")
        }
        for value in [Int.min, -1_000, -1, 0, 1, .max] {
            var buffer = ByteBuffer()
            buffer.appendDecimal(value)
            #expect(buffer.text == "\(value)")
        }
    }

    @Test("three digits, with leading zeros")
    func threeDigits() {
        for value in 0..<1_000 as Range<UInt64> {
            var buffer = ByteBuffer()
            buffer.appendThreeDigits(value)
            #expect(buffer.text == (value < 10 ? "00" : value < 100 ? "0" : "") + "\(value)")
        }
    }

    @Test("the lowest bytes of a word, as many as are asked for, also where the memory has to grow")
    func lowestBytes() {
        for count in 0...8 {
            var buffer = ByteBuffer()
            for _ in 0..<30 { buffer.append(lowestOf: 0x6867_6665_6463_6261, count: count) }
            #expect(buffer.text == String(repeating: String("abcdefgh".prefix(count)), count: 30))
        }
    }
}
