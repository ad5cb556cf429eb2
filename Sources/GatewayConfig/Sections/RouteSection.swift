internal import JSON

/// An element of `routes`: which requests, and what is done with them.
package struct RouteSection: Equatable, Sendable {
    /// What is done with a request: exactly one of four.
    package enum Action: Equatable, Sendable {
        /// `to`: sent on to a context or an upstream.
        case forward(ForwardSection)
        /// `aggregate`: answered with a view composed of several calls.
        case aggregate(AggregateSection)
        /// `respond`: answered with what stands in the file.
        case respond(RespondSection)
        /// `redirect`: sent elsewhere.
        case redirect(RedirectSection)
    }

    /// The place in `routes`, from 0; with it a room that compiles routes names the place of a problem.
    package var index: Int
    /// `match`: `[METHOD] [host]/path`, as it is written; the room that matches compiles it. Required.
    package var match: String
    /// `when`: conditions on headers and query, all of which must hold. Default: none.
    package var when: WhenSection
    /// `name`: what the route is called in traces, metrics and logs, 1 to 128 characters. Default: the pattern.
    package var name: String
    /// `traceResponse`: in which form answers tell clients of their trace. Default: nil, `gateway.tracing.respond`.
    package var traceResponse: TracingSection.Response?
    /// `sampleRatio`: the share of the traces begun with this route that is sampled, 0.0 to 1.0. Default: that of
    /// `gateway.tracing`.
    package var sampleRatio: Double?
    /// What is done.
    package var action: Action

    /// The options of `to`, which have no meaning beside another action.
    static let forwardKeys = [
        "rewrite", "requestHeaders", "responseHeaders", "idleTimeout", "totalTimeout", "upgrade", "retry", "hedge",
        "idempotencyKey",
    ]
    /// The options of `to` and `aggregate`.
    static let sharedKeys = ["timeout", "maxBody"]
    static let actionKeys = ["to", "aggregate", "respond", "redirect"]
    static let keys = SectionKeys(
        ["match", "when", "name", "traceResponse", "sampleRatio"] + actionKeys + sharedKeys
            + AggregateSection.routeKeys + forwardKeys)

    /// Nil where there is no pattern. Where the action cannot be read, which is reported, the route answers 503: it has
    /// to be there for the checks of the other rooms, and a configuration with an error is never put to use.
    init?(index: Int, _ section: SectionReader, defaultMaxBody: SizeLimit) {
        let session = section.session
        let match = section.line("match", upTo: 4096, isRequired: true)
        var when = WhenSection()
        if let conditions = section.section("when", WhenSection.keys) { when = WhenSection(conditions) }
        let name = section.line("name", upTo: 128)
        var response = TracingSection.Response.none
        section.choice("traceResponse", into: &response)
        let actions = Self.actionKeys.filter { section.has($0) }
        let oneOf = "exactly one of \"to\", \"aggregate\", \"respond\" and \"redirect\""
        if actions.isEmpty {
            session.report(section.pointer, "a route has \(oneOf), this one has none")
        }
        for key in actions.dropFirst() {
            session.reportName(
                section.pointer.appending(key), "a route has \(oneOf), this one already has \"\(actions[0])\"")
        }
        Self.checkOptions(section, actions)
        let read = actions.map { Self.action($0, section, defaultMaxBody) }
        guard let match else { return nil }
        self.index = index
        self.match = match
        self.when = when
        self.name = name ?? match
        traceResponse = section.has("traceResponse") ? response : nil
        if section.has("sampleRatio") {
            var ratio = 1.0
            section.number("sampleRatio", into: &ratio, 0...1)
            sampleRatio = ratio
        }
        action = (read.first ?? nil) ?? .respond(RespondSection(status: 503))
    }

    private static func action(_ key: String, _ section: SectionReader, _ maxBody: SizeLimit) -> Action? {
        switch key {
        case "to": ForwardSection(section, defaultMaxBody: maxBody).map { .forward($0) }
        case "aggregate": AggregateSection(section).map { .aggregate($0) }
        case "respond": section.section(key, RespondSection.keys).map { .respond(RespondSection($0)) }
        default: section.section(key, RedirectSection.keys).flatMap { RedirectSection($0) }.map { .redirect($0) }
        }
    }

    /// An option without its action would be ignored without a word.
    private static func checkOptions(_ section: SectionReader, _ actions: [String]) {
        guard !actions.isEmpty else { return }
        for key in forwardKeys where section.has(key) && !actions.contains("to") {
            section.session.reportName(
                section.pointer.appending(key), "\"\(key)\" is an option of \"to\", not of \"\(actions[0])\"")
        }
        for key in sharedKeys where section.has(key) && !actions.contains("to") && !actions.contains("aggregate") {
            section.session.reportName(
                section.pointer.appending(key),
                "\"\(key)\" is an option of \"to\" and \"aggregate\", not of \"\(actions[0])\"")
        }
        for key in AggregateSection.routeKeys where section.has(key) && !actions.contains("aggregate") {
            section.session.reportName(
                section.pointer.appending(key), "\"\(key)\" is an option of \"aggregate\", not of \"\(actions[0])\"")
        }
    }

    var effective: JSONValue {
        var members: [(String, JSONValue?)] = [
            ("match", .string(match)), ("when", when.isEmpty ? nil : when.effective), ("name", .string(name)),
            ("traceResponse", traceResponse.map { .string($0.rawValue) }),
            ("sampleRatio", sampleRatio.map { .real($0) }),
        ]
        switch action {
        case .forward(let forward): members += forward.effective
        case .aggregate(let aggregate): members += aggregate.effective
        case .respond(let respond): members.append(("respond", respond.effective))
        case .redirect(let redirect): members.append(("redirect", redirect.effective))
        }
        return .section(members)
    }
}
