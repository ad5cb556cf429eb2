import ByteBuffers
import HTTPMessage

/// The conditions of all routes of a table, flat: what they look at and what they ask for, as ranges of one run of bytes.
struct CompiledConditions: Sendable {
    private enum Requirement: Sendable {
        case equals
        case present
        case absent

        /// Whether it is met where the subject is there, and equal to the wanted value or not.
        func isMet(by isEqual: Bool) -> Bool {
            switch self {
            case .equals: isEqual
            case .present: true
            case .absent: false
            }
        }
    }

    private struct Entry: Sendable {
        var isHeader: Bool
        var header: HeaderName
        var requirement: Requirement
        var name: ByteRange
        var value: ByteRange
    }

    private var entries: [Entry] = []
    private var bytes: [UInt8] = []

    /// Adds the conditions of one route; the result is their place.
    mutating func append(_ conditions: [RouteCondition]) -> ByteRange {
        let start = entries.count
        for condition in conditions {
            let isHeader: Bool
            let name: ByteRange
            switch condition.subject {
            case .header(let text): (isHeader, name) = (true, add(text))
            case .query(let text): (isHeader, name) = (false, add(text))
            }
            var entry = Entry(
                isHeader: isHeader, header: isHeader ? HeaderName.named(bytes.span.slice(name)) : .other,
                requirement: .present, name: name, value: ByteRange())
            switch condition.requirement {
            case .equals(let text):
                entry.requirement = .equals
                entry.value = add(text)
            case .present: break
            case .absent: entry.requirement = .absent
            }
            entries.append(entry)
        }
        return ByteRange(start: start, count: conditions.count)
    }

    /// Whether all conditions at `place` hold for a request.
    func hold(_ place: ByteRange, in head: borrowing RequestHead) -> Bool {
        for index in Int(place.start)..<place.end where !holds(entries.span[index], in: head) { return false }
        return true
    }

    private func holds(_ entry: Entry, in head: borrowing RequestHead) -> Bool {
        let name = bytes.span.slice(entry.name)
        let wanted = bytes.span.slice(entry.value)
        if entry.isHeader {
            var next = head.fields.first(entry.header)
            while let index = next {
                // The number of a name may stand for a family of names, so that the text has to be compared as well.
                if head.name(index).equalsIgnoringCase(name) {
                    return entry.requirement.isMet(by: head.value(index).equals(wanted))
                }
                next = head.fields.firstIndex(of: entry.header, after: index)
            }
        } else {
            let query = head.span(head.query)
            if let value = query.firstValue(named: name) {
                return entry.requirement.isMet(by: query.slice(value).decodesTo(wanted))
            }
        }
        return entry.requirement == .absent
    }

    private mutating func add(_ text: String) -> ByteRange {
        let start = bytes.count
        bytes += text.utf8
        return ByteRange(start: start, count: bytes.count - start)
    }
}

extension Span where Element == UInt8 {
    /// Where the value of the first parameter that decodes to `name` stands in this query: `name=value` between
    /// ampersands, an empty value where the name stands alone; nil where there is no such parameter.
    func firstValue(named name: borrowing Span<UInt8>) -> ByteRange? {
        var start = 0
        while start < count {
            let end = firstIndex(of: UInt8(ascii: "&"), from: start) ?? count
            var equals = start
            while equals < end, self[unchecked: equals] != UInt8(ascii: "=") { equals += 1 }
            if end > start, extracting(start..<equals).decodesTo(name) {
                let value = Swift.min(equals + 1, end)
                return ByteRange(start: value, count: end - value)
            }
            start = end + 1
        }
        return nil
    }

    /// Whether these bytes are `plain` once `%xx` is decoded and `+` read as a space, the form in which browsers send
    /// queries. A `%` without two hexadecimal digits stands for itself.
    func decodesTo(_ plain: borrowing Span<UInt8>) -> Bool {
        var index = 0
        var position = 0
        while index < count {
            var byte = self[index]
            index += 1
            if byte == UInt8(ascii: "+") {
                byte = UInt8(ascii: " ")
            } else if byte == UInt8(ascii: "%"), count - index >= 2,
                let high = self[index].hexValue, let low = self[index + 1].hexValue
            {
                byte = high << 4 | low
                index += 2
            }
            guard position < plain.count, plain[position] == byte else { return false }
            position += 1
        }
        return position == plain.count
    }
}
