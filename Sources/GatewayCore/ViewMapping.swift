import Aggregation
import ByteBuffers
import GatewayConfig
import HTTPMessage
import JSON
import Routing
import Telemetry
import Upstreams

// Between the room of views, which knows neither HTTP messages nor upstreams, and those that do.

extension PartFailure.Reason {
    /// Why an attempt failed, as a view's part says it.
    init(_ failure: UpstreamFailure) {
        switch failure {
        case .connectFailed: self = .connectFailed
        case .dnsFailed: self = .dnsFailed
        case .tlsFailed: self = .tlsFailed
        case .closed: self = .upstreamClosed
        case .protocolError: self = .upstreamProtocol
        case .connectTimeout, .timeout: self = .timeout
        case .overloaded: self = .upstreamOverloaded
        case .truncated: self = .upstreamTruncated
        }
    }
}

extension PartFailure.Reason {
    /// Why a part has no value whose attempts came to this.
    init(_ trouble: AttemptTrouble) {
        switch trouble {
        case .failure(let failure): self.init(failure)
        case .refusal(.full): self = .upstreamOverloaded
        case .refusal(.open): self = .circuitOpen
        case .refusal(.noEndpoint): self = .noHealthyEndpoint
        case .status: self = .badStatus
        }
    }
}

extension Cause {
    /// The cause of a view that failed because of a part.
    init(_ reason: PartFailure.Reason) {
        switch reason {
        case .timeout: self = .upstreamTimeout
        case .connectFailed: self = .connectFailed
        case .dnsFailed: self = .dnsFailed
        case .tlsFailed: self = .tlsFailed
        case .upstreamClosed: self = .upstreamClosed
        case .upstreamProtocol: self = .upstreamProtocol
        case .upstreamTruncated: self = .upstreamTruncated
        case .upstreamOverloaded: self = .upstreamOverloaded
        case .circuitOpen: self = .circuitOpen
        case .noHealthyEndpoint: self = .noHealthyEndpoint
        case .missingInput, .badInput: self = .missingInput
        case .badStatus, .notJSON, .badCoding, .invalidJSON, .tooLarge, .missingValue, .tooManyValues, .cancelled:
            self = .partFailed
        case .internal: self = .internalError
        }
    }
}

extension RequestHead {
    /// Fills in what the templates of a view need of the request.
    borrowing func fill(
        _ inputs: inout TemplateInputs, _ table: TemplateInputTable, _ captures: borrowing RouteCaptures,
        user: ByteRange
    ) {
        var needsQuery = false
        for slot in 0..<table.count {
            switch table.source(slot) {
            case .segment(let number):
                if number < captures.count { inputs.setCapture(slot, to: span(captures[number]), isRest: false) }
            case .rest(let number):
                if number < captures.count { inputs.setCapture(slot, to: span(captures[number]), isRest: true) }
            case .query: needsQuery = true
            case .header:
                if let index = firstField(named: table.name(slot)) { inputs.set(slot, to: value(index)) }
            case .user:
                if !user.isEmpty { inputs.set(slot, to: span(user)) }
            }
        }
        if needsQuery, hasQuery { inputs.setQuery(span(query), from: table) }
    }

    private borrowing func firstField(named name: Span<UInt8>) -> Int? {
        for index in 0..<fields.count where isField(index, named: name) { return index }
        return nil
    }

    /// Whether `If-None-Match` names the view that `composer` has composed.
    borrowing func names(_ composer: borrowing ViewComposer) -> Bool {
        var next = fields.first(.ifNoneMatch)
        while let index = next {
            if composer.isUnmodified(ifNoneMatch: value(index)) { return true }
            next = fields.firstIndex(of: .ifNoneMatch, after: index)
        }
        return false
    }
}

