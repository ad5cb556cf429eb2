internal import JSON

/// An upstream's `balance`: which server gets the next request.
package enum BalanceSection: Equatable, Sendable {
    /// What is hashed, so that the same value reaches the same server.
    package enum HashKey: Equatable, Sendable {
        /// `"user"`: the user that `gateway.identity` found.
        case user
        /// `"path"`: the normalised path, without the query.
        case path
        /// `{ "header": NAME }`: the value of this field, name in lower case.
        case header(String)
        /// `{ "cookie": NAME }`: the value of this cookie.
        case cookie(String)
    }

    /// `"round-robin"`: in turn, by weight.
    case roundRobin
    /// `"least-request"`: of two servers picked at random by weight, the one with fewer requests at work.
    case leastRequest
    /// `{ "hash": … }`: by the hash of something in the request; a request without it is balanced by least-request.
    case hash(HashKey)

    static let keys = SectionKeys(["hash"])
    static let hashKeys = SectionKeys(["header", "cookie"])

    /// Nil where the value cannot be read, which is reported.
    init?(at place: SectionPlace, _ session: ReadingSession) {
        if case .string = place.value {
            guard let text = session.string(place) else { return nil }
            switch text {
            case "round-robin": self = .roundRobin
            case "least-request": self = .leastRequest
            case "hash":
                session.report(
                    place.pointer,
                    "\"hash\" says of what: { \"hash\": \"user\" }, \"path\", { \"header\": NAME } or { \"cookie\": NAME }"
                )
                return nil
            default:
                session.report(
                    place.pointer,
                    "expected \"round-robin\", \"least-request\" or { \"hash\": … }, found \(ValueProblem.quoted(text))"
                        + ValueProblem.hint(text, ["round-robin", "least-request"]))
                return nil
            }
            return
        }
        guard let section = session.section(place, Self.keys, expected: "a string or an object") else { return nil }
        guard let hash = section.place("hash", isRequired: true), let key = Self.hashKey(hash, session) else {
            return nil
        }
        self = .hash(key)
    }

    private static func hashKey(_ place: SectionPlace, _ session: ReadingSession) -> HashKey? {
        if case .string = place.value {
            guard let text = session.string(place) else { return nil }
            switch text {
            case "user": return .user
            case "path": return .path
            default:
                session.report(
                    place.pointer,
                    "expected \"user\", \"path\", { \"header\": NAME } or { \"cookie\": NAME }, found "
                        + ValueProblem.quoted(text) + ValueProblem.hint(text, ["user", "path"]))
                return nil
            }
        }
        guard let section = session.section(place, hashKeys, expected: "a string or an object") else { return nil }
        let found = ["header", "cookie"].filter { section.has($0) }
        guard found.count == 1, let key = found.first else {
            session.report(place.pointer, "expected exactly one of \"header\" and \"cookie\"")
            return nil
        }
        guard let name = section.token(key, what: key == "header" ? "a header name" : "a cookie name") else {
            return nil
        }
        return key == "header" ? .header(name.lowercased()) : .cookie(name)
    }

    var effective: JSONValue {
        let hash: JSONValue
        switch self {
        case .roundRobin: return .string("round-robin")
        case .leastRequest: return .string("least-request")
        case .hash(.user): hash = .string("user")
        case .hash(.path): hash = .string("path")
        case .hash(.header(let name)): hash = .section([("header", .string(name))])
        case .hash(.cookie(let name)): hash = .section([("cookie", .string(name))])
        }
        return .section([("hash", hash)])
    }
}
