import ByteBuffers
import JSON

extension PartAnswer {
    /// Finds out the structure of the body.
    mutating func scan(_ limits: JSONIndex.Limits) throws(JSONScanError) { try Self.scan(body, into: &index, limits) }

    /// Reads the whole body: checks that it is JSON, and finds what goes into the view. One that was empty is all value.
    mutating func readBody(_ part: AggregatePlan.Part, isEmpty: Bool = false) -> PartFailure? {
        let limits = JSONIndex.Limits(depth: AggregateRun.maximumDepth, indexedDepth: part.indexedDepth)
        do throws(JSONScanError) {
            try scan(limits)
        } catch {
            return PartFailure(error.reason == .tooManyNodes || error.reason == .tooLarge ? .tooLarge : .invalidJSON)
        }
        value = isEmpty ? index.root : index.find(part.pick, in: body.span)
        return value == nil ? PartFailure(.missingValue) : nil
    }

    private static func scan(
        _ text: borrowing ByteBuffer, into index: inout JSONIndex, _ limits: JSONIndex.Limits
    ) throws(JSONScanError) {
        try index.scan(text.span, limits: limits)
    }
}
