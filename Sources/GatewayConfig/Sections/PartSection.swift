package import JSON

/// A member of `aggregate`: one call and what of its answer goes into the view.
package struct PartSection: Equatable, Sendable {
    /// Which members of the part's answer are kept.
    package enum Members: Equatable, Sendable {
        /// All of them.
        case all
        /// `fields`: these alone.
        case only([String])
        /// `omit`: all but these.
        case allBut([String])
    }

    /// The name of the part: the view's member, and what templates of other parts call it.
    package var name: String
    /// `from`: a context, whose flag decides for this part, or an upstream. Required.
    package var from: String
    /// `get` or `request`: the call. Required.
    package var request: PartRequestSection
    /// `safe`: whether the call only reads, though its method does not say so. Default: false.
    package var isSafe = false
    /// `optional`: whether the view is answered when this part fails. Default: false.
    package var optional = false
    /// `default`: the value of a failed optional part, any JSON. Default: null.
    package var defaultValue = JSONValue.null
    /// `timeout`: for this part, retries included. Default: 2 s.
    package var timeout = Milliseconds.seconds(2)
    /// `retry`: which failures are followed by another try. Default: nil, the upstream's.
    package var retry: RetrySection?
    /// `pick`: the place in the answer that is the part's value (RFC 6901). Default: the whole answer.
    package var pick = JSONPointer()
    /// `fields` or `omit`: which members are kept. Default: all.
    package var members = Members.all

    /// `each` or `batch`: the part is asked for many values. Default: nil, it is asked once.
    package var fanOut: FanOutSection?
    /// `into`: where in another part's answer the value is put, `tasks.items[*].user`; the room that aggregates compiles it.
    /// Default: nil, it is a member of the view.
    package var into: String?

    /// `rename`: members, or JSON pointers to them in which `*` stands for all, with their new names. Default: none.
    package var renames: [Rename] = []
    /// `flatten`: members that are objects, and whose members take their place. Default: none.
    package var flattened: [String] = []
    /// `merge`: whether the members of the value become members of the view. Default: false.
    package var isMerged = false

    /// A member and the name that it gets.
    package struct Rename: Equatable, Sendable {
        package var member: String
        package var name: String
    }

    /// `replaces`: the place in the answer of `base` that the value replaces, a JSON pointer in which `*` stands for all;
    /// empty for all of it. Default: nil.
    package var replaces: String?

    /// Methods that say themselves that nothing is changed (RFC 9110 §9.2.1, and QUERY).
    private static let safeMethods = ["GET", "HEAD", "OPTIONS", "QUERY"]

    /// What a base may have.
    static let baseKeys = SectionKeys(["from", "get", "request", "safe", "timeout", "retry"], later: ["hedge"])
    static let keys = SectionKeys(
        [
            "from", "get", "request", "safe", "optional", "default", "timeout", "retry", "pick", "fields", "omit",
            "into", "rename", "flatten", "merge", "replaces",
        ]
            + FanOutSection.keys, later: ["hedge", "idempotencyKey"])

    /// Why a part cannot bear `name`, or nil where it can: templates have to be able to say it.
    static func reasonAgainst(name: String) -> String? {
        let isPlain =
            (1...64).contains(name.utf8.count)
            && name.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case 0x61...0x7A, 0x41...0x5A: true
                case UInt8(ascii: "_"), 0x30...0x39, UInt8(ascii: "-"): index > 0
                default: false
                }
            }
        guard isPlain else {
            return "the name of a part is a letter and up to 63 letters, digits, \"_\" and \"-\", found "
                + ValueProblem.quoted(name)
        }
        return ["header", "query", "body", "each"].contains(name)
            ? "a part cannot be called \"\(name)\": templates use that name for the request" : nil
    }

    /// Nil where `from` or the call cannot be read.
    init?(name: String, _ section: SectionReader) {
        let session = section.session
        self.name = name
        let from = section.reference("from", .target, isRequired: true)
        let request = PartRequestSection(part: section)
        section.bool("safe", into: &isSafe)
        if isSafe, let method = request?.method, Self.safeMethods.contains(method) {
            session.reportName(section.pointer.appending("safe"), "\(method) is safe by itself: leave \"safe\" out")
        }
        section.bool("optional", into: &optional)
        if let place = section.place("default") {
            defaultValue = session.json(place)
            if section.has("optional") ? section.value("optional") == .bool(false) : true {
                session.reportName(
                    place.pointer, "\"default\" needs \"optional\": true, or the part fails the whole view")
            }
        }
        section.duration("timeout", into: &timeout)
        retry = RetrySection.read(section)
        section.pointer("pick", into: &pick)
        fanOut = FanOutSection(part: section)
        into = section.string("into")
        for (member, place) in section.named("rename", areNames: false) {
            if let name = session.string(place) { renames.append(Rename(member: member, name: name)) }
        }
        flattened = section.names("flatten") ?? []
        replaces = section.parsed("replaces") { (text) throws(ValueProblem) in
            guard JSONPointer(parsing: text) != nil else {
                throw ValueProblem(expected: "a JSON pointer such as \"/items/*/user\"", found: text)
            }
            return text
        }
        for key in ["into", "merge", "optional", "default"] where replaces != nil && section.has(key) {
            session.reportName(
                section.pointer.appending(key),
                "\"\(key)\" has no meaning beside \"replaces\": what the base says stays where the part has no answer")
        }
        section.bool("merge", into: &isMerged)
        if isMerged, into != nil {
            session.reportName(
                section.pointer.appending("merge"), "\"merge\" stands instead of \"into\", not beside it")
        }
        if isMerged, fanOut != nil {
            session.reportName(
                section.pointer.appending("merge"),
                "a part with many values has no members to merge: put it somewhere by \"into\"")
        }
        let fields = section.names("fields")
        let omit = section.names("omit")
        if section.has("fields"), section.has("omit") {
            session.reportName(
                section.pointer.appending("omit"), "\"omit\" stands instead of \"fields\", not beside it")
        }
        members = fields.map { .only($0) } ?? omit.map { .allBut($0) } ?? .all
        guard let from, let request else { return nil }
        self.from = from
        self.request = request
    }

    /// The members of a `base`, which has fewer keys than a part.
    var effectiveBase: JSONValue {
        guard case .object(let members) = effective else { return effective }
        return .object(members.filter { Self.baseKeys.known.contains($0.name) })
    }

    var effective: JSONValue {
        var fields: JSONValue?
        var omit: JSONValue?
        switch members {
        case .all: break
        case .only(let names): fields = .array(names.map { .string($0) })
        case .allBut(let names): omit = .array(names.map { .string($0) })
        }
        return .section(
            [
                ("from", .string(from)),
                ("request", request.effective), ("safe", .bool(isSafe)),
            ] + (fanOut?.effective ?? []) + [
                ("into", into.map { .string($0) }), ("replaces", replaces.map { .string($0) }),
                ("optional", replaces == nil ? .bool(optional) : nil),
                ("default", optional ? defaultValue : nil),
                ("timeout", .text(timeout)),
                ("retry", retry?.effective),
                ("pick", .string(pick.description)),
                ("fields", fields),
                ("omit", omit),
                ("rename", renames.isEmpty ? nil : .section(renames.map { ($0.member, .string($0.name)) })),
                ("flatten", flattened.isEmpty ? nil : .array(flattened.map { .string($0) })),
                ("merge", replaces == nil ? .bool(isMerged) : nil),
            ])
    }
}
