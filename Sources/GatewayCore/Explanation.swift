import Aggregation
import ByteBuffers
import DistributedTracing
import FeatureFlags
import GatewayConfig
import Glibc
import HTTPListener
import HTTPMessage
import Routing

/// What would happen to a request, in words: the same table, the same rules, the same decisions as on the real way, and
/// no upstream is contacted. For `banyan explain`.
package struct Explanation {
    /// The lines, each a label and a text.
    package private(set) var lines: [(label: String, text: String)] = []
    /// Whether a route answers.
    package private(set) var isRouted = false

    /// A request to explain.
    package struct Request {
        /// `GET /tasks/42`, with a host in front of the path if need be.
        package var line: String
        /// The user, as if the first identity source had named them.
        package var user: String?
        /// `name: value` lines.
        package var headers: [String]

        package init(line: String, user: String? = nil, headers: [String] = []) {
            self.line = line
            self.user = user
            self.headers = headers
        }
    }

    /// Explains `request` under `loaded`; as if it came from a trusted peer.
    ///
    /// - Throws: `ExplanationError` for what is no request.
    package init(_ request: Request, under loaded: LoadedConfiguration) throws(ExplanationError) {
        var explainer = Explainer(snapshot: loaded.snapshot(generation: 1, boards: BoardRegistry()), loaded: loaded)
        try explainer.explain(request)
        lines = explainer.lines
        isRouted = explainer.isRouted
    }
}

/// Why a request cannot be explained: it is none.
package struct ExplanationError: Error, CustomStringConvertible {
    package let description: String
}

/// What flag rules see of a request that is only explained.
private final class ExplanationContext: EvaluationContext {
    var head = RequestHead()
    var identity = RequestIdentity()
    var route: [UInt8]?

    override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
        head.read(attribute, identity, route: route, into: &scratch)
    }
}

private struct Explainer {
    let snapshot: WorkerSnapshot
    let loaded: LoadedConfiguration
    let context = ExplanationContext()
    var lines: [(label: String, text: String)] = []
    var isRouted = false
    private var decisions = DecisionVector()

    init(snapshot: WorkerSnapshot, loaded: LoadedConfiguration) {
        self.snapshot = snapshot
        self.loaded = loaded
    }

    mutating func explain(_ request: Explanation.Request) throws(ExplanationError) {
        try read(request)
        let head = "\(context.head.text(context.head.methodRange)) \(context.head.text(context.head.path))"
        add("request", context.head.hasQuery ? "\(head)?\(context.head.text(context.head.query))" : head)
        add("user", context.identity.user.isEmpty ? "unknown" : context.head.text(context.identity.user))
        var captures = RouteCaptures()
        switch snapshot.match(context.head, captures: &captures) {
        case .notFound:
            add("route", "none matches: 404 no_route")
        case .methodNotAllowed(let methods):
            var allow = ByteBuffer()
            snapshot.routes.appendAllow(methods, to: &allow)
            add("route", "the path matches, the method does not: 405 method_not_allowed, Allow: \(allow.text)")
        case .route(let number):
            isRouted = true
            explain(route: number, captures)
        }
    }

    private mutating func add(_ label: String, _ text: String) { lines.append((label, text)) }

    private static let notOneHeader = ExplanationError(
        description: "a header must be one line of the form 'name: value'")

