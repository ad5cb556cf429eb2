package import ByteBuffers
import JSON

/// Why a template could not be filled in.
package struct TemplateProblem: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        /// A value is not there, or is null, an object or an array where text is needed, or empty where it must not be.
        case missing
        /// A value is there but cannot stand in its place: a dot segment, a NUL, a line break in a header field, or one
        /// that makes the text longer than it may be.
        case unusable
    }

    package var kind: Kind
    /// Whether the value is one of the client's request, rather than of a part's answer.
    package var isClients: Bool
}

/// A text with places to be filled in: the path of a request, the location of a redirect, the value of a header field,
/// or a JSON body. Compiled by `TemplateScope`.
///
/// A value is encoded for the place where it stands, so that it cannot change the shape of what is around it:
/// - in a path and in a query everything but unreserved characters is percent-encoded. Encoding does not help against
///   `.` and `..`: `%2e` *is* a dot to whoever normalises (RFC 3986 §6.2.2.2). So a path in which a segment comes out
///   as `.` or `..` is not made at all; nor one with a NUL, or one that begins with `//` and so could be read as a host.
/// - in a header field control characters make it unusable (RFC 9110 §5.5).
/// - in a JSON body it becomes a value or part of a string, escaped.
package struct Template: Sendable {
    package enum Kind: UInt8, Sendable {
        case path, location, header, body

        /// The longest text, in bytes: what servers take as a request target and as a field; for a body what is taken
        /// as an answer, too.
        var maximumLength: Int { self == .body ? AggregateRun.maximumAnswer : 8192 }
    }

    /// One after another, pieces make the text.
    enum Piece: Sendable {
        /// Bytes of `literals`.
        case literal(ByteRange)
        /// An input of the request.
        case input(slot: Int, Place)
        /// What a pointer leads to in the client's body.
        case body(pointer: Int, Place)
        /// The value that a part which fans out asks for.
        case each(Place)
        /// All values that it asks for, with commas between them, or as an array.
        case eachOfAll(Place)
        /// What a pointer leads to in a part's answer.
        case part(Int, pointer: Int, Place)
        /// From here to `endString`, pieces are joined and written as one JSON string.
        case beginString
        case endString
    }

    /// What surrounds a value, and so how it is written.
    enum Place: UInt8, Sendable {
        case path
        /// The rest of a path, which keeps its slashes.
        case pathRest
        case query
        case header
        /// A whole JSON value.
        case json
        /// Within a JSON string.
        case jsonString
    }

    package let kind: Kind
    let literals: [UInt8]
    let pieces: [Piece]
    let pointers: [CompiledPointer]
    /// The parts that are referred to, one bit each.
    package let partMask: UInt64
    /// Whether an input of the client's request is referred to.
    package let usesInputs: Bool
    /// How deep the deepest pointer into each part's answer reaches.
    let pointerDepths: [(part: Int, depth: Int)]

    /// Whether the text is always the same.
    package var isConstant: Bool { partMask == 0 && !usesInputs && !usesValues }

    /// Whether the client's body is referred to.
    var usesBody: Bool { pieces.contains { if case .body = $0 { true } else { false } } }

    /// Whether what a part fans out over stands in it.
    var usesValues: Bool {
        pieces.contains {
            switch $0 {
            case .each, .eachOfAll: true
            default: false
            }
        }
    }

    /// Appends the text for inputs of a request, where no part is referred to. After a problem nothing is appended.
    package func append(
        to output: inout ByteBuffer, inputs: borrowing TemplateInputs, scratch: inout ByteBuffer
    ) -> TemplateProblem? {
        append(
            to: &output, inputs: inputs, answers: PartAnswers(), values: FanOutValues(seed: 0), asked: 0..<0,
            scratch: &scratch)
    }

    /// Appends the text. After a problem nothing is appended. `scratch` is overwritten. What is asked for are the values
    /// with the numbers `asked`.
    func append(
        to output: inout ByteBuffer, inputs: borrowing TemplateInputs, answers: borrowing PartAnswers,
        values: borrowing FanOutValues, asked: Range<Int>, scratch: inout ByteBuffer
    ) -> TemplateProblem? {
        let start = output.count
        var isInString = false
        for piece in pieces {
            var problem: TemplateProblem.Kind?
            var isClients = false
            switch piece {
            case .literal(let range):
                let literal = literals.span.slice(range)
                if isInString { scratch.append(literal) } else { output.append(literal) }
            case .beginString:
                isInString = true
                scratch.removeAll()
            case .endString:
                isInString = false
                output.appendJSONString(scratch.span)
            case .input(let slot, let place):
                isClients = true
                problem = Self.append(inputs, slot, place, to: &output, scratch: &scratch)
            case .body(let pointer, let place):
                isClients = true
                problem = Self.append(inputs.body.content, pointers[pointer], place, to: &output, scratch: &scratch)
            case .each(let place):
                problem = values.append(asked.lowerBound, place, to: &output, scratch: &scratch)
            case .eachOfAll(let place):
                problem = values.append(all: asked, place, to: &output)
            case .part(let part, let pointer, let place):
                problem = Self.append(answers[part], pointers[pointer], place, to: &output, scratch: &scratch)
            }
            let length = output.count - start + (isInString ? scratch.count : 0)
            if problem == nil, length > kind.maximumLength { problem = .unusable }
            if let problem {
                output.truncate(to: start)
                return TemplateProblem(kind: problem, isClients: isClients)
            }
        }
        if kind == .path || kind == .location, !isConstant, Self.isAmbiguous(output.span, from: start) {
            output.truncate(to: start)
            return TemplateProblem(kind: .unusable, isClients: usesInputs)
        }
        return nil
    }

    /// What is wrong with what the client has sent for the template, as far as that can be known before any part has
    /// answered. `draft` is left as it was.
    func obstacle(
        _ inputs: borrowing TemplateInputs, draft: inout ByteBuffer, scratch: inout ByteBuffer
    ) -> TemplateProblem? {
        guard usesInputs else { return nil }
        let start = draft.count
        defer { draft.truncate(to: start) }
        if partMask == 0, !usesValues { return append(to: &draft, inputs: inputs, scratch: &scratch) }
        for piece in pieces {
            let kind: TemplateProblem.Kind?
            switch piece {
            case .input(let slot, let place): kind = Self.append(inputs, slot, place, to: &draft, scratch: &scratch)
            case .body(let pointer, let place):
                kind = Self.append(inputs.body.content, pointers[pointer], place, to: &draft, scratch: &scratch)
            default: kind = nil
            }
            if let kind { return TemplateProblem(kind: kind, isClients: true) }
        }
        return nil
    }

    private static func append(
        _ inputs: borrowing TemplateInputs, _ slot: Int, _ place: Place, to output: inout ByteBuffer,
        scratch: inout ByteBuffer
    ) -> TemplateProblem.Kind? {
        switch place {
        case .json:
            if inputs.has(slot) { output.appendJSONString(inputs.value(slot)) } else { output.append("null") }
            return nil
        case .jsonString:
            guard inputs.has(slot) else { return .missing }
            scratch.append(inputs.value(slot))
            return nil
        case .path, .pathRest, .query, .header:
            guard inputs.has(slot) else { return .missing }
            return append(inputs.value(slot), place, to: &output)
        }
    }

    private static func append(
        _ answer: borrowing PartAnswer, _ pointer: borrowing CompiledPointer, _ place: Place,
        to output: inout ByteBuffer, scratch: inout ByteBuffer
    ) -> TemplateProblem.Kind? {
        let node = answer.find(pointer)
        switch place {
        case .json:
            if let node { answer.appendBytes(of: node, to: &output) } else { output.append("null") }
            return nil
        case .jsonString:
            guard let node, answer.appendText(of: node, to: &scratch) else { return .missing }
            return nil
        case .path, .pathRest, .query, .header:
            scratch.removeAll()
            guard let node, answer.appendText(of: node, to: &scratch) else { return .missing }
            return append(scratch.span, place, to: &output)
        }
    }

    /// Appends a value encoded for its place.
    static func append(
        _ value: Span<UInt8>, _ place: Place, to output: inout ByteBuffer
    ) -> TemplateProblem.Kind? {
        if value.count > Kind.path.maximumLength { return .unusable }
        switch place {
        case .path:
            if value.isEmpty { return .missing }
            if value.firstIndex(of: 0) != nil { return .unusable }
            output.appendPercentEncoded(value)
        case .query:
            if value.firstIndex(of: 0) != nil { return .unusable }
            output.appendPercentEncoded(value)
        case .pathRest:
            guard value.isPathText else { return .unusable }
            output.append(value)
        case .header:
            for index in 0..<value.count where value[index] < 0x20 && value[index] != 0x09 || value[index] == 0x7F {
                return .unusable
            }
            output.append(value)
        case .json, .jsonString:
            break
        }
        return nil
    }

    /// Whether the path that was written from `start` on would be read as another one, or as a host.
    private static func isAmbiguous(_ written: Span<UInt8>, from start: Int) -> Bool {
        var path = written.extracting(start..<written.count)
        if path.count >= 2, path[0] == UInt8(ascii: "/"), path[1] == UInt8(ascii: "/") { return true }
        for index in 0..<path.count where path[index] == UInt8(ascii: "?") || path[index] == UInt8(ascii: "#") {
            path = path.extracting(0..<index)
            break
        }
        return path.hasDotSegment
    }
}
