import ByteBuffers
import JSON

/// Puts pieces together.
struct TemplateBuilder {
    private let kind: Template.Kind
    private var literals: [UInt8] = []
    private var pieces: [Template.Piece] = []
    private var pointers: [CompiledPointer] = []
    private var pointerDepths: [(part: Int, depth: Int)] = []
    private var literalStart = 0
    private var partMask: UInt64 = 0
    private var usesInputs = false
    private var string: (pieces: Int, literals: Int)?

    init(kind: Template.Kind) {
        self.kind = kind
    }

    mutating func append(_ byte: UInt8) {
        literals.append(byte)
    }

    mutating func append(json value: JSONValue) {
        var buffer = ByteBuffer()
        buffer.appendJSON(value)
        literals += Array(buffer.text.utf8)
    }

    mutating func append(_ reference: TemplateReference, _ place: Template.Place) {
        endLiteral()
        switch reference {
        case .input(let slot, let isRest):
            usesInputs = true
            pieces.append(.input(slot: slot, isRest && place == .path ? .pathRest : place))
        case .body(let pointer):
            usesInputs = true
            pieces.append(.body(pointer: pointers.count, place))
            pointers.append(CompiledPointer(pointer))
        case .each: pieces.append(.each(place))
        case .eachOfAll: pieces.append(.eachOfAll(place))
        case .part(let part, let pointer):
            partMask |= 1 << UInt64(part)
            pieces.append(.part(part, pointer: pointers.count, place))
            pointers.append(CompiledPointer(pointer))
            pointerDepths.append((part, pointer.tokens.count))
        }
    }

    mutating func beginString() {
        endLiteral()
        string = (pieces.count, literals.count)
        pieces.append(.beginString)
    }

    mutating func endString() {
        guard let begin = string else { return }
        if pieces.count == begin.pieces + 1 {
            // Nothing to fill in: the string is a literal.
            let text = String(decoding: literals[begin.literals...], as: UTF8.self)
            literals.removeLast(literals.count - begin.literals)
            pieces.removeLast()
            append(json: .string(text))
            // The literal before the string and this one are one again.
            if case .literal(let range)? = pieces.last, range.end == begin.literals {
                pieces.removeLast()
                literalStart = Int(range.start)
            }
        } else {
            endLiteral()
            pieces.append(.endString)
        }
        string = nil
    }

    private mutating func endLiteral() {
        if literals.count > literalStart {
            pieces.append(.literal(ByteRange(start: literalStart, count: literals.count - literalStart)))
        }
        literalStart = literals.count
    }

    mutating func build() -> Template {
        endLiteral()
        return Template(
            kind: kind, literals: literals, pieces: pieces, pointers: pointers, partMask: partMask,
            usesInputs: usesInputs, pointerDepths: pointerDepths)
    }
}
