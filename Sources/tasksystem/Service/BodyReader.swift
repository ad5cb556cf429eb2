import Foundation
import NIOHTTP1

/// Reads the members of a request's JSON object and gathers everything that is wrong with them.
///
/// With ``isPartial`` (PATCH) a member that is absent keeps its old value; otherwise (POST, PUT) required members must
/// be there and optional ones fall back to their default.
struct BodyReader {
    let isPartial: Bool
    private let members: [String: JSONValue]
    private(set) var errors: [FieldError] = []
    private var known: Set<String>

    /// Members that a record shows but nobody sets. They are ignored, so that a record can be read, changed and sent back.
    static let readOnly: Set<String> = ["id", "created_at", "updated_at", "completed_at"]

    /// - Throws: ``Problem`` 415 when the body is not declared as JSON, 400 when it is not JSON, 422 when it is not an
    ///   object.
    init(_ request: HTTPRequest) throws(Problem) {
        try Self.checkMediaType(of: request)
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: request.body)
        } catch {
            throw Problem(.badRequest, "The body is not JSON.")
        }
        guard case .object(let members) = value else {
            throw Problem(.unprocessableEntity, "The body must be a JSON object.")
        }
        self.init(members: members, isPartial: request.method == .PATCH)
    }

    init(members: [String: JSONValue], isPartial: Bool) {
        self.members = members
        self.isPartial = isPartial
        known = Self.readOnly
    }

    /// Text, surrounding white space removed, with that many characters. Returns `old` when there is none to return.
    mutating func text(_ name: String, length: ClosedRange<Int>, old: String, isOptional: Bool = false) -> String {
        known.insert(name)
        switch members[name] {
        case nil where isPartial || isOptional:
            return old
        case nil:
            return fail(name, "is required", old)
        case .string(let text):
            let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
            // A character can be made of any number of scalars, so scalars are what a limit has to count.
            let count = trimmed.unicodeScalars.count
            if count < length.lowerBound {
                return fail(name, "must not be empty", old)
            }
            if count > length.upperBound {
                return fail(name, "must have at most \(length.upperBound) characters", old)
            }
            return trimmed
        default:
            return fail(name, "must be text", old)
        }
    }

    /// One of an enumeration's words; `old` where it is absent.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, old: Choice) -> Choice {
        known.insert(name)
        switch members[name] {
        case nil:
            return old
        case .string(let text):
            if let choice = Choice(rawValue: text) {
                return choice
            }
            fallthrough
        default:
            return fail(name, "must be one of " + wordList(Choice.self), old)
        }
    }

    mutating func boolean(_ name: String, old: Bool) -> Bool {
        known.insert(name)
        switch members[name] {
        case nil: return old
        case .bool(let value): return value
        default: return fail(name, "must be true or false", old)
        }
    }

    /// The identifier of another record. Whether it exists is asked only where that record is of the same context.
    mutating func reference(_ name: String, old: Int64) -> Int64 {
        known.insert(name)
        if members[name] == nil, !isPartial {
            return fail(name, "is required", old)
        }
        return optionalReference(name, old: old) ?? fail(name, "must not be null", old)
    }

    /// The same, but `null` is allowed.
    mutating func optionalReference(_ name: String, old: Int64?) -> Int64? {
        known.insert(name)
        switch members[name] {
        case nil: return old
        case .null: return nil
        case .integer(let number) where number > 0: return number
        default: return fail(name, "must be the number of a record", old)
        }
    }

    /// A calendar date, `2025-03-31`, or null.
    mutating func optionalDate(_ name: String, old: String?) -> String? {
        known.insert(name)
        switch members[name] {
        case nil: return old
        case .null: return nil
        case .string(let text) where Timestamp.isDate(text): return text
        default: return fail(name, "must be a date like 2025-03-31", old)
        }
    }

    /// Notes an error that only the context can see.
    mutating func refuse(_ name: String, _ message: String) {
        errors.append(FieldError(field: name, message: message))
    }

    /// - Throws: ``Problem`` 422 with everything that was wrong, unknown members included: most are slips of the pen.
    func check() throws(Problem) {
        let unknown = members.keys.filter { !known.contains($0) }.sorted()
        let all = errors + unknown.map { FieldError(field: $0, message: "is not known") }
        if !all.isEmpty {
            throw Problem(.unprocessableEntity, "The body has \(count(all.count, "error")).", errors: all)
        }
    }

    private mutating func fail<Value>(_ name: String, _ message: String, _ old: Value) -> Value {
        errors.append(FieldError(field: name, message: message))
        return old
    }

    private static func checkMediaType(of request: HTTPRequest) throws(Problem) {
        let field = request.head.headers.first(name: "content-type") ?? ""
        let type = field.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        guard type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json")) else {
            throw Problem(
                .unsupportedMediaType, "Send the body as application/json.", headers: ["Accept": "application/json"])
        }
    }
}
