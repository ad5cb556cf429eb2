import ByteBuffers
internal import JSON

/// What operators have chosen at run time, over what the file says: active pools, and servers in place of others.
///
/// A choice is made over the file as it is at that moment, and remembers it: when the file comes to say something else of
/// the same upstream, the file is the later word, and the choice is dropped.
package struct RuntimeChoices: Equatable, Sendable {
    /// A choice for one upstream.
    package enum Choice: Equatable, Sendable {
        /// This pool is active, in place of the one that the file has as `active`.
        case pool(String, over: String)
        /// These are the servers, in place of those that the file has.
        case servers([ServerSection], over: [ServerSection])
    }

    private var choices: [String: Choice] = [:]

    /// No choices.
    package init() {}

    /// Whether there are none.
    package var isEmpty: Bool { choices.isEmpty }

    /// The choice for the upstream with this name.
    package subscript(upstream: String) -> Choice? { choices[upstream] }

    // MARK: - Choosing

    /// Makes `pool` the active one of `upstream`, which is as the file has it.
    package mutating func choose(pool: String, for upstream: UpstreamSection) {
        let filed = upstream.active ?? ""
        choices[upstream.name] = pool == filed ? nil : .pool(pool, over: filed)
    }

    /// Gives `upstream`, which is as the file has it, other servers.
    package mutating func choose(servers: [ServerSection], for upstream: UpstreamSection) {
        choices[upstream.name] = servers == upstream.servers ? nil : .servers(servers, over: upstream.servers)
    }

    /// Takes back what was chosen for the upstream with this name.
    package mutating func takeBack(_ upstream: String) { choices[upstream] = nil }

    // MARK: - The file

    /// Drops what does not fit the file any more.
    ///
    /// - Returns: what was dropped and why, a sentence each without a full stop.
    package mutating func fit(_ configuration: GatewayConfiguration) -> [String] {
        var reasons: [String] = []
        for (name, choice) in choices.sorted(by: { $0.key < $1.key }) {
            guard let reason = Self.obstacle(choice, name, configuration) else { continue }
            choices[name] = nil
            reasons.append(reason)
        }
        return reasons
    }

    private static func obstacle(_ choice: Choice, _ name: String, _ file: GatewayConfiguration) -> String? {
        let quoted = ValueProblem.quoted(name)
        guard let upstream = file.upstreams.first(where: { $0.name == name }) else {
            return "there is no upstream \(quoted)" + ValueProblem.hint(name, file.upstreams.map(\.name))
        }
        switch choice {
        case .pool(let pool, let filed):
            if upstream.pools.isEmpty { return "the upstream \(quoted) has no pools any more" }
            if upstream.active != filed { return "the file has another \"active\" for the upstream \(quoted) now" }
            if upstream.pools.contains(where: { $0.name == pool }) { return nil }
            return "of the upstream \(quoted): " + upstream.unknownPool(pool)
        case .servers(_, let filed):
            if !upstream.pools.isEmpty { return "the upstream \(quoted) has pools now" }
            return upstream.servers == filed ? nil : "the file has other servers for the upstream \(quoted) now"
        }
    }

    /// The configuration with what was chosen. What does not fit has no effect.
    package func applied(to configuration: GatewayConfiguration) -> GatewayConfiguration {
        var result = configuration
        for index in result.upstreams.indices {
            switch choices[result.upstreams[index].name] {
            case .pool(let pool, _) where result.upstreams[index].pools.contains { $0.name == pool }:
                result.upstreams[index].active = pool
            case .servers(let servers, _) where result.upstreams[index].pools.isEmpty:
                result.upstreams[index].servers = servers
            default: break
            }
        }
        return result
    }

    // MARK: - As a file

    /// The choices as they are kept in a file.
    package var text: [UInt8] {
        let members = choices.sorted { $0.key < $1.key }.map { name, choice in
            switch choice {
            case .pool(let pool, let filed):
                (name, JSONValue.section([("active", .string(pool)), ("over", .string(filed))]) as JSONValue?)
            case .servers(let servers, let filed):
                (
                    name,
                    JSONValue.section([
                        ("servers", .array(servers.map(\.effective))), ("over", .array(filed.map(\.effective))),
                    ])
                )
            }
        }
        var buffer = ByteBuffer()
        buffer.appendJSON(JSONValue.section([("upstreams", .section(members))]).escapingReferences())
        buffer.append("\n")
        return buffer.withUnsafeBytes { Array($0) }
    }

    /// Reads what ``text`` has written. What is wrong with one upstream costs no other one its choice.
    ///
    /// - Parameter file: what messages call the text.
    /// - Returns: the choices, and what could not be read, a sentence each.
    package static func reading(_ text: [UInt8], file: String) -> (choices: RuntimeChoices, problems: [String]) {
        var choices = RuntimeChoices()
        let reading = ConfigurationReader.read(text, named: file) { place, session -> Bool? in
            guard let root = session.section(place, fileKeys) else { return nil }
            for (name, place) in root.named("upstreams") {
                guard let section = session.section(place, choiceKeys) else { continue }
                let choice = Choice(section)
                if !session.hasError(under: place.pointer) { choices.choices[name] = choice }
            }
            return true
        }
        return (choices, reading.issues.map(\.description))
    }

    private static let fileKeys = SectionKeys(["upstreams"])
    private static let choiceKeys = SectionKeys(["active", "servers", "over"])
}

extension RuntimeChoices.Choice {
    fileprivate init?(_ section: SectionReader) {
        let session = section.session
        if section.has("servers") {
            func servers(_ key: String) -> [ServerSection] {
                let places = section.elements(key, isRequired: true)
                return PoolSection.servers(
                    places.map(\.value), section.pointer.appending(key), session)
            }
            self = .servers(servers("servers"), over: servers("over"))
            return
        }
        guard let pool = section.place("active", isRequired: true).flatMap({ session.string($0) }),
            let filed = section.place("over", isRequired: true).flatMap({ session.string($0) })
        else { return nil }
        self = .pool(pool, over: filed)
    }
}
