import ByteBuffers

/// A value while a rule is evaluated: plain bytes, whatever it holds.
///
/// Text is a range of bytes, arrays and objects are ranges of cells; both lie either in the constants of the compiled
/// program or in what the running evaluation has made, so that making one allocates nothing once memory has grown.
struct RuleValue: BitwiseCopyable, Sendable {
    enum Kind: UInt8 {
        /// JavaScript's `undefined`: an argument that is not there, a path that leads nowhere.
        case undefined
        case null, boolean, number, string, array, object
    }

    /// Where the range of a string, array or object points.
    enum Place: UInt8 {
        case program, scratch
    }

    var kind: Kind
    var place: Place = .program
    /// The value of a number; 1 or 0 of a boolean.
    var number: Double = 0
    /// Bytes of a string, cells of an array. An object has two cells a member, its name and its value.
    var range = ByteRange()

    static let undefined = RuleValue(kind: .undefined)
    static let null = RuleValue(kind: .null)

    init(kind: Kind) {
        self.kind = kind
    }

    init(_ boolean: Bool) {
        kind = .boolean
        number = boolean ? 1 : 0
    }

    init(_ number: Double) {
        kind = .number
        self.number = number
    }

    init(_ kind: Kind, _ range: ByteRange, in place: Place) {
        self.kind = kind
        self.place = place
        self.range = range
    }

    /// `undefined` or `null`.
    var isNothing: Bool { kind == .undefined || kind == .null }

    /// An array or object: what JavaScript compares by identity.
    var isCompound: Bool { kind == .array || kind == .object }

    /// Whether JsonLogic takes the value for true: as JavaScript, but an empty array is false.
    var isTruthy: Bool {
        switch kind {
        case .undefined, .null: false
        case .boolean: number != 0
        case .number: number != 0 && !number.isNaN
        case .string, .array: !range.isEmpty
        case .object: true
        }
    }

    /// Whether both are the same array or object.
    func isIdentical(to other: RuleValue) -> Bool {
        kind == other.kind && place == other.place && range == other.range
    }
}

/// What the variables of a rule refer to: the whole context, or the element that `map` and its like are at.
struct RuleScope: BitwiseCopyable {
    var isRoot: Bool
    var value: RuleValue

    static let root = RuleScope(isRoot: true, value: .undefined)

    static func element(_ value: RuleValue) -> RuleScope {
        RuleScope(isRoot: false, value: value)
    }
}

/// Why a rule has no result.
enum RuleFailure: Error {
    /// An operator that does not exist, a `$ref` to an evaluator that does not, or what makes the reference throw.
    case invalidRule
    /// The budget of steps was used up, or values nest too deep.
    case tooExpensive
}
