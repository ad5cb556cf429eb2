internal import JSON

/// Reads the members of one object. Every function reports what it cannot read and returns nil, or leaves the default
/// in place; none of them throws.
struct SectionReader {
    let members: [JSONMember]
    let pointer: JSONPointer
    let session: ReadingSession

    // MARK: - Places

    func value(_ key: String) -> JSONValue? {
        members.first { $0.name == key }?.value
    }

    func has(_ key: String) -> Bool {
        value(key) != nil
    }

    func isArray(_ key: String) -> Bool {
        if case .array = value(key) { true } else { false }
    }

    func isObject(_ key: String) -> Bool {
        if case .object = value(key) { true } else { false }
    }

    /// The value of `key` with its pointer; nil where it is absent, which is reported where it `isRequired`.
    func place(_ key: String, isRequired: Bool = false) -> SectionPlace? {
        guard let value = value(key) else {
            if isRequired { session.report(pointer, "missing \"\(key)\"") }
            return nil
        }
        return SectionPlace(value: value, pointer: pointer.appending(key))
    }

    /// The object at `key`.
    func section(
        _ key: String, _ keys: SectionKeys, isRequired: Bool = false, expected: String = "an object"
    ) -> SectionReader? {
        place(key, isRequired: isRequired).flatMap { session.section($0, keys, expected: expected) }
    }

    /// The elements of the array at `key`; none where it is absent.
    func elements(_ key: String, isRequired: Bool = false) -> [SectionPlace] {
        guard let place = place(key, isRequired: isRequired) else { return [] }
        guard case .array(let elements) = place.value else {
            session.report(place.pointer, "expected an array, found \(place.value.kindName)")
            return []
        }
        return elements.enumerated().map { SectionPlace(value: $1, pointer: place.pointer.appending($0)) }
    }

    /// The elements of the array at `key`, at least one `what`; nil where it is absent or cannot be read.
    func statedElements(_ key: String, _ what: String) -> [SectionPlace]? {
        guard has(key) else { return nil }
        let places = elements(key)
        guard isArray(key) else { return nil }
        if places.isEmpty {
            session.report(pointer.appending(key), "expected at least one \(what)")
            return nil
        }
        return places
    }

    /// What can be turned off and on: nil for `false`, all defaults for `true`, and what `read` makes of an object.
    /// Untouched where `key` is absent or cannot be read.
    func switched<Section>(
        _ key: String, _ keys: SectionKeys, into target: inout Section?, _ read: (SectionReader) -> Section
    ) {
        guard let place = place(key) else { return }
        switch place.value {
        case .bool(false): target = nil
        case .bool(true): target = read(SectionReader(members: [], pointer: place.pointer, session: session))
        default:
            if let section = session.section(place, keys, expected: "an object, true or false") {
                target = read(section)
            }
        }
    }

    /// The members of the object at `key`; none where it is absent. Of members that share a name the last one counts,
    /// as in the document. Where the names `areNames` of upstreams or contexts they are checked.
    func named(_ key: String, areNames: Bool = true) -> [(String, SectionPlace)] {
        guard let place = place(key) else { return [] }
        guard case .object(let members) = place.value else {
            session.report(place.pointer, "expected an object, found \(place.value.kindName)")
            return []
        }
        return members.map { member in
            let inner = SectionPlace(value: member.value, pointer: place.pointer.appending(member.name))
            if areNames, !Self.isName(member.name) {
                session.reportName(
                    inner.pointer, "a name is \(Self.nameRule), found \(ValueProblem.quoted(member.name))")
            }
            return (member.name, inner)
        }
    }

    /// A name of the same kind as those of upstreams and contexts.
    func name(_ key: String) -> String? {
        parsed(key) { (text) throws(ValueProblem) in
            guard Self.isName(text) else { throw ValueProblem(expected: Self.nameRule, found: text) }
            return text
        }
    }

    private static let nameRule = "a letter or digit and up to 63 letters, digits, \".\", \"_\" and \"-\""

