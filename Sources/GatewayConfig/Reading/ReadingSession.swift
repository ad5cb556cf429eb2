internal import JSON

/// A value of the document with the way to it.
struct SectionPlace {
    let value: JSONValue
    let pointer: JSONPointer
}

/// One reading of one file: what all sections share, and the issues that they find.
///
/// Sections go on after an issue with what they have; nothing is thrown, so that one reading finds everything.
final class ReadingSession {
    /// What a name in the configuration has to be the name of.
    enum ReferenceKind {
        /// An upstream: in `off`, `on` and `variants`.
        case upstream
        /// A context or an upstream: in `to` and `from`.
        case target
    }

    /// A name that stands for something elsewhere in the file.
    struct Reference {
        let name: String
        let kind: ReferenceKind
        let pointer: JSONPointer
    }

    let source: ConfigurationSource
    let environment: [String: String]
    let folder: ConfigurationFolder
    private(set) var issues: [ConfigurationIssue] = []
    private(set) var references: [Reference] = []

    init(source: ConfigurationSource, environment: [String: String]) {
        self.source = source
        self.environment = environment
        folder = ConfigurationFolder(of: source.file)
    }

    // MARK: - Issues

    /// An error about the value at `pointer`.
    func report(_ pointer: JSONPointer, _ message: String) {
        issues.append(source.issue(at: pointer, message))
    }

    /// An error about the name of the member at `pointer`.
    func reportName(_ pointer: JSONPointer, _ message: String) {
        issues.append(source.issue(atName: pointer, message))
    }

    /// A warning about the value at `pointer`.
    func warn(_ pointer: JSONPointer, _ message: String) {
        issues.append(source.issue(.warning, at: pointer, message))
    }

    /// Whether an error was found at `pointer` or below.
    func hasError(under pointer: JSONPointer) -> Bool {
        issues.contains { $0.severity == .error && $0.pointer.tokens.starts(with: pointer.tokens) }
    }

    /// Adds an issue that was found elsewhere.
    func add(_ issue: ConfigurationIssue) {
        issues.append(issue)
    }

    // MARK: - Values

    /// The object at `place`, its keys checked; nil where it is none.
    func section(_ place: SectionPlace, _ keys: SectionKeys, expected: String = "an object") -> SectionReader? {
        guard case .object(let members) = place.value else {
            report(place.pointer, "expected \(expected), found \(place.value.kindName)")
            return nil
        }
        for member in members where !keys.known.contains(member.name) {
            let pointer = place.pointer.appending(member.name)
            let name = ValueProblem.quoted(member.name)
            if keys.later.contains(member.name) {
                reportName(pointer, "\(name) is not supported yet")
            } else {
                let hint = ValueProblem.hint(member.name, keys.known)
                let known = keys.known.map { "\"\($0)\"" }.joined(separator: ", ")
                reportName(pointer, "unknown key \(name)" + (hint.isEmpty ? "; expected one of \(known)" : hint))
            }
        }
        return SectionReader(members: members, pointer: place.pointer, session: self)
    }

    /// The string at `place` with the environment filled in; nil where it is none or a reference fails.
    func text(_ place: SectionPlace) -> EnvironmentText? {
        guard case .string(let written) = place.value else {
            report(place.pointer, "expected a string, found \(place.value.kindName)")
            return nil
        }
        let text = EnvironmentText(written, environment: environment)
        for problem in text.problems { report(place.pointer, problem) }
        return text.problems.isEmpty ? text : nil
    }

    /// The string at `place` with the environment filled in; nil where it is none or a reference fails.
    func string(_ place: SectionPlace) -> String? {
        text(place)?.text
    }

    /// A string of one line: not empty, at most `limit` characters, no control characters.
    func line(_ place: SectionPlace, upTo limit: Int) -> String? {
        guard let text = string(place) else { return nil }
        guard !text.isEmpty, text.unicodeScalars.count <= limit,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            report(
                place.pointer,
                text.isEmpty
                    ? "expected text, found \"\""
                    : "expected at most \(limit) characters on one line, found "
                        + ValueProblem.quoted(text))
            return nil
        }
        return text
    }

    /// The name of something elsewhere in the file, remembered to be looked up when everything is read.
    func reference(_ place: SectionPlace, _ kind: ReferenceKind) -> String? {
        guard let name = string(place) else { return nil }
        references.append(Reference(name: name, kind: kind, pointer: place.pointer))
        return name
    }

    /// The string at `place` read by `parse`; nil where it is none or `parse` throws.
    func parsed<Value>(
        _ place: SectionPlace, _ parse: (String) throws(ValueProblem) -> Value
    ) -> Value? {
        guard let text = string(place) else { return nil }
        do throws(ValueProblem) {
            return try parse(text)
        } catch {
            report(place.pointer, error.message)
            return nil
        }
    }

    /// Any JSON, the environment filled in wherever a string stands.
    func json(_ place: SectionPlace) -> JSONValue {
        switch place.value {
        case .string:
            return .string(string(place) ?? "")
        case .array(let elements):
            return .array(
                elements.enumerated().map { json(SectionPlace(value: $1, pointer: place.pointer.appending($0))) })
        case .object(let members):
            return .object(
                members.map { member in
                    let inner = SectionPlace(value: member.value, pointer: place.pointer.appending(member.name))
                    return JSONMember(name: member.name, value: json(inner))
                })
        case .null, .bool, .integer, .real:
            return place.value
        }
    }

    /// Strings of a closed set, each at most once. Where it `allowsNumbers`, those that are numbers may be written as such:
    /// a status is one to most people.
    func distinct<Choice: RawRepresentable<String> & CaseIterable & Equatable>(
        _ places: [SectionPlace], allowsNumbers: Bool = false
    ) -> [Choice] {
        var choices: [Choice] = []
        for place in places {
            guard let text = (allowsNumbers ? digits(place) : nil) ?? string(place) else { continue }
            if let choice = self.choice(text, at: place.pointer, Choice.self) {
                if choices.contains(choice) {
                    report(place.pointer, "\(ValueProblem.quoted(text)) stands here twice")
                }
                choices.append(choice)
            }
        }
        return choices
    }

    /// A whole number in decimal digits; nil for anything else.
    func digits(_ place: SectionPlace) -> String? {
        switch place.value {
        case .integer(let number): String(number)
        case .real(let number): Int64(exactly: number).map { String($0) }
        default: nil
        }
    }

    /// The case of `Choice` that `text` names; nil, with the nearest name in the report, where there is none.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ text: String, at pointer: JSONPointer, _ type: Choice.Type
    ) -> Choice? {
        if let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue)
        let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
        report(
            pointer,
            "expected \(names.count > 1 ? "one of " : "")\(list), found \(ValueProblem.quoted(text))"
                + ValueProblem.hint(text, names))
        return nil
    }
}
