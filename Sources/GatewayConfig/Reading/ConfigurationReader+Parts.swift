internal import JSON

/// What the reading of a text brought that is a part of a configuration.
package struct PartReading<Value> {
    /// The value; nil where an issue is an error.
    package let value: Value?
    /// Every error, in the order of the text.
    package let issues: [ConfigurationIssue]
}

/// Which pool is to get the requests of an upstream.
package struct PoolChoice: Equatable, Sendable {
    /// `active`: the pool's name.
    package var active: String
    /// `force`: whether it is to get them also when its servers do not answer. Default: false.
    package var force = false

    static let keys = SectionKeys(["active", "force"])
}

extension ConfigurationReader {
    /// Reads a list of servers as `servers` of an upstream has it. Nothing is taken from the environment.
    ///
    /// - Parameter name: what messages call the text.
    package static func readServers(text: [UInt8], named name: String) -> PartReading<[ServerSection]> {
        read(text, named: name) { place, session in
            guard case .array(let elements) = place.value else {
                session.report(place.pointer, "expected an array, found \(place.value.kindName)")
                return nil
            }
            if elements.isEmpty { session.report(place.pointer, "an upstream needs at least one server") }
            let servers = PoolSection.servers(elements, place.pointer, session)
            var seen: Set<ServerURL> = []
            for server in servers where !seen.insert(server.url).inserted {
                session.report(
                    place.pointer, "\(server.url) stands here twice; a \"weight\" gives it a larger share")
            }
            return servers
        }
    }

    /// Reads `"green"` or `{ "active": "green", "force": true }` for an upstream that has pools.
    ///
    /// - Parameter name: what messages call the text.
    package static func readPool(
        text: [UInt8], named name: String, of upstream: UpstreamSection
    ) -> PartReading<PoolChoice> {
        read(text, named: name) { place, session in
            var choice: PoolChoice?
            var pointer = place.pointer
            if case .string = place.value {
                choice = session.string(place).map { PoolChoice(active: $0) }
            } else if let section = session.section(place, PoolChoice.keys, expected: "the name of a pool or an object")
            {
                pointer = pointer.appending("active")
                choice = section.place("active", isRequired: true).flatMap { session.string($0) }
                    .map { PoolChoice(active: $0) }
                var force = false
                section.bool("force", into: &force)
                choice?.force = force
            }
            if let name = choice?.active, !upstream.pools.contains(where: { $0.name == name }) {
                session.report(pointer, upstream.unknownPool(name))
            }
            return choice
        }
    }

    static func read<Value>(
        _ text: [UInt8], named name: String, _ body: (SectionPlace, ReadingSession) -> Value?
    ) -> PartReading<Value> {
        let document: JSONDocument
        do throws(JSONSyntaxError) {
            document = try JSONDocument(parsing: text, maximumDepth: 16)
        } catch {
            let issue = ConfigurationIssue(
                .error, file: name, position: error.position, pointer: JSONPointer(), message: error.message)
            return PartReading(value: nil, issues: [issue])
        }
        let duplicates = document.duplicates()
        let session = ReadingSession(source: ConfigurationSource(file: name, document: document), environment: [:])
        for duplicate in duplicates {
            session.reportName(
                duplicate.pointer, "duplicate key \(ValueProblem.quoted(duplicate.pointer.tokens.last ?? ""))")
        }
        let value = body(SectionPlace(value: session.source.root, pointer: JSONPointer()), session)
        return PartReading(value: session.issues.isEmpty ? value : nil, issues: session.issues)
    }
}

extension UpstreamSection {
    /// That there is no such pool, and which was meant.
    func unknownPool(_ name: String) -> String {
        "unknown pool \(ValueProblem.quoted(name))" + ValueProblem.hint(name, pools.map(\.name), listed: true)
    }
}
