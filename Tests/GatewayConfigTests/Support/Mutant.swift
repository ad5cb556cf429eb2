import ByteBuffers
import JSON

/// A good file with one change.
struct Mutant: CustomStringConvertible {
    /// What was changed.
    enum Change: Equatable {
        case replaced
        case removed
        case renamed
    }

    let origin: String
    let change: Change
    let place: JSONPointer
    let document: JSONValue

    var text: [UInt8] {
        var text = ByteBuffer()
        text.appendJSON(document)
        return Array(text.text.utf8)
    }

    var description: String { "\(origin): \(change) \(place): \(String(decoding: text, as: UTF8.self))" }

    private static let replacements: [JSONValue] = [
        .null, .bool(true), .integer(-1), .real(0.5), .string(""), .string("text"), .array([]), .object([]),
    ]

    /// Every mutant of every good fixture.
    static func all() throws -> [Mutant] {
        try Fixture.all(.good).flatMap { fixture in
            let document = try JSONDocument(parsing: fixture.text).value()
            return variants(of: document, at: JSONPointer()).map { change, place, mutated in
                Mutant(origin: fixture.name, change: change, place: place, document: mutated)
            }
        }
    }

    private static func variants(of value: JSONValue, at place: JSONPointer) -> [(Change, JSONPointer, JSONValue)] {
        var variants = replacements.filter { $0 != value }.map { (Change.replaced, place, $0) }
        switch value {
        case .object(let members):
            for (index, member) in members.enumerated() {
                let inner = place.appending(member.name)
                variants.append((.removed, inner, .object(Array(members[..<index] + members[(index + 1)...]))))
                for name in [member.name + "x", ""] where !members.contains(where: { $0.name == name }) {
                    var renamed = members
                    renamed[index].name = name
                    variants.append((.renamed, inner, .object(renamed)))
                }
                variants += Self.variants(of: member.value, at: inner).map { change, place, mutated in
                    var changed = members
                    changed[index].value = mutated
                    return (change, place, .object(changed))
                }
            }
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                variants += Self.variants(of: element, at: place.appending(index)).map { change, place, mutated in
                    var changed = elements
                    changed[index] = mutated
                    return (change, place, .array(changed))
                }
            }
        case .null, .bool, .integer, .real, .string: break
        }
        return variants
    }
}
