import EventLoops
import Testing

@testable import Upstreams

/// What becomes of names on a loop, without a name server: the machine's own names and addresses.
@Suite struct DiscoveryTests {
    private static func definition(
        _ name: String, _ hosts: String..., isService: Bool = false
    ) -> UpstreamDefinition {
        var definition = UpstreamDefinition(
            name: name,
            servers: hosts.map { host in
                var address = EndpointAddress(isSecure: false, host: host, port: isService ? 0 : 80)
                address.isService = isService
                return UpstreamDefinition.Server(address: address, weight: 7, pathPrefix: "/p")
            })
        definition.rules.outlier = OutlierDetector()
        return definition
    }

    /// Runs turns of the loop until `condition` holds; a timer keeps it from waiting for ever.
    private func drive(_ loop: EventLoop, _ condition: () -> Bool) -> Bool {
        var isLate = false
        let end = ActionTimer(loop: loop) { isLate = true }
        end.schedule(after: 20_000)
        return withExtendedLifetime(end) {
            while !condition(), !isLate { loop.runOnce() }
            return !isLate
        }
    }

    @Test func addressesInNumbersNeedNoLookUp() throws {
        let discovery = try Discovery(loop: EventLoop())
        let wanted = [Self.definition("a", "127.0.0.1", "::1"), Self.definition("b", "10.0.0.1")]
        let known = discovery.use(wanted)
        #expect(known.map(\.servers) == wanted.map(\.servers))
        // Where there is one server only, nobody could be asked in its place.
        #expect(known.map { $0.rules.outlier != nil } == [true, false])
    }

    @Test func aNameBecomesItsAddressesAndKeepsItsName() throws {
        let loop = try EventLoop()
        let discovery = try Discovery(loop: loop)
        var changes = 0
        discovery.changed = { changes += 1 }
        let pending = discovery.use([Self.definition("a", "localhost")])[0].servers
        #expect(pending.count == 1 && pending[0].address.candidates.isEmpty && !pending[0].address.isWithoutAddress)
        try #require(drive(loop) { changes > 0 })
        let servers = discovery.definitions[0].servers
        #expect(!servers.isEmpty)
        for server in servers {
            #expect(server.address.host == "localhost" && server.weight == 7 && server.pathPrefix == "/p")
            #expect(server.address.hostField == "localhost")
            #expect(["127.0.0.1:80", "[::1]:80"].contains(server.address.text))
        }
        // What is known stays known.
        #expect(discovery.use([Self.definition("b", "localhost")])[0].servers == servers)
    }

    @Test func unknownServersGetNothingWhileThereAreOthers() throws {
        let loop = try EventLoop()
        let discovery = try Discovery(loop: loop)
        var events: [DiscoveryEvent] = []
        discovery.tell = { events.append($0) }
        let silent = NameServers([NameServers.Address(host: "no address")])
        let known = discovery.use(
            [
                Self.definition("mixed", "name.test", "127.0.0.1"), Self.definition("lost", "name.test", "more.test"),
                Self.definition("service", "_a._tcp.test", isService: true),
            ], servers: silent)
        #expect(known[0].servers.map(\.address.text) == ["127.0.0.1:80"])
        #expect(known[1].servers.map(\.address.text) == ["name.test:80"])
        #expect(known[2].servers.map(\.address.text) == ["_a._tcp.test"])
        try #require(
            drive(loop) { discovery.definitions.dropFirst().allSatisfy { $0.servers[0].address.isWithoutAddress } })
        #expect(Set(events.map { "\($0)" }).count == 3)
        #expect(discovery.definitions[1].servers.count == 1)
    }

    /// Whoever wants nothing any more is not called.
    @Test func aLookUpMayOutliveItsDiscovery() throws {
        let loop = try EventLoop()
        for _ in 0..<20 {
            let discovery = try Discovery(loop: loop)
            discovery.changed = { Issue.record("nobody is there") }
            discovery.use([Self.definition("a", "localhost")])
        }
        for _ in 0..<20 { loop.runOnce(waiting: false) }
    }
}
