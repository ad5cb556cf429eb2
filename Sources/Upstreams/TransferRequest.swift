internal import ByteBuffers
internal import CLibcurl

/// A request's head as libcurl wants it: method, target and a list of fields, all of them made in place from the bytes
/// that the attempt writes for our own connections. What is sent is decided in one place only.
///
/// The bytes are looked at once more: libcurl sends a field as it is given, line breaks included.
struct TransferRequest: ~Copyable {
    /// The head, written by the attempt; ``prepare()`` puts a zero behind each part of it.
    var bytes = ByteBuffer()
    private var nodes: UnsafeMutablePointer<curl_slist>?
    private var capacity = 0
    private var count = 0
    private var targetStart = 0

    /// A request without a head.
    init() {}

    deinit { nodes?.deallocate() }

    /// Cuts the head into its parts; false when it is not a head that may be sent.
    mutating func prepare() -> Bool {
        count = 0
        var position = 0
        guard let method = end(of: &position, at: UInt8(ascii: " ")), method > 0 else { return false }
        targetStart = position
        guard let target = end(of: &position, at: UInt8(ascii: " ")), target > targetStart else { return false }
        guard end(of: &position, at: UInt8(ascii: "\r")) != nil, endsLine(&position) else { return false }
        while true {
            let start = position
            guard let end = end(of: &position, at: UInt8(ascii: "\r")), endsLine(&position) else { return false }
            if end == start { break }
            guard addField(from: start, to: end) else { return false }
        }
        guard position == bytes.count else { return false }
        // libcurl says these by itself; a name with nothing behind it keeps it from that.
        addNode(Self.noAccept)
        addNode(Self.noExpect)
        link()
        return true
    }

    /// The next `mark`, which becomes a zero; nil when a control byte or the end comes first.
    private mutating func end(of position: inout Int, at mark: UInt8) -> Int? {
        let length = bytes.count
        while position < length {
            let byte = bytes[position]
            if byte == mark {
                bytes[position] = 0
                position += 1
                return position - 1
            }
            if byte < 0x20 && byte != UInt8(ascii: "\t") || byte == 0x7F { return nil }
            position += 1
        }
        return nil
    }

    private func endsLine(_ position: inout Int) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\n") else { return false }
        position += 1
        return true
    }

    private mutating func addField(from start: Int, to end: Int) -> Bool {
        var colon = start
        while colon < end, bytes[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon > start, colon < end else { return false }
        if names("expect", from: start, to: colon) { return true }
        var value = colon + 1
        while value < end, bytes[value] == UInt8(ascii: " ") || bytes[value] == UInt8(ascii: "\t") { value += 1 }
        if value == end {
            // A field without a value is written so; else libcurl would take it for one to leave out.
            guard colon + 1 <= end else { return false }
            bytes[colon] = UInt8(ascii: ";")
            bytes[colon + 1] = 0
        }
        addNode(offset: start)
        return true
    }

    private func names(_ name: StaticString, from start: Int, to end: Int) -> Bool {
        guard end - start == name.utf8CodeUnitCount else { return false }
        return bytes.span(ByteRange(start: start, count: end - start)).equalsIgnoringCase(name)
    }

    // MARK: - The list

    /// Each node holds an offset until ``link()`` turns it into a pointer: the bytes stand still from then on.
    private mutating func addNode(offset: Int) {
        addNode(UnsafePointer(bitPattern: offset + 1))
    }

    private mutating func addNode(_ text: UnsafePointer<CChar>?) {
        if count == capacity { grow() }
        // SAFETY: there is room for `capacity` nodes; libcurl never writes to the text of a list that it is given.
        (nodes.unsafelyUnwrapped + count).initialize(
            to: curl_slist(data: UnsafeMutablePointer(mutating: text), next: nil))
        count += 1
    }

    private mutating func grow() {
        let more = Swift.max(capacity * 2, 32)
        let fresh = UnsafeMutablePointer<curl_slist>.allocate(capacity: more)
        if let nodes {
            // SAFETY: `count` nodes are initialised, and a node needs no clean-up.
            fresh.moveInitialize(from: nodes, count: count)
            nodes.deallocate()
        }
        nodes = fresh
        capacity = more
    }

    private mutating func link() {
        guard let nodes else { return }
        let own = count - 2
        let count = count
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            for index in 0..<count {
                if index < own {
                    let offset = Int(bitPattern: nodes[index].data) - 1
                    // SAFETY: the offset lies inside the bytes, which end with a zero there and are not changed before
                    // the next head is written, when libcurl is done with this one.
                    nodes[index].data = UnsafeMutableRawPointer(mutating: base + offset).assumingMemoryBound(
                        to: CChar.self)
                }
                nodes[index].next = index + 1 < count ? nodes + (index + 1) : nil
            }
        }
    }

    /// The method, ended by a zero.
    var method: UnsafePointer<CChar>? { text(at: 0) }

    /// The target, ended by a zero.
    var target: UnsafePointer<CChar>? { text(at: targetStart) }

    /// The fields, valid until the next head is written.
    var fields: UnsafeMutablePointer<curl_slist>? { nodes }

    private func text(at offset: Int) -> UnsafePointer<CChar>? {
        // SAFETY: the pointer leaves the call, but the bytes stand still until the next head is written.
        bytes.withUnsafeBytes { ($0.baseAddress.map { $0 + offset })?.assumingMemoryBound(to: CChar.self) }
    }

    private static var noAccept: UnsafePointer<CChar> { literal("Accept:\0") }
    private static var noExpect: UnsafePointer<CChar> { literal("Expect:\0") }

    private static func literal(_ text: StaticString) -> UnsafePointer<CChar> {
        // SAFETY: a static string lives for ever, and this one ends with a zero.
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
