import ByteBuffers
import DistributedTracing
import HTTPMessage

/// What clients say with every request again, the host and the name of their program, as lines of the log and spans have
/// it: made once for those that were met of late, so that telling it is a copy.
struct RepeatedTexts: ~Copyable {
    /// One pair, and what was made of it.
    struct Entry: BitwiseCopyable {
        fileprivate var mark: UInt64 = 0
        fileprivate var host = ByteRange()
        fileprivate var agent = ByteRange()
        /// The host as a string of JSON, and the program.
        fileprivate var hostInJSON = ByteRange()
        fileprivate var agentInJSON = ByteRange()
        /// What spans say of the two.
        fileprivate var attributes = ByteRange()
    }

    private var entries = PlainList<Entry>()
    /// Of each place, which pair came last and was not remembered.
    private var marks = PlainList<UInt64>()
    private var bytes = ByteBuffer()
    private var writer = SpanWriter()
    /// Those of the request that is told of; nil before anybody asked.
    private var current: Entry??

    /// How many pairs are remembered; each has one place among them, by its bytes.
    static let capacity = 256
    /// What is longer together is not remembered, and all is forgotten when it has come to so many bytes: memory is bounded,
    /// whatever clients say.
    private static let longest = 512
    private static let mostBytes = 131_072

    /// How many bytes are kept of all of them.
    var byteCount: Int { bytes.count }

    init() { forget() }

    /// Another request is told of.
    mutating func next() { current = .none }

    /// Host and program of the request, whose head this is; nil where it has not both, or they are too long.
    mutating func entry(of head: borrowing RequestHead) -> Entry? {
        if let current { return current }
        let found = find(head)
        current = .some(found)
        return found
    }

    private mutating func find(_ head: borrowing RequestHead) -> Entry? {
        guard head.hasAuthority, let field = head.fields.first(.userAgent) else { return nil }
        let host = head.authority
        let agent = head.fields[field].value
        guard Int(host.count) + Int(agent.count) <= Self.longest, !agent.isEmpty else { return nil }
        let mark = look(for: head.span(host), head.span(agent))
        let place = Int(mark >> 56)
        if entries[place].mark == mark { return entries[place] }
        // What comes once only is not worth the work.
        if marks[place] == mark { return remember(head, agent: agent, mark, at: place) }
        marks[place] = mark
        return nil
    }

    /// What tells this pair apart, with its place in the highest bits. Where another pair is there of which the same would
    /// be said, it is forgotten.
    private mutating func look(for host: borrowing Span<UInt8>, _ agent: borrowing Span<UInt8>) -> UInt64 {
        let mark = (agent.lastWord &+ UInt64(agent.count) &+ host.lastWord &* 31) &* 0x9E37_79B9_7F4A_7C15 | 1
        let place = Int(mark >> 56)
        if entries[place].mark == mark, !bytes.hold(host, agent, of: entries[place]) { entries[place].mark = 0 }
        return mark
    }

    /// Appends the host as a string of JSON.
    borrowing func appendHost(_ entry: Entry, to line: inout ByteBuffer) { line.append(bytes.span(entry.hostInJSON)) }

    /// Appends the program's name as a string of JSON.
    borrowing func appendAgent(_ entry: Entry, to line: inout ByteBuffer) { line.append(bytes.span(entry.agentInJSON)) }

    /// Adds what a span says of both.
    borrowing func addAttributes(_ entry: Entry, to writer: inout SpanWriter) {
        writer.add(madeBefore: bytes.span(entry.attributes))
    }

    private mutating func forget() {
        marks.removeAll()
        marks.append(repeating: 0, count: Self.capacity)
        entries.removeAll()
        entries.append(repeating: Entry(), count: Self.capacity)
        bytes.removeAll()
    }

    private mutating func remember(
        _ head: borrowing RequestHead, agent: ByteRange, _ mark: UInt64, at place: Int
    ) -> Entry {
        if bytes.count > Self.mostBytes { forget() }
        var entry = Entry()
        entry.mark = mark
        entry.host = put { $0.append(head.span(head.authority)) }
        entry.agent = put { $0.append(head.span(agent)) }
        entry.hostInJSON = put { $0.appendJSONString(head.span(head.authority)) }
        entry.agentInJSON = put { $0.appendJSONString(head.span(agent)) }
        writer.add("server.address", head.span(head.host))
        if let port = head.port { writer.add("server.port", Int(port)) }
        writer.add("user_agent.original", head.span(agent))
        let start = bytes.count
        writer.take {
            bytes.append($0.span)
            $0.removeAll()
        }
        entry.attributes = ByteRange(start: start, count: bytes.count - start)
        entries[place] = entry
        return entry
    }

    private mutating func put(_ write: (inout ByteBuffer) -> Void) -> ByteRange {
        let start = bytes.count
        write(&bytes)
        return ByteRange(start: start, count: bytes.count - start)
    }
}

extension ByteBuffer {
    /// Whether these are the host and the program of `entry`.
    @inline(__always)
    fileprivate borrowing func hold(
        _ host: borrowing Span<UInt8>, _ agent: borrowing Span<UInt8>, of entry: RepeatedTexts.Entry
    ) -> Bool {
        entry.agent.count == agent.count && entry.host.count == host.count && host.isSame(as: span(entry.host))
            && agent.isSame(as: span(entry.agent))
    }
}

extension Span where Element == UInt8 {
    /// The last eight bytes, or as many as there are.
    @inline(__always)
    fileprivate var lastWord: UInt64 {
        if count >= 8 {
            // SAFETY: any eight bytes are an integer, and the span checks that they lie within it.
            return bytes.unsafeLoadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        }
        var word: UInt64 = 0
        for index in 0..<count { word = word << 8 | UInt64(self[unchecked: index]) }
        return word
    }

    /// Whether another span of the same length has the same bytes; eight of them at a time.
    @inline(__always)
    fileprivate func isSame(as other: borrowing Span<UInt8>) -> Bool {
        guard count >= 8 else { return equals(other) }
        var index = 0
        // SAFETY: any eight bytes are an integer, and the spans check that they lie within them.
        while count - index > 8 {
            if bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
                != other.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            {
                return false
            }
            index += 8
        }
        return lastWord == other.lastWord
    }
}
