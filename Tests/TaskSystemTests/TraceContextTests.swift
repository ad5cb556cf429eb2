import Testing

@testable import tasksystem

@Suite("The trace that a request names (W3C Trace Context, level 2)")
struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"
    private static let good = "00-\(trace)-\(span)-01"

    @Test(
        "is read",
        arguments: [
            ("00-\(trace)-\(span)-01", 1), ("00-\(trace)-\(span)-00", 0), ("00-\(trace)-\(span)-03", 3),
            // Flags that nobody knows are not passed on.
            ("00-\(trace)-\(span)-ff", 3), ("00-\(trace)-\(span)-fc", 0),
            // White space around a value is no part of it (RFC 9110 §5.5).
            (" \t00-\(trace)-\(span)-01\t ", 1),
            // Later versions may go on after a dash (§Versioning of traceparent).
            ("01-\(trace)-\(span)-01", 1), ("fe-\(trace)-\(span)-01", 1), ("cc-\(trace)-\(span)-01-what-ever", 1),
            ("cc-\(trace)-\(span)-01-", 1),
        ] as [(String, UInt8)])
    func reads(text: String, flags: UInt8) throws {
        let parent = try #require(TraceParent(text))
        #expect(parent.trace.text == Self.trace && parent.span.sixteenDigits == Self.span && parent.flags == flags)
        #expect(parent.isSampled == (flags & 1 == 1))
    }

    @Test(
        "is none",
        arguments: [
            "", "00", "ff-\(trace)-\(span)-01", "0-\(trace)-\(span)-01", "0x-\(trace)-\(span)-01",
            "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-01.", "00-\(trace)-\(span)-01-what",
            "cc-\(trace)-\(span)-01.what", "00-\(trace)-\(span)", "00-\(trace)-\(span)-0", "00-\(trace)-\(span)-1x",
            "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
            "00-\(trace.uppercased())-\(span)-01", "00-\(trace)-\(span.uppercased())-01", "00-\(trace)-\(span)-0A",
            "00-\(trace.dropLast())-\(span)-01", "00-\(trace)0-\(span)-01", "00_\(trace)_\(span)_01",
            "00-\(trace)-\(span.dropLast())-001", "00-\(trace)-\(span)-01,00-\(trace)-\(span)-01",
            "00-\(trace.dropLast())\u{e9}-\(span)-01", "00-\(trace.dropLast()):-\(span)-01",
        ])
    func refuses(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test("is named once or not at all")
    func fields() {
        #expect(TraceParent(fields: [Self.good]) != nil)
        #expect(TraceParent(fields: []) == nil)
        #expect(TraceParent(fields: [Self.good, Self.good]) == nil)
    }

    @Test("ids are written with all their zeros")
    func text() {
        #expect(TraceIdentifier(high: 1, low: 0xAB).text == "000000000000000100000000000000ab")
        #expect(UInt64.max.sixteenDigits == "ffffffffffffffff")
    }

    @Test(
        "tracestate: members in their order, over several fields, or nothing",
        arguments: [
            (["a=1"], "a=1"), (["a=1 , b=2", "\tc=3"], "a=1,b=2,c=3"), (["", ",a=1,,"], "a=1"), ([], nil),
            (["", " ,"], nil),
            (["ot=th:8;rv:1,0a@b*c/d_e-f=!\"x y"], "ot=th:8;rv:1,0a@b*c/d_e-f=!\"x y"),
            (["a=1,B=2"], nil), (["a"], nil), (["a="], nil), (["=1"], nil), (["@a=1"], nil), (["a=b=c"], nil),
            (["a.b=1"], nil), (["a=\u{7f}"], nil), (["a=\u{e9}"], nil),
            ([(1...32).map { "k\($0)=1" }.joined(separator: ",")], (1...32).map { "k\($0)=1" }.joined(separator: ",")),
            ([(1...33).map { "k\($0)=1" }.joined(separator: ",")], nil),
            (
                [String(repeating: "k", count: 256) + "=" + String(repeating: "v", count: 256)],
                String(repeating: "k", count: 256) + "=" + String(repeating: "v", count: 256)
            ),
            ([String(repeating: "k", count: 257) + "=v"], nil), (["k=" + String(repeating: "v", count: 257)], nil),
            ([(1...5).map { "k\($0)=" + String(repeating: "v", count: 250) }.joined(separator: ",")], nil),
        ] as [([String], String?)])
    func state(fields: [String], expected: String?) {
        #expect(TraceState(fields: fields)?.text == expected)
    }

    @Test("the caller's decision is kept where the sampler is told to, else a share of all traces is sampled")
    func sampling() throws {
        let sampled = try #require(TraceParent(Self.good))
        let not = try #require(TraceParent("00-\(Self.trace)-\(Self.span)-00"))
        let low = TraceIdentifier(high: 1, low: 0xFF7F_FFFF_FFFF_FFFF)
        let high = TraceIdentifier(high: 0, low: 0x0080_0000_0000_0000)
        let standard = TraceSampler.standard
        #expect(standard.samples(low, parent: nil) && standard.samples(low, parent: sampled))
        #expect(!standard.samples(high, parent: not))
        let half = TraceSampler(followsParent: false, share: 0.5)
        // The last seven bytes count, and nothing before them.
        #expect(half.samples(high, parent: nil) && !half.samples(low, parent: nil))
        #expect(half.samples(high, parent: not) && !half.samples(low, parent: sampled))
        let ofRoots = TraceSampler(followsParent: true, share: 0.5)
        #expect(ofRoots.samples(low, parent: sampled) && !ofRoots.samples(high, parent: not))
        #expect(ofRoots.samples(high, parent: nil) && !ofRoots.samples(low, parent: nil))
        let none = TraceSampler(followsParent: false, share: 0)
        #expect(!none.samples(TraceIdentifier(high: .max, low: .max), parent: sampled))
        let all = TraceSampler(followsParent: false, share: 1)
        #expect(all.samples(TraceIdentifier(high: 0, low: 1), parent: not))
    }
}
