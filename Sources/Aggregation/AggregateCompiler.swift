import ByteBuffers
import JSON

/// A part with its templates compiled.
struct PartDraft {
    let definition: AggregateDefinition.Part
    let path: Template
    let headers: [(name: [UInt8], value: Template)]
    let body: Template?
    /// How it fans out; nil where it does not.
    var fanOut: FanOut?
    /// The way to the values that it asks for.
    var values: ValuePath?
    /// The part whose value it is put into.
    var host: Int?
    /// The parts that have to be settled before it starts, one bit each.
    var predecessors: UInt64 = 0

    var templates: [Template] { [path] + headers.map(\.value) + [body].compactMap { $0 } }

    /// The parts whose answers the templates need, one bit each.
    var dependencies: UInt64 {
        templates.reduce(fanOut.map { 1 << UInt64($0.source) } ?? 0) { $0 | $1.partMask }
    }
}

/// Compiles the parts of a view and collects what is wrong with them.
struct AggregateCompiler {
    let definition: AggregateDefinition
    private(set) var scope: TemplateScope
    private(set) var issues: [AggregateIssue] = []
    /// What the view looks like, once it is compiled.
    private(set) var output: OutputTemplate?

    init(_ definition: AggregateDefinition) {
        self.definition = definition
        scope = TemplateScope(pathParameters: definition.pathParameters, partNames: definition.parts.map(\.name))
        scope.mayReadBody = definition.mayReadBody
    }

    /// The parts; not all of them where there are issues.
    mutating func compile() -> [AggregatePlan.Part] {
        let definitions = definition.parts
        if definitions.isEmpty { report(nil, "aggregate", "a view needs at least one part") }
        if definitions.count > AggregatePlan.maximumParts {
            report(
                nil, "aggregate", "a view has at most \(AggregatePlan.maximumParts) parts, found \(definitions.count)")
            return []
        }
        if definition.timeout == 0 { report(nil, "timeout", "a timeout must be longer than nothing") }
        for (index, part) in definitions.enumerated() {
            checkName(part.name, isRepeated: definitions[..<index].contains { $0.name == part.name })
        }
        var drafts = definitions.enumerated().compactMap { compile($1, number: $0) }
        guard drafts.count == definitions.count else { return [] }
        reportCycles(drafts)
        orderSteps(&drafts)
        reportDeepFanOuts(drafts)
        guard issues.isEmpty else { return [] }
        let output = compileOutput(drafts)
        var shaping = ShapeCompiler(drafts, hasOutput: definition.output != nil, hasBase: definition.hasBase)
        let shapes = shaping.compile(&drafts)
        issues += shaping.issues
        if let output {
            reportUnused(drafts, output)
            self.output = OutputTemplate(
                template: output, shapes: shaping.shapes(of: output),
                isObject: definition.output?.isObject == true)
        }
        guard issues.isEmpty else { return [] }
        let depths = indexedDepths(drafts, shapes)
        return drafts.indices.map { AggregatePlan.Part(drafts[$0], shape: shapes[$0], indexedDepth: depths[$0]) }
    }

    mutating func report(_ part: String?, _ key: String, _ message: String) {
        issues.append(AggregateIssue(part: part, key: key, message: message))
    }

    private mutating func checkName(_ name: String, isRepeated: Bool) {
        if isRepeated { report(name, "name", "there is a part \"\(name)\" already") }
        if name.isEmpty { report(name, "name", "the name of a part is empty") }
        if ["query", "header", "body", "each"].contains(name) {
            report(name, "name", "a part cannot be called \"\(name)\": templates use that name for the request")
        }
        if name == "_errors" { report(name, "name", "the view's own member \"_errors\" has that name") }
        if name.utf8.contains(where: { ".{}[]".utf8.contains($0) }) {
            report(name, "name", "the name of a part cannot have dots, braces and brackets: templates could not say it")
        }
    }

