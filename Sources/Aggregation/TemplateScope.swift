import ByteBuffers
import JSON

/// What is wrong with a template, and where in its text.
package struct TemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The offset in bytes of the UTF-8 form of the text; in a body, of the string that is wrong.
    package var offset: Int
    package var message: String

    /// `at N: message`, counted from 0.
    package var description: String { "at \(offset): \(message)" }
}

/// The names that the templates of a route can refer to, and the inputs that those compiled so far need.
///
/// References are `{name}` (a parameter of the path), `{query.name}`, `{header.name}`, `{user}`, `{body}` or
/// `{body.member.0.member}` for a value of the request's body, and the same with the name of a part for a value of its
/// answer. `{{` and `}}` stand for braces.
package struct TemplateScope {
    /// A parameter of the route's pattern.
    package struct PathParameter: Equatable, Sendable {
        package var name: String
        /// Whether it takes the rest of the path (`{name...}`).
        package var isRest: Bool

        package init(name: String, isRest: Bool = false) {
            self.name = name
            self.isRest = isRest
        }
    }

    private let pathParameters: [PathParameter]
    private let partNames: [String]
    /// Whether `{user}` is the part of that name, where there is one: a view shows values, a request tells who asks.
    var prefersParts = false
    /// How the part whose templates are compiled fans out.
    var fanOut = FanOutKind.none
    /// What the templates compiled so far need of a request.
    package private(set) var inputs = TemplateInputTable()
    /// Whether one of them needs the user.
    package private(set) var usesUser = false
    /// Whether the requests of the route have a body that can be referred to.
    var mayReadBody = false
    /// How deep the templates compiled so far look into the body; nil where none refers to it.
    private(set) var bodyDepth: Int?

    /// A scope with the parameters of the path in the order of their captures.
    package init(pathParameters: [PathParameter]) {
        self.init(pathParameters: pathParameters, partNames: [])
    }

    init(pathParameters: [PathParameter], partNames: [String]) {
        self.pathParameters = pathParameters
        self.partNames = partNames
    }

    /// Compiles the path of a request with its query, or the location of a redirect, which may also begin with
    /// `http://` or `https://` and a host. All that is wrong is listed in `errors`, and then there is no template.
    package mutating func compileTarget(
        _ text: String, isLocation: Bool = false, errors: inout [TemplateError]
    ) -> Template? {
        let known = errors.count
        let bytes = Array(text.utf8)
        let pathStart = isLocation ? Self.pathStart(bytes) : 0
        if pathStart == bytes.count || bytes[pathStart] != UInt8(ascii: "/") {
            errors.append(TemplateError(offset: pathStart, message: "expected \"/\" at the beginning of the path"))
            return nil
        }
        var builder = TemplateBuilder(kind: isLocation ? .location : .path)
        var place = Template.Place.path
        var segmentStart = pathStart
        var segmentHasValue = false
        func checkSegment(_ end: Int, _ errors: inout [TemplateError]) {
            guard place == .path, !segmentHasValue, Array(bytes[segmentStart..<end]).span.hasDotSegment else { return }
            errors.append(
                TemplateError(offset: segmentStart, message: "a path cannot have the segments \".\" and \"..\""))
        }
        parse(bytes, errors: &errors) { token, offset, errors in
            switch token {
            case .byte(let byte):
                if offset < pathStart {
                    if !Self.isHostByte(byte) {
                        errors.append(TemplateError(offset: offset, message: "unexpected character in the host"))
                    }
                } else if byte == UInt8(ascii: "?"), place == .path {
                    checkSegment(offset, &errors)
                    place = .query
                } else if byte == UInt8(ascii: "#"), isLocation {
                    checkSegment(offset, &errors)
                    place = .query
                } else if byte == UInt8(ascii: "/"), place == .path {
                    checkSegment(offset, &errors)
                    segmentStart = offset + 1
                    segmentHasValue = false
                } else if byte == UInt8(ascii: "%") {
                    if bytes.span.percentDecoded(at: offset) ?? 0 == 0 {
                        errors.append(
                            TemplateError(offset: offset, message: "\"%\" without two hexadecimal digits, or %00"))
                    }
                } else if !Self.isAllowed(byte, in: place) {
                    errors.append(TemplateError(offset: offset, message: Self.refusal(of: byte)))
                }
                builder.append(byte)
            case .reference(let reference):
                if offset < pathStart {
                    errors.append(TemplateError(offset: offset, message: "a value cannot stand in the host"))
                    return
                }
                segmentHasValue = true
                builder.append(reference, place)
            }
        }
        checkSegment(bytes.count, &errors)
        return errors.count > known ? nil : builder.build()
    }

    /// Compiles the value of a header field.
    mutating func compileHeader(_ text: String, errors: inout [TemplateError]) -> Template? {
        let known = errors.count
        var builder = TemplateBuilder(kind: .header)
        parse(Array(text.utf8), errors: &errors) { token, offset, errors in
            switch token {
            case .byte(let byte):
                if byte < 0x20 && byte != 0x09 || byte == 0x7F {
                    errors.append(TemplateError(offset: offset, message: "control character in a header field"))
                }
                builder.append(byte)
            case .reference(let reference): builder.append(reference, .header)
            }
        }
        return errors.count > known ? nil : builder.build()
    }

    /// Compiles a JSON body: a string that is one reference becomes the value with its type, references within a longer
    /// string become text. Names of members stay as they are.
    mutating func compileBody(_ value: JSONValue, errors: inout [TemplateError]) -> Template? {
        let known = errors.count
        var builder = TemplateBuilder(kind: .body)
        append(value, to: &builder, errors: &errors)
        return errors.count > known ? nil : builder.build()
    }

    private mutating func append(_ value: JSONValue, to builder: inout TemplateBuilder, errors: inout [TemplateError]) {
        switch value {
        case .string(let text):
            var tokens: [TemplateToken] = []
            parse(Array(text.utf8), errors: &errors) { token, _, _ in tokens.append(token) }
            if tokens.count == 1, case .reference(let reference) = tokens[0] {
                builder.append(reference, .json)
                return
            }
            builder.beginString()
            for token in tokens {
                switch token {
                case .byte(let byte): builder.append(byte)
                case .reference(.eachOfAll):
                    errors.append(
                        TemplateError(offset: 0, message: "{each,} is an array: it cannot stand in a longer text"))
                case .reference(let reference): builder.append(reference, .jsonString)
                }
            }
            builder.endString()
        case .array(let elements):
            builder.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { builder.append(UInt8(ascii: ",")) }
                append(element, to: &builder, errors: &errors)
            }
            builder.append(UInt8(ascii: "]"))
        case .object(let members):
            builder.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { builder.append(UInt8(ascii: ",")) }
                builder.append(json: .string(member.name))
                builder.append(UInt8(ascii: ":"))
                append(member.value, to: &builder, errors: &errors)
            }
            builder.append(UInt8(ascii: "}"))
        case .null, .bool, .integer, .real:
            builder.append(json: value)
        }
    }

    // MARK: - References

    private mutating func parse(
        _ text: [UInt8], errors: inout [TemplateError],
        _ found: (TemplateToken, Int, inout [TemplateError]) -> Void
    ) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            let isBrace = byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}")
            if isBrace, index + 1 < text.count, text[index + 1] == byte {
                found(.byte(byte), index, &errors)
                index += 2
                continue
            }
            if byte == UInt8(ascii: "}") {
                errors.append(TemplateError(offset: index, message: "\"}\" without \"{\" before it"))
            } else if byte == UInt8(ascii: "{") {
                let rest = text[(index + 1)...]
                guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: "}") || $0 == UInt8(ascii: "{") }),
                    text[end] == UInt8(ascii: "}")
                else {
                    errors.append(TemplateError(offset: index, message: "\"{\" without \"}\" behind it"))
                    index += 1
                    continue
                }
                let name = String(decoding: text[(index + 1)..<end], as: UTF8.self)
                do throws(TemplateError) {
                    found(.reference(try reference(name, offset: index)), index, &errors)
                } catch {
                    errors.append(error)
                }
                index = end
            } else {
                found(.byte(byte), index, &errors)
            }
            index += 1
        }
    }

    /// What the text between braces refers to.
    private mutating func reference(_ text: String, offset: Int) throws(TemplateError) -> TemplateReference {
        func failure(_ message: String) -> TemplateError { TemplateError(offset: offset, message: message) }
        let tokens = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let first = tokens.first, !tokens.contains("") else {
            throw failure(text.isEmpty ? "nothing between the braces" : "empty name in {\(text)}")
        }
        if tokens.count > 1, first == "query" {
            return .input(inputs.slot(for: .query, named: tokens.dropFirst().joined(separator: ".")), isRest: false)
        }
        if tokens.count > 1, first == "header" {
            let name = tokens.dropFirst().joined(separator: ".").lowercased()
            guard name.utf8.allSatisfy(\.isTokenCharacter) else {
                throw failure("\(name) is no name of a header field")
            }
            return .input(inputs.slot(for: .header, named: name), isRest: false)
        }
        if text == "each" || text == "each," {
            guard fanOut == (text == "each" ? .each : .batch) else { throw failure(fanOut.refusal(of: text)) }
            return text == "each" ? .each : .eachOfAll
        }
        let part = partNames.firstIndex(of: first)
        if first == "body", tokens.count > 1 || mayReadBody || !pathParameters.contains(where: { $0.name == first }) {
            if tokens.count == 1, pathParameters.contains(where: { $0.name == first }) {
                throw failure("{body} is both the request's body and a parameter of the path: rename the parameter")
            }
            guard mayReadBody else {
                throw failure(
                    "{\(text)} needs a route for methods with a body alone: \"POST /…\", \"PUT /…\" or the like")
            }
            bodyDepth = max(bodyDepth ?? 0, tokens.count - 1)
            return .body(JSONPointer(Array(tokens.dropFirst())))
        }
        if tokens.count > 1 {
            if let part { return .part(part, JSONPointer(Array(tokens.dropFirst()))) }
            let hint = Self.hint(nearestName(to: first, among: partNames + ["query", "header", "body"]))
            throw failure("{\(text)} refers to a part \"\(first)\" that is not there\(hint)")
        }
        let parameter = pathParameters.firstIndex { $0.name == first }
        if let parameter {
            if first == "user" {
                throw failure("{user} is both the request's user and a parameter of the path: rename the parameter")
            }
            if part != nil {
                throw failure("{\(first)} is both a parameter of the path and a part: rename one of them")
            }
            let isRest = pathParameters[parameter].isRest
            return .input(inputs.slot(for: isRest ? .rest(parameter) : .segment(parameter)), isRest: isRest)
        }
        if first == "user", part == nil || !prefersParts {
            usesUser = true
            return .input(inputs.slot(for: .user), isRest: false)
        }
        if let part { return .part(part, JSONPointer()) }
        let candidates = pathParameters.map(\.name) + partNames + ["user"]
        let hint = Self.hint(nearestName(to: first, among: candidates))
        throw failure("{\(text)} is neither a parameter of the path nor a part\(hint)")
    }

    private static func hint(_ name: String?) -> String {
        name.map { ", did you mean \"\($0)\"?" } ?? ""
    }

    // MARK: - Characters

    /// The offset of the path in a location: behind the host of an absolute one, else 0.
    private static func pathStart(_ text: [UInt8]) -> Int {
        for scheme in ["http://", "https://"] where text.starts(with: scheme.utf8) {
            let end = text.dropFirst(scheme.utf8.count).firstIndex {
                $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?")
            }
            return end ?? text.count
        }
        return 0
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        byte.isURIUnreserved
            || [UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "["), UInt8(ascii: "]")].contains(byte)
    }

    private static func isAllowed(_ byte: UInt8, in place: Template.Place) -> Bool {
        if byte.isURIPathCharacter { return true }
        // Brackets are in common use in queries, though RFC 3986 has them in hosts alone.
        return place == .query && [UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "]")].contains(byte)
    }

    private static func refusal(of byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "#"): "a request has no fragment: \"#\" must be written %23"
        case 0x21..<0x7F: "\"\(Character(Unicode.Scalar(byte)))\" must be percent-encoded"
        default: "blanks, control characters and non-ASCII characters must be percent-encoded"
        }
    }
}

/// Whether a part asks once, for each of many values, or once for all of them.
enum FanOutKind {
    case none, each, batch

    /// Why `{text}` cannot stand in a template.
    func refusal(of text: String) -> String {
        switch self {
        case .none: "{\(text)} needs a part with \"each\" or \"batch\""
        case .each: "a part with \"each\" asks for one value at a time: write {each}"
        case .batch: "a part with \"batch\" asks for all values at once: write {each,}"
        }
    }
}

/// A byte of a template's text, or a reference in it.
enum TemplateToken {
    case byte(UInt8)
    case reference(TemplateReference)
}

/// What a place of a template is filled with.
enum TemplateReference {
    case input(Int, isRest: Bool)
    case body(JSONPointer)
    case each
    case eachOfAll
    case part(Int, JSONPointer)
}
