import Aggregation
import ByteBuffers
import JSON

/// A template of a path and what it is filled with, one a line: the template, a captured segment, the rest of a path, a
/// query, a user, a header field, and the JSON that another part of the view answers.
enum TemplateFuzz {
    private struct Values {
        var segment: [UInt8]
        var rest: [UInt8]
        var query: [UInt8]
        var user: [UInt8]
        var field: [UInt8]
    }

    private static let parameters = [
        TemplateScope.PathParameter(name: "id"), TemplateScope.PathParameter(name: "rest", isRest: true),
    ]

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        var lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
        while lines.count < 7 { lines.append([]) }
        let values = Values(segment: lines[1], rest: lines[2], query: lines[3], user: lines[4], field: lines[5])
        let template = String(decoding: lines[0], as: UTF8.self)
        for isLocation in [false, true] { try checkTarget(template, values, isLocation: isLocation) }
        try checkView(template, values, answer: lines[6])
    }

    private static func fill(
        _ inputs: inout TemplateInputs, _ values: Values, for table: borrowing TemplateInputTable
    ) {
        for slot in 0..<table.count {
            switch table.source(slot) {
            case .segment: inputs.setCapture(slot, to: values.segment.span, isRest: false)
            case .rest: inputs.setCapture(slot, to: values.rest.span, isRest: true)
            case .user: inputs.set(slot, to: values.user.span)
            case .header: inputs.set(slot, to: values.field.span)
            case .query: break
            }
        }
        inputs.setQuery(values.query.span, from: table)
    }

    private static func checkTarget(_ template: String, _ values: Values, isLocation: Bool) throws(BrokenProperty) {
        var scope = TemplateScope(pathParameters: parameters)
        var errors: [TemplateError] = []
        guard let compiled = scope.compileTarget(template, isLocation: isLocation, errors: &errors) else {
            try require(!errors.isEmpty, "a template is refused without a reason")
            for error in errors {
                try require(error.offset >= 0 && error.offset <= template.utf8.count, "an error lies outside")
            }
            return
        }
        try require(errors.isEmpty, "a template has errors and is accepted")
        var inputs = TemplateInputs()
        inputs.prepare(for: scope.inputs)
        fill(&inputs, values, for: scope.inputs)
        var out = ByteBuffer()
        out.append("before")
        var scratch = ByteBuffer()
        let problem = compiled.append(to: &out, inputs: inputs, scratch: &scratch)
        let written = Array(copying: out)
        try require(written.starts(with: "before".utf8), "what was written before is changed")
        if problem != nil {
            try require(written.count == 6, "a template that cannot be filled in leaves something behind")
        } else {
            try checkShape(Array(written.dropFirst(6)), template, restSlashes: values.rest, isLocation: isLocation)
        }
    }

    /// The text has the shape of the template: no value has added a segment, a query, a fragment or a line.
    private static func checkShape(
        _ text: [UInt8], _ template: String, restSlashes rest: [UInt8], isLocation: Bool
    ) throws(BrokenProperty) {
        let shown = "\(template) -> \(String(decoding: text, as: UTF8.self))"
        try require(text.count <= 8192 || text.count <= template.utf8.count, "too long: \(shown)")
        try require(text.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a byte of no URI: \(shown)")
        let literal = withoutReferences(template)
        let ends: [UInt8] = [UInt8(ascii: "?"), UInt8(ascii: "#")]
        for end in ends {
            try require(text.count { $0 == end } == literal.count { $0 == end }, "a value adds a part: \(shown)")
        }
        let path = text.prefix { !ends.contains($0) }
        let literalPath = literal.prefix { !ends.contains($0) }
        // What stands between `{rest}` and the end of the path brings its own slashes.
        let pathTemplate = template.prefix { $0 != "?" && $0 != "#" }
        let rests = pathTemplate.components(of: "{rest}")
        let slashes = literalPath.count { $0 == UInt8(ascii: "/") } + rests * rest.count { $0 == UInt8(ascii: "/") }
        try requireSame(path.count { $0 == UInt8(ascii: "/") }, slashes, "a value adds a segment: \(shown)")
        guard text != literal else { return }
        var segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if isLocation, !path.starts(with: "/".utf8) { segments = Array(segments.dropFirst(3)) }
        for segment in segments {
            let decoded = PlainPath.carelessSegments(segment.filter { $0 != UInt8(ascii: ";") })
            try require(
                decoded != [Array(".".utf8)] && decoded != [Array("..".utf8)], "a value climbs: \(shown)")
        }
        if !isLocation {
            try require(path.starts(with: "/".utf8) && !path.starts(with: "//".utf8), "a value names a host: \(shown)")
        }
    }

    /// The bytes of a template that stand for themselves.
    private static func withoutReferences(_ template: String) -> [UInt8] {
        var literal: [UInt8] = []
        var rest = Array(template.utf8)[...]
        while let byte = rest.popFirst() {
            let isBrace = byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}")
            if isBrace, rest.first == byte {
                literal.append(byte)
                rest = rest.dropFirst()
            } else if isBrace {
                rest = rest.drop { $0 != UInt8(ascii: "}") }.dropFirst()
            } else {
                literal.append(byte)
            }
        }
        return literal
    }

    // MARK: - Views

    /// A view of two parts: `a` answers what the input says, `b` is asked with values of that answer.
    private static func checkView(_ template: String, _ values: Values, answer: [UInt8]) throws(BrokenProperty) {
        var second = AggregateDefinition.Part(name: "b", target: 1, path: template)
        second.headers = [AggregateDefinition.Field(name: "x-value", value: "{a.id} {header.x}")]
        second.method = "POST"
        second.body = .object([
            JSONMember(name: "whole", value: .string("{a}")), JSONMember(name: "text", value: .string("{a.id}!{user}")),
        ])
        second.isOptional = true
        var definition = AggregateDefinition(
            parts: [AggregateDefinition.Part(name: "a", target: 0, path: "/a"), second])
        definition.pathParameters = parameters
        definition.namesErrors = true
        guard let plan = plan(definition) else { return }
        var run = AggregateRun(hashSeed: 7)
        run.prepare(plan)
        fill(&run.inputs, values, for: plan.inputs)
        run.begin()
        try drive(&run, template, values, answer)
        guard case .view(let isPartial)? = run.outcome else { return }
        var composer = ViewComposer()
        var body = ByteBuffer()
        composer.compose(run, into: &body)
        var index = JSONIndex(seed: 9)
        let refusal = refusing { () throws(JSONScanError) in try index.scan(body.span) }
        try require(refusal == nil, "a view is no JSON: \(body.text)")
        for range in [Array(copying: composer.partial()), Array(copying: composer.cacheControl())] {
            try require(range.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "a field of a view has a control byte")
        }
        try require(isPartial == (composer.partial().count > 0), "a partial view does not say so")
    }

    private static func plan(_ definition: AggregateDefinition) -> AggregatePlan? {
        do throws(AggregateRejection) {
            return try AggregatePlan(definition)
        } catch {
            return nil
        }
    }

    private static func drive(
        _ run: inout AggregateRun, _ template: String, _ values: Values, _ answer: [UInt8]
    ) throws(BrokenProperty) {
        var steps = 0
        while let action = run.nextAction() {
            steps += 1
            try require(steps < 16, "a run does not end")
            guard case .start(let part) = action else { continue }
            let lines = Array(copying: run.headerLines(of: part))
            if part == 1 {
                try checkShape(
                    Array(copying: run.target(of: part)), template, restSlashes: values.rest, isLocation: false)
                try require(
                    lines.isEmpty
                        || lines.count { $0 == UInt8(ascii: "\n") } == 1
                            && lines.count { $0 == UInt8(ascii: "\r") } == 1 && lines.suffix(2) == [13, 10],
                    "a value adds a field: \(String(decoding: lines, as: UTF8.self))")
                var index = JSONIndex(seed: 8)
                let body = Array(copying: run.body(of: part))
                let refusal = refusing { () throws(JSONScanError) in try index.scan(body.span) }
                try require(refusal == nil, "a body is no JSON: \(String(decoding: body, as: UTF8.self))")
            }
            run.answerBegan(part, status: 200)
            run.answerReceived(answer.span, part)
            run.answerEnded(part)
        }
        try require(run.outcome != nil, "a run has no outcome")
    }
}

extension StringProtocol {
    /// How often `part` stands in the text.
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
