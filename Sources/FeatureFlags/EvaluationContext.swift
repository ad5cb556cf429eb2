public import ByteBuffers

/// What rules see of a request. Subclasses answer for the attributes they have.
///
/// A context belongs to one worker and may be reused for one request after the other; an evaluation asks it only while
/// it runs, and may ask for the same attribute several times.
open class EvaluationContext {
    /// A context without attributes.
    public init() {}

    /// Appends the bytes of `attribute` to `scratch` and returns true, or returns false where the request does not have
    /// it: rules then see it as missing. An attribute that is there but empty is true with nothing appended.
    /// Must not take away or change bytes that `scratch` held before.
    open func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
        false
    }

    /// The whole context as a value made in `machine`, for contexts that have structure; nil for those that have
    /// attributes only.
    func load(into machine: inout RuleMachine, flagKey: RuleValue, timestamp: Int64) -> RuleValue? {
        nil
    }
}
