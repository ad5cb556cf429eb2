package import ByteBuffers

/// What stands around spans in a request to a collector (`ExportTraceServiceRequest`): who recorded them, and by what.
package struct OTLPEnvelope: Sendable {
    /// The field `ResourceSpans.resource`.
    private let resource: [UInt8]
    /// The field `ScopeSpans.scope`.
    private let scope: [UInt8]

    /// The envelope of a service with these attributes, `service.name` among them.
    package init(attributes: [(key: String, value: String)], scope name: String, version: String) {
        var list = ByteBuffer()
        for (key, value) in attributes {
            var any = ByteBuffer()
            any.appendField(1, Array(value.utf8).span)
            var pair = ByteBuffer()
            pair.appendField(1, Array(key.utf8).span)
            pair.appendField(2, any.span)
            list.appendField(1, pair.span)
        }
        var resource = ByteBuffer()
        resource.appendField(1, list.span)
        self.resource = resource.withUnsafeBytes { Array($0) }
        var names = ByteBuffer()
        names.appendField(1, Array(name.utf8).span)
        names.appendField(2, Array(version.utf8).span)
        var scope = ByteBuffer()
        scope.appendField(1, names.span)
        self.scope = scope.withUnsafeBytes { Array($0) }
    }

    /// Appends what stands before the spans in a request that carries so many bytes of them.
    package func begin(_ spans: Int, to buffer: inout ByteBuffer) {
        let scopeSpans = scope.count + spans
        let resourceSpans = resource.count + Protobuf.fieldSize(scopeSpans)
        buffer.appendTag(1, .bytes)
        buffer.appendVarint(UInt64(resourceSpans))
        buffer.append(resource)
        buffer.appendTag(2, .bytes)
        buffer.appendVarint(UInt64(scopeSpans))
        buffer.append(scope)
    }
}