extension ResponseHead {
    /// Tells a run which fields of a part's answer matter to the view.
    borrowing func tell(_ run: inout AggregateRun, _ part: Int) {
        for index in 0..<fields.count {
            switch fields[index].id {
            case .cacheControl: run.answerHas(cacheControl: value(index), part)
            case .age: run.answerHas(age: value(index), part)
            case .vary: run.answerHas(vary: value(index), part)
            case .expires: run.answerExpires(part)
            default: break
            }
        }
    }
}

extension ViewComposer {
    /// Appends the fields that follow from the parts, each as a line.
    borrowing func appendFields(to buffer: inout ByteBuffer) {
        Self.append("Banyan-Partial: ", partial(), to: &buffer)
        Self.append("Banyan-Parts: ", report(), to: &buffer)
        Self.append("Banyan-Fallback: ", fallback(), to: &buffer)
        Self.append("Cache-Control: ", cacheControl(), to: &buffer)
        Self.append("Vary: ", vary(), to: &buffer)
        Self.append("ETag: ", etag(), to: &buffer)
    }

    private static func append(_ name: StaticString, _ value: Span<UInt8>, to buffer: inout ByteBuffer) {
        guard value.count > 0 else { return }
        buffer.append(name)
        buffer.append(value)
        buffer.append("\r\n")
    }
}

extension AccessLogRecord {
    /// Adds a call of a view.
    mutating func addPart(
        _ name: [UInt8], _ upstream: [UInt8], status: UInt16, cause: borrowing ByteBuffer, duration: UInt64,
        state: StaticString
    ) {
        addPart(
            name: name.span, upstream: upstream.span, status: status, cause: cause.span, duration: duration,
            state: state)
    }
}

extension SnapshotCompiler {
    /// Compiles a view; nil, with the reasons reported, when it has errors.
    mutating func compile(
        _ section: AggregateSection, _ methods: ViewMethods, _ parameters: [TemplateScope.PathParameter],
        _ path: [String], bodyLimit: UInt64, tellsTrace: Bool
    ) -> AggregateRoutePlan? {
        // The base is a part like others, the first one.
        let parts = [section.base].compactMap { $0 } + section.parts
        let targets = parts.map { target(named: $0.from) }
        let writing = parts.filter { !$0.isSafe && !ViewMethods.isSafe($0.request.method) }.map(\.name)
        if let problem = methods.problem(writing: writing) { report(path + ["match"], problem) }
        var definition = AggregateDefinition(
            parts: parts.enumerated().map { number, part in
                AggregateDefinition.Part(
                    part, target: number, isStep: methods.isWrite && writing.contains(part.name))
            })
        definition.isWrite = methods.isWrite
        definition.mayReadBody = methods.mayHaveBody
        definition.hasBase = section.base != nil
        definition.timeout = section.timeout.value
        definition.namesErrors = section.errors == .body
        definition.output = section.output
        definition.conflicts =
            switch section.conflicts {
            case .first: .first
            case .last: .last
            case .error: .error
            }
        definition.pathParameters = parameters
        do throws(AggregateRejection) {
            let plan = try AggregatePlan(definition)
            for (number, part) in plan.parts.enumerated() where part.replaces && targets[number] == targets[0] {
                report(
                    path + ["aggregate", part.name, "from"],
                    "it leads wherever \"base\" leads, whose answer has this value already: the part is never asked")
            }
            if plan.usesUser, !knowsUsers {
                report(
                    path + ["aggregate"],
                    "{user} is nobody as long as \"gateway.identity\" does not say where the user comes from")
            }
            return AggregateRoutePlan(
                plan: plan, targets: targets, flagSlots: flagSlots(of: targets),
                bodyLimit: self.bodyLimit(of: plan, section.maxBody, bodyLimit, path),
                requests: parts.map {
                    PartRequestPlan(
                        $0, section.passHeaders, identity: identityHeaders, certificates: certificateHeaders)
                },
                base: section.base.map { forward($0, of: section, to: targets[0], bodyLimit, tellsTrace: tellsTrace) })
        } catch {
            for issue in error.issues { report(pointer(of: issue, path + ["aggregate"]), issue.message) }
            return nil
        }
    }

