import ByteBuffers
import JSON

/// A document of 1 KiB, checked to be strict JSON, with its structure noted.
struct JSONScanning: Workload, ~Copyable {
    private let text = Messages.object("\"id\":42,\"user_id\":7,\"title\":\"Move the comments\"")
    private var index = JSONIndex(seed: 7)

    private(set) var once: UInt64 = 0

    mutating func check() throws(WrongResult) {
        once = run(1)
        try require(text.count, is: 1024)
        try require(index.root != nil && once == 19, "\(once) values are noted")
    }

    mutating func run(_ times: Int) -> UInt64 {
        let text = text
        var values: UInt64 = 0
        for _ in 0..<times {
            guard (try? index.scan(text.span)) != nil else { continue }
            values &+= UInt64(index.count)
        }
        return values
    }
}

/// A value of such a document, found by its pointer.
struct JSONFinding: Workload, ~Copyable {
    private let text = Messages.object("\"id\":42,\"user_id\":7,\"title\":\"Move the comments\"")
    private let pointer = CompiledPointer(JSONPointer(["watchers", "1", "id"]))
    private var index = JSONIndex(seed: 7)

    /// The length of the value.
    let once: UInt64 = 2

    mutating func check() throws(WrongResult) {
        let text = text
        try require((try? index.scan(text.span)) != nil, "the document is refused")
        let found = try unwrap(index.find(pointer, in: text.span), "there is no such value")
        try require(text.span.slice(index[found].range).text, is: "11")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var length: UInt64 = 0
        for _ in 0..<times {
            if let found = index.find(pointer, in: text.span) { length &+= UInt64(index[found].range.count) }
        }
        return length
    }
}
