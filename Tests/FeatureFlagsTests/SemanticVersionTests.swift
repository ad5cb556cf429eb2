import Testing

@testable import FeatureFlags

@Suite struct SemanticVersionTests {
    /// Valid and invalid versions: Semantic Versioning 2.0.0 §2, §9, §10, with flagd's partial versions and leading
    /// `v`.
    @Test(arguments: [
        ("1.2.3", true), ("v1.2.3", true), ("V1.2.3", true), ("1", true), ("1.2", true), ("0.0.0", true),
        ("1.2.3-alpha", true), ("1.2.3-alpha.1", true), ("1.2.3-0.3.7", true), ("1.2.3-x.7.z.92", true),
        ("1.2.3-x-y-z.--", true), ("1.2.3-0a", true), ("1.2.3+build", true), ("1.2.3+001", true),
        ("1.2.3-beta+exp.sha.5114f85", true), ("99999999999999999999999.0.0", true),
        ("", false), ("v", false), ("vv1.0.0", false), ("01.0.0", false), ("1.01.0", false), ("1.0.00", false),
        ("1.0.0.0", false), ("1.", false), ("1.2.", false), (".1", false), ("1.2-alpha", false), ("1-alpha", false),
        ("1.2.3-", false), ("1.2.3-01", false), ("1.2.3-a..b", false), ("1.2.3+", false), ("1.2.3+a..b", false),
        ("1.2.3-ä", false), ("1.2.3 ", false), (" 1.2.3", false), ("1.2.x", false), ("-1.0.0", false),
    ])
    func reads(text: String, isVersion: Bool) {
        #expect((SemanticVersion(Array(text.utf8).span) != nil) == isVersion)
    }

    /// §11.4: the order of the specification's own example, and numbers of any length.
    @Test func orders() {
        let ascending = [
            "0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
            "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "18446744073709551616.0.0",
            "18446744073709551617.0.0", "99999999999999999999999.0.0",
        ]
        for (left, lower) in ascending.enumerated() {
            for (right, upper) in ascending.enumerated() {
                #expect(holds(lower, "<", upper) == (left < right), "\(lower) < \(upper)")
                #expect(holds(lower, "=", upper) == (left == right), "\(lower) = \(upper)")
                #expect(holds(lower, ">=", upper) == (left >= right), "\(lower) >= \(upper)")
                #expect(holds(lower, "!=", upper) == (left != right), "\(lower) != \(upper)")
            }
        }
    }

    @Test(arguments: [
        ("3.0.1", "~", "3.0.0", true), ("3.1.0", "~", "3.0.0", false), ("4.0.0", "~", "3.0.0", false),
        ("3.1.0", "^", "3.0.0", true), ("4.0.0", "^", "3.0.0", false), ("0.2.0", "^", "0.1.0", true),
        ("1.5.0", "^", "1", true), ("2.0.0", "^", "1", false), ("1.2", ">", "1.1", true), ("2", ">", "1.1", true),
        ("1.1", ">", "1.1", false), ("1", ">", "1.1", false), ("1.0.0", "=", "1.0.0+build", true),
        ("1.0.0+other", "=", "1.0.0+build", true), ("v1.0.0", "=", "1", true), ("1.0.0-rc.1", "~", "1.0.5", true),
        ("1.1", "<=", "1.1.0", true),
    ])
    func compares(left: String, relation: String, right: String, expected: Bool) {
        #expect(holds(left, relation, right) == expected)
    }

    @Test(arguments: ["", "==", "<>", "≥", "=<", "=>", "~>", " ="])
    func knowsNoOtherRelation(text: String) {
        #expect(SemanticVersion.Relation(Array(text.utf8).span) == nil)
    }

    private func holds(_ left: String, _ relation: String, _ right: String) -> Bool? {
        let leftText = Array(left.utf8)
        let rightText = Array(right.utf8)
        guard let leftVersion = SemanticVersion(leftText.span), let rightVersion = SemanticVersion(rightText.span),
            let relation = SemanticVersion.Relation(Array(relation.utf8).span)
        else { return nil }
        return SemanticVersion.holds(relation, leftVersion, in: leftText.span, rightVersion, in: rightText.span)
    }
}
