import ByteBuffers
import Testing

@Suite struct PlainListTests {
    private func elements(_ list: borrowing PlainList<UInt32>) -> [UInt32] {
        var elements: [UInt32] = []
        for index in 0..<list.count { elements.append(list[index]) }
        return elements
    }

    @Test func growsAndKeepsItsElements() {
        var list = PlainList<UInt32>()
        for number in 0..<1000 { list.append(UInt32(number)) }
        let found = elements(list)
        #expect(found == (0..<1000).map { UInt32($0) })
    }

    @Test func elementsChangeInPlace() {
        var list = PlainList<UInt32>()
        list.append(repeating: 7, count: 3)
        list[1] += 1
        list.append(repeating: 0, count: 0)
        let found = elements(list)
        #expect(found == [7, 8, 7])
    }

    @Test(arguments: [(0, [2, 3]), (1, [1, 3]), (2, [1, 2])] as [(Int, [UInt32])])
    func elementsBehindOneThatIsTakenAwayMoveUp(_ index: Int, _ expected: [UInt32]) {
        var list = PlainList<UInt32>()
        for number in 1...3 { list.append(UInt32(number)) }
        list.remove(at: index)
        let found = elements(list)
        #expect(found == expected)
    }

    @Test func emptyingKeepsMemoryUpToABound() {
        var list = PlainList<UInt32>()
        list.append(repeating: 1, count: 100)
        let capacity = list.capacity
        list.truncate(to: 200)
        var count = list.count
        #expect(count == 100)
        list.truncate(to: 2)
        count = list.count
        #expect(count == 2)
        list.removeAll(keeping: capacity)
        #expect(list.isEmpty && list.capacity == capacity)
        list.removeAll(keeping: capacity - 1)
        #expect(list.capacity == 0)
        list.append(5)
        let found = elements(list)
        #expect(found == [5])
    }
}