    private mutating func compile(_ part: AggregateDefinition.Part, number: Int) -> PartDraft? {
        let known = issues.count
        checkCall(part)
        let fanOut = part.fanOut.flatMap { compile($0, of: part) }
        scope.fanOut = part.fanOut.map { $0.isBatch ? .batch : .each } ?? .none
        defer { scope.fanOut = .none }
        let path = template(part.name, "path") { scope, errors in
            scope.compileTarget(part.path, errors: &errors)
        }
        var headers: [(name: [UInt8], value: Template)] = []
        for field in part.headers {
            checkField(field, of: part)
            let value = template(part.name, "headers") { scope, errors in
                scope.compileHeader(field.value, errors: &errors)
            }
            if let value { headers.append((Array(field.name.utf8), value)) }
        }
        var body: Template?
        if let text = part.body {
            body = template(part.name, "body") { scope, errors in scope.compileBody(text, errors: &errors) }
        }
        if !part.isOptional, part.defaultValue != .null {
            report(
                part.name, "default", "a default needs an optional part: a failed required part fails the whole view")
        }
        if part.isMerged, part.defaultValue != .null, !part.defaultValue.isObject {
            report(
                part.name, "default",
                "\"merge\" makes the members of the default members of the view: expected an object")
        }
        if part.timeout == 0 { report(part.name, "timeout", "a timeout must be longer than nothing") }
        guard issues.count == known, let path else { return nil }
        var draft = PartDraft(definition: part, path: path, headers: headers, body: body)
        draft.fanOut = fanOut?.compiled
        draft.values = fanOut?.path
        if fanOut != nil, !draft.templates.contains(where: \.usesValues) {
            let words = part.fanOut?.isBatch == true ? ("batch", "{each,}") : ("each", "{each}")
            report(part.name, words.0, "every call would be the same: write \(words.1) where the values belong")
            return nil
        }
        if draft.dependencies & 1 << UInt64(number) != 0 {
            report(part.name, "path", "the part \"\(part.name)\" waits for its own answer")
            return nil
        }
        return draft
    }

    /// Compiles how a part fans out.
    private mutating func compile(
        _ fanOut: AggregateDefinition.FanOut, of part: AggregateDefinition.Part
    ) -> (compiled: FanOut, path: ValuePath)? {
        let key = fanOut.isBatch ? "batch" : "each"
        let known = issues.count
        if !(1...FanOut.greatestLimit).contains(fanOut.limit) {
            report(part.name, "maxFanOut", "expected 1 to \(FanOut.greatestLimit) values, found \(fanOut.limit)")
        }
        if part.isStep, !fanOut.isBatch, fanOut.concurrency > 1 {
            report(part.name, "concurrency", "a part that writes asks for one value after the other: leave it out")
        }
        if !(1...FanOut.greatestConcurrency).contains(fanOut.concurrency) {
            let range = "1 to \(FanOut.greatestConcurrency)"
            report(part.name, "concurrency", "expected \(range) calls at a time, found \(fanOut.concurrency)")
        }
        var path: ValuePath
        do throws(TemplateError) {
            path = try ValuePath(parsing: fanOut.values)
        } catch {
            report(part.name, key, error.description)
            return nil
        }
        guard let source = definition.parts.firstIndex(where: { $0.name == path.part }) else {
            let hint = nearestName(to: path.part, among: definition.parts.map(\.name))
            report(
                part.name, key,
                "there is no part \"\(path.part)\"" + (hint.map { ", did you mean \"\($0)\"?" } ?? ""))
            return nil
        }
        if definition.parts[source].fanOut != nil {
            if path.steps.first == .every {
                path.steps.removeFirst()
            } else {
                report(
                    part.name, key, "\"\(path.part)\" has many values itself: write \(path.part)[*] to go through them")
            }
        } else if !path.steps.contains(.every) {
            report(
                part.name, key, "\(fanOut.values) is one value: write [*] where there are many, or use {…} in \"get\"")
        }
        guard issues.count == known else { return nil }
        let compiled = FanOut(
            source: source, path: CompiledPath(path.steps), limit: fanOut.limit, concurrency: fanOut.concurrency,
            isBatch: fanOut.isBatch, key: CompiledPointer(fanOut.key))
        return (compiled, path)
    }

