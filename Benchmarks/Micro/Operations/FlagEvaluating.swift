import ByteBuffers
import FeatureFlags

/// The decision of a flag. The rule is of the kind that teams write: colleagues and some organisations first, then a
/// quarter of the users.
struct FlagEvaluating: Workload, ~Copyable {
    private static let file = #"""
        {
          "flags": {
            "static": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" },
            "rule": {
              "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
              "targeting": { "if": [
                { "in": [{ "var": "headers.x-organisation" }, ["acme", "initech", "umbrella"]] }, "on",
                { "ends_with": [{ "var": "headers.x-email" }, "@example.com"] }, "on",
                { "fractional": [["on", 25], ["off", 75]] }
              ] }
            }
          }
        }
        """#

    private let snapshot: FlagSnapshot
    private let flag: Int
    private let context: Person
    private let reason: FlagReason
    /// The sum of the weights where a share decides.
    private let total: UInt32?
    private var evaluator = FlagEvaluator()

    /// The number of the variant, and one.
    private(set) var once: UInt64 = 0

    /// A flag without a rule.
    static func `static`() throws(WrongResult) -> FlagEvaluating {
        try of("static", Person(organisation: "acme", email: "ann@example.com"), .static)
    }

    /// Somebody of an organisation in the list.
    static func firstBranch() throws(WrongResult) -> FlagEvaluating {
        try of("rule", Person(organisation: "initech", email: "bill@initech.example"), .targetingMatch)
    }

    /// Somebody whom only the share decides about.
    static func lastBranch() throws(WrongResult) -> FlagEvaluating {
        try of("rule", Person(organisation: "hooli", email: "gavin@hooli.example"), .targetingMatch, ofTotal: 100)
    }

    private static func of(
        _ name: String, _ person: Person, _ reason: FlagReason, ofTotal total: UInt32? = nil
    ) throws(WrongResult) -> FlagEvaluating {
        let compilation = FlagSnapshot.compile(Array(file.utf8))
        let snapshot = try unwrap(compilation.snapshot, "\(compilation.issues)")
        let flag = try unwrap(snapshot.flagID(named: name), "there is no flag \(name)")
        return FlagEvaluating(snapshot, flag, person, reason, total)
    }

    private init(_ snapshot: FlagSnapshot, _ flag: Int, _ person: Person, _ reason: FlagReason, _ total: UInt32?) {
        self.snapshot = snapshot
        self.flag = flag
        context = person
        self.reason = reason
        self.total = total
    }

    mutating func check() throws(WrongResult) {
        let result = evaluator.evaluate(flag, in: snapshot, for: context, now: 1_800_000_000)
        try require(result.reason, is: reason)
        try require(result.bucket?.total, is: total)
        // Who is in the list has it switched on; by default nobody has, nor has this user by the share.
        try require(result.boolean, is: reason == .targetingMatch && total == nil)
        once = run(1)
        try require(once > 0, "the flag has no variant: \(result)")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var sum: UInt64 = 0
        for _ in 0..<times {
            let result = evaluator.evaluate(flag, in: snapshot, for: context, now: 1_800_000_000)
            sum &+= UInt64(result.variant.map { $0 + 1 } ?? 0)
        }
        return sum
    }
}

/// What a request says of somebody.
private final class Person: EvaluationContext {
    private let organisation: [UInt8]
    private let email: [UInt8]

    init(organisation: String, email: String) {
        self.organisation = Array(organisation.utf8)
        self.email = Array(email.utf8)
    }

    override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
        switch attribute.kind {
        case .targetingKey, .user: scratch.append("user-20947")
        case .header where attribute.name.equals("x-organisation"): scratch.append(organisation)
        case .header where attribute.name.equals("x-email"): scratch.append(email)
        default: return false
        }
        return true
    }
}

/// Where a user falls among the weights of a rule.
struct Bucketing: Workload, ~Copyable {
    private let key = Array("use_user_serviceuser-20947".utf8)

    private(set) var once: UInt64 = 0

    mutating func check() throws(WrongResult) {
        let bucket = try unwrap(FractionalBucket(key: key.span, total: 100), "there is no bucket")
        try require(bucket.bucket < 100, "the bucket is \(bucket)")
        once = run(1)
    }

    mutating func run(_ times: Int) -> UInt64 {
        var sum: UInt64 = 0
        for _ in 0..<times {
            if let bucket = FractionalBucket(key: key.span, total: 100) { sum &+= UInt64(bucket.hash) }
        }
        return sum
    }
}
