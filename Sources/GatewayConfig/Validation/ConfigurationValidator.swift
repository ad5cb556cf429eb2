internal import JSON

/// What no single section can see: names that stand for nothing, addresses that collide, files that are not there.
///
/// Patterns, templates, cycles between parts and flags are compiled by other rooms, which add their findings to the
/// reading.
struct ConfigurationValidator {
    let configuration: GatewayConfiguration
    let session: ReadingSession
    let files: FileAccess?

    func validate() {
        checkReferences()
        checkNames()
        checkListeners()
        checkAdmin()
        checkIdentity()
        checkTraceResponse()
        checkBalancers()
        checkServers()
        checkZone()
        checkUpgrades()
        checkTries()
        checkFailing()
        checkFlags()
        checkFiles()
        if session.source.root.value(at: JSONPointer(["routes"])) == .array([]) {
            session.warn(JSONPointer(["routes"]), "no route: every request is answered with 404")
        }
    }

    // MARK: - Names

    /// Every name leads to something; the nearest one is offered where it does not.
    private func checkReferences() {
        let contexts = configuration.contexts.map(\.name)
        let upstreams = configuration.upstreams.map(\.name)
        let upstreamSet = Set(upstreams)
        let contextSet = Set(contexts)
        let targets = contexts + upstreams.filter { !contextSet.contains($0) }
        for reference in session.references where !upstreamSet.contains(reference.name) {
            let name = ValueProblem.quoted(reference.name)
            switch reference.kind {
            case .upstream:
                if contextSet.contains(reference.name) {
                    session.report(reference.pointer, "\(name) is a context; expected an upstream")
                } else if let owner = configuration.upstreams.first(where: {
                    $0.pools.contains { $0.name == reference.name }
                }) {
                    session.report(
                        reference.pointer,
                        "\(name) is a pool of the upstream \(ValueProblem.quoted(owner.name)), whose \"active\" chooses it"
                    )
                } else {
                    session.report(
                        reference.pointer,
                        "unknown upstream \(name)" + ValueProblem.hint(reference.name, upstreams, listed: true))
                }
            case .target where !contextSet.contains(reference.name):
                session.report(
                    reference.pointer,
                    "unknown context or upstream \(name)" + ValueProblem.hint(reference.name, targets, listed: true))
            case .target: break
            }
        }
    }

    /// A context may bear the name of the upstream that it is extracted to: that is the common case. Where it never
    /// leads there, `to` does not mean what a reader takes it to mean.
    private func checkNames() {
        let upstreams = Set(configuration.upstreams.map(\.name))
        for context in configuration.contexts where upstreams.contains(context.name) {
            let pointer = JSONPointer(["contexts", context.name])
            // Where one of its names is wrong, nobody knows yet where the context leads.
            if session.hasError(under: pointer) || context.fallback?.upstream == context.name
                || context.upstreams.contains(where: { $0.name == context.name })
            {
                continue
            }
            let name = ValueProblem.quoted(context.name)
            session.add(
                session.source.issue(
                    .warning, atName: pointer,
                    "the context hides the upstream \(name) in \"to\" and \"from\", but never leads to it"))
        }
    }

    // MARK: - Listeners

    private func checkListeners() {
        var seen: [ListenerSection] = []
        for listener in configuration.gateway.listeners {
            if let first = seen.first(where: { $0.address.collides(with: listener.address) }) {
                session.report(
                    JSONPointer(["gateway", "listeners", String(listener.index), "address"]),
                    "listener \(first.index) already listens on \(first.address)")
            }
            seen.append(listener)
        }
        if let admin = configuration.gateway.admin,
            let first = seen.first(where: { $0.address.collides(with: admin.address) })
        {
            session.report(
                JSONPointer(["gateway", "admin", "address"]),
                "listener \(first.index) already listens on \(first.address)")
        }
    }

    /// A warning, not an error: in a container the probes of the orchestrator come from outside the loopback address,
    /// and who may reach the port is the network policy's business. But nobody should open it without having been told.
    private func checkAdmin() {
        guard let admin = configuration.gateway.admin, admin.token == nil, !admin.address.isLocal else { return }
        session.warn(
            JSONPointer(["gateway", "admin", "address"]),
            "others can reach \(admin.address) and read configuration and flags: add a \"token\" or listen on 127.0.0.1"
        )
    }

    /// A PROXY header is read from trusted peers alone; who comes by a unix socket is one.
    private func checkBalancers() {
        guard !session.source.has(JSONPointer(["gateway", "trustedProxies"])) else { return }
        for listener in configuration.gateway.listeners where listener.proxyProtocol {
            if case .unix = listener.address { continue }
            session.warn(
                JSONPointer(["gateway", "listeners", String(listener.index), "proxyProtocol"]),
                "the header is read from \"trustedProxies\" alone, and none are given")
        }
    }

