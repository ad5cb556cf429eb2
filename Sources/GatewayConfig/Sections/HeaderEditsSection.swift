internal import JSON

/// `requestHeaders` and `responseHeaders` of a route: changes to the fields that pass. Removing comes first, then
/// setting, then adding.
package struct HeaderEditsSection: Equatable, Sendable {
    /// A field that the file writes.
    package struct Field: Equatable, Sendable {
        /// The name as it is written in the file.
        package var name: String
        /// The value that is sent.
        package var value: String
        /// Whether the value is hidden when the configuration is shown: it came from the environment, or the name says
        /// that it proves who is asking.
        package var isHidden: Bool

        /// The value for the effective configuration.
        var effective: JSONValue { .string(isHidden ? "(hidden)" : value) }
    }

    /// `set`: fields that take the place of every field of that name, `_` and `-` being the same. Default: none.
    package var set: [Field] = []
    /// `add`: fields that come in addition to those of that name. Default: none.
    package var add: [Field] = []
    /// `remove`: names of fields that are taken away, `_` and `-` being the same. Default: none.
    package var remove: [String] = []

    static let keys = SectionKeys(["set", "add", "remove"])

    /// Whether nothing is changed.
    package var isEmpty: Bool { self.set.isEmpty && add.isEmpty && remove.isEmpty }

    init() {}

    /// Reads the edits; `reason` tells why a name must not be touched here, or nil.
    init(_ section: SectionReader, _ reason: (String) -> String?) {
        set = Self.fields("set", section, reason)
        add = Self.fields("add", section, reason)
        let session = section.session
        var seen = Set(set.map { FieldRules.canonical($0.name) })
        for place in section.elements("remove") {
            guard let name = session.string(place) else { continue }
            guard FieldRules.isName(name) else {
                session.report(place.pointer, "\(ValueProblem.quoted(name)) is not a header name")
                continue
            }
            if let reason = reason(name) {
                session.report(place.pointer, "\(ValueProblem.quoted(name)) cannot be removed: it \(reason)")
            } else if !seen.insert(FieldRules.canonical(name)).inserted {
                session.report(place.pointer, "\(ValueProblem.quoted(name)) is set or removed already")
            }
            remove.append(name)
        }
    }

    /// Reads an object of field names and values: `set`, `add`, and `headers` of a fixed answer.
    static func fields(_ key: String, _ section: SectionReader, _ reason: (String) -> String?) -> [Field] {
        let session = section.session
        var seen: Set<String> = []
        return section.named(key, areNames: false).compactMap { name, place in
            guard FieldRules.isName(name) else {
                session.reportName(place.pointer, "\(ValueProblem.quoted(name)) is not a header name")
                return nil
            }
            if let reason = reason(name) {
                session.reportName(place.pointer, "\(ValueProblem.quoted(name)) cannot be set: it \(reason)")
            } else if !seen.insert(FieldRules.canonical(name)).inserted {
                session.reportName(place.pointer, "\(ValueProblem.quoted(name)) stands here in two spellings")
            }
            guard let text = session.text(place) else { return nil }
            guard FieldRules.isValue(text.text) else {
                session.report(
                    place.pointer, "no header can have this value: control characters, outer blanks, or over 8 KiB")
                return nil
            }
            return Field(
                name: name, value: text.text, isHidden: text.usesEnvironment || FieldRules.isSensitive(name))
        }
    }

    var effective: JSONValue {
        let list = { (fields: [Field]) -> JSONValue? in
            fields.isEmpty ? nil : .section(fields.map { ($0.name, $0.effective) })
        }
        return .section([
            ("set", list(set)), ("add", list(add)),
            ("remove", remove.isEmpty ? nil : .array(remove.map { .string($0) })),
        ])
    }
}
