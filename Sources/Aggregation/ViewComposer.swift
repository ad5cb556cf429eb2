package import ByteBuffers
import JSON

/// Puts the answers of a run that ended with a view together: the body byte for byte, and the fields that follow from
/// the fields of the parts. Reused from view to view.
package struct ViewComposer: ~Copyable {
    /// Why a view cannot be written.
    package enum Obstacle: Sendable {
        /// It would be larger than ``ViewWriter/maximumSize``.
        case tooLarge
        /// Two members of an object have one name, which must not be in this view.
        case nameConflict
    }

    private var fields = ByteBuffer()
    private var partialRange = ByteRange()
    private var fallbackRange = ByteRange()
    private var reportRange = ByteRange()
    private var cacheControlRange = ByteRange()
    private var varyRange = ByteRange()
    private var entityTagRange = ByteRange()
    private var variance = VaryList()
    private var writer = ViewWriter()
    private var entityTag: EntityTag?

    package init() {}

    /// The value of `Banyan-Partial`: the failed parts with their reasons; empty for a whole view.
    @_lifetime(borrow self)
    package borrowing func partial() -> Span<UInt8> { fields.span(partialRange) }

    /// The value of `Banyan-Fallback`: the parts that failed and whose places the base has, and those that somebody else
    /// answered than was decided for; empty for none.
    @_lifetime(borrow self)
    package borrowing func fallback() -> Span<UInt8> { fields.span(fallbackRange) }

    /// The value of `Banyan-Parts`: what each part of a partial view that writes has come to; empty for others.
    @_lifetime(borrow self)
    package borrowing func report() -> Span<UInt8> { fields.span(reportRange) }

    /// The value of `Cache-Control`; empty where the parts say nothing.
    @_lifetime(borrow self)
    package borrowing func cacheControl() -> Span<UInt8> { fields.span(cacheControlRange) }

    /// The value of `Vary`; empty where there is none.
    @_lifetime(borrow self)
    package borrowing func vary() -> Span<UInt8> { fields.span(varyRange) }

    /// The value of `ETag`; empty for a partial view and for one that writes, which are nobody's to keep.
    @_lifetime(borrow self)
    package borrowing func etag() -> Span<UInt8> { fields.span(entityTagRange) }

    /// Appends the view of `run`, whose outcome is a view, to `body`, and makes the values of the fields.
    ///
    /// - Parameter hasCredentials: whether the request had an `Authorization` field, which shared caches heed.
    /// - Returns: Why there is none: it would be larger than a view may be, or two members have one name.
    @discardableResult
    package mutating func compose(
        _ run: borrowing AggregateRun, hasCredentials: Bool = false, into body: inout ByteBuffer
    ) -> Obstacle? {
        fields.removeAll(keeping: 4096)
        variance.removeAll()
        entityTag = nil
        (partialRange, fallbackRange, cacheControlRange) = (ByteRange(), ByteRange(), ByteRange())
        (varyRange, entityTagRange, reportRange) = (ByteRange(), ByteRange(), ByteRange())
        guard let plan = run.plan, case .view(let isPartial)? = run.outcome else { return nil }
        let start = body.count
        writer.reset(plan.conflicts, hasErrors: isPartial && plan.namesErrors)
        writer.appendView(of: run, plan, to: &body)
        if isPartial, plan.namesErrors, body.span[body.count - 1] == UInt8(ascii: "}") {
            body.truncate(to: body.count - 1)
            if body.count > start + 1 { body.append(UInt8(ascii: ",")) }
            Self.appendErrors(run, plan, to: &body)
            body.append(UInt8(ascii: "}"))
        }

        if isPartial { partialRange = append { $0.appendFailures(run, plan, fallenBack: false) } }
        if plan.hasBase || run.hasAnswersFromElsewhere {
            fallbackRange = append { $0.appendFailures(run, plan, fallenBack: true) }
        }
        if plan.isWrite {
            if isPartial { reportRange = append { run.appendReport(to: &$0) } }
            cacheControlRange = append { $0.append("no-store") }
        } else {
            writeCaching(run, plan, isPartial, hasCredentials)
        }
        if !isPartial, !plan.isWrite {
            let tag = EntityTag(of: body.span(ByteRange(start: start, count: body.count - start)))
            entityTag = tag
            entityTagRange = append { tag.append(to: &$0) }
        }
        return writer.isTooLarge ? .tooLarge : writer.contest.hasFailed ? .nameConflict : nil
    }

    /// Whether an `If-None-Match` field of this value makes the answer a 304 (RFC 9110 §13.1.2): for GET and HEAD only.
    package func isUnmodified(ifNoneMatch value: Span<UInt8>) -> Bool {
        entityTag?.isNamed(byIfNoneMatch: value) ?? false
    }

    // MARK: - Body

    /// Appends `"_errors":{"user":{"reason":"bad_status","status":503}}`.
    private static func appendErrors(_ run: borrowing AggregateRun, _ plan: AggregatePlan, to body: inout ByteBuffer) {
        body.append("\"_errors\":{")
        var isFirst = true
        for part in plan.parts.indices {
            guard let failure = run.failure(of: part), !run.fellBack(part) else { continue }
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
            if run.missingValues(of: part) > 0 { appendMissing(run, part, to: &body) }
            body.append(UInt8(ascii: "}"))
        }
        body.append(UInt8(ascii: "}"))
    }

    /// Appends `,"values":{"7":{"reason":"bad_status","status":404}}`: why which values have no answer.
    private static func appendMissing(_ run: borrowing AggregateRun, _ part: Int, to body: inout ByteBuffer) {
        body.append(",\"values\":{")
        var isFirst = true
        for value in run.records[part].values {
            guard let failure = run.values[value].failure else { continue }
            if !isFirst { body.append(UInt8(ascii: ",")) }
            isFirst = false
            body.appendJSONString(run.values.text(value))
            body.append(":{\"reason\":\"")
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

    private mutating func writeCaching(
        _ run: borrowing AggregateRun, _ plan: AggregatePlan, _ isPartial: Bool, _ hasCredentials: Bool
    ) {
        var freshness = ViewFreshness()
        for call in 0..<run.callCount where run.hasAnswer(call) {
            freshness.restrict(to: run.answers[call].freshness)
            variance.add(run.answers[call].vary.span)
        }
        // The templates read these fields of the request, so another value of them may be another view.
        let inputs = plan.inputs
        for slot in 0..<inputs.count where inputs.source(slot) == .header { variance.add(inputs.name(slot)) }
        if plan.usesUser { freshness.makePrivate() }
        if hasCredentials { freshness.restrictToCredentials() }
        if isPartial { freshness.forbidStoring() }
        cacheControlRange = append { freshness.append(to: &$0) }
        let start = fields.count
        variance.append(to: &fields)
        varyRange = ByteRange(start: start, count: fields.count - start)
    }
}

extension ByteBuffer {
    /// Appends a copy of `bytes`.
    mutating func append(contentsOf bytes: [UInt8]) {
        append(bytes.span)
    }

    /// Appends the failed parts as a list of items (RFC 9651 §3.1):
    /// `user;reason=timeout, comments;reason=bad_status;status=503`.
    fileprivate mutating func appendFailures(
        _ run: borrowing AggregateRun, _ plan: AggregatePlan, fallenBack: Bool
    ) {
        var isFirst = true
        for part in plan.parts.indices {
            if fallenBack, run.failure(of: part) == nil, let reason = run.elsewhere(part) {
                if !isFirst { append(", ") }
                isFirst = false
                append(contentsOf: plan.parts[part].fieldItem)
                append(";reason=")
                append(reason)
            }
            guard let failure = run.failure(of: part), run.fellBack(part) == fallenBack else { continue }
            if !isFirst { append(", ") }
            isFirst = false
            append(contentsOf: plan.parts[part].fieldItem)
            append(";reason=")
            append(failure.reason.word)
            if failure.status > 0 {
                append(";status=")
                appendDecimal(failure.status)
            }
            let missing = run.missingValues(of: part)
            if missing > 0 {
                append(";values=")
                appendDecimal(UInt(missing))
            }
        }
    }
}
