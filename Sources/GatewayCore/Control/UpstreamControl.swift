import EventLoops
import GatewayConfig
import JSON
import Logging
import Upstreams

/// Why operators do not get what they ask for.
package struct ControlRefusal: Error, Equatable, Sendable {
    /// What kind of mistake it is.
    package enum Kind: Equatable, Sendable {
        /// There is no such upstream.
        case unknown
        /// What was sent makes no sense.
        case invalid
        /// It makes sense, but not for this upstream.
        case conflict
        /// The servers do not answer.
        case unwell
        /// The gateway is about to end.
        case ending
    }

    package var kind: Kind
    /// One sentence without a full stop.
    package var detail: String
    /// What exactly is wrong, a line each.
    package var errors: [String] = []
}

/// What was done.
package struct ControlResult: Equatable, Sendable {
    /// Why a restart will forget it; nil where it will not.
    package var whyForgotten: String?
}

extension Gateway {
    /// What messages call the body of a request to change something.
    private static let body = "body"

    /// What a change of an upstream comes to.
    package typealias ControlOutcome = Result<ControlResult, ControlRefusal>

    /// Makes another pool of an upstream active, if its servers answer.
    ///
    /// - Parameters:
    ///   - text: `"green"` or `{"active": "green", "force": true}`.
    ///   - done: called once, possibly before this returns; not after the check was cancelled.
    /// - Returns: what is still going on, if something is.
    package func switchPool(
        of name: String, to text: [UInt8], _ done: @escaping (ControlOutcome) -> Void
    ) -> PoolCheck? {
        let upstream: UpstreamSection
        let choice: PoolChoice
        do throws(ControlRefusal) {
            upstream = try filedUpstream(name)
            guard !upstream.pools.isEmpty else {
                throw ControlRefusal(
                    kind: .conflict, detail: "the upstream \"\(name)\" has no pools; its servers can be replaced")
            }
            choice = try Self.value(ConfigurationReader.readPool(text: text, named: Self.body, of: upstream))
        } catch {
            done(.failure(error))
            return nil
        }
        let pool = choice.active
        guard !choice.force, activePool(of: name) != pool,
            let servers = upstream.pools.first(where: { $0.name == pool })?.servers
        else {
            done(activate(pool, of: name, isForced: choice.force))
            return nil
        }
        let check = PoolCheck(servers, of: upstream, loop: loop, probe: probeOnce) { [unowned self] check in
            guard check.isGood else {
                let unwell = check.failures
                let detail = "of \(servers.count) servers of the pool \"\(pool)\" \(unwell.count) do not answer"
                return done(.failure(ControlRefusal(kind: .unwell, detail: detail, errors: unwell)))
            }
            done(activate(pool, of: name, isForced: false))
        }
        check.begin()
        return check
    }

    /// Asks a server of a pool as the upstream's `health` says, or else for a connection.
    private func probeOnce(
        _ server: ServerSection, _ upstream: UpstreamSection, _ loop: EventLoop, _ done: @escaping (String?) -> Void
    ) -> AnyObject {
        guard upstream.health != nil || server.url.isService else {
            return ConnectProbe.begin(server, upstream, loop, done)
        }
        return ServerProbe(
            server, upstream, resolver: NameServers(loaded.configuration.gateway), loop: loop, done)
    }

    /// The file may have changed while servers were asked: everything is looked at again.
    private func activate(_ pool: String, of name: String, isForced: Bool) -> ControlOutcome {
        do throws(ControlRefusal) {
            let upstream = try filedUpstream(name)
            guard upstream.pools.contains(where: { $0.name == pool }) else {
                throw ControlRefusal(kind: .conflict, detail: "the file has no pool \"\(pool)\" any more")
            }
            let before = activePool(of: name) ?? ""
            let why = choose { $0.choose(pool: pool, for: upstream) }
            if before != pool {
                log.notice(
                    "pool switched",
                    metadata: [
                        "upstream": "\(name)", "pool": "\(pool)", "before": "\(before)", "forced": "\(isForced)",
                    ])
            }
            return .success(ControlResult(whyForgotten: why))
        } catch {
            return .failure(error)
        }
    }

    /// Replaces the servers of an upstream by those of `text`, a list as the file has it.
    package func replaceServers(of name: String, by text: [UInt8]) -> ControlOutcome {
        do throws(ControlRefusal) {
            let upstream = try filedUpstream(name)
            guard upstream.pools.isEmpty else {
                throw ControlRefusal(
                    kind: .conflict, detail: "the upstream \"\(name)\" has pools, of which one can be made active")
            }
            let servers = try Self.value(ConfigurationReader.readServers(text: text, named: Self.body))
            let why = choose { $0.choose(servers: servers, for: upstream) }
            log.notice(
                "servers replaced",
                metadata: [
                    "upstream": "\(name)", "servers": "\(servers.map(\.url.description).joined(separator: ", "))",
                ])
            return .success(ControlResult(whyForgotten: why))
        } catch {
            return .failure(error)
        }
    }

    /// Takes back what was chosen for an upstream: the file's word is good again.
    package func takeBackChoice(for name: String) -> ControlOutcome {
        do throws(ControlRefusal) {
            _ = try filedUpstream(name)
            guard choices.choices[name] != nil else { return .success(ControlResult()) }
            let why = choose { $0.takeBack(name) }
            log.notice("choice taken back", metadata: ["upstream": "\(name)"])
            return .success(ControlResult(whyForgotten: why))
        } catch {
            return .failure(error)
        }
    }

    private func choose(_ step: (inout RuntimeChoices) -> Void) -> String? {
        let before = choices.choices
        let why = choices.change(step)
        if choices.choices != before { putInForce() }
        return why
    }

    private func activePool(of name: String) -> String? {
        loaded.configuration.upstreams.first { $0.name == name }?.active
    }

    /// The upstream as the file has it.
    private func filedUpstream(_ name: String) throws(ControlRefusal) -> UpstreamSection {
        guard !isDraining else { throw ControlRefusal(kind: .ending, detail: "the gateway is about to end") }
        if let upstream = filed.configuration.upstreams.first(where: { $0.name == name }) { return upstream }
        throw unknownUpstream(name)
    }

    /// That there is no such upstream, and which was meant.
    package func unknownUpstream(_ name: String) -> ControlRefusal {
        let nearest = nearestName(to: name, among: filed.configuration.upstreams.map(\.name))
        let hint = nearest.map { ", did you mean \"\($0)\"?" } ?? ""
        return ControlRefusal(kind: .unknown, detail: "there is no upstream \(ValueProblem.quoted(name))" + hint)
    }

    private static func value<Value>(_ reading: PartReading<Value>) throws(ControlRefusal) -> Value {
        if let value = reading.value { return value }
        let errors = reading.issues.map(\.description)
        throw ControlRefusal(kind: .invalid, detail: errors.first ?? "the body cannot be read", errors: errors)
    }
}
