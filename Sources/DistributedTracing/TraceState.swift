import ByteBuffers

/// The `tracestate` list of W3C Trace Context, level 2: what other tracing systems on the way have to say about a trace.
///
/// Members keep their order and their bytes; empty members and the white space between members are not kept. One bad
/// member, a bad key or value, or a 33rd member makes the whole list void, and the trace goes on without it
/// (§tracestate Header, §A traceparent is Received).
package struct TraceState: ~Copyable {
    /// The most members that a list may have.
    package static let maximumMembers = 32
    /// The bytes that are passed on at most: far more than the 512 that a participant should pass on, and what common
    /// servers take as one header line.
    package static let maximumSize = 8192

    /// The members, joined by commas.
    private var bytes = ByteBuffer()
    /// How many members there are.
    package private(set) var count = 0
    private var isVoid = false

    /// An empty list.
    package init() {}

    /// The list as it is sent on: empty when there is nothing to send.
    package var text: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { bytes.span }
    }

    /// Empties the list and keeps its memory.
    package mutating func reset() {
        bytes.removeAll()
        count = 0
        isVoid = false
    }

    /// Adds the members of one `tracestate` field. Several fields are one list, in their order (RFC 9110 §5.3).
    package mutating func append(field: borrowing Span<UInt8>) {
        var start = 0
        while !isVoid {
            let end = field.firstIndex(of: UInt8(ascii: ","), from: start) ?? field.count
            let member = field.extracting(start..<end).trimmed()
            if !member.isEmpty {
                if count < Self.maximumMembers, Self.isMember(member) {
                    if count > 0 { bytes.append(UInt8(ascii: ",")) }
                    bytes.append(member)
                    count += 1
                } else {
                    bytes.removeAll()
                    count = 0
                    isVoid = true
                }
            }
            if end == field.count { return }
            start = end + 1
        }
    }

    /// Removes members until at most `size` bytes are left: whole ones only, first those of more than 128 characters,
    /// then any, each time the one that is furthest to the right (§tracestate Limits).
    package mutating func limit(to size: Int = maximumSize) {
        while bytes.count > size {
            var victim = ByteRange()
            var last = ByteRange()
            var start = 0
            while start < bytes.count {
                let end = bytes.span.firstIndex(of: UInt8(ascii: ","), from: start) ?? bytes.count
                last = ByteRange(start: start, count: end - start)
                if last.count > 128 { victim = last }
                start = end + 1
            }
            remove(victim.isEmpty ? last : victim)
        }
    }

    /// Takes one member away, together with the comma that parted it from its neighbour.
    private mutating func remove(_ member: ByteRange) {
        let isFirst = member.start == 0
        var target = isFirst ? 0 : Int(member.start) - 1
        var source = Swift.min(isFirst ? member.end + 1 : member.end, bytes.count)
        while source < bytes.count {
            bytes[target] = bytes[source]
            target += 1
            source += 1
        }
        bytes.truncate(to: target)
        count -= 1
    }

    /// Takes one part `name:value` out of the value of `member`, and the member where nothing else is in it. A member that
    /// is left goes to the front of the list, as all that are changed (§Mutating the tracestate Field).
    ///
    /// - Parameters:
    ///   - value: where the part's value stands.
    ///   - nameLength: the bytes of the name and its colon.
    mutating func removeValue(_ value: ByteRange, nameLength: Int, of member: ByteRange) {
        var start = Int(value.start) - nameLength
        var end = Int(value.end)
        let comma = bytes.span.lastIndex(of: UInt8(ascii: ","), before: Int(member.start))
        let isAlone = start == Int(member.start) && end == Int(member.end)
        if isAlone {
            start = comma ?? 0
            end = comma == nil ? Swift.min(end + 1, bytes.count) : end
            count -= 1
        } else if start > Int(member.start) {
            start -= 1
        } else {
            end += 1
        }
        for index in end..<Swift.max(bytes.count, end) { bytes[start + index - end] = bytes[index] }
        bytes.truncate(to: bytes.count - (end - start))
        if !isAlone, let comma { moveToFront(after: comma, to: Int(member.end) - (end - start)) }
    }

    /// Moves the member between a comma and `end` before all others: the three parts are turned round together, which puts
    /// them in the other order, and then the two members' parts each by itself.
    private mutating func moveToFront(after comma: Int, to end: Int) {
        reverse(0, end)
        reverse(0, end - comma - 1)
        reverse(end - comma, end)
    }

    /// Turns the bytes from `start` to before `end` round.
    private mutating func reverse(_ start: Int, _ end: Int) {
        for index in 0..<(end - start) / 2 {
            let byte = bytes[start + index]
            bytes[start + index] = bytes[end - 1 - index]
            bytes[end - 1 - index] = byte
        }
    }

    /// Whether `member` is `key=value` as level 2 has it (§key, §value).
    private static func isMember(_ member: borrowing Span<UInt8>) -> Bool {
        guard let separator = member.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let length = member.count - separator - 1
        guard (1...256).contains(separator), (1...256).contains(length) else { return false }
        for index in 0..<separator {
            switch member[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "@"):
                if index == 0 { return false }
            default: return false
            }
        }
        for index in (separator + 1)..<member.count {
            let byte = member[index]
            guard byte >= 0x20, byte <= 0x7E, byte != UInt8(ascii: "=") else { return false }
        }
        return true
    }
}

extension Span where Element == UInt8 {
    /// The index of the last `byte` before `end`, or nil.
    fileprivate func lastIndex(of byte: UInt8, before end: Int) -> Int? {
        var index = end - 1
        while index >= 0 {
            if self[index] == byte { return index }
            index -= 1
        }
        return nil
    }
}
