import Testing

@testable import ByteBuffers

@Suite struct ByteBufferTests {
    /// A buffer that owns no memory yet has no place to copy nothing to.
    @Test func appendsNothingToAnEmptyBuffer() {
        var buffer = ByteBuffer()
        buffer.append("" as String)
        buffer.append("" as StaticString)
        buffer.append([UInt8]().span)
        buffer.appendOwn(ByteRange())
        let (count, capacity) = (buffer.count, buffer.capacity)
        #expect(count == 0)
        #expect(capacity == 0)
        buffer.append("x" as String)
        let text = buffer.text
        #expect(text == "x")
    }
}
