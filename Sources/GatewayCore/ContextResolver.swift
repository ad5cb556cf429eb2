import ByteBuffers
import FeatureFlags
import HTTPListener
import HTTPMessage

/// Where a route or a part of a view goes: to one upstream, or to whichever side of a context a flag decides.
enum Target: Equatable, Sendable {
    /// The upstream with this number.
    case upstream(Int)
    /// The context with this number.
    case context(Int)
}

/// A context compiled: which upstream serves it for each outcome of its flag. Whatever is wrong with the flag, the answer
/// is the `off` side, which always exists.
struct ContextResolver: Equatable, Sendable {
    /// The upstream for everybody whom no variant sends elsewhere.
    var off: Int
    /// The decision that counts, nil where no flag decides.
    var slot: Int?
    /// For each variant of the flag the upstream that it stands for, nil for `off`.
    var variants: [Int?]
    /// Who is asked where the upstream that was decided for fails.
    var fallback = FallbackRules()

    /// The number of the upstream.
    func upstream(_ decisions: DecisionVector) -> Int {
        guard let slot, let variant = decisions[slot]?.variant, variants.indices.contains(variant) else { return off }
        return variants[variant] ?? off
    }
}

/// A flag that some context depends on.
struct FlagSlot: Equatable, Sendable {
    /// The name of the flag.
    var key: String
    /// The flag's number in the flag file; -1 when the file has no such flag.
    var flag: Int
    /// The name in bytes.
    let keyText: [UInt8]

    init(key: String, flag: Int) {
        self.key = key
        self.flag = flag
        keyText = Array(key.utf8)
    }
}

/// What flag rules see of a request (routes-json.md, "Flag decision").
final class RequestContext: EvaluationContext {
    // SAFETY: the exchange owns it, and nobody else has it.
    private unowned(unsafe) let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
        var route: [UInt8]?
        if let snapshot = exchange.snapshot, exchange.route >= 0 { route = snapshot.routeNames[exchange.route] }
        return exchange.head.read(attribute, exchange.identity, route: route, into: &scratch)
    }
}

extension RequestHead {
    /// Appends an attribute of the request as flag rules see it; false where the request does not have it.
    borrowing func read(
        _ attribute: Attribute, _ identity: RequestIdentity, route: [UInt8]?, into scratch: inout ByteBuffer
    ) -> Bool {
        switch attribute.kind {
        case .targetingKey, .user:
            guard !identity.user.isEmpty else { return false }
            copy(identity.user, to: &scratch)
        case .method: copy(methodRange, to: &scratch)
        case .path: copy(path, to: &scratch)
        case .host:
            guard hasAuthority else { return false }
            copy(host, to: &scratch)
        case .route:
            guard let route else { return false }
            scratch.append(route)
        case .ip:
            guard let client = identity.client else { return false }
            scratch.append(client)
        case .header: return appendFieldValues(named: attribute.name, to: &scratch)
        case .cookie:
            guard let range = cookie(named: attribute.name) else { return false }
            copy(range, to: &scratch)
        case .query: return appendQueryValue(named: attribute.name, to: &scratch)
        case .claim, .other, .flagKey, .timestamp, .flagd, .everything: return false
        }
        return true
    }

    /// Appends the values of the fields with this name: several are one list (RFC 9110 §5.3).
    private borrowing func appendFieldValues(named name: Span<UInt8>, to buffer: inout ByteBuffer) -> Bool {
        var isThere = false
        for index in 0..<fields.count where isField(index, named: name) {
            if isThere { buffer.append(", ") }
            copy(fields[index].value, to: &buffer)
            isThere = true
        }
        return isThere
    }
}

extension RequestHead {
    /// Appends the decoded value of the first query parameter with this name; false, with nothing appended, when there is
    /// none. `+` is a space, as forms send it (WHATWG URL §5.1).
    borrowing func appendQueryValue(named name: Span<UInt8>, to buffer: inout ByteBuffer) -> Bool {
        let text = span(query)
        var start = 0
        while start < text.count {
            let end = text.firstIndex(of: UInt8(ascii: "&"), from: start) ?? text.count
            let equals = text.firstIndex(of: UInt8(ascii: "="), from: start) ?? end
            let nameEnd = min(equals, end)
            let mark = buffer.count
            buffer.appendFormDecoded(text.extracting(start..<nameEnd))
            let matches = buffer.span.extracting(mark...).equals(name)
            buffer.truncate(to: mark)
            if matches {
                buffer.appendFormDecoded(text.extracting(min(nameEnd + 1, end)..<end))
                return true
            }
            start = end + 1
        }
        return false
    }
}

extension ByteBuffer {
    /// Appends `text` with its percent-escapes decoded and `+` as a space; a broken escape stays as it is.
    fileprivate mutating func appendFormDecoded(_ text: Span<UInt8>) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "%"), index + 2 < text.count, let high = text[index + 1].hexValue,
                let low = text[index + 2].hexValue
            {
                append(high << 4 | low)
                index += 3
            } else {
                append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
    }
}
