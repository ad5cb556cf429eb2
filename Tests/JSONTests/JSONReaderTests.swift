import Testing

@testable import JSON

@Suite struct JSONReaderTests {
    private func reader(_ text: String) throws -> JSONReader {
        try JSONReader(parsing: Array(text.utf8))
    }

    struct Server: Equatable {
        var address: String?
        var workers: Int
        var isVerbose: Bool
        var ratio: Double
        var names: [String]
    }

    private func server(_ place: JSONPlace) -> Server? {
        place.object { section in
            Server(
                address: section.string("address"), workers: section.integer("workers", in: 1...64, default: 4),
                isVerbose: section.bool("verbose", default: false),
                ratio: section.number("ratio", in: 0...1, default: 1),
                names: section.optional("names")?.array { $0.string() } ?? [])
        }
    }

    @Test func sectionReadsAsListOfItsKeys() throws {
        let reader = try reader(#"{"address": "a:1", "verbose": true, "ratio": 0.5, "names": ["x", "y"]}"#)
        #expect(
            server(reader.top)
                == Server(address: "a:1", workers: 4, isVerbose: true, ratio: 0.5, names: ["x", "y"]))
        #expect(reader.issues == [])
    }

    @Test func everyErrorIsReportedInOrderOfTheText() throws {
        let reader = try reader(
            """
            {
              "wrokers": 3,
              "workers": 65,
              "verbose": "yes",
              "names": ["a", 1, null],
              "workers": 70,
              "ratio": [1]
            }
            """)
        _ = server(reader.top)
        #expect(
            reader.issues.map(\.description) == [
                #"1:1: missing key "address""#,
                #"2:3: /wrokers: unknown key "wrokers", did you mean "workers"?"#,
                #"4:14: /verbose: expected true or false, found "yes""#,
                #"5:18: /names/1: expected a string, found 1"#,
                #"5:21: /names/2: expected a string, found null"#,
                #"6:3: /workers: duplicate key "workers", first used at 3:3"#,
                #"6:14: /workers: expected an integer from 1 to 64, found 70"#,
                #"7:12: /ratio: expected a number from 0.0 to 1.0, found an array"#,
            ])
    }

    @Test(arguments: [
        ("tiemout", ["timeout", "retry"], "timeout"), ("TimeOut", ["timeout"], "timeout"),
        ("optinal", ["optional", "options"], "optional"), ("x", ["timeout"], nil), ("form", ["from", "for"], "from"),
        ("users", ["user", "tasks"], "user"), ("", ["a"], "a"), ("", ["abc"], nil),
        ("completely", ["different", "words"], nil),
    ])
    func nearestNameIsNamed(_ name: String, _ candidates: [String], _ expected: String?) {
        #expect(nearestName(to: name, among: candidates) == expected)
    }

    @Test(arguments: [
        ("1", 1), ("-1", -1), ("2.0", 2), ("1e3", 1000), ("9223372036854775807", Int.max), ("1.5", nil),
        ("1e300", nil), ("\"1\"", nil), ("true", nil), ("null", nil), ("-9223372036854775808", Int.min),
    ])
    func integers(_ text: String, _ expected: Int?) throws {
        let reader = try reader(text)
        #expect(reader.top.integer() == expected)
        #expect(reader.issues.isEmpty == (expected != nil))
    }

    @Test func rangesAreNamed() throws {
        let reader = try reader("[5, 5, 5]")
        let places = try #require(reader.top.array())
        _ = places[0].integer(in: 6...Int.max)
        _ = places[1].integer(in: Int.min...4)
        _ = places[2].string(oneOf: ["a", "b"])
        #expect(
            reader.issues.map(\.message) == [
                "expected an integer of at least 6, found 5", "expected an integer of at most 4, found 5",
                #"expected one of "a", "b", found 5"#,
            ])
    }

    @Test func aChoiceNamesTheNearest() throws {
        let reader = try reader(#""preserv""#)
        #expect(reader.top.string(oneOf: ["preserve", "server"]) == nil)
        #expect(
            reader.issues.map(\.message) == [
                #"expected one of "preserve", "server", found "preserv"; did you mean "preserve"?"#
            ])
    }

    @Test func keysCanBeRefusedAndIgnored() throws {
        let reader = try reader(#"{"shadow": {}, "$schema": "x", "left": 1}"#)
        reader.top.object { section -> Void? in
            section.refuse(["shadow", "guard"], "is not supported yet")
            section.ignore(["$schema"])
            #expect(section.unreadKeys == ["left"])
            return ()
        }
        #expect(
            reader.issues.map(\.message) == [#"key "shadow" is not supported yet"#, #"unknown key "left""#])
        #expect(reader.issues.map(\.position.column) == [2, 32])
    }

    @Test func callersReportAtAPlace() throws {
        let reader = try reader("{\"a\":\n  {\"b/c\": [1, 2]}}")
        let place = try #require(reader.top.members()?.first?.members()?.first)
        place.reportName("by name")
        place.array()?.last?.report("by value")
        #expect(reader.issues.map(\.description) == ["2:4: /a/b~1c: by name", "2:15: /a/b~1c/1: by value"])
        #expect(place.name == "b/c")
    }

    @Test func hostileTextIsEscapedInMessages() throws {
        let reader = try reader(#""a\"\n\u001b[0m""#)
        #expect(reader.top.bool() == nil)
        #expect(reader.issues.map(\.message) == [#"expected true or false, found "a\"\u000a\u001b[0m""#])
    }
}