    /// Reports fan-outs that stand on too many others.
    private mutating func reportDeepFanOuts(_ parts: [PartDraft]) {
        for part in parts where part.fanOut != nil {
            var depth = 0
            var next = part.fanOut
            while let fanOut = next, depth <= FanOut.greatestDepth {
                depth += 1
                next = parts[fanOut.source].fanOut
            }
            if depth > FanOut.greatestDepth {
                let key = part.fanOut?.isBatch == true ? "batch" : "each"
                report(part.definition.name, key, "more than \(FanOut.greatestDepth) fan-outs stand on each other")
            }
        }
    }

    private mutating func checkCall(_ part: AggregateDefinition.Part) {
        let method = part.method
        if method.isEmpty || method.utf8.count > 32 || !method.utf8.allSatisfy(\.isTokenCharacter) {
            report(part.name, "method", "\"\(method)\" is no method")
        }
        if ["HEAD", "CONNECT", "TRACE"].contains(method) {
            report(part.name, "method", "the answer to \(method) is no JSON value")
        }
        if part.body != nil, ["GET", "DELETE", "OPTIONS"].contains(method) {
            report(part.name, "body", "a \(method) request has no body")
        }
        let repeated: [String]
        switch part.members {
        case .all: repeated = []
        case .only(let names): repeated = names.enumerated().filter { names[..<$0].contains($1) }.map(\.element)
        case .allBut(let names): repeated = names.enumerated().filter { names[..<$0].contains($1) }.map(\.element)
        }
        for name in repeated { report(part.name, "members", "\"\(name)\" stands here twice") }
    }

    private mutating func checkField(_ field: AggregateDefinition.Field, of part: AggregateDefinition.Part) {
        let name = field.name.lowercased()
        if name.isEmpty || !name.utf8.allSatisfy(\.isTokenCharacter) {
            report(part.name, "headers", "\"\(field.name)\" is no name of a header field")
        }
        // What a part is to change may be the state that the client has seen; what it reads is composed whatever it is.
        let isPrecondition = part.isStep && ["if-match", "if-none-match", "if-unmodified-since"].contains(name)
        if !isPrecondition, Self.ownFields.contains(name) || Self.ownPrefixes.contains(where: { name.hasPrefix($0) }) {
            report(part.name, "headers", "\"\(field.name)\" is set by the gateway alone")
        }
        if part.headers.filter({ $0.name.lowercased() == name }).count > 1 {
            report(part.name, "headers", "\"\(field.name)\" stands here twice")
        }
    }

    /// Fields of framing, routing, forwarding and tracing, which templates have no business with.
    private static let ownFields: Set<String> = [
        "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive",
        "proxy-connection", "proxy-authorization", "proxy-authenticate", "expect", "via", "forwarded", "x-real-ip",
        "x-request-id", "traceparent", "tracestate", "baggage", "b3", "accept-encoding", "range", "if-range",
        "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
    ]
    private static let ownPrefixes = ["x-forwarded-", "x-b3-", "banyan-"]

    private mutating func template(
        _ part: String, _ key: String, _ compile: (inout TemplateScope, inout [TemplateError]) -> Template?
    ) -> Template? {
        var errors: [TemplateError] = []
        let template = compile(&scope, &errors)
        for error in errors { report(part, key, error.description) }
        let many = Set((template?.pointerDepths ?? []).map(\.part)).sorted().filter {
            definition.parts[$0].fanOut?.isBatch == false
        }
        for source in many where definition.parts[source].name != part {
            let name = definition.parts[source].name
            report(
                part, key,
                "\"\(name)\" is asked once for each of many values, and none of its answers is the one that {\(name)…} "
                    + "could mean: go through them with \"each\" or \"batch\" and \(name)[*]")
        }
        return template
    }

    /// Reports a cycle, and after taking it away the next one, so that each is named.
    private mutating func reportCycles(_ parts: [PartDraft]) {
        var dependencies = parts.map(\.dependencies)
        while let cycle = PartGraph(dependencies: dependencies).cycle() {
            let names = (cycle + [cycle[0]]).map { parts[$0].definition.name }.joined(separator: " → ")
            report(parts[cycle[0]].definition.name, "path", "parts wait for each other: \(names)")
            dependencies[cycle[0]] = 0
        }
    }

