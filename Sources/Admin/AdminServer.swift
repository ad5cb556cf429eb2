import ByteBuffers
package import EventLoops
import GatewayConfig
package import GatewayCore
package import HTTPListener
import HTTPMessage

/// The second listener: what operators and probes ask, served by the control plane's loop and never by a worker.
package final class AdminServer: HTTPServer {
    fileprivate unowned let gateway: Gateway
    fileprivate let token: [UInt8]?

    /// Listens on `socket` for `gateway`.
    ///
    /// - Parameter token: what `Authorization: Bearer` must bear for everything but the probes; nil lets everybody in.
    package init(
        gateway: Gateway, socket: consuming ListeningSocket, token: String?
    ) throws(EventLoopError) {
        self.gateway = gateway
        self.token = token.map { Array($0.utf8) }
        // Questions are short, and a probe that is not answered ends the process: nobody may hold the places for long.
        var limits = ConnectionLimits()
        limits.connections = 256
        limits.givesWayAfter = 100
        limits.headTimeout = 2_000
        limits.bodyTimeout = 2_000
        limits.writeTimeout = 5_000
        limits.idleTimeout = 15_000
        super.init(loop: gateway.loop, limits: limits)
        try listen(socket, index: 0)
    }

    package override func makeExchange() -> ServerExchange { AdminExchange(self) }
}

/// One question to the admin listener.
private final class AdminExchange: ServerExchange {
    private unowned let server: AdminServer

    init(_ server: AdminServer) { self.server = server }

    override func headReceived() {
        bodyLimit = 65_536
        guard head.method == .get || head.method == .head else {
            answer(405, AdminPage.problem("only GET and HEAD are served here"), allow: true)
            return
        }
        guard let page = head.adminPage else {
            answer(404, AdminPage.problem("there are " + AdminPage.paths))
            return
        }
        if page.isGuarded, let token = server.token, !head.bears(token.span) {
            answer(401, AdminPage.problem("a token is needed: Authorization: Bearer ..."), challenge: true)
            return
        }
        let shown = page.render(server.gateway, accept: head.acceptedTypes(), query: head.queryText())
        answer(shown.status, shown.body, type: shown.type)
    }

    /// What a browser may do with an answer: traces and paths hold what clients have sent.
    private static let browserRules: StaticString =
        """
        Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r
        X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r

        """

    override func requestFailed(_ failure: RequestFailure) {
        guard canRespond, failure != .clientClosed else {
            abortResponse()
            return
        }
        answer(refusal?.cause.status ?? 408, AdminPage.problem("the request could not be read"))
    }

    private func answer(
        _ status: UInt16, _ body: [UInt8], type: String = "application/json", allow: Bool = false,
        challenge: Bool = false
    ) {
        beginHead(status: status)
        output.append("Content-Type: \(type)\r\nCache-Control: no-store\r\n")
        output.append(Self.browserRules)
        if allow { output.append("Allow: GET, HEAD\r\n") }
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
