/// A value of a document that is being read, with the way to it: what a typed getter is asked of.
///
/// Getters without a default report a value of another kind to the reader and return nil.
package struct JSONPlace {
    package let value: JSONValue
    package let pointer: JSONPointer
    package let reader: JSONReader

    package init(value: JSONValue, pointer: JSONPointer, reader: JSONReader) {
        self.value = value
        self.pointer = pointer
        self.reader = reader
    }

    /// The last token of the pointer: the member's name, or the element's index.
    package var name: String { pointer.tokens.last ?? "" }

    package var isNull: Bool { value == .null }
    package var isString: Bool { if case .string = value { true } else { false } }
    package var isArray: Bool { if case .array = value { true } else { false } }
    package var isObject: Bool { if case .object = value { true } else { false } }

    /// Where the value stands in the text.
    package var position: SourcePosition { reader.position(of: pointer) }

    /// This place with another value: for text that is replaced before it is read.
    package func replacing(_ value: JSONValue) -> JSONPlace {
        JSONPlace(value: value, pointer: pointer, reader: reader)
    }

    // MARK: Reporting

    /// Reports that this value is wrong.
    package func report(_ message: String) {
        reader.report(message, at: pointer)
    }

    /// Reports that this member is wrong by its name.
    package func reportName(_ message: String) {
        reader.reportName(message, at: pointer)
    }

    /// Reports that something else was expected here: "expected a duration such as "2s", found a boolean".
    package func reportExpected(_ expectation: String) {
        report("expected \(expectation), found \(found)")
    }

    /// What stands here, for messages: short values are shown, others named by their kind.
    private var found: String {
        switch value {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .real(let value): String(value)
        case .string(let text): text.unicodeScalars.count <= 80 ? quoted(text) : "a string"
        case .array, .object: value.kindName
        }
    }

    // MARK: Typed getters

    /// The string that stands here.
    package func string() -> String? {
        guard case .string(let text) = value else { return mismatch("a string") }
        return text
    }

    /// The string that stands here, which must be one of `choices`.
    package func string(oneOf choices: [String]) -> String? {
        let expectation = "one of " + choices.map(quoted).joined(separator: ", ")
        guard case .string(let text) = value else { return mismatch(expectation) }
        if choices.contains(text) { return text }
        let suggestion = nearestName(to: text, among: choices).map { "; did you mean \(quoted($0))?" } ?? ""
        report("expected \(expectation), found \(quoted(text))\(suggestion)")
        return nil
    }

    /// The boolean that stands here.
    package func bool() -> Bool? {
        guard case .bool(let value) = value else { return mismatch("true or false") }
        return value
    }

    /// The whole number that stands here, within `range`. A number such as `1e3` or `2.0` counts as whole.
    package func integer(in range: ClosedRange<Int> = Int.min...Int.max) -> Int? {
        let whole: Int? =
            switch value {
            case .integer(let value): Int(exactly: value)
            // Beyond 2^53 a double stands for more than one whole number.
            case .real(let value) where value.magnitude <= 0x1p53: Int(exactly: value)
            default: nil
            }
        guard let whole, range.contains(whole) else { return mismatch(Self.expectation("an integer", range)) }
        return whole
    }

    /// The number that stands here, within `range`.
    package func number(
        in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    ) -> Double? {
        let number: Double? =
            switch value {
            case .integer(let value): Double(value)
            case .real(let value): value
            default: nil
            }
        guard let number, range.contains(number) else {
            let isBounded = range.upperBound < Double.greatestFiniteMagnitude
            return mismatch(isBounded ? "a number from \(range.lowerBound) to \(range.upperBound)" : "a number")
        }
        return number
    }

    /// The elements of the array that stands here.
    package func array() -> [JSONPlace]? {
        guard case .array(let elements) = value else { return mismatch("an array") }
        return elements.enumerated().map { index, element in
            JSONPlace(value: element, pointer: pointer.appending(index), reader: reader)
        }
    }

    /// What `read` makes of each element of the array that stands here; elements of which it makes nil are left out.
    package func array<Element>(_ read: (JSONPlace) -> Element?) -> [Element]? {
        array()?.compactMap(read)
    }

    /// The members of the object that stands here, whose names are the author's to choose.
    package func members() -> [JSONPlace]? {
        guard case .object(let members) = value else { return mismatch("an object") }
        return members.map { JSONPlace(value: $0.value, pointer: pointer.appending($0.name), reader: reader) }
    }

    /// Reads the object that stands here as a section with fixed keys: each key that `read` does not ask for is
    /// reported as unknown, with the nearest one that it does ask for. So `read` asks for all its keys before it gives
    /// up.
    package func object<Result>(_ read: (JSONSection) -> Result?) -> Result? {
        guard case .object(let members) = value else { return mismatch("an object") }
        let section = JSONSection(members: members, place: self)
        let result = read(section)
        section.reportUnknownKeys()
        return result
    }

    private func mismatch<T>(_ expectation: String) -> T? {
        reportExpected(expectation)
        return nil
    }

    private static func expectation(_ kind: String, _ range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (.min, .max): kind
        case (let low, .max): "\(kind) of at least \(low)"
        case (.min, let high): "\(kind) of at most \(high)"
        case (let low, let high): "\(kind) from \(low) to \(high)"
        }
    }
}
