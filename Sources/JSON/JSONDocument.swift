import ByteBuffers
import CJansson

/// Why a text is no JSON document, and where.
package struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    package var position: SourcePosition
    package var message: String

    package init(position: SourcePosition, message: String) {
        self.position = position
        self.message = message
    }

    /// `line:column: message`.
    package var description: String { "\(position): \(message)" }
}

/// A JSON text parsed by jansson: for documents of the control plane (routes.json, flags.json), read once and whole.
///
/// Duplicate names are accepted here and listed by `duplicates()`, so that a reader can report all of them at once; of
/// several members of one name the last one counts. Whole numbers beyond 64 bits, numbers beyond a double, and U+0000
/// in strings are refused. Positions are found by scanning the text when somebody asks.
package struct JSONDocument: ~Copyable {
    /// A member whose name its object had already.
    package struct Duplicate: Equatable, Sendable {
        package var pointer: JSONPointer
        /// Where the name of the later member stands.
        package var position: SourcePosition
        /// Where the first member of that name stands.
        package var firstPosition: SourcePosition
    }

    private let root: UnsafeMutablePointer<json_t>
    private let outline: JSONOutline

    /// Parses `text`, in which arrays and objects may nest `maximumDepth` deep (jansson itself stops at 2048).
    package init(parsing text: [UInt8], maximumDepth: Int = 128) throws(JSONSyntaxError) {
        let outline = JSONOutline(text)
        try outline.check(depth: maximumDepth)
        _ = Self.seedHashTables
        var error = json_error_t()
        let parsed = text.withUnsafeBytes { bytes -> UnsafeMutablePointer<json_t>? in
            // SAFETY: the pointer and the length are those of the array, which outlives the call.
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return json_loadb(start, bytes.count, Int(JSON_DECODE_ANY), &error)
        }
        guard let parsed else {
            // SAFETY: jansson ends the text with a NUL within its array.
            let reason = String(cString: banyan_json_error_text(&error))
            throw outline.syntaxError(reason: reason, offset: Int(error.position))
        }
        root = parsed
        self.outline = outline
    }

    deinit {
        json_decref(root)
    }

    /// jansson's hash tables are seeded from the system, once, before the first of them is made.
    private static let seedHashTables: Void = json_object_seed(0)

    /// The whole document.
    package func value() -> JSONValue {
        Self.value(of: root)
    }

    /// Where the value at `pointer` begins; where that does not exist, the innermost value on the way that does.
    package func position(of pointer: JSONPointer) -> SourcePosition {
        outline.position(of: pointer, ofName: false)
    }

    /// Where the name of the member at `pointer` stands; as `position(of:)` for what is no member.
    package func positionOfName(of pointer: JSONPointer) -> SourcePosition {
        outline.position(of: pointer, ofName: true)
    }

    /// Every member whose name its object had already, in the order of the text.
    package func duplicates() -> [Duplicate] {
        outline.duplicates()
    }

    /// Recursion is bounded by the depth that `init` allowed.
    private static func value(of json: UnsafeMutablePointer<json_t>) -> JSONValue {
        switch banyan_json_typeof(json) {
        case JSON_OBJECT:
            var members: [JSONMember] = []
            members.reserveCapacity(json_object_size(json))
            var member = json_object_iter(json)
            while let current = member {
                // SAFETY: an iterator that is not null has a key that ends with NUL, and a value.
                if let name = json_object_iter_key(current), let item = json_object_iter_value(current) {
                    members.append(JSONMember(name: String(cString: name), value: value(of: item)))
                }
                member = json_object_iter_next(json, current)
            }
            return .object(members)
        case JSON_ARRAY:
            let elements = (0..<json_array_size(json)).compactMap { json_array_get(json, $0).map { value(of: $0) } }
            return .array(elements)
        case JSON_STRING:
            guard let start = json_string_value(json) else { return .string("") }
            // SAFETY: jansson's string holds as many bytes as it says, and lives as long as the document.
            let bytes = UnsafeRawBufferPointer(start: start, count: json_string_length(json))
            return .string(String(decoding: bytes, as: UTF8.self))
        case JSON_INTEGER: return .integer(Int64(json_integer_value(json)))
        case JSON_REAL: return .real(json_real_value(json))
        case JSON_TRUE: return .bool(true)
        case JSON_FALSE: return .bool(false)
        default: return .null
        }
    }
}