    /// Reads the request with the parser of the gateway, so that it is normalised and refused alike.
    private mutating func read(_ request: Explanation.Request) throws(ExplanationError) {
        let words = request.line.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else {
            throw ExplanationError(
                description: "expected a method and a path, such as 'GET /tasks/42', found '\(request.line)'")
        }
        var target = words[1]
        var host = "localhost"
        if !target.hasPrefix("/"), let slash = target.firstIndex(of: "/") {
            host = String(target[..<slash])
            target = String(target[slash...])
        }
        var text = "\(words[0]) \(target) HTTP/1.1\r\n"
        if !request.headers.contains(where: { $0.lowercased().hasPrefix("host:") }) { text += "Host: \(host)\r\n" }
        for header in request.headers {
            guard !header.utf8.contains(13), !header.utf8.contains(10) else { throw Self.notOneHeader }
            text += "\(header)\r\n"
        }
        if let user = request.user { text += userLine(user) }
        text += "\r\n"
        var parser = HTTP1RequestParser(limits: snapshot.limits.head)
        let bytes = Array(text.utf8)
        switch parser.consume(bytes.span, into: &context.head) {
        case .complete(let consumed) where consumed == bytes.count: break
        case .complete, .incomplete:
            throw Self.notOneHeader
        case .failed(let error):
            throw ExplanationError(
                description: "the request would be refused: \(error.cause.status) \(error.cause.name), \(error.detail)")
        }
        var ids = IDGenerator(seed: 1, 2, 3, 4)
        let peer = PeerAddress(address: IPAddress(ipv4: 0x7F00_0001), port: 0, isUnix: true)
        context.identity.read(context.head, peer: peer, rules: snapshot.identity, ids: &ids)
    }

    private func userLine(_ user: String) -> String {
        for source in loaded.configuration.gateway.identity {
            switch source {
            case .header(let name): return "\(name): \(user)\r\n"
            case .cookie(let name): return "Cookie: \(name)=\(user)\r\n"
            }
        }
        return ""
    }

    // MARK: - Routes

    private mutating func explain(route number: Int, _ captures: borrowing RouteCaptures) {
        let section = loaded.configuration.routes[number]
        context.route = snapshot.routeNames[number]
        add("route", section.match + (section.name == section.match ? "" : "  (\(section.name))"))
        for index in 0..<captures.count { add("  captured", context.head.text(captures[index])) }
        let action = snapshot.actions[number]
        for slot in action.flagSlots { decide(slot) }
        switch action {
        case .forward(let plan): add("to", describe(plan.target))
        case .respond: add("answer", "a fixed one")
        case .redirect: add("answer", "a redirect")
        case .aggregate(let plan): explain(plan)
        }
    }

    private mutating func explain(_ plan: AggregateRoutePlan) {
        for (stage, parts) in plan.plan.stages.enumerated() {
            for number in parts {
                let part = plan.plan.parts[number]
                let needs = plan.plan.waits(of: number).map { plan.plan.parts[$0].name }
                let start = stage == 0 ? "at once" : "after " + needs.joined(separator: ", ")
                let kind = (part.isStep ? ", writes" : "") + (part.isOptional ? ", optional" : "")
                let target = describe(plan.targets[number])
                add("part \(part.name)", "\(start): \(part.method) \(part.path) to \(target)\(kind)")
            }
        }
        let chain = plan.plan.longestChain.map { plan.plan.parts[$0].name }.joined(separator: ", then ")
        add("takes as long as", chain)
    }

    private mutating func decide(_ slot: Int) {
        guard decisions[slot] == nil else { return }
        let flag = snapshot.slots[slot]
        var evaluator = FlagEvaluator()
        let explanation = evaluator.explain(flag.flag, in: snapshot.flags, for: context, now: Int64(time(nil)))
        decisions.set(explanation.result, in: slot)
        let variant = snapshot.flags.variant(of: explanation.result, flag: flag.flag)?.name ?? "none"
        var text = "\(variant)  (\(explanation.result.reason.name)"
        if let code = explanation.result.errorCode { text += ", \(code.name)" }
        if let bucket = explanation.result.bucket { text += ", bucket \(bucket.bucket) of \(bucket.total)" }
        add("flag \(flag.key)", text + ")")
        for step in explanation.steps { add("", step) }
    }

    private func describe(_ target: Target) -> String {
        let number = snapshot.upstream(for: target, decisions)
        let upstream = loaded.configuration.upstreams[number]
        let servers = upstream.servers.map { $0.url.description }.joined(separator: ", ")
        var text = "\(upstream.name) (\(servers))"
        if case .context(let context) = target {
            text = "context \(loaded.configuration.contexts[context].name) → " + text
        }
        return text
    }
}

extension RequestHead {
    /// The bytes of `range` as text.
    fileprivate borrowing func text(_ range: ByteRange) -> String { span(range).text }
}
