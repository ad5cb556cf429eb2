import Testing

@testable import Upstreams

/// Where the time of an attempt went, by what happened to it and when.
struct AttemptTimesTests {
    /// What happens to an attempt, at a time.
    enum Event: Sendable {
        case waits, turn, opens, requestEnds, head, pauses, resumes, ends
        /// A connection that was used before takes it.
        case starts(hasBody: Bool = false)
        /// A connection takes it that was opened from one time to another.
        case startsOn(began: UInt64, established: UInt64)
    }

    /// The shares in their order, and what the reader held back.
    struct Shares: Equatable, Sendable {
        var queue: UInt64 = 0
        var connect: UInt64 = 0
        var upload: UInt64 = 0
        var firstByte: UInt64 = 0
        var body: UInt64 = 0
        var paused: UInt64 = 0
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var events: [(UInt64, Event)]
        var shares: Shares

        init(_ name: String, _ events: [(UInt64, Event)], _ shares: Shares) {
            (testDescription, self.events, self.shares) = (name, events, shares)
        }
    }

    static let cases = [
        Case(
            "a connection from the pool", [(10, .starts()), (30, .head), (60, .ends)],
            Shares(firstByte: 20, body: 30)),
        Case(
            "a new connection",
            [(10, .waits), (25, .startsOn(began: 10, established: .max)), (30, .head), (31, .ends)],
            Shares(connect: 15, firstByte: 5, body: 1)),
        Case(
            "a name, then a new connection",
            [(10, .waits), (40, .startsOn(began: 30, established: .max)), (50, .head), (50, .ends)],
            Shares(connect: 30, firstByte: 10)),
        Case(
            "its turn, on a connection of others",
            [(10, .waits), (35, .turn), (35, .starts()), (45, .head), (50, .ends)],
            Shares(queue: 25, firstByte: 10, body: 5)),
        Case(
            "its turn to open a connection",
            [(10, .waits), (40, .turn), (40, .startsOn(began: 30, established: .max)), (41, .head), (42, .ends)],
            Shares(queue: 20, connect: 10, firstByte: 1, body: 1)),
        Case(
            "one that others use before the new one is there",
            [(10, .waits), (17, .starts()), (20, .head), (20, .ends)],
            Shares(queue: 7, firstByte: 3)),
        Case(
            "an HTTP/2 connection that is there before its turn",
            [(10, .waits), (50, .startsOn(began: 10, established: 30)), (60, .head), (60, .ends)],
            Shares(queue: 20, connect: 20, firstByte: 10)),
        Case(
            "an HTTP/2 connection that was there before", [(10, .startsOn(began: 1, established: 2)), (15, .ends)],
            Shares(firstByte: 5)),
        Case(
            "a lane that is opened for it after its turn",
            [
                (10, .waits), (20, .turn), (20, .opens), (50, .startsOn(began: 0, established: .max)), (60, .head),
                (60, .ends),
            ],
            Shares(queue: 10, connect: 30, firstByte: 10)),
        Case("no connection", [(10, .waits), (70, .ends)], Shares(connect: 60)),
        Case("no place", [(10, .waits), (70, .turn), (70, .ends)], Shares(queue: 60)),
        Case(
            "a dead connection replaced by a new one",
            [
                (10, .starts()), (20, .waits), (50, .startsOn(began: 20, established: .max)), (55, .head), (56, .ends),
            ],
            Shares(queue: 10, connect: 30, firstByte: 5, body: 1)),
        Case(
            "a refused stream taken up by another connection at once",
            [(10, .starts()), (22, .starts()), (30, .head), (30, .ends)], Shares(queue: 12, firstByte: 8)),
        Case(
            "a body", [(10, .starts(hasBody: true)), (40, .requestEnds), (45, .head), (50, .ends)],
            Shares(upload: 30, firstByte: 5, body: 5)),
        Case(
            "an answer that does not wait for the body",
            [(10, .starts(hasBody: true)), (30, .head), (40, .requestEnds), (50, .ends)], Shares(upload: 20, body: 20)),
        Case(
            "a body that never ends", [(10, .starts(hasBody: true)), (90, .ends)], Shares(upload: 80)),
        Case(
            "a body that had ended when the connection was replaced",
            [
                (10, .starts(hasBody: true)), (12, .requestEnds), (20, .starts(hasBody: true)), (25, .head),
                (25, .ends),
            ],
            Shares(queue: 10, firstByte: 5)),
        Case(
            "a slow reader",
            [(10, .starts()), (20, .head), (30, .pauses), (35, .pauses), (70, .resumes), (90, .pauses), (100, .ends)],
            Shares(firstByte: 10, body: 30, paused: 50)),
        Case("no head", [(10, .starts()), (500, .ends)], Shares(firstByte: 490)),
        Case("nothing at all", [], Shares()),
        Case(
            "a clock that went backwards", [(50, .starts()), (40, .head), (30, .ends)], Shares()),
    ]

    @Test(arguments: cases)
    func shares(_ one: Case) {
        var times = AttemptTimes()
        for (now, event) in one.events {
            switch event {
            case .waits: times.waits(at: now)
            case .turn: times.waitsInTurn()
            case .opens: times.waitsForOpening(at: now)
            case .requestEnds: times.requestEnds(at: now)
            case .head: times.headComes(at: now)
            case .pauses: times.pauses(at: now)
            case .resumes: times.resumes(at: now)
            case .ends: times.ends(at: now)
            case .starts(let hasBody): times.starts(at: now, on: nil, hasBody: hasBody)
            case .startsOn(let began, let established):
                times.starts(at: now, on: (began, established), hasBody: false)
            }
        }
        let found = Shares(
            queue: times.queue, connect: times.connect, upload: times.upload, firstByte: times.firstByte,
            body: times.body, paused: times.paused)
        #expect(found == one.shares)
    }

    /// What the shares say together is never more than what passed: every moment belongs to one of them at most.
    @Test(arguments: cases)
    func sharesAreApart(_ one: Case) {
        guard let first = one.events.first?.0, let last = one.events.last?.0, last >= first else { return }
        let shares = one.shares
        let sum = shares.queue + shares.connect + shares.upload + shares.firstByte + shares.body + shares.paused
        #expect(sum <= last - first)
    }

    @Test func whatIsNotMeasuredHasABeginningAndAHead() {
        var times = AttemptTimes()
        times.starts(at: 7)
        times.headComes(at: 9)
        #expect(times.startedAt == 7 && times.headAt == 9)
        #expect(times.queue == 0 && times.connect == 0 && times.endedAt == 0 && times.body == 0)
    }
}
