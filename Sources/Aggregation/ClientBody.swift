import ByteBuffers
import JSON

/// The body of the client's request, one JSON value that templates take values of. Reused from request to request.
///
/// Bytes come first, by ``append(_:)``; then ``read(for:)``, once.
package struct ClientBody: ~Copyable {
    /// Why a body cannot be used.
    package enum Fault: Sendable {
        /// It is not one JSON value in UTF-8, it says one name twice, or it nests too deep.
        case invalid
        /// It has more values than are looked into.
        case tooMany
    }

    /// The bytes and their structure.
    var content: PartAnswer

    /// An empty one. `hashSeed` is a random number: clients that know it could make names collide.
    init(hashSeed: UInt64) { content = PartAnswer(hashSeed: hashSeed) }

    /// Forgets it, and gives back the memory of an uncommonly large one.
    package mutating func reset() { content.reset() }

    /// Takes the next bytes; whoever calls bounds them.
    package mutating func append(_ bytes: Span<UInt8>) { content.body.append(bytes) }

    /// Reads the whole body for the templates of `plan`; why it cannot be used, or nil.
    package mutating func read(for plan: AggregatePlan) -> Fault? {
        let limits = JSONIndex.Limits(depth: AggregateRun.maximumDepth, indexedDepth: plan.bodyDepth ?? 0)
        do throws(JSONScanError) {
            try content.scan(limits)
            return nil
        } catch {
            return error.reason == .tooManyNodes || error.reason == .tooLarge ? .tooMany : .invalid
        }
    }
}
