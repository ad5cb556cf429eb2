import JSON

/// How a part asks for many values, compiled: one call for each of them, or one for all.
struct FanOut: Sendable {
    /// The part whose answer has the values.
    let source: Int
    /// Where they stand. In a source that fans out itself the way begins at each of its values.
    let path: CompiledPath
    /// How many values are asked for at most.
    let limit: Int
    /// How many calls run at the same time.
    let concurrency: Int
    /// Whether one call asks for all values; ``key`` tells then which element of the answer is whose.
    let isBatch: Bool
    /// Where an element of a batch's answer has its value.
    let key: CompiledPointer

    /// The most values that one part can be allowed to ask for.
    static let greatestLimit = 500
    /// The most calls of one part at the same time.
    static let greatestConcurrency = 64
    /// How many fan-outs may stand on each other.
    static let greatestDepth = 3
}
