internal import JSON

/// Values with a unit, and secrets.
extension SectionReader {
    /// A size between two bounds.
    func size(_ key: String, into target: inout ByteSize, from least: ByteSize, to most: ByteSize) {
        guard let place = place(key), let size = size(place, or: "") else { return }
        guard size >= least, size <= most else {
            session.report(place.pointer, "expected a size from \(least) to \(most), found \(size)")
            return
        }
        target = size
    }

    /// A size or `"unlimited"`.
    func sizeLimit(_ key: String, into target: inout SizeLimit) {
        guard let place = place(key) else { return }
        if case .string = place.value {
            if let limit = session.parsed(place, SizeLimit.init(parsing:)) { target = limit }
        } else if let size = size(place, or: " or \"unlimited\"") {
            target = .atMost(size)
        }
    }

    private func size(_ place: SectionPlace, or alternative: String) -> ByteSize? {
        do throws(ValueProblem) {
            switch place.value {
            case .string:
                guard let text = session.string(place) else { return nil }
                return try ByteSize(parsing: text)
            case .integer(let number): return try ByteSize(number: number)
            case .real(let number):
                guard let whole = Int64(exactly: number) else {
                    throw ValueProblem("expected a whole number of bytes, found \(number)")
                }
                return try ByteSize(number: whole)
            default:
                throw ValueProblem("expected a size\(alternative), found \(place.value.kindName)")
            }
        } catch {
            session.report(place.pointer, error.message)
            return nil
        }
    }

    /// A duration that is more than nothing, or nothing where that `allowsZero`.
    func duration(_ key: String, into target: inout Milliseconds, allowsZero: Bool = false) {
        guard let place = durationPlace(key, ""), let span = session.parsed(place, Milliseconds.init(parsing:)) else {
            return
        }
        if span.value == 0, !allowsZero {
            session.report(place.pointer, "expected a duration longer than 0")
        } else {
            target = span
        }
    }

    /// A duration that is more than nothing, or `"none"`; nil where the key is absent or cannot be read.
    func timeLimit(_ key: String) -> TimeLimit? {
        guard let place = durationPlace(key, " or \"none\""),
            let limit = session.parsed(place, TimeLimit.init(parsing:))
        else { return nil }
        if limit.milliseconds?.value == 0 {
            session.report(place.pointer, "expected a duration longer than 0, or \"none\"")
            return nil
        }
        return limit
    }

    func timeLimit(_ key: String, into target: inout TimeLimit) {
        if let limit = timeLimit(key) { target = limit }
    }

    /// Keeps `longer`, the value of `key`, from being less than that of `other`: a default gives way, what is written does
    /// not.
    func raise(_ key: String, of longer: inout Milliseconds, to other: String, _ shorter: Milliseconds) {
        guard longer < shorter else { return }
        if has(key) {
            session.report(
                pointer.appending(key), "\"\(key)\" is at least \"\(other)\", \(shorter), found \(longer)")
        }
        longer = shorter
    }

    /// The string at `key`; a bare number, the usual mistake, is told what it lacks.
    func durationPlace(_ key: String, _ alternative: String) -> SectionPlace? {
        guard let place = place(key) else { return nil }
        if case .string = place.value { return place }
        session.report(
            place.pointer,
            "expected a duration with its unit, such as \"2s\"\(alternative), found \(place.value.kindName)")
        return nil
    }

    /// `{ "env": NAME }` or `{ "file": PATH }`.
    func secret(_ key: String) -> Secret? {
        guard let place = place(key) else { return nil }
        if case .string = place.value {
            // The text is not repeated: it may well be the secret.
            session.report(
                place.pointer, "a secret is not written in the file: { \"env\": NAME } or { \"file\": PATH }")
            return nil
        }
        let keys = SectionKeys(["env", "file"])
        guard let section = session.section(place, keys, expected: "{ \"env\": NAME } or { \"file\": PATH }") else {
            return nil
        }
        guard section.has("env") != section.has("file") else {
            session.report(place.pointer, "expected exactly one of \"env\" and \"file\"")
            return nil
        }
        if section.has("file") { return section.path("file").map { Secret(file: $0) } }
        guard let name = section.string("env") else { return nil }
        guard EnvironmentText.isName(name) else {
            session.report(place.pointer.appending("env"), "expected the name of an environment variable")
            return nil
        }
        guard let value = session.environment[name], !value.isEmpty else {
            session.report(
                place.pointer.appending("env"), "the environment variable \(name) is not set, or empty")
            return nil
        }
        return Secret(environment: name, value: value)
    }
}
