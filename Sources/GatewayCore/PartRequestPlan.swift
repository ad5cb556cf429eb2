import GatewayConfig
import HTTPMessage

/// What the head of a part's request is made of beside what its templates say, compiled for one worker.
struct PartRequestPlan {
    /// Which of the client's fields the part gets.
    let policy: FieldPolicy
    /// `Accept`, where the configuration gives the part none of its own: a view is made of JSON alone.
    let acceptLine: [UInt8]
    /// The media type of a body, where the configuration names none.
    let contentTypeLine: [UInt8]
    /// How the part is repeated, in place of its upstream's rules; nil leaves those.
    var retry: RetryRules?

    /// The client's fields that parts get where the configuration does not say: what most services need to know who
    /// asks, and in which language.
    private static let standardFields = ["accept-language", "authorization", "cookie", "user-agent"]

    /// - Parameters:
    ///   - identity: The fields by which a trusted peer names the user; every part gets them.
    ///   - certificates: The fields that tell of clients' certificates, which the gateway alone writes.
    init(
        _ part: PartSection, _ passed: AggregateSection.PassedHeaders, identity: [String], certificates: [String]
    ) {
        // What the part sets itself takes the place of what the client sent.
        let own = part.request.headers.map(\.name)
        let removed = FieldRules.viewFields + own + certificates + [DeadlineFields.name]
        policy =
            switch passed {
            case .standard: FieldPolicy(identity: identity, removed: removed, passed: Self.standardFields)
            case .only(let names): FieldPolicy(identity: identity, removed: removed, passed: names)
            case .all: FieldPolicy(identity: identity, removed: removed)
            }
        let sets = { (name: String) in own.contains { $0.lowercased() == name } }
        acceptLine = sets("accept") ? [] : Array("Accept: application/json\r\n".utf8)
        contentTypeLine = sets("content-type") ? [] : Array("Content-Type: application/json\r\n".utf8)
    }
}
