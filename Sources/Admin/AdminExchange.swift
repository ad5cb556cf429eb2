import ByteBuffers
import GatewayCore
import HTTPListener
import HTTPMessage
import JSON
import Upstreams

/// One question to the admin listener, or one order.
final class AdminExchange: ServerExchange {
    private unowned let server: AdminServer
    /// What an order is about, from its head to its end.
    private var order: UpstreamPath?
    private var body: [UInt8] = []
    private var check: PoolCheck?

    /// The longest body of an order.
    private static let longestBody: UInt64 = 65_536

    init(_ server: AdminServer) { self.server = server }

    // MARK: - The request

    override func headReceived() {
        bodyLimit = Self.longestBody
        let path = UpstreamPath(head.pathText())
        let isRead = head.method == .get || head.method == .head
        if let path, path.methods.contains(head.method) {
            if path.methods.contains(.put) { return orderReceived(path) }
            guard isAdmitted() else { return }
            return answer(reporting: path.name)
        }
        guard isRead, path == nil else {
            let allow = path?.allow ?? "GET, HEAD"
            return answer(405, AdminPage.problem("only \(allow) are served here"), allow: allow)
        }
        guard let page = head.adminPage else {
            answer(404, AdminPage.problem("there are \(AdminPage.paths), /upstreams/NAME"))
            return
        }
        if page.isGuarded, !isAdmitted() { return }
        let shown = page.render(server.gateway, accept: head.acceptedTypes(), query: head.queryText())
        answer(shown.status, shown.body, type: shown.type)
    }

    /// Whether the token is right, where one is needed; else the answer is given.
    private func isAdmitted() -> Bool {
        guard let token = server.token, !head.bears(token.span) else { return true }
        answer(401, AdminPage.problem("a token is needed: Authorization: Bearer ..."), challenge: true)
        return false
    }

    private func orderReceived(_ path: UpstreamPath) {
        guard isAdmitted() else { return }
        guard server.takesOrders else {
            return answer(403, AdminPage.problem("others can reach this address: orders need a \"token\""))
        }
        // A browser says where a page comes from that wants to change something; of ours none does. Whoever has made
        // the address of this listener that of a page's own name is kept out, too.
        guard !head.hasOrigin() else {
            return answer(403, AdminPage.problem("pages in browsers change nothing here"))
        }
        guard head.method == .delete || head.isJSON() else {
            return answer(415, AdminPage.problem("what is sent is JSON: Content-Type: application/json"))
        }
        // Whoever says so much waits for an answer before the body, or sends it in vain.
        if case .length(let length) = head.framing, length > Self.longestBody { return refuseBody() }
        order = path
        if !head.framing.hasBody { carryOut(path) }
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        guard order != nil else { return }
        for index in 0..<bytes.count { body.append(bytes[index]) }
    }

    override func bodyEnded() {
        if let order { carryOut(order) }
    }

    override func requestFailed(_ failure: RequestFailure) {
        forget()
        guard canRespond, failure != .clientClosed else {
            abortResponse()
            return
        }
        if failure == .bodyTooLarge {
            refuseBody()
        } else {
            answer(refusal?.cause.status ?? 408, AdminPage.problem("the request could not be read"))
        }
    }

    private func refuseBody() {
        answer(413, AdminPage.problem("a body has at most \(Self.longestBody) bytes here"))
    }

    override func finished() { forget() }

    private func forget() {
        check?.cancel()
        check = nil
        order = nil
        body.removeAll()
    }

    // MARK: - Orders

    private func carryOut(_ path: UpstreamPath) {
        let gateway = server.gateway
        switch path {
        case .one: break
        case .active(let name) where head.method == .put:
            check = gateway.switchPool(of: name, to: body) { [unowned self] in answer($0, name) }
        case .servers(let name) where head.method == .put:
            answer(gateway.replaceServers(of: name, by: body), name)
        case .active(let name), .servers(let name):
            answer(gateway.takeBackChoice(for: name), name)
        }
    }

    private func answer(_ outcome: Gateway.ControlOutcome, _ name: String) {
        // What is over must not be cancelled with the exchange's next request.
        check = nil
        guard canRespond else { return }
        switch outcome {
        case .success(let result):
            guard let report = server.gateway.upstreamReports.first(where: { $0.name == name }) else {
                return answer(reporting: name)
            }
            let kept: JSONValue = .object([
                JSONMember(name: "survivesRestart", value: .bool(result.whyForgotten == nil)),
                JSONMember(name: "warning", value: result.whyForgotten.map { .string($0) } ?? .null),
                JSONMember(name: "upstream", value: UpstreamPage.describe(report)),
            ])
            answer(200, AdminPage.text(kept))
        case .failure(let refusal):
            let errors: JSONValue = .array(refusal.errors.map { .string($0) })
            answer(
                Self.status(refusal.kind),
                AdminPage.text(
                    .object([
                        JSONMember(name: "detail", value: .string(refusal.detail)),
                        JSONMember(name: "errors", value: errors),
                    ])))
        }
    }

    private static func status(_ kind: ControlRefusal.Kind) -> UInt16 {
        switch kind {
        case .unknown: 404
        case .invalid: 400
        case .conflict, .unwell: 409
        case .ending: 503
        }
    }

    private func answer(reporting name: String) {
        guard let report = server.gateway.upstreamReports.first(where: { $0.name == name }) else {
            return answer(404, AdminPage.problem(server.gateway.unknownUpstream(name).detail))
        }
        answer(200, AdminPage.text(UpstreamPage.describe(report)))
    }

    // MARK: - Answers

    /// What a browser may do with an answer: traces and paths hold what clients have sent.
    private static let browserRules: StaticString =
        """
        Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r
        X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r

        """

    private func answer(
        _ status: UInt16, _ body: [UInt8], type: String = "application/json", allow: String? = nil,
        challenge: Bool = false
    ) {
        beginHead(status: status)
        output.append("Content-Type: \(type)\r\nCache-Control: no-store\r\n")
        output.append(Self.browserRules)
        if let allow { output.append("Allow: \(allow)\r\n") }
        if challenge { output.append("WWW-Authenticate: Bearer\r\n") }
        if head.method == .head {
            endHead(.none(declared: UInt64(body.count)))
        } else {
            endHead(.length(UInt64(body.count)))
            write(body)
        }
        endResponse()
    }
}

extension RequestHead {
    /// The path as it was sent.
    fileprivate borrowing func pathText() -> String {
        var text = ByteBuffer()
        copy(path, to: &text)
        return text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the only `Content-Type` is JSON, parameters aside.
    fileprivate borrowing func isJSON() -> Bool {
        guard let index = fields.only(.contentType) else { return false }
        let text = value(index)
        let type: StaticString = "application/json"
        guard text.count >= type.utf8CodeUnitCount,
            text.extracting(0..<type.utf8CodeUnitCount).equalsIgnoringCase(type)
        else { return false }
        guard text.count > type.utf8CodeUnitCount else { return true }
        let next = text[type.utf8CodeUnitCount]
        return next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
    }

    /// Whether a browser sent it for a page.
    fileprivate borrowing func hasOrigin() -> Bool {
        for index in 0..<fields.count where name(index).equalsIgnoringCase("origin") { return true }
        return false
    }
}
