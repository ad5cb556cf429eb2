import Foundation
import Synchronization
import Testing

@testable import Telemetry

/// Counting, and adding up what several threads have counted.
@Suite struct MetricTableTests {
    private static let shape = HistogramShape(bounds: [10, 20], scale: 10, hasExemplars: true)

    private static func exemplar(_ time: UInt64, value: UInt64 = 5) -> MetricExemplar {
        MetricExemplar(trace: (time, time), span: time, value: value, time: time)
    }

    @Test func countersOfOneSetAreAddedOverWorkers() {
        let admission = MetricAdmission()
        let tables = (0..<3).map { _ in MetricTable(admission, counters: 2) }
        for (index, table) in tables.enumerated() {
            table.add(to: 0, of: 7)
            table.add(UInt64(index), to: 1, of: 7)
            table.add(to: 0, of: 0)
        }
        tables[0].add(5, to: 0, of: 9)
        let rows = MetricTotals(tables).rows
        #expect(rows.map(\.key) == [0, 7, 9])
        #expect(rows.map(\.counters) == [[3, 0], [3, 3], [5, 0]])
    }

    @Test func aGaugeFallsAgain() {
        let table = MetricTable(MetricAdmission(), counters: 1)
        table.add(3, to: 0, of: 1)
        table.add(1, to: 0, of: 2)
        table.add(0 &- 2, to: 0, of: 1)
        table.set(9, in: 0, of: 2)
        #expect(MetricTotals([table]).rows.map(\.counters) == [[1], [9]])
    }

    @Test(arguments: [(0, 0), (9, 0), (10, 0), (11, 1), (20, 1), (21, 2), (.max, 2)] as [(UInt64, Int)])
    func aBoundBelongsToTheBucketBelowIt(value: UInt64, bucket: Int) {
        let table = MetricTable(MetricAdmission(), histograms: [Self.shape])
        table.observe(value, of: 1)
        var expected: [UInt64] = [0, 0, 0]
        expected[bucket] = 1
        let histogram = MetricTotals([table]).rows.first?.histograms.first
        #expect(histogram?.buckets == expected)
        #expect(histogram?.sum == value)
    }

    @Test func severalHistogramsOfARowDoNotTouchEachOther() {
        let table = MetricTable(
            MetricAdmission(), counters: 1, histograms: [Self.shape, HistogramShape(bounds: [1], scale: 1)])
        table.observe(15, in: 0, of: 1, exemplar: Self.exemplar(1))
        table.observe(1, in: 1, of: 1, exemplar: Self.exemplar(2))
        table.observe(2, in: 1, of: 1)
        table.add(to: 0, of: 1)
        let row = MetricTotals([table]).rows.first
        #expect(row?.counters == [1])
        #expect(row?.histograms.map(\.buckets) == [[0, 1, 0], [1, 1]])
        #expect(row?.histograms.map(\.sum) == [15, 3])
        #expect(row?.histograms.map { $0.exemplars.map { $0?.time } } == [[nil, 1, nil], [nil, nil]])
    }

    @Test func aBucketKeepsItsLatestExemplarOverAllWorkers() {
        let admission = MetricAdmission()
        let tables = (0..<2).map { _ in MetricTable(admission, histograms: [Self.shape]) }
        tables[0].observe(5, of: 1, exemplar: Self.exemplar(30))
        tables[1].observe(5, of: 1, exemplar: Self.exemplar(20))
        tables[0].observe(15, of: 1, exemplar: Self.exemplar(10, value: 15))
        tables[0].observe(5, of: 1)
        let exemplars = MetricTotals(tables).rows.first?.histograms.first?.exemplars
        #expect(exemplars == [Self.exemplar(30), Self.exemplar(10, value: 15), nil])
    }

    @Test func setsBeyondTheBoundShareOneRowWhoeverCountsThem() {
        let admission = MetricAdmission(most: 3)
        let tables = (0..<2).map { _ in MetricTable(admission, counters: 1) }
        for key in 1...20 as ClosedRange<UInt64> { tables[0].add(to: 0, of: key) }
        for key in 1...30 as ClosedRange<UInt64> { tables[1].add(to: 0, of: key) }
        let rows = MetricTotals(tables).rows
        #expect(rows.map(\.key) == [1, 2, 3, MetricTable.overflow])
        #expect(rows.map { $0.counters[0] } == [2, 2, 2, 17 + 27])
    }

    @Test func twoThousandSetsAreTheStandardAndNothingIsLostBeyond() {
        let table = MetricTable(MetricAdmission(), counters: 1)
        for round in 0..<2 {
            for key in 0..<20_000 as Range<UInt64> { table.add(to: 0, of: key << 20 | UInt64(round) << 50) }
        }
        let rows = MetricTotals([table]).rows
        #expect(rows.count == 2_001)
        #expect(rows.reduce(0) { $0 + $1.counters[0] } == 40_000)
        #expect(rows.last?.key == MetricTable.overflow)
        #expect(table.rowCount == 2_001)
    }

    @Test func aReaderSeesWholeExemplarsAndCountsThatOnlyRise() throws {
        let table = MetricTable(MetricAdmission(), counters: 1, histograms: [Self.shape])
        let isOver = Atomic(false)
        let writer = Thread {
            for time in 1...300_000 as ClosedRange<UInt64> {
                table.observe(5, of: time % 40, exemplar: Self.exemplar(time))
                table.add(to: 0, of: time % 40)
            }
            isOver.store(true, ordering: .releasing)
        }
        writer.start()
        var before: UInt64 = 0
        var looks = 0
        while !isOver.load(ordering: .acquiring) {
            let rows = MetricTotals([table]).rows
            let sum = rows.reduce(0) { $0 + $1.counters[0] }
            #expect(sum >= before)
            before = sum
            looks += 1
            for exemplar in rows.compactMap({ $0.histograms[0].exemplars[0] }) {
                let time = exemplar.time
                #expect(exemplar.trace == (time, time) && exemplar.span == time, "torn: \(exemplar)")
            }
        }
        #expect(looks > 0)
        #expect(MetricTotals([table]).rows.reduce(0) { $0 + $1.counters[0] } == 300_000)
    }
}

@Suite struct MetricNamesTests {
    @Test func aNameKeepsItsNumber() {
        var names = MetricNames()
        let first = names.number(of: "a")
        #expect(names.number(of: "b") != first)
        #expect(names.number(of: "a") == first)
        #expect(names[first] == "a")
        #expect(names.number(of: "") == MetricNames.none && names[MetricNames.none].isEmpty)
    }

    @Test func namesBeyondTheNumbersShareOne() {
        var names = MetricNames()
        for number in 0..<70_000 { _ = names.number(of: "name \(number)") }
        #expect(names[names.number(of: "one more")] == "_OTHER")
        #expect(names[names.number(of: "name 60000")] == "name 60000")
    }
}
