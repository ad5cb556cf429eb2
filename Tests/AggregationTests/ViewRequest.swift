@testable import Aggregation

/// A request of a part, as the model makes it.
struct ViewRequest {
    struct Problem: Error {
        var failure: PartFailure

        init(_ reason: PartFailure.Reason, isClients: Bool = false) {
            failure = PartFailure(reason, isClients: isClients)
        }
    }

    var target: String
    var headerLines = ""
    var body: ModelValue?

    /// The longest path, and the longest field.
    static let maximumLength = 8192
}

extension ViewModel {
    /// The request of a part that asks for `asking`.
    func request(_ part: Int, asking: [Value]) throws(ViewRequest.Problem) -> ViewRequest {
        let part = spec.parts[part]
        var request = ViewRequest(target: try target(part.path, asking))
        if let header = part.header {
            do throws(ViewRequest.Problem) {
                request.headerLines = "X-Value: \(try line(header, asking))\r\n"
            } catch  where error.failure.reason == .missingInput && error.failure.isClients {
                request.headerLines = ""
            }
        }
        if let body = part.body { request.body = try fill(body, asking) }
        return request
    }

    private func target(_ pieces: [ViewSpec.Piece], _ asking: [Value]) throws(ViewRequest.Problem) -> String {
        var target = ""
        for piece in pieces {
            guard let reference = piece.reference else {
                if case .text(let text) = piece { target += text }
                continue
            }
            let isPath = !target.contains("?")
            let values = try texts(reference, asking)
            for value in values {
                if value.count > ViewRequest.maximumLength { throw problem(.badInput, reference) }
                if isPath, value.isEmpty { throw problem(.missingInput, reference) }
                if value.contains(0) { throw problem(.badInput, reference) }
            }
            target += values.map(Self.percentEncoded).joined(separator: ",")
            if target.utf8.count > ViewRequest.maximumLength { throw problem(.badInput, reference) }
        }
        let segments = target.split(separator: "?", omittingEmptySubsequences: false)[0].split(separator: "/")
        if pieces.contains(where: { $0.reference != nil }), segments.contains(where: { $0 == "." || $0 == ".." }) {
            let hasInput = pieces.contains(where: \.isInput)
            throw ViewRequest.Problem(.badInput, isClients: hasInput)
        }
        return target
    }

    private func line(_ pieces: [ViewSpec.Piece], _ asking: [Value]) throws(ViewRequest.Problem) -> String {
        var line: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .text(let text): line += Array(text.utf8)
            case .reference(let reference):
                let values = try texts(reference, asking)
                for value in values {
                    if value.count > ViewRequest.maximumLength
                        || value.contains(where: { $0 < 0x20 && $0 != 9 || $0 == 0x7F })
                    {
                        throw problem(.badInput, reference)
                    }
                }
                line += values.joined(separator: Array(",".utf8))
                if line.count > ViewRequest.maximumLength { throw problem(.badInput, reference) }
            }
        }
        return String(decoding: line, as: UTF8.self)
    }

    private func fill(_ form: ViewSpec.Form, _ asking: [Value]) throws(ViewRequest.Problem) -> ModelValue {
        switch form {
        case .literal(let value): return value
        case .array(let elements):
            var filled: [ModelValue] = []
            for element in elements { filled.append(try fill(element, asking)) }
            return .array(filled)
        case .object(let members):
            var filled: [ModelMember] = []
            for member in members { filled.append(ModelMember(Array(member.name.utf8), try fill(member.form, asking))) }
            return .object(filled)
        case .string(let pieces):
            if pieces.count == 1, let reference = pieces[0].reference { return value(reference, asking) }
            var text: [UInt8] = []
            for piece in pieces {
                switch piece {
                case .text(let literal): text += Array(literal.utf8)
                case .reference(let reference): text += try texts(reference, asking).flatMap { $0 }
                }
            }
            return .string(text)
        }
    }

    /// What a reference is as a whole JSON value.
    private func value(_ reference: ViewSpec.Reference, _ asking: [Value]) -> ModelValue {
        func json(_ value: Value) -> ModelValue {
            value.isString ? .string(value.text) : .number(String(decoding: value.text, as: UTF8.self))
        }
        switch reference {
        case .part(let part, let tokens): return states[part].answer?.value(at: tokens) ?? .null
        case .query: return query.map { .string($0) } ?? .null
        case .each: return json(asking[0])
        case .all: return .array(asking.map(json))
        }
    }

    /// What a reference is within a text: one, or with `{each,}` many.
    private func texts(
        _ reference: ViewSpec.Reference, _ asking: [Value]
    ) throws(ViewRequest.Problem) -> [[UInt8]] {
        let text: [UInt8]?
        switch reference {
        case .part(let part, let tokens): text = states[part].answer?.value(at: tokens)?.text
        case .query: text = query
        case .each: text = asking.first?.text
        case .all: return asking.map(\.text)
        }
        guard let text else { throw problem(.missingInput, reference) }
        return [text]
    }

    private func problem(_ reason: PartFailure.Reason, _ reference: ViewSpec.Reference) -> ViewRequest.Problem {
        if case .query = reference { return ViewRequest.Problem(reason, isClients: true) }
        return ViewRequest.Problem(reason)
    }

    private static func percentEncoded(_ bytes: [UInt8]) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        return bytes.map { byte in
            if plain.contains(byte) { return String(Character(Unicode.Scalar(byte))) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count < 2 ? "0" : "") + digits
        }.joined()
    }
}
