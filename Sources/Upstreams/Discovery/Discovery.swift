package import EventLoops
import Synchronization

/// What is known of a name has changed.
package enum DiscoveryEvent: Equatable, Sendable {
    /// A name could not be looked up; what was known of it stays in use.
    case lost(name: String)
    /// It could be looked up again.
    case found(name: String)
}

/// Where the servers of upstreams are: looks their names up in the background, and again when what was found has aged.
///
/// Every address of a name is a server of its own. A look-up that fails changes nothing: what was once found goes on being
/// used. It belongs to one loop, and is the only place where names become addresses.
package final class Discovery {
    /// The definitions with what is known at this moment: concrete servers, or one that stands for those that are not known.
    package private(set) var definitions: [UpstreamDefinition] = []
    /// Called when that has become something else.
    package var changed: () -> Void = {}
    /// Called when a name is lost or found.
    package var tell: (DiscoveryEvent) -> Void = { _ in }

    private var wanted: [UpstreamDefinition] = []
    private var names: [NameQuestion: Name] = [:]
    private var lookup = NameLookup()
    private var timer: ActionTimer?
    private let threads = BackgroundThreads(most: Discovery.mostAtOnce)
    private let answers: Answers
    private let wakeup: Wakeup

    /// How many look-ups may be under way at a time.
    private static let mostAtOnce = 8

    /// What is known of one name.
    private struct Name {
        var answer: NameAnswer?
        /// Whether it was looked up at least once.
        var hasAnswered = false
        /// Whether the last look-up failed.
        var isLost = false
        /// The look-up that is under way; its result is of no use where this is another one.
        var lookup: UInt64?
        /// When it is looked up again, in milliseconds.
        var dueAt: UInt64 = 0
        /// How long an answer is used that does not say so itself, in milliseconds.
        var interval: UInt64
    }

    /// A look-up that has ended.
    private struct Found: Sendable {
        var question: NameQuestion
        var number: UInt64
        var answer: NameAnswer?
    }

    /// Results on their way from the threads.
    private final class Answers: Sendable {
        private struct State {
            var waiting: [Found] = []
            /// nil when nobody wants results any more. Lent under the lock only, so that it goes on its loop's thread.
            var wakeup: Wakeup?
        }

        private let state = Mutex(State())

        func wake(_ wakeup: Wakeup?) { state.withLock { $0.wakeup = wakeup } }

        func add(_ found: Found) {
            state.withLock { state in
                state.waiting.append(found)
                state.wakeup?.send()
            }
        }

        func take() -> [Found] {
            state.withLock { state in
                defer { state.waiting = [] }
                return state.waiting
            }
        }
    }

    private var lookups: UInt64 = 0
    private let loop: EventLoop

    /// What is called on the loop when results are there: known only after the wake-up.
    private final class Arrival {
        var take: () -> Void = {}
    }

    /// Looks up nothing yet.
    ///
    /// - Throws: `EventLoopError` when the system has no descriptor left.
    package init(loop: EventLoop) throws(EventLoopError) {
        self.loop = loop
        answers = Answers()
        let arrival = Arrival()
        wakeup = try Wakeup(loop: loop) { arrival.take() }
        arrival.take = { [unowned self] in takeAnswers() }
        timer = ActionTimer(loop: loop) { [unowned self] in lookUpWhatIsDue() }
        answers.wake(wakeup)
    }

    deinit {
        answers.wake(nil)
        wakeup.close()
    }

    /// Finds the servers of these upstreams from now on; what is known of a name that stays is kept.
    ///
    /// - Parameter servers: name servers to ask instead of the system's resolver.
    /// - Returns: ``definitions`` as they are then.
    @discardableResult package func use(
        _ wanted: [UpstreamDefinition], servers: NameServers? = nil
    ) -> [UpstreamDefinition] {
        self.wanted = wanted
        if lookup.servers != servers {
            lookup.servers = servers
            // What others said holds until these have said something.
            for question in names.keys {
                names[question]?.dueAt = 0
                names[question]?.lookup = nil
            }
        }
        let before = names
        names = [:]
        for definition in wanted {
            for server in definition.servers {
                guard let question = NameQuestion(server.address) else { continue }
                let interval = max(definition.resolveInterval, 1)
                var name = names[question] ?? before[question] ?? Name(interval: interval)
                name.interval = names[question].map { min($0.interval, interval) } ?? interval
                name.dueAt = min(name.dueAt, loop.now &+ name.interval)
                names[question] = name
            }
        }
        definitions = resolved()
        lookUpWhatIsDue()
        return definitions
    }

    // MARK: - Look-ups

    private func lookUpWhatIsDue() {
        let now = loop.now
        for (question, name) in names where name.lookup == nil && name.dueAt <= now { begin(question) }
        let next = names.values.lazy.filter { $0.lookup == nil }.map(\.dueAt).min()
        if let next { timer?.schedule(at: next) } else { timer?.cancel() }
    }

    private func begin(_ question: NameQuestion) {
        lookups += 1
        let number = lookups
        names[question]?.lookup = number
        let hasBegun = threads.run { [lookup, answers] in
            answers.add(Found(question: question, number: number, answer: lookup.answer(to: question)))
        }
        if !hasBegun { take(Found(question: question, number: number, answer: nil)) }
    }

    private func takeAnswers() {
        for found in answers.take() { take(found) }
        lookUpWhatIsDue()
        let next = resolved()
        guard zip(next, definitions).contains(where: { $0.servers != $1.servers }) else { return }
        definitions = next
        changed()
    }

    private func take(_ found: Found) {
        guard var name = names[found.question], name.lookup == found.number else { return }
        name.lookup = nil
        name.hasAnswered = true
        var wait = name.interval
        if let answer = found.answer {
            name.answer = answer
            if let time = answer.timeToLive {
                let allowed = LookupInterval.milliseconds(timeToLive: time)
                wait = answer.isTimed ? allowed : min(allowed, name.interval)
            }
        } else {
            wait = min(LookupInterval.afterFailure, name.interval)
        }
        let isLost = found.answer == nil
        if isLost != name.isLost {
            tell(isLost ? .lost(name: found.question.name) : .found(name: found.question.name))
        }
        name.isLost = isLost
        name.dueAt = loop.now &+ wait
        names[found.question] = name
    }

    // MARK: - What is known

    private func resolved() -> [UpstreamDefinition] {
        wanted.map { definition in
            var known = definition
            known.servers = []
            var unknown: UpstreamDefinition.Server?
            for server in definition.servers {
                guard let question = NameQuestion(server.address), let name = names[question] else {
                    known.servers.append(server)
                    continue
                }
                if let answer = name.answer {
                    known.servers += answer.servers(for: server)
                } else {
                    var placeholder = server
                    placeholder.address.isWithoutAddress = name.hasAnswered
                    // One that may come yet is worth waiting for.
                    if unknown?.address.isWithoutAddress != false { unknown = placeholder }
                }
            }
            // The unknown ones get nothing while there are others.
            if known.servers.isEmpty, let unknown { known.servers = [unknown] }
            // Where there is one server only, nobody could be asked in its place.
            if known.servers.count < 2 { known.rules.outlier = nil }
            return known
        }
    }
}

extension NameQuestion {
    /// What has to be looked up for an address; nil where nothing has.
    init?(_ address: EndpointAddress) {
        guard address.candidates.isEmpty else { return nil }
        self.init(name: address.host, isService: address.isService)
    }
}

extension NameAnswer {
    /// The servers that `server` of the configuration stands for.
    fileprivate func servers(for server: UpstreamDefinition.Server) -> [UpstreamDefinition.Server] {
        hosts.flatMap { host in
            host.numbers.map { number in
                var concrete = server
                if let record = host.record {
                    concrete.address.isService = false
                    concrete.address.host = record.target
                    concrete.address.port = record.port
                    concrete.weight = record.balancerWeight
                }
                concrete.address.numbers = [number] + host.standIns(for: number)
                return concrete
            }
        }
    }
}

extension NameAnswer.Host {
    /// Addresses that are tried where `number` does not answer. A host with one address of each kind is one machine whose
    /// other address may be the one that works (RFC 8305): `localhost` is mostly such a name.
    fileprivate func standIns(for number: String) -> [String] {
        guard numbers.count == 2, numbers.count(where: { $0.contains(":") }) == 1 else { return [] }
        return numbers.filter { $0 != number }
    }
}
