internal import JSON

/// An element of `gateway.identity`: one place in which the user of a request (`targetingKey` of flags) may stand.
package enum IdentitySection: Equatable, Sendable {
    /// `header`: the value of this field, name in lower case. Believed only from a peer in `gateway.trustedProxies`;
    /// anybody else's is taken away, in every spelling (`_` for `-` included).
    case header(String)
    /// `cookie`: the value of this cookie, name with its case. Clients can set it to anything: good for sticky
    /// decisions, not for rights.
    case cookie(String)

    static let keys = SectionKeys(["header", "cookie"], later: ["claim"])

    /// Nil where not exactly one of the keys is there or its value is no name.
    init?(_ section: SectionReader) {
        let found = ["header", "cookie"].filter { section.has($0) }
        guard found.count == 1, let key = found.first else {
            // What is not supported yet was reported as such; a second message would only confuse.
            if !section.has("claim") || found.count > 1 {
                section.session.report(section.pointer, "expected exactly one of \"header\" and \"cookie\"")
            }
            return nil
        }
        guard let name = section.token(key, what: key == "header" ? "a header name" : "a cookie name") else {
            return nil
        }
        guard key == "header" else {
            self = .cookie(name)
            return
        }
        if let reason = FieldRules.reasonAgainstRequest(name) {
            section.session.report(
                section.pointer.appending(key), "\(ValueProblem.quoted(name)) cannot name the user: it \(reason)")
            return nil
        }
        self = .header(name.lowercased())
    }

    var effective: JSONValue {
        switch self {
        case .header(let name): .section([("header", .string(name))])
        case .cookie(let name): .section([("cookie", .string(name))])
        }
    }
}
