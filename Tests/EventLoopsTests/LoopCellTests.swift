import EventLoops
import Testing

/// A cell is the one place where the check of overlapping uses is left out of what is delivered: builds for tests have it,
/// so that the whole suite looks for such uses.
@Suite struct LoopCellTests {
    @Test func whatIsChangedIsThereForTheNextUse() {
        let cell = LoopCell([1, 2])
        cell.value.append(3)
        #expect(cell.value == [1, 2, 3])
        let count = cell.use { list in
            list.removeAll()
            return list.count
        }
        #expect(count == 0 && cell.value.isEmpty)
    }

    @Test func aCopyThatWasTakenOutStaysAsItWas() {
        let cell = LoopCell([1])
        let before = cell.value
        cell.value.append(2)
        #expect(before == [1])
    }

    @Test func theValueEndsWithItsCell() {
        final class Thing {}
        weak var thing: Thing?
        do {
            let cell = LoopCell(Thing())
            thing = cell.value
            #expect(thing != nil)
        }
        #expect(thing == nil)
    }

    @Test func manyMayReadAtOnce() {
        let cell = LoopCell(SeenTwice())
        #expect(cell.value.read { cell.value.read { cell.value.number } } == 7)
        cell.value.number = 8
        #expect(cell.value.number == 8, "it is free again when they are through")
    }

    #if DEBUG
        @Test func changingItWhileItIsReadIsFound() async {
            await #expect(processExitsWith: .failure) {
                let cell = LoopCell(SeenTwice())
                cell.value.read { cell.value.number = 8 }
            }
        }

        @Test func readingItWhileItIsChangedIsFound() async {
            await #expect(processExitsWith: .failure) {
                let cell = LoopCell(SeenTwice())
                cell.use { _ in _ = cell.value.number }
            }
        }

        @Test func changingItTwiceAtOnceIsFound() async {
            await #expect(processExitsWith: .failure) {
                let cell = LoopCell(SeenTwice())
                cell.use { _ in cell.value.number = 8 }
            }
        }
    #endif

    /// Calls from the middle of its own use. It cannot be copied: whoever reads it holds it.
    private struct SeenTwice: ~Copyable {
        var number = 7

        func read<R>(_ body: () -> R) -> R { body() }
    }
}
