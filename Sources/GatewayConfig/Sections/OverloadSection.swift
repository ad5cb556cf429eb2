internal import JSON

/// `gateway.overload`: bounds beyond which new requests are refused at once with 503, so that those at work are finished.
/// Health and the admin listener answer all the same.
package struct OverloadSection: Equatable, Sendable {
    /// `memory`: the process's memory, `1MiB` to 1 PiB. Default: nil, no bound.
    package var memory: ByteSize?
    /// `lag`: how late an event loop is with its work. Default: nil, no bound.
    package var lag: Milliseconds?

    static let keys = SectionKeys(["memory", "lag"])

    init(_ section: SectionReader) {
        if section.has("memory") {
            var bound = ByteSize(ByteSize.maximum)
            section.size("memory", into: &bound, from: .mebibytes(1), to: bound)
            memory = bound
        }
        if section.has("lag") {
            var bound = Milliseconds.seconds(1)
            section.duration("lag", into: &bound)
            lag = bound
        }
        if memory == nil, lag == nil {
            section.session.report(section.pointer, "expected \"memory\" or \"lag\", or false for no bound")
        }
    }

    var effective: JSONValue {
        .section([("memory", memory.map { .text($0) }), ("lag", lag.map { .text($0) })])
    }
}
