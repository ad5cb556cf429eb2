internal import JSON

/// A route with `to`: requests are sent on, responses are passed back as they come.
package struct ForwardSection: Equatable, Sendable {
    /// A protocol that a request may go over to.
    package enum UpgradeProtocol: String, CaseIterable, Sendable {
        /// RFC 6455.
        case websocket
    }

    /// `to`: a context or an upstream; the context where both have the name.
    package var to: String
    /// `rewrite`: the path that is sent instead, a template of the pattern's names, beginning with `/`; the room that
    /// matches compiles it. Default: the path as it came, normalised. The query is kept.
    package var rewrite: String?
    /// `requestHeaders`: fields of the request that are set, added, removed. Default: none.
    package var requestHeaders = HeaderEditsSection()
    /// `responseHeaders`: fields of the response that are set, added, removed. Default: none.
    package var responseHeaders = HeaderEditsSection()
    /// `timeout`: to the response's head. Default: nil, the upstream's.
    package var timeout: TimeLimit?
    /// `idleTimeout`: between two bytes of a body. Default: nil, the upstream's.
    package var idleTimeout: TimeLimit?
    /// `totalTimeout`: the whole exchange. Default: nil, the upstream's.
    package var totalTimeout: TimeLimit?
    /// `maxBody`: bytes of the request's body, or `"unlimited"`; beyond it 413. Default: `gateway.limits.body`.
    package var maxBody: SizeLimit

    /// `upgrade`: protocols that requests may go over to by `Upgrade` (RFC 9110 §7.8). Default: none; the field is
    /// ignored then and goes no further.
    package var upgrade: [UpgradeProtocol] = []
    /// `retry`: which failures are followed by another try. Default: nil, the upstream's.
    package var retry: RetrySection?
    /// `hedge`: when a request that only reads is sent a second time. Default: nil, the upstream's.
    package var hedge: HedgeSection?
    /// `idempotencyKey`: whether a request with the field `Idempotency-Key` may be repeated whatever its method. Default:
    /// false.
    package var idempotencyKey = false

    /// Nil where `to` cannot be read.
    init?(_ section: SectionReader, defaultMaxBody: SizeLimit) {
        maxBody = defaultMaxBody
        let to = section.reference("to", .target, isRequired: true)
        rewrite = section.pathTemplate("rewrite")
        if let edits = section.section("requestHeaders", HeaderEditsSection.keys) {
            requestHeaders = HeaderEditsSection(edits, FieldRules.reasonAgainstRequest)
        }
        if let edits = section.section("responseHeaders", HeaderEditsSection.keys) {
            responseHeaders = HeaderEditsSection(edits, FieldRules.reasonAgainstResponse)
        }
        timeout = section.timeLimit("timeout")
        idleTimeout = section.timeLimit("idleTimeout")
        totalTimeout = section.timeLimit("totalTimeout")
        section.sizeLimit("maxBody", into: &maxBody)
        if section.has("upgrade") { upgrade = section.session.distinct(section.elements("upgrade")) }
        retry = RetrySection.read(section)
        hedge = HedgeSection.read(section)
        section.bool("idempotencyKey", into: &idempotencyKey)
        guard let to else { return nil }
        self.to = to
    }

    /// The members of the route.
    var effective: [(String, JSONValue?)] {
        [
            ("to", .string(to)),
            ("rewrite", rewrite.map { .string($0) }),
            ("requestHeaders", requestHeaders.isEmpty ? nil : requestHeaders.effective),
            ("responseHeaders", responseHeaders.isEmpty ? nil : responseHeaders.effective),
            ("timeout", timeout.map { .text($0) }),
            ("idleTimeout", idleTimeout.map { .text($0) }),
            ("totalTimeout", totalTimeout.map { .text($0) }),
            ("maxBody", .text(maxBody)),
            ("upgrade", upgrade.isEmpty ? nil : .array(upgrade.map { .string($0.rawValue) })),
            ("retry", retry?.effective),
            ("hedge", hedge?.effective),
            ("idempotencyKey", .bool(idempotencyKey)),
        ]
    }
}
