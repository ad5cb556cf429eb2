/// What becomes of `tracestate` beside a good `traceparent`.
extension TraceContextCase {
    static let states: [TraceContextCase] = stateNames + lists + bounds + keys + values + changes

    private static func state(_ section: String, _ fields: [String], _ sent: String?) -> TraceContextCase {
        TraceContextCase(
            section: section,
            fields: [("traceparent", parent("00", trace, span, "00"))] + fields.map { ("tracestate", $0) },
            outcome: .continued(flags: "00", state: sent))
    }

    /// A good member goes on byte for byte.
    private static func keeps(_ section: String, _ member: String) -> [TraceContextCase] {
        [
            state(section, ["a=1,\(member)", "b=2"], "a=1,\(member),b=2"),
            state(section, ["a=1", member], "a=1,\(member)"),
        ]
    }

    /// A bad member takes the list with it, wherever it stands, and the trace goes on.
    private static func voids(_ section: String, _ member: String) -> [TraceContextCase] {
        [
            state(section, ["a=1,\(member),b=2"], nil), state(section, ["a=1", "b=2,\(member)"], nil),
            state(section, [member + ",a=1"], nil),
        ]
    }

    private static var stateNames: [TraceContextCase] {
        let section = "tracestate §Header Name"
        let good = ["tracestate", "TRACESTATE", "TraceState", "tRACEsTATE"]
        let bad = ["trace-state", "trace_state", "tracestates"]
        return good.map {
            TraceContextCase(
                section: section, fields: [($0, "a=1,b=2"), ("traceparent", parent())],
                outcome: .continued(flags: "01", state: "a=1,b=2"))
        }
            + bad.map {
                TraceContextCase(
                    section: section, fields: [("traceparent", parent()), ($0, "a=1")],
                    outcome: .continued(flags: "01", state: nil))
            }
    }

    private static var lists: [TraceContextCase] {
        let blanks = [" a=1", "a=1 ", "\ta=1\t", " \ta=1 \t"].map { value in
            var example = state("§list", [value], "a=1")
            example.isForHTTP1 = true
            return example
        }
        return blanks + [
            state("§tracestate Header Field Values", ["c=3,b=2", "a=1", "e=5,d=4"], "c=3,b=2,a=1,e=5,d=4"),
            state("§tracestate Header Field Values", ["", "a=1", "", "b=2", ""], "a=1,b=2"),
            state("§list", ["a=1"], "a=1"), state("§list", ["a=1 \t,\t b=2,\tc=3 ,d=4"], "a=1,b=2,c=3,d=4"),
            state("§list", [",a=1,, ,\t,b=2,"], "a=1,b=2"), state("§list", [""], nil), state("§list", [","], nil),
            state("§list", [",\t ,"], nil), state("§list", ["", "", ""], nil),
            // One who passes a list on has not to see to its keys being there once; they are kept.
            state("§Combined Header Value", ["a=1,a=1"], "a=1,a=1"),
            state("§Combined Header Value", ["a=1,b=2,a=3"], "a=1,b=2,a=3"),
            state("§Combined Header Value", ["a=1", "a=2"], "a=1,a=2"),
            TraceContextCase(
                section: "§Versioning of tracestate",
                fields: [("traceparent", parent("cc", then: "-x")), ("tracestate", "a=1")],
                outcome: .continued(flags: "01", state: "a=1")),
        ]
    }

    private static var bounds: [TraceContextCase] {
        func members(_ count: Int) -> [String] { (1...count).map { "m\($0)=\($0)" } }
        let most = members(32)
        let whole = most.joined(separator: ",")
        // Members of 500 bytes.
        let long = (1...17).map { "k\($0)".padded(to: 243, with: "k") + "=".padded(to: 257, with: "v") }
        let section = "§tracestate Limits"
        return [
            state("§list, 32 members", [whole], whole), state("§list, 32 members", most, whole),
            state("§list, 32 members", [",,,," + most.joined(separator: " ,, , ") + ",,,,"], whole),
            state("§list, 33 members", [whole + ",m33=33"], nil), state("§list, 33 members", [whole, "m33=33"], nil),
            state("§list, 33 members", members(33), nil), state("§list, 40 members", members(40), nil),
            state(section, [sized(512)], sized(512)), state(section, [sized(513)], sized(513)),
            state(section, [sized(1_600)], sized(1_600)),
            state(section, [sized(300), sized(211)], "\(sized(300)),\(sized(211))"),
            // Beyond 8192 bytes whole members go: long ones before short ones, and of these the right-most.
            state(
                section, ["first=1", long.joined(separator: ","), "last=1"],
                (["first=1"] + long.dropLast() + ["last=1"]).joined(separator: ",")),
        ]
    }