    /// Identity headers are believed from trusted peers alone; without any, the header can never name a user.
    private func checkIdentity() {
        guard !session.source.has(JSONPointer(["gateway", "trustedProxies"])) else { return }
        for (index, identity) in configuration.gateway.identity.enumerated() {
            guard case .header(let name) = identity else { continue }
            session.warn(
                JSONPointer(["gateway", "identity", String(index), "header"]),
                "\(ValueProblem.quoted(name)) is believed only from \"trustedProxies\", and none are given")
        }
    }

    /// Trusted peers are told of their traces; where there are none, nobody is.
    private func checkTraceResponse() {
        let respond = JSONPointer(["gateway", "tracing", "respond"])
        guard configuration.gateway.tracing.respond != .none, configuration.gateway.tracing.respondTo == .trusted,
            !session.source.has(JSONPointer(["gateway", "trustedProxies"])),
            !configuration.gateway.listeners.contains(where: { if case .unix = $0.address { true } else { false } })
        else { return }
        session.warn(
            respond, "only \"trustedProxies\" are told, and none are given; \"respondTo\": \"all\" tells everybody")
    }

    // MARK: - Upstreams and flags

    private func checkServers() {
        for upstream in configuration.upstreams {
            let pointer = JSONPointer(["upstreams", upstream.name])
            var sets = [(pointer.appending("servers"), upstream.servers)]
            sets += upstream.pools.map { (pointer.appending("pools").appending($0.name), $0.servers) }
            for (place, servers) in sets {
                var seen: Set<ServerURL> = []
                for server in servers where !seen.insert(server.url).inserted {
                    session.warn(place, "\(server.url) stands here twice; a \"weight\" gives it a larger share")
                }
            }
            let tls = pointer.appending("tls")
            let servers = sets.flatMap { $0.1 }
            if session.source.has(tls), !servers.isEmpty, !servers.contains(where: \.url.isSecure) {
                session.warn(tls, "without effect: no server of this upstream is https")
            }
        }
    }

    /// A zone in which no server stands prefers none.
    private func checkZone() {
        guard let zone = configuration.gateway.zone else { return }
        let servers = configuration.upstreams.flatMap { $0.servers + $0.pools.flatMap(\.servers) }
        let zones = Set(servers.compactMap(\.zone))
        guard !zones.contains(zone) else { return }
        session.warn(
            JSONPointer(["gateway", "zone"]),
            "no server stands in the zone \(ValueProblem.quoted(zone))" + ValueProblem.hint(zone, zones.sorted()))
    }

    /// A request goes over to another protocol on a connection of HTTP/1.1 alone, and one of our own.
    private func checkUpgrades() {
        for route in configuration.routes {
            guard case .forward(let forward) = route.action, !forward.upgrade.isEmpty else { continue }
            let context = configuration.contexts.first { $0.name == forward.to }
            let names = context?.upstreams.map(\.name) ?? [forward.to]
            for upstream in configuration.upstreams where names.contains(upstream.name) {
                let place = JSONPointer(["routes", String(route.index), "upgrade"])
                let name = ValueProblem.quoted(upstream.name)
                if upstream.protocol != .http1 {
                    session.report(place, "an upgrade needs the protocol \"http/1.1\", and \(name) speaks \"h2\"")
                } else if upstream.transport != .connection {
                    session.report(
                        place, "an upgrade needs the transport \"connection\", and \(name) is carried by \"libcurl\"")
                }
            }
        }
    }

    /// A context whose flag can never be found is always off, which nobody writes on purpose.
    private func checkFlags() {
        guard !session.source.has(JSONPointer(["flags"])) else { return }
        for context in configuration.contexts {
            guard let choice = context.choice else { continue }
            session.report(
                JSONPointer(["contexts", context.name, "flag"]),
                "the flag \(ValueProblem.quoted(choice.flag)) needs a file: add \"flags\": \"flags.json\"")
        }
    }

    // MARK: - Files

    private func checkFiles() {
        guard let files else { return }
        if let flags = configuration.flags { checkFile(flags, ["flags"], files) }
        // One that is not there yet will be.
        if let state = configuration.gateway.state, let obstacle = files.obstacle(state), obstacle != .missing {
            session.report(JSONPointer(["gateway", "state"]), obstacle.message(state))
        }
        if let token = configuration.gateway.admin?.token {
            do throws(ValueProblem) {
                _ = try token.value(files: files)
            } catch {
                session.report(JSONPointer(["gateway", "admin", "token"]), error.message)
            }
        }
        for listener in configuration.gateway.listeners {
            guard let tls = listener.tls else { continue }
            for file in tls.files { checkFile(file.path, file.place, files) }
        }
        for upstream in configuration.upstreams {
            let place = ["upstreams", upstream.name, "tls"]
            for (key, path) in [
                ("ca", upstream.tls.ca), ("certificate", upstream.tls.certificate), ("key", upstream.tls.key),
            ] {
                if let path { checkFile(path, place + [key], files) }
            }
        }
    }

    private func checkFile(_ path: String, _ place: [String], _ files: FileAccess) {
        if let obstacle = files.obstacle(path) { session.report(JSONPointer(place), obstacle.message(path)) }
    }
}
