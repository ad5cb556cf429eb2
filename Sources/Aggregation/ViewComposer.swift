package import ByteBuffers
import JSON

/// Puts the answers of a run that ended with a view together: the body byte for byte, and the fields that follow from
/// the fields of the parts. Reused from view to view.
package struct ViewComposer: ~Copyable {
    private var fields = ByteBuffer()
    private var partialRange = ByteRange()
    private var cacheControlRange = ByteRange()
    private var varyRange = ByteRange()
    private var entityTagRange = ByteRange()
    private var variance = VaryList()
    private var entityTag: EntityTag?

    package init() {}

    /// The value of `Banyan-Partial`: the failed parts with their reasons; empty for a whole view.
    @_lifetime(borrow self)
    package borrowing func partial() -> Span<UInt8> { fields.span(partialRange) }

    /// The value of `Cache-Control`; empty where the parts say nothing.
    @_lifetime(borrow self)
    package borrowing func cacheControl() -> Span<UInt8> { fields.span(cacheControlRange) }

    /// The value of `Vary`; empty where there is none.
    @_lifetime(borrow self)
    package borrowing func vary() -> Span<UInt8> { fields.span(varyRange) }

    /// The value of `ETag`; empty for a partial view, which is nobody's to keep.
    @_lifetime(borrow self)
    package borrowing func etag() -> Span<UInt8> { fields.span(entityTagRange) }

    /// Appends the view of `run`, whose outcome is a view, to `body`, and makes the values of the fields.
    package mutating func compose(_ run: borrowing AggregateRun, into body: inout ByteBuffer) {
        fields.removeAll(keeping: 4096)
        variance.removeAll()
        entityTag = nil
        (partialRange, cacheControlRange) = (ByteRange(), ByteRange())
        (varyRange, entityTagRange) = (ByteRange(), ByteRange())
        guard let plan = run.plan, case .view(let isPartial)? = run.outcome else { return }
        let start = body.count
        body.append(UInt8(ascii: "{"))
        for part in plan.parts.indices {
            if part > 0 { body.append(UInt8(ascii: ",")) }
            body.append(contentsOf: plan.parts[part].label)
            if run.state(of: part) == .answered, let value = run.answers[part].value {
                Self.append(run.answers[part], value, plan.parts[part].members, to: &body)
            } else {
                body.append(contentsOf: plan.parts[part].defaultText)
            }
        }
        if isPartial, plan.namesErrors { Self.appendErrors(run, plan, to: &body) }
        body.append(UInt8(ascii: "}"))

        if isPartial { partialRange = append { $0.appendFailures(run, plan) } }
        writeCaching(run, plan, isPartial)
        if !isPartial {
            let tag = EntityTag(of: body.span(ByteRange(start: start, count: body.count - start)))
            entityTag = tag
            entityTagRange = append { tag.append(to: &$0) }
        }
    }

    /// Whether an `If-None-Match` field of this value makes the answer a 304 (RFC 9110 §13.1.2): for GET and HEAD only.
    package func isUnmodified(ifNoneMatch value: Span<UInt8>) -> Bool {
        entityTag?.isNamed(byIfNoneMatch: value) ?? false
    }

    // MARK: - Body

    private static func append(
        _ answer: borrowing PartAnswer, _ value: JSONNodeID, _ members: MemberFilter, to body: inout ByteBuffer
    ) {
        let node = answer.index[value]
        guard members.isActive, node.kind == .object || node.kind == .array else {
            answer.appendBytes(of: node, to: &body)
            return
        }
        if node.kind == .object {
            appendMembers(answer, of: value, members, to: &body)
            return
        }
        body.append(UInt8(ascii: "["))
        var element = answer.index.firstChild(of: value)
        var isFirst = true
        while let current = element {
            if !isFirst { body.append(UInt8(ascii: ",")) }
            isFirst = false
            let inner = answer.index[current]
            if inner.kind == .object {
                appendMembers(answer, of: current, members, to: &body)
            } else {
                answer.appendBytes(of: inner, to: &body)
            }
            element = answer.index.next(after: current)
        }
        body.append(UInt8(ascii: "]"))
    }

    /// Appends an object with the members that are kept, each with its bytes as received.
    private static func appendMembers(
        _ answer: borrowing PartAnswer, of object: JSONNodeID, _ members: MemberFilter, to body: inout ByteBuffer
    ) {
        body.append(UInt8(ascii: "{"))
        var member = answer.index.firstChild(of: object)
        var isFirst = true
        while let current = member {
            let node = answer.index[current]
            if members.keeps(node, in: answer.body.span) {
                if !isFirst { body.append(UInt8(ascii: ",")) }
                isFirst = false
                let start = Int(node.name.start)
                body.append(answer.body.span(ByteRange(start: start, count: node.range.end - start)))
            }
            member = answer.index.next(after: current)
        }
        body.append(UInt8(ascii: "}"))
    }

    /// Appends `,"_errors":{"user":{"reason":"bad_status","status":503}}`.
    private static func appendErrors(_ run: borrowing AggregateRun, _ plan: AggregatePlan, to body: inout ByteBuffer) {
        body.append(",\"_errors\":{")
        var isFirst = true
        for part in plan.parts.indices {
            guard let failure = run.failure(of: part) else { continue }
            if !isFirst { body.append(UInt8(ascii: ",")) }
            isFirst = false
            body.append(contentsOf: plan.parts[part].label)
            body.append("{\"reason\":\"")
            body.append(failure.reason.word)
            body.append(UInt8(ascii: "\""))
            if failure.status > 0 {
                body.append(",\"status\":")
                body.appendDecimal(failure.status)
            }
            body.append(UInt8(ascii: "}"))
        }
        body.append(UInt8(ascii: "}"))
    }

    // MARK: - Fields

    private mutating func append(_ write: (inout ByteBuffer) -> Void) -> ByteRange {
        let start = fields.count
        write(&fields)
        return ByteRange(start: start, count: fields.count - start)
    }

    private mutating func writeCaching(_ run: borrowing AggregateRun, _ plan: AggregatePlan, _ isPartial: Bool) {
        var freshness = Freshness.unlimited
        for part in plan.parts.indices where run.state(of: part) == .answered {
            freshness.restrict(to: run.answers[part].freshness)
            variance.add(run.answers[part].vary.span)
        }
        // The templates read these fields of the request, so another value of them may be another view.
        let inputs = plan.inputs
        for slot in 0..<inputs.count where inputs.source(slot) == .header { variance.add(inputs.name(slot)) }
        if plan.usesUser { freshness.makePrivate() }
        if isPartial { freshness.forbidStoring() }
        cacheControlRange = append { freshness.append(to: &$0) }
        let start = fields.count
        variance.append(to: &fields)
        varyRange = ByteRange(start: start, count: fields.count - start)
    }
}

extension ByteBuffer {
    /// Appends a copy of `bytes`.
    fileprivate mutating func append(contentsOf bytes: [UInt8]) {
        append(bytes.span)
    }

    /// Appends the failed parts as a list of items (RFC 9651 §3.1):
    /// `user;reason=timeout, comments;reason=bad_status;status=503`.
    fileprivate mutating func appendFailures(_ run: borrowing AggregateRun, _ plan: AggregatePlan) {
        var isFirst = true
        for part in plan.parts.indices {
            guard let failure = run.failure(of: part) else { continue }
            if !isFirst { append(", ") }
            isFirst = false
            append(contentsOf: plan.parts[part].fieldItem)
            append(";reason=")
            append(failure.reason.word)
            if failure.status > 0 {
                append(";status=")
                appendDecimal(failure.status)
            }
        }
    }
}