    /// Compiles what the view looks like; nil without a template, and where that is wrong.
    private mutating func compileOutput(_ parts: [PartDraft]) -> Template? {
        guard let value = definition.output else { return nil }
        for part in parts where part.definition.isMerged {
            report(
                part.definition.name, "merge",
                "\"output\" says what the view looks like: \"merge\" has no meaning beside it")
        }
        if definition.namesErrors, !value.isObject {
            report(nil, "errors", "the errors become a member of the view, and \"output\" is no object")
        }
        if definition.namesErrors, value["_errors"] != nil {
            report(nil, "output", "the view's own member \"_errors\" has that name")
        }
        var errors: [TemplateError] = []
        scope.prefersParts = true
        defer { scope.prefersParts = false }
        let template = scope.compileBody(value, errors: &errors)
        for error in errors { report(nil, "output", error.description) }
        for (part, depth) in template?.pointerDepths ?? [] where depth > 0 && parts[part].fanOut != nil {
            let name = parts[part].definition.name
            report(nil, "output", "\"\(name)\" has many values: {\(name)} is an object of them, and has no way into it")
        }
        for case .part(let part, _, .jsonString) in template?.pieces ?? [] where parts[part].fanOut != nil {
            let name = parts[part].definition.name
            report(
                nil, "output",
                "\"\(name)\" has many values: {\(name)} is an object of them, which has no text and must stand alone")
        }
        return template
    }

    /// Reports parts that are asked for and used nowhere.
    private mutating func reportUnused(_ parts: [PartDraft], _ output: Template) {
        let used = parts.reduce(output.partMask) { $0 | $1.dependencies }
        for (number, part) in parts.enumerated() where part.host == nil && used & 1 << UInt64(number) == 0 {
            let name = part.definition.name
            report(name, "name", "nothing uses the part: write {\(name)} in \"output\", or \"into\"")
        }
        for (number, part) in parts.enumerated() {
            guard let host = part.host, used & 1 << UInt64(number) == 0, !shows(part, parts, output) else { continue }
            let name = parts[host].definition.name
            report(
                part.definition.name, "into",
                "\"output\" does not show \(part.definition.into ?? ""): write {\(name)}, or a way that ends above it")
        }
    }

    /// Whether the output shows the place that a part is put to.
    private func shows(_ part: PartDraft, _ parts: [PartDraft], _ output: Template) -> Bool {
        guard let host = part.host, let into = part.definition.into,
            let path = try? ValuePath(parsing: into)
        else { return true }
        for case .part(host, let number, .json) in output.pieces {
            let pointer = output.pointers[number]
            // In a host with many values, all of them are shown, or nothing.
            if pointer.count == 0 { return true }
            let isWay = zip(path.steps, pointer.steps).allSatisfy { $0 == $1 || $0 == .every }
            if pointer.count < path.steps.count, isWay { return true }
        }
        return parts[host].host != nil && shows(parts[host], parts, output)
    }

    /// How deep each answer is looked into: by its `pick`, its shape, and the ways of other parts into it.
    private func indexedDepths(_ parts: [PartDraft], _ shapes: [Shape?]) -> [Int] {
        // Where a part's value, or one of its values, stands in its answer.
        let tops = parts.map { $0.definition.pick.tokens.count + ($0.fanOut?.isBatch == true ? 1 : 0) }
        var depths = parts.indices.map { index in
            let merged = parts[index].definition.isMerged ? 1 : 0
            // What replaces the whole base is looked into in its place.
            let replaced = parts[index].definition.replaces?.isEmpty == true ? shapes[0]?.depth ?? 0 : 0
            return tops[index] + max(replaced, shapes[index]?.depth ?? 0, parts[index].fanOut?.key.count ?? 0, merged)
        }
        for (part, depth) in parts.flatMap(\.templates).flatMap(\.pointerDepths) {
            depths[part] = max(depths[part], depth)
        }
        for (index, pointer) in (output?.template.pointerDepths ?? []).enumerated() {
            let depth = max(pointer.depth, output?.shapes[index]?.depth ?? 0)
            depths[pointer.part] = max(depths[pointer.part], depth)
        }
        for fanOut in parts.compactMap(\.fanOut) {
            let top = parts[fanOut.source].fanOut == nil ? 0 : tops[fanOut.source]
            depths[fanOut.source] = max(depths[fanOut.source], top + fanOut.path.depth)
        }
        return depths
    }
}