    /// Whether `name` can stand in a header, a metric's label and a member of baggage as it is.
    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true
                case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): index > 0
                default: false
                }
            }
    }

    // MARK: - Text

    func string(_ key: String) -> String? {
        place(key).flatMap { session.string($0) }
    }

    /// Text of one line, not empty.
    func line(_ key: String, upTo limit: Int, isRequired: Bool = false) -> String? {
        place(key, isRequired: isRequired).flatMap { session.line($0, upTo: limit) }
    }

    /// Text read by `parse`.
    func parsed<Value>(
        _ key: String, isRequired: Bool = false, _ parse: (String) throws(ValueProblem) -> Value
    ) -> Value? {
        place(key, isRequired: isRequired).flatMap { session.parsed($0, parse) }
    }

    /// A name of the HTTP kind (RFC 9110 §5.6.2); `what` it is for the message.
    func token(_ key: String, what: String) -> String? {
        parsed(key) { (text) throws(ValueProblem) in
            guard FieldRules.isName(text) else { throw ValueProblem(expected: what, found: text) }
            return text
        }
    }

    /// The name of something elsewhere in the file, remembered for the look-up.
    func reference(
        _ key: String, _ kind: ReadingSession.ReferenceKind = .upstream, isRequired: Bool = false
    ) -> String? {
        place(key, isRequired: isRequired).flatMap { session.reference($0, kind) }
    }

    /// A path of the file system, resolved against the folder of the configuration.
    func path(_ key: String) -> String? {
        parsed(key) { (text) throws(ValueProblem) in
            guard !text.isEmpty, !text.utf8.contains(0) else { throw ValueProblem(expected: "a path", found: text) }
            return session.folder.resolve(text)
        }
    }

    /// A template of a path: its first byte is a slash and it can stand in a request line. What is between braces is
    /// for the room that compiles it.
    func pathTemplate(_ key: String, isRequired: Bool = false) -> String? {
        parsed(key, isRequired: isRequired) { (text) throws(ValueProblem) in
            guard text.hasPrefix("/") else {
                throw ValueProblem(expected: "a path that begins with \"/\"", found: text)
            }
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }), text.utf8.count <= 8192
            else {
                throw ValueProblem(
                    "a path has no blanks, no \"#\", no control and no non-ASCII characters (percent-encode them), "
                        + "found \(ValueProblem.quoted(text))")
            }
            return text
        }
    }

    func listenAddress(_ key: String, isRequired: Bool = false) -> ListenAddress? {
        parsed(key, isRequired: isRequired) { (text) throws(ValueProblem) in
            try ListenAddress(parsing: text, folder: session.folder)
        }
    }

    /// Names of members, at least one, each once.
    func names(_ key: String) -> [String]? {
        guard has(key) else { return nil }
        let places = elements(key)
        if isArray(key), places.isEmpty { session.report(pointer.appending(key), "expected at least one name") }
        var names: [String] = []
        for place in places {
            guard let name = session.string(place) else { continue }
            if names.contains(name) { session.report(place.pointer, "\(ValueProblem.quoted(name)) stands here twice") }
            names.append(name)
        }
        return names
    }

    /// A JSON pointer (RFC 6901).
    func pointer(_ key: String, into target: inout JSONPointer) {
        let found = parsed(key) { (text) throws(ValueProblem) in
            guard let pointer = JSONPointer(parsing: text) else {
                throw ValueProblem(expected: "a JSON pointer such as \"/data/items\"", found: text)
            }
            return pointer
        }
        if let found { target = found }
    }

    // MARK: - Numbers, switches, choices

    /// A whole number in `range`. `2.0` is one (JSON Schema draft-07 §6.1.1); `2.5` is not.
    func integer(_ key: String, _ range: ClosedRange<Int>) -> Int? {
        guard let place = place(key) else { return nil }
        let found: Int?
        switch place.value {
        case .integer(let number): found = Int(exactly: number)
        case .real(let number): found = Int(exactly: number)
        default:
            session.report(place.pointer, "expected a whole number, found \(place.value.kindName)")
            return nil
        }
        guard let found, range.contains(found) else {
            session.report(
                place.pointer,
                "expected a whole number from \(range.lowerBound) to \(range.upperBound), found "
                    + Self.numberText(place.value))
            return nil
        }
        return found
    }

    func integer(_ key: String, into target: inout Int, _ range: ClosedRange<Int>) {
        if let number = integer(key, range) { target = number }
    }

    /// A whole number in `range`; nil for `"unlimited"` and where the key is absent.
    func integerOrUnlimited(_ key: String, _ range: ClosedRange<Int>) -> Int? {
        guard let place = place(key) else { return nil }
        guard case .string = place.value else { return integer(key, range) }
        if let text = session.string(place), text != "unlimited" {
            session.report(
                place.pointer, "expected a whole number or \"unlimited\", found \(ValueProblem.quoted(text))")
        }
        return nil
    }

    func number(_ key: String, into target: inout Double, _ range: ClosedRange<Double>) {
        guard let place = place(key) else { return }
        let found: Double
        switch place.value {
        case .integer(let number): found = Double(number)
        case .real(let number): found = number
        default:
            session.report(place.pointer, "expected a number, found \(place.value.kindName)")
            return
        }
        guard range.contains(found) else {
            session.report(
                place.pointer,
                "expected a number from \(range.lowerBound) to \(range.upperBound), found "
                    + Self.numberText(place.value))
            return
        }
        target = found
    }

    private static func numberText(_ value: JSONValue) -> String {
        switch value {
        case .integer(let number): String(number)
        case .real(let number): String(number)
        default: value.kindName
        }
    }

    func bool(_ key: String, into target: inout Bool) {
        guard let place = place(key) else { return }
        guard case .bool(let value) = place.value else {
            session.report(place.pointer, "expected true or false, found \(place.value.kindName)")
            return
        }
        target = value
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String, into target: inout Choice) {
        guard let place = place(key), let text = session.string(place) else { return }
        if let choice = session.choice(text, at: place.pointer, Choice.self) { target = choice }
    }
}
