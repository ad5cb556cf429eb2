package import ByteBuffers

/// How a line of the access log looks, compiled from the configuration.
package struct AccessLogFormat: Sendable {
    private enum Piece: Sendable {
        case text(ByteRange)
        case field(AccessLogField)
    }

    private enum Style: Sendable {
        case json
        case combined
        case template
    }

    private var style: Style
    private var pieces: [Piece] = []
    private var literals: [UInt8] = []

    /// What the format writes; a record needs no other field.
    package private(set) var fields: AccessLogFieldSet

    /// Whether it can tell where time went, so that somebody has to measure it: a line of JSON only of slow requests.
    package func tellsTimeSplit(findingSlow: Bool) -> Bool {
        if case .json = style { return findingSlow }
        return fields.tellsTimeSplit
    }

    /// One JSON object a line, with all members in every line, null where there is nothing to say.
    package static let json = AccessLogFormat(.json, AccessLogField.json)

    /// The combined format of web servers, with `-` for the user.
    package static let combined = AccessLogFormat(.combined, AccessLogField.combined)

    private init(_ style: Style, _ fields: [AccessLogField]) {
        self.style = style
        self.fields = AccessLogFieldSet(fields)
    }

    /// Compiles the format of this name, `json` or `combined`, or else a template: text with `{field}` in it, where `{{`
    /// and `}}` stand for braces. In a template, values are escaped as in the combined format, and `-` stands for what
    /// there is not.
    ///
    /// - Throws: ``AccessLogFormatError`` at the first place that does not fit.
    package init(parsing text: String) throws(AccessLogFormatError) {
        switch text {
        case "json": self = .json
        case "combined": self = .combined
        default:
            self.init(.template, [])
            try parseTemplate(Array(text.utf8))
        }
    }

    /// Whether a line is one of JSON, whose texts may come straight from where they stand.
    package var isJSON: Bool { if case .json = style { true } else { false } }

    /// Appends the line of `record` with its line end. Nothing in a record can end the line or begin another.
    package func append(
        _ record: borrowing AccessLogRecord, dates: inout DateText, to buffer: inout ByteBuffer
    ) {
        switch style {
        case .json: buffer.appendJSONLine(record, dates: &dates)
        case .combined: buffer.appendCombinedLine(record, dates: &dates)
        case .template:
            for piece in pieces {
                switch piece {
                case .text(let range): buffer.append(literals.span.slice(range))
                case .field(let field): buffer.appendLogValue(field, of: record, dates: &dates)
                }
            }
        }
        buffer.append("\n")
    }

    private mutating func parseTemplate(_ text: [UInt8]) throws(AccessLogFormatError) {
        let open = UInt8(ascii: "{")
        let close = UInt8(ascii: "}")
        var literal: [UInt8] = []
        var hasField = false
        var index = 0
        while index < text.count {
            let byte = text[index]
            let isDoubled = index + 1 < text.count && text[index + 1] == byte
            if byte == open || byte == close, isDoubled {
                literal.append(byte)
                index += 2
            } else if byte == open {
                guard let end = text[index...].firstIndex(of: close) else {
                    throw AccessLogFormatError(offset: index, message: "expected } after the name of a field")
                }
                let name = String(decoding: text[(index + 1)..<end], as: UTF8.self)
                guard let field = AccessLogField.allCases.first(where: { $0.name.description == name }) else {
                    let names = AccessLogField.allCases.map(\.name.description).joined(separator: ", ")
                    throw AccessLogFormatError(
                        offset: index + 1, message: "there is no field \"\(name)\"; the fields are \(names)")
                }
                add(&literal)
                pieces.append(.field(field))
                fields.insert(field)
                hasField = true
                index = end + 1
            } else if byte == close {
                throw AccessLogFormatError(offset: index, message: "a } that closes no field is written }}")
            } else if byte < 0x20 || byte == 0x7F {
                throw AccessLogFormatError(
                    offset: index, message: "control characters have no place in a line of a log")
            } else {
                literal.append(byte)
                index += 1
            }
        }
        add(&literal)
        if !hasField {
            throw AccessLogFormatError(
                offset: 0, message: "expected json, combined, or a template such as {time} {status} {path}")
        }
    }

    private mutating func add(_ literal: inout [UInt8]) {
        if literal.isEmpty { return }
        pieces.append(.text(ByteRange(start: literals.count, count: literal.count)))
        literals += literal
        literal.removeAll()
    }
}

/// Why a text is not the format of an access log.
package struct AccessLogFormatError: Error, Equatable {
    /// Where in the text, in bytes of UTF-8 from its beginning.
    package var offset: Int
    /// What is wrong and what was expected.
    package var message: String
}