    /// How a request is sent on where no part of a view is asked: as by a route that leads to whom the base is asked of. The
    /// view's time is for composing; an answer that passes takes as long as its client.
    private func forward(
        _ base: PartSection, of section: AggregateSection, to target: Target, _ bodyLimit: UInt64, tellsTrace: Bool
    ) -> ForwardPlan {
        let removed = certificateHeaders + [DeadlineFields.name]
        let policy =
            switch section.passHeaders {
            case .standard, .all: FieldPolicy(identity: identityHeaders, removed: removed)
            case .only(let names):
                FieldPolicy(identity: identityHeaders, removed: removed, passed: names + FieldRules.viewFields)
            }
        return ForwardPlan(
            target: target, flagSlots: [], bodyLimit: bodyLimit, rewrite: nil, allowsWebSocket: false,
            requestPolicy: policy, tightenedPolicy: policy, mayTighten: false, requestLines: [],
            responsePolicy: FieldPolicy(identity: [], removed: tellsTrace ? ["traceresponse"] : []), responseLines: [],
            headTimeout: base.timeout.value, idleTimeout: nil, totalTimeout: nil)
    }

    /// Bytes that the body of a request may have; one that is read is in memory as a whole.
    private mutating func bodyLimit(
        of plan: AggregatePlan, _ limit: SizeLimit?, _ standard: UInt64, _ path: [String]
    ) -> UInt64 {
        guard plan.readsBody else { return limit.map { $0.bytes ?? .max } ?? standard }
        guard let limit else { return min(standard, Self.standardBody) }
        if limit.bytes ?? .max > UInt64(AggregateRun.maximumAnswer) {
            report(path + ["maxBody"], "the body is held in memory as a whole: at most 8MiB, as {body} is used")
        }
        return limit.bytes ?? .max
    }

    /// The longest body that is read, where the configuration does not say.
    private static let standardBody: UInt64 = 1024 * 1024

    /// Where in the file an issue of a view stands.
    private func pointer(of issue: AggregateIssue, _ path: [String]) -> [String] {
        guard let part = issue.part else {
            let place = Array(path.dropLast()) + [issue.key]
            return stands(place) ? place : path
        }
        let isBase = part == "base" && stands(Array(path.dropLast()) + ["base"])
        let place = isBase ? Array(path.dropLast()) + ["base"] : path + [part]
        // A part's call stands in `get`, or in the members of `request`.
        let candidates =
            issue.key == "path"
            ? [place + ["get"], place + ["request", "path"]] : [place + [issue.key], place + ["request", issue.key]]
        return candidates.first { stands($0) } ?? place
    }
}

extension AggregateDefinition.Part {
    /// The part that `section` describes.
    fileprivate init(_ section: PartSection, target: Int, isStep: Bool) {
        self.init(name: section.name, target: target, path: section.request.path)
        method = section.request.method
        headers = section.request.headers.map { AggregateDefinition.Field(name: $0.name, value: $0.value) }
        body = section.request.body
        self.isStep = isStep
        isOptional = section.optional
        defaultValue = section.defaultValue
        timeout = section.timeout.value
        pick = section.pick
        into = section.into
        replaces = section.replaces
        renames = section.renames.map { ($0.member, $0.name) }
        flattened = section.flattened
        isMerged = section.isMerged
        fanOut = section.fanOut.map { section in
            var fanOut = AggregateDefinition.FanOut(values: section.values, isBatch: section.isBatch)
            fanOut.limit = section.limit
            fanOut.concurrency = section.concurrency ?? (isStep ? 1 : fanOut.concurrency)
            fanOut.key = section.key
            return fanOut
        }
        members =
            switch section.members {
            case .all: .all
            case .only(let names): .only(names)
            case .allBut(let names): .allBut(names)
            }
    }
}
