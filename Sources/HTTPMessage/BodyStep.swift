package import ByteBuffers

/// What a body decoder made of its input. The caller drops `consumed` bytes of the input and goes on with the rest.
package enum BodyStep: Sendable {
    /// Content: the range of the input, as long as it goes on without a break. `consumed` is its end.
    case data(ByteRange, consumed: Int)
    /// All input was taken and the body goes on.
    case needMore(consumed: Int)
    /// The body has ended; what follows in the input is the next message.
    case end(consumed: Int)
    /// The body cannot be read on, and the connection must be closed. What is wrong, without any byte of the input.
    case failed(StaticString)
}
