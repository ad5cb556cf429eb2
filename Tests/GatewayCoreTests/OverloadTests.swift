import Testing

@testable import GatewayCore

/// When new requests are refused, and what is said about it.
@Suite struct OverloadTests {
    @Test func aBoundIsLeftBelowNineTenthsOfIt() {
        let bound = OverloadBound(most: 1_000)
        var isReached = false
        for (figure, expected) in [
            (0, false), (1_000, false), (1_001, true), (1_000, true), (900, true), (899, false), (900, false),
            (1_000, false), (5_000, true), (0, false),
        ] as [(UInt64, Bool)] {
            isReached = bound.isReached(figure, before: isReached)
            #expect(isReached == expected, "\(figure)")
        }
    }

    @Test func withoutABoundNothingIsReachedForLong() {
        let bound = OverloadBound(most: .max)
        #expect(!bound.isReached(.max, before: false))
        // What another configuration has left behind ends.
        #expect(!bound.isReached(1 << 40, before: true))
    }

    @Test func aLateWorkerIsCountedOnce() {
        let state = OverloadState()
        var (one, other) = (WorkerLag(state), WorkerLag(state))
        let bound = OverloadBound(most: 100)
        for _ in 0..<3 { one.note(200, bound) }
        #expect(one.isOver && !other.isOver && state.late == 1)
        other.note(101, bound)
        #expect(state.late == 2)
        one.note(95, bound)
        #expect(one.isOver && state.late == 2)
        for _ in 0..<3 { one.note(0, bound) }
        other.note(0, OverloadBound(most: .max))
        #expect(!one.isOver && !other.isOver && state.late == 0)
    }

    @Test func itIsSaidWhenItBeginsAndWhenItHasBeenOverForAWhile() {
        var notice = OverloadNotice()
        #expect(notice.look(isOver: false, refused: 0) == nil)
        #expect(notice.look(isOver: true, refused: 3) == .began)
        #expect(notice.look(isOver: true, refused: 5) == nil)
        // It comes and goes: nothing is said.
        for _ in 0..<20 {
            for _ in 1..<OverloadNotice.calm { #expect(notice.look(isOver: false, refused: 5) == nil) }
            #expect(notice.look(isOver: true, refused: 5) == nil)
        }
        for _ in 1..<OverloadNotice.calm { #expect(notice.look(isOver: false, refused: 5) == nil) }
        #expect(notice.look(isOver: false, refused: 5) == .ended(refused: 5))
        for _ in 0..<20 { #expect(notice.look(isOver: false, refused: 5) == nil) }
    }

    @Test func whatWasOverBeforeAnybodyLookedIsSaid() {
        var notice = OverloadNotice()
        #expect(notice.look(isOver: false, refused: 7) == .began)
        for _ in 1..<OverloadNotice.calm { #expect(notice.look(isOver: false, refused: 7) == nil) }
        #expect(notice.look(isOver: false, refused: 7) == .ended(refused: 7))
        #expect(notice.look(isOver: false, refused: 8) == .began)
    }
}
