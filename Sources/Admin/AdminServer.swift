package import EventLoops
import GatewayConfig
package import GatewayCore
package import HTTPListener

/// The second listener: what operators and probes ask, served by the control plane's loop and never by a worker.
package final class AdminServer: HTTPServer {
    unowned let gateway: Gateway
    let token: [UInt8]?
    /// Whether orders are taken: from whoever has the token, or whoever is on this machine.
    let takesOrders: Bool

    /// Listens on `socket` for `gateway`.
    ///
    /// - Parameter token: what `Authorization: Bearer` must bear for everything but the probes; nil lets everybody in.
    package init(
        gateway: Gateway, socket: consuming ListeningSocket, token: String?
    ) throws(EventLoopError) {
        self.gateway = gateway
        self.token = token.map { Array($0.utf8) }
        takesOrders = token != nil || gateway.admin?.address.isLocal == true
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