    /// A good list of so many bytes, in members of at most 60.
    private static func sized(_ count: Int) -> String {
        var members: [String] = []
        var rest = count
        while rest > 60 {
            members.append("k\(members.count)=".padded(to: 49, with: "v"))
            rest -= 50
        }
        return (members + ["last=".padded(to: rest, with: "v")]).joined(separator: ",")
    }

    private static var keys: [TraceContextCase] {
        let good: [String] = [
            "k", "0", "9a", "k_-*/@", "k@", "k@@", "k@v@w", "0@0", "k/", "k*", "k-", "k_", "k@vvvvvvvvvvvvvvvvvvvv",
            "abcdefghijklmnopqrstuvwxyz0123456789_-*/@", "k".padded(to: 256, with: "k"),
            "t".padded(to: 250, with: "t") + "@v", "1".padded(to: 256, with: "@"),
        ]
        let bad: [String] = [
            "", "@k", "_k", "-k", "*k", "/k", "K", "kK", "k.k", "k k", "k ", "k\t", "k:", "k;", "k\"", "k+", "k%41",
            "\u{E9}", "k\u{E9}", "k".padded(to: 257, with: "k"), "1".padded(to: 257, with: "@"),
        ]
        let none = ["k", "kx", "@"]
        return good.flatMap { keeps("§Key", $0 + "=x") } + bad.flatMap { voids("§Key", $0 + "=x") }
            + none.flatMap { voids("§list-members", $0) }
    }

    private static var values: [TraceContextCase] {
        let printable = (UInt8(0x20)...0x7E).filter { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
        let good: [String] = [
            "v", " v", "   v", "v  w", "0", "~", "!", "\"", ";:", "@", "%", "v".padded(to: 256, with: "v"),
            "".padded(to: 255, with: " ") + "v", String(decoding: printable, as: UTF8.self),
        ]
        let bad: [String] = [
            "", "=", "v=w", "v=", "=v", "v\tw", "\tv", "v\u{E9}", "\u{E9}", "v".padded(to: 257, with: "v"),
            "".padded(to: 256, with: " ") + "v",
        ]
        let longest = "k=" + "v".padded(to: 256, with: "v")
        return good.flatMap { keeps("§Value", "k=" + $0) } + bad.flatMap { voids("§Value", "k=" + $0) }
            // Spaces at the end are around the member, and then there may be no value left.
            + [
                state("§Value", ["k=v  ,a=1"], "k=v,a=1"), state("§Value", [longest + "   ,a=1"], longest + ",a=1"),
                state("§Value", ["k=   ,a=1"], nil),
            ]
    }

    /// The gateway's own system in `tracestate` is OpenTelemetry, `ot`: a threshold in it that contradicts the flags goes.
    private static var changes: [TraceContextCase] {
        let section = "§Mutating the tracestate Field"
        return [
            state(section, ["a=1,ot=th:8;x:y,b=2"], "ot=x:y,a=1,b=2"),
            state(section, ["a=1", "b=2", "ot=x:y;th:8"], "ot=x:y,a=1,b=2"),
            state(section, ["a=1,ot=th:8,b=2"], "a=1,b=2"), state(section, ["a=1,ot=x:y,b=2"], "a=1,ot=x:y,b=2"),
            TraceContextCase(
                section: section, fields: [("traceparent", parent()), ("tracestate", "a=1,ot=th:0;x:y")],
                outcome: .continued(flags: "01", state: "a=1,ot=th:0;x:y")),
        ]
    }
}

extension String {
    /// The text with as many of these characters behind it as make it `count` bytes long.
    fileprivate func padded(to count: Int, with character: Character) -> String {
        self + String(repeating: character, count: Swift.max(count - utf8.count, 0))
    }
}
