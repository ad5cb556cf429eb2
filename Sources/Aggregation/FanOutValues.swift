import ByteBuffers
import JSON

/// The values that the fan-outs of one view ask for, each once, and what became of it. Reused from view to view.
///
/// The values of one fan-out are added together and so have numbers in a row. They are the same where their texts are: 7
/// and "7" make the same request.
struct FanOutValues: ~Copyable {
    /// Where a value is.
    enum State: UInt8, BitwiseCopyable {
        case waiting, running, answered, failed
    }

    /// One value.
    struct Value: BitwiseCopyable {
        fileprivate(set) var text: ByteRange
        /// Whether it is a string; else a number.
        fileprivate(set) var isString: Bool
        var state = State.waiting
        var failure: PartFailure?
        /// The call that answers for it.
        var call = 0
        /// Where in that call's answer it stands, once it is answered.
        var node = JSONNodeID(rawValue: 0)
        fileprivate var hash: UInt64
        /// The next value in the same bucket, -1 for none.
        fileprivate var next = -1
    }

    private var list = PlainList<Value>()
    private var texts = ByteBuffer()
    private var buckets = PlainList<Int>()
    private let seed: UInt64

    /// `seed` is a random number: upstreams that know it could make values collide.
    init(seed: UInt64) { self.seed = seed }

    /// How many there are.
    var count: Int { list.count }

    subscript(index: Int) -> Value {
        get { list[index] }
        set { list[index] = newValue }
    }

    /// Forgets all of them.
    mutating func removeAll() {
        list.removeAll(keeping: 1024)
        texts.removeAll(keeping: 16_384)
        buckets.removeAll(keeping: 2048)
    }

    /// The text of a value.
    @_lifetime(borrow self)
    borrowing func text(_ index: Int) -> Span<UInt8> { texts.span(list[index].text) }

    /// Adds a value to those from the number `first` on, unless it is among them; returns its number.
    @discardableResult
    mutating func add(_ text: borrowing Span<UInt8>, isString: Bool, from first: Int) -> Int {
        if list.count * 2 >= buckets.count { spread() }
        let hash = text.hash64(seed: seed)
        if let known = find(text, hash, in: first..<list.count) { return known }
        var value = Value(text: ByteRange(start: texts.count, count: text.count), isString: isString, hash: hash)
        texts.append(text)
        let bucket = bucket(of: hash)
        value.next = buckets[bucket]
        buckets[bucket] = list.count
        list.append(value)
        return list.count - 1
    }

    /// The number of the value with this text among those in `range`.
    borrowing func find(_ text: borrowing Span<UInt8>, in range: Range<Int>) -> Int? {
        range.isEmpty ? nil : find(text, text.hash64(seed: seed), in: range)
    }

    private borrowing func find(_ text: borrowing Span<UInt8>, _ hash: UInt64, in range: Range<Int>) -> Int? {
        var index = buckets[bucket(of: hash)]
        while index >= 0 {
            let value = list[index]
            if value.hash == hash, range.contains(index), texts.span(value.text).equals(text) { return index }
            index = value.next
        }
        return nil
    }

    private func bucket(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash & UInt64(buckets.count - 1)) }

    /// Makes room for twice as many: the number of buckets is a power of two, and more than twice that of values.
    private mutating func spread() {
        let wanted = max(buckets.count * 2, 64)
        buckets.removeAll()
        buckets.append(repeating: -1, count: wanted)
        for index in 0..<list.count {
            let bucket = bucket(of: list[index].hash)
            list[index].next = buckets[bucket]
            buckets[bucket] = index
        }
    }
}
