import Foundation

/// A request to a collector, in OTLP's JSON: ids in hexadecimal, 64-bit numbers as text, enumerations as numbers
/// (opentelemetry-proto, JSON Protobuf Encoding).
struct TraceDocument: Encodable {
    private let resourceSpans: [ResourceSpans]

    init(resource: [ExportSettings.Pair], spans: [SpanRecord]) {
        let attributes = resource.map { Attribute(key: $0.name, value: Value(stringValue: $0.value)) }
        resourceSpans = [
            ResourceSpans(
                resource: Resource(attributes: attributes),
                scopeSpans: [ScopeSpans(scope: Scope(name: "tasksystem"), spans: spans.map(Span.init))])
        ]
    }

    /// The bytes of the request.
    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }

    private struct ResourceSpans: Encodable {
        var resource: Resource
        var scopeSpans: [ScopeSpans]
    }

    private struct Resource: Encodable {
        var attributes: [Attribute]
    }

    private struct ScopeSpans: Encodable {
        var scope: Scope
        var spans: [Span]
    }

    private struct Scope: Encodable {
        var name: String
    }

    private struct Span: Encodable {
        var traceId: String
        var spanId: String
        var parentSpanId: String?
        var traceState: String?
        var flags: UInt32
        var name: String
        var kind: Int
        var startTimeUnixNano: String
        var endTimeUnixNano: String
        var attributes: [Attribute]
        var status: Status?

        init(_ record: SpanRecord) {
            traceId = record.trace.text
            spanId = record.span.sixteenDigits
            parentSpanId = record.parent?.sixteenDigits
            traceState = record.state?.text
            flags = record.flags
            name = record.name
            kind = record.kind.rawValue
            startTimeUnixNano = String(record.start)
            endTimeUnixNano = String(record.end)
            attributes = record.attributes.map { attribute in
                switch attribute.value {
                case .text(let text): Attribute(key: attribute.key, value: Value(stringValue: text))
                case .number(let number): Attribute(key: attribute.key, value: Value(intValue: String(number)))
                }
            }
            status = record.isError ? Status(code: 2) : nil
        }
    }

    private struct Status: Encodable {
        var code: Int
    }

    private struct Attribute: Encodable {
        var key: String
        var value: Value
    }

    private struct Value: Encodable {
        var stringValue: String?
        var intValue: String?
    }
}
