import ByteBuffers
import EventLoops
import Testing

@testable import HTTPListener

/// What TLS decides without a connection: names, sets of certificates, keys of tickets, texts of certificates.
@Suite struct TLSDecisionTests {
    private static let table = TLSNameTable([
        ("localhost", 0), ("a.example", 1), ("*.a.example", 2), ("b.a.example", 3), ("*.xn--p1ai", 4), ("z.example", 1),
    ])

    @Test(
        arguments: [
            ("localhost", 0), ("LocalHost", 0), ("localhost.", 0), ("a.example", 1), ("A.EXAMPLE", 1), ("z.example", 1),
            ("x.a.example", 2), ("X.A.Example.", 2), ("b.a.example", 3), ("x.xn--p1ai", 4),
            // A wildcard stands for one label that is there (RFC 6125 §6.4.3).
            ("x.y.a.example", nil), (".a.example", nil), ("example", nil), ("xa.example", nil), ("*.a.example", 2),
            ("", nil), (".", nil), ("localhost..", nil), ("localhos", nil), ("localhosts", nil), ("127.0.0.1", nil),
        ] as [(String, Int?)])
    func aNameFindsItsSet(name: String, set: Int?) {
        #expect(Self.set(for: name, in: Self.table) == set)
    }

    @Test func anEmptyTableFindsNothing() { #expect(Self.set(for: "a", in: TLSNameTable([])) == nil) }

    private static func set(for name: String, in table: TLSNameTable) -> Int? {
        let bytes = Array(name.utf8)
        return table.set(for: bytes.span)
    }

    @Test(arguments: [
        ("a.example", true), ("b.w.example", true), ("*.w.example", true), ("w.example", false),
        ("c.b.w.example", false), ("*.example", false), ("*.a.example", false), ("b.example", false),
    ])
    func aCertificateIsGoodForItsNames(name: String, isGood: Bool) {
        #expect(TLSNameTable.covers(name, by: ["a.example", "*.w.example"]) == isGood)
    }

    // MARK: - Sets

    @Test func eachNameHasOneCertificateOfEachKind() throws {
        let plan = try TLSCertificatePlan([
            (["a", "b"], 1), (["b", "a"], 2), (["c"], 1), (["b2", "c"], 2), ([], 1), (["a"], 3), (["d", "d"], 1),
        ])
        #expect(plan.sets == [[0, 1, 5], [0, 1], [2, 3], [3], [6]])
        #expect(plan.names.map(\.name) == ["a", "b", "c", "b2", "d"])
        #expect(plan.names.map(\.set) == [0, 1, 2, 3, 4])
    }

    @Test func aCertificateWithoutANameIsTheDefaultAllTheSame() throws {
        #expect(try TLSCertificatePlan([([], 1), (["a"], 1)]).sets == [[0], [1]])
    }

    @Test func twoCertificatesOfAKindForOneNameAreRefused() {
        #expect(throws: TLSProblem.self) { try TLSCertificatePlan([(["a", "b"], 1), (["c", "b"], 1)]) }
    }

    // MARK: - Tickets

    private static func bytes(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: TicketKey.size) }

    @Test func keysOfTicketsChangeAndOpenForAsLongAgain() {
        let life = TicketKeyRing.lifetime
        var ring = TicketKeyRing(TicketKey(bytes: Self.bytes(1), madeAt: 1_000))
        var made: UInt8 = 1
        func make() -> [UInt8]? {
            made += 1
            return Self.bytes(made)
        }
        func opens(_ value: UInt8, at now: UInt64) -> Bool? {
            Self.opens([UInt8](repeating: value, count: 16), ring, at: now)
        }
        #expect(ring.sealing(at: 1_000 + life - 1, make: make).name[0] == 1)
        #expect(opens(1, at: 1_000) == false)
        #expect(ring.sealing(at: 1_000 + life, make: make).name[0] == 2)
        #expect(ring.sealing(at: 1_000 + life, make: make).name[0] == 2)
        #expect(opens(1, at: 1_000 + life) == true, "it opens, and the ticket is sealed anew")
        #expect(opens(2, at: 1_000 + life) == false)
        #expect(opens(1, at: 1_000 + 2 * life - 1) == true)
        #expect(opens(1, at: 1_000 + 2 * life) == nil)
        #expect(opens(9, at: 1_000) == nil)
        #expect(ring.sealing(at: 1_000 + 9 * life, make: make).name[0] == 3)
        #expect(opens(2, at: 1_000 + 9 * life) == nil, "what lay idle for days opens nothing")
    }

    @Test func withoutRandomBytesTheOldKeyGoesOn() {
        var ring = TicketKeyRing(TicketKey(bytes: Self.bytes(1), madeAt: 0))
        #expect(ring.sealing(at: 5 * TicketKeyRing.lifetime, make: { nil }).name[0] == 1)
    }

    @Test func aKeyIsNeverOpenedByAPartOfItsName() {
        let ring = TicketKeyRing(TicketKey(bytes: Self.bytes(1), madeAt: 0))
        #expect(Self.opens([], ring, at: 0) == nil)
        #expect(Self.opens([1, 1, 1], ring, at: 0) == nil)
    }

    /// Whether a key of this name opens, and is old.
    private static func opens(_ name: [UInt8], _ ring: TicketKeyRing, at now: UInt64) -> Bool? {
        ring.opening(name.span, at: now)?.isOld
    }

    // MARK: - Texts

    @Test func namesOfACertificateCannotForgeAField() {
        func text(_ kind: AlternativeName.Kind, _ bytes: [UInt8]) -> String {
            String(decoding: ClientCertificate.text(of: [AlternativeName(kind: kind, bytes: bytes)]), as: UTF8.self)
        }
        #expect(text(.dns, Array("a\r\nX-Admin: 1".utf8)) == "DNS:a%0D%0AX-Admin:%201")
        #expect(text(.uri, Array("b, DNS:root".utf8)) == "URI:b%2C%20DNS:root")
        #expect(text(.mail, [0x61, 0x00, 0xFF, 0x25, 0x7F]) == "email:a%00%FF%25%7F")
        #expect(text(.address, [10, 0, 0, 1]) == "IP:10.0.0.1")
        #expect(text(.address, [1, 2, 3]) == "IP:invalid")
        #expect(ClientCertificate.text(of: []).isEmpty)
    }
}
