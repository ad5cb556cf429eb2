import Testing

@testable import DistributedTracing

/// W3C Baggage, §Header Content and §Limits.
struct BaggageTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var fields: [String]
        var sent: String
        var testDescription: String { "\(fields)" }
        init(_ fields: String..., sent: String) {
            self.fields = fields
            self.sent = sent
        }
    }

    @Test(arguments: [
        // §Examples
        Case(
            "key1=value1,key2=value2;property1;property2,key3=value3;propertyKey=propertyValue",
            sent: "key1=value1,key2=value2;property1;property2,key3=value3;propertyKey=propertyValue"),
        Case(
            "userId=alice,serverNode=DF%2028,isProduction=false",
            sent: "userId=alice,serverNode=DF%2028,isProduction=false"),
        // Several fields are one list.
        Case(
            "userId=alice", "serverNode=DF%2028,isProduction=false",
            sent: "userId=alice,serverNode=DF%2028,isProduction=false"),
        Case(" a = 1 ; p = q ; r ,\tb=2\t", sent: "a = 1 ; p = q ; r,b=2"),
        // A value may hold an equals sign, or be empty.
        Case("a=b=c,d=", sent: "a=b=c,d="),
        Case("a=1,a=2", sent: "a=1,a=2"),
        // Malformed members go, the others stay.
        Case("a=1,,b=2, ,c=3,", sent: "a=1,b=2,c=3"),
        Case("novalue,a=1", sent: "a=1"),
        Case("=1,a=1", sent: "a=1"),
        Case("k y=1,a=1", sent: "a=1"),
        Case("k\"=1,a=1", sent: "a=1"),
        Case("a=b c,d=1", sent: "d=1"),
        Case("a=\"b\",d=1", sent: "d=1"),
        Case("a=b\\c,d=1", sent: "d=1"),
        Case("a=é,d=1", sent: "d=1"),
        Case("a=1;,d=1", sent: "d=1"),
        Case("a=1;;p,d=1", sent: "d=1"),
        Case("a=1;p q,d=1", sent: "d=1"),
        Case("a=1;p=q r,d=1", sent: "d=1"),
        Case("a=1;=q,d=1", sent: "d=1"),
        // Nobody speaks in our name, not even in disguise; keys are case-sensitive.
        Case("feature_flag.use_user_service=on,a=1", sent: "a=1"),
        Case("feature_flag.=on,a=1", sent: "a=1"),
        Case("feature%5Fflag%2euse_user_service=on,a=1", sent: "a=1"),
        Case(" \tfeature_flag.x = on ;p,a=1", sent: "a=1"),
        Case(
            "feature_flags=on,Feature_Flag.x=1,xfeature_flag.y=2,feature_flag%5G.x=1",
            sent: "feature_flags=on,Feature_Flag.x=1,xfeature_flag.y=2,feature_flag%5G.x=1"),
    ])
    func resends(_ example: Case) {
        #expect(resentBaggage(example.fields) == example.sent)
    }

    @Test("our decisions stand first and are encoded")
    func decisions() {
        #expect(resentBaggage([], decisions: [("use_user_service", "on")]) == "feature_flag.use_user_service=on")
        #expect(
            resentBaggage(
                ["a=1,feature_flag.x=theirs"], decisions: [("x", "ours"), ("new ui/é", "a,b;c=\"d\"\\ %é")])
                == "feature_flag.x=ours,feature_flag.new%20ui%2F%C3%A9=a%2Cb%3Bc=%22d%22%5C%20%25%C3%A9,a=1")
        #expect(resentBaggage([], decisions: [("empty", "")]) == "feature_flag.empty=")
    }

    @Test("64 members pass, the 65th does not; ours are never the ones that are cut")
    func memberLimit() {
        let members = (0..<65).map { "k\($0)=v" }
        #expect(resentBaggage(members) == members.prefix(64).joined(separator: ","))
        #expect(resentBaggage([members.joined(separator: ",")]) == members.prefix(64).joined(separator: ","))
        #expect(
            resentBaggage(members, decisions: [("f", "on"), ("g", "off")])
                == "feature_flag.f=on,feature_flag.g=off," + members.prefix(62).joined(separator: ","))
        let many = (0..<70).map { ("f\($0)", "on") }
        #expect(resentBaggage(["a=1"], decisions: many).split(separator: ",").count == 64)
    }

    @Test("8192 bytes pass, a member that would pass them is left out whole")
    func sizeLimit() {
        let exact = "a=" + String(repeating: "x", count: 8190)
        #expect(resentBaggage([exact]) == exact)
        #expect(resentBaggage([exact + "x"]).isEmpty)
        let large = "a=" + String(repeating: "x", count: 8000)
        #expect(resentBaggage([large, "b=" + String(repeating: "y", count: 200), "c=1"]) == large + ",c=1")
        #expect(
            resentBaggage([large, "c=1"], decisions: [("f", String(repeating: "v", count: 200))])
                == "feature_flag.f=" + String(repeating: "v", count: 200) + ",c=1")
        #expect(
            resentBaggage([], decisions: [("f", String(repeating: "v", count: 9000)), ("g", "on")])
                == "feature_flag.g=on")
    }

    @Test("whatever comes in, what goes out is well-formed and goes in again unchanged")
    func generated() {
        var generator = SeededGenerator(state: 11)
        let alphabet = Array("abcde=f=g=;,;,% \t\"\\%41_.".utf8) + [0xC3, 0xA9, 0x00, 0x7F]
        var kept = 0
        for _ in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            let sent = resentBaggage([String(decoding: bytes, as: UTF8.self)])
            #expect(resentBaggage([sent]) == sent)
            #expect(sent.utf8.allSatisfy { $0 == 9 || $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
            if !sent.isEmpty { kept += 1 }
        }
        #expect(kept > 500)
    }
}
