import Foundation
import GatewayConfig
import Testing

/// What the reader says about each file of the folder Fixtures, to the letter.
@Suite struct FixtureTests {
    @Test func thereAreFixtures() throws {
        #expect(try Fixture.all(.good).count >= 25)
        let bad = try Fixture.all(.schema).count + Fixture.all(.semantic).count + Fixture.all(.syntax).count
        #expect(bad >= 60)
    }

    @Test(arguments: try Fixture.all(.good)) func readsGoodFile(_ fixture: Fixture) throws {
        let reading = fixture.reading
        #expect(reading.lines == fixture.expected)
        #expect(reading.configuration != nil)
        #expect(reading.configuration == reading.draft)
    }

    @Test(arguments: try Fixture.all(.schema) + Fixture.all(.semantic) + Fixture.all(.syntax))
    func refusesBadFile(_ fixture: Fixture) throws {
        let reading = fixture.reading
        #expect(reading.lines == fixture.expected)
        #expect(reading.configuration == nil)
        #expect(!reading.isGood)
    }
}
