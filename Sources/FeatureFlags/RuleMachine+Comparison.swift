import ByteBuffers

/// How two values compare; `none` when one of them is not a number.
enum RuleOrder {
    case less, equal, greater, none

    var isAtLeast: Bool { self == .equal || self == .greater }
    var isAtMost: Bool { self == .equal || self == .less }

    init(_ left: Double, _ right: Double) {
        self = left < right ? .less : left > right ? .greater : left == right ? .equal : .none
    }
}

/// Comparison and arithmetic with JavaScript's coercions (ECMA-262 §7.1, §7.2).
extension RuleMachine {
    /// `===`: equal type and value; arrays and objects only when they are the same one.
    mutating func strictlyEqual(
        _ left: RuleValue, _ right: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> Bool {
        guard left.kind == right.kind else { return false }
        switch left.kind {
        case .undefined, .null: return true
        case .boolean, .number: return left.number == right.number
        case .string:
            try charge(Int(left.range.count) >> 6)
            return text(left, program).equals(text(right, program))
        case .array, .object: return left.isIdentical(to: right)
        }
    }

    /// `==`: as `===` after both were brought to one type.
    private mutating func looselyEqual(
        _ left: RuleValue, _ right: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> Bool {
        if left.isNothing || right.isNothing { return left.isNothing && right.isNothing }
        if left.kind == right.kind { return try strictlyEqual(left, right, program) }
        if left.isCompound, right.isCompound { return false }
        // Different types, at most one of them an array or object: as text if the other is text, else as numbers.
        let left = try primitive(left, program)
        let right = try primitive(right, program)
        if left.kind == right.kind { return try strictlyEqual(left, right, program) }
        return try number(left, program) == number(right, program)
    }

    /// How `left` compares with `right`: two texts by their UTF-16 units, everything else as numbers.
    private mutating func order(
        _ left: RuleValue, _ right: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> RuleOrder {
        let left = try primitive(left, program)
        let right = try primitive(right, program)
        if left.kind == .string, right.kind == .string {
            try charge(Int(min(left.range.count, right.range.count)) >> 6)
            return text(left, program).utf16Order(text(right, program))
        }
        return RuleOrder(try number(left, program), try number(right, program))
    }

    /// One of the operators of which `RuleOperator.isComparison` is true.
    mutating func compare(
        _ symbol: RuleOperator, _ left: RuleValue, _ right: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> Bool {
        switch symbol {
        case .looseEqual: try looselyEqual(left, right, program)
        case .looseUnequal: try !looselyEqual(left, right, program)
        case .strictEqual: try strictlyEqual(left, right, program)
        case .strictUnequal: try !strictlyEqual(left, right, program)
        case .not: !left.isTruthy
        case .truth: left.isTruthy
        case .less: try order(left, right, program) == .less
        case .lessOrEqual: try order(left, right, program).isAtMost
        case .greater: try order(left, right, program) == .greater
        case .greaterOrEqual: try order(left, right, program).isAtLeast
        case .in: try contains(right, left, program)
        default: false
        }
    }

    /// Arrays and objects as their text, everything else as it is.
    private mutating func primitive(
        _ value: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> RuleValue {
        value.isCompound ? try string(value, program) : value
    }

    /// `Number(value)`.
    mutating func number(_ value: RuleValue, _ program: borrowing RuleProgram) throws(RuleFailure) -> Double {
        switch value.kind {
        case .undefined, .object: return .nan
        case .null: return 0
        case .boolean, .number: return value.number
        case .string:
            try charge(Int(value.range.count) >> 6)
            return JavaScriptNumber.number(from: text(value, program))
        case .array:
            let start = scratch.count
            let joined = try string(value, program)
            let result = JavaScriptNumber.number(from: text(joined, program))
            scratch.truncate(to: start)
            return result
        }
    }

    /// `parseFloat(value)`: how `+` and `*` read their arguments.
    private mutating func leadingNumber(
        _ value: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> Double {
        if value.kind == .number { return value.number }
        let start = scratch.count
        let written = try string(value, program)
        try charge(Int(written.range.count) >> 6)
        let result = JavaScriptNumber.leadingNumber(of: text(written, program))
        scratch.truncate(to: start)
        return result
    }

    /// Arithmetic on the arguments from `base` on.
    mutating func calculate(
        _ symbol: RuleOperator, _ base: Int, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> RuleValue {
        let count = stack.count - base
        switch symbol {
        case .add:
            var sum = 0.0
            for index in 0..<count { sum += try leadingNumber(argument(index, base), program) }
            return RuleValue(sum)
        case .multiply:
            // The reference folds without a first value: nothing to fold throws, a single value stays as it is.
            if count == 0 { throw .invalidRule }
            if count == 1 { return argument(0, base) }
            var product = try leadingNumber(argument(0, base), program)
            for index in 1..<count { product *= try leadingNumber(argument(index, base), program) }
            return RuleValue(product)
        case .max, .min:
            var best: Double = symbol == .max ? -.infinity : .infinity
            for index in 0..<count {
                let value = try number(argument(index, base), program)
                if value.isNaN || best.isNaN {
                    best = .nan
                } else if symbol == .max ? value > best : value < best {
                    best = value
                }
            }
            return RuleValue(best)
        default:
            let left = try number(argument(0, base), program)
            if symbol == .subtract, argument(1, base).kind == .undefined { return RuleValue(-left) }
            let right = try number(argument(1, base), program)
            switch symbol {
            case .subtract: return RuleValue(left - right)
            case .divide: return RuleValue(left / right)
            default: return RuleValue(left.truncatingRemainder(dividingBy: right))
            }
        }
    }
}

extension Span where Element == UInt8 {
    /// How UTF-8 text compares with `other` by UTF-16 units, as JavaScript compares: unlike by bytes, U+E000...U+FFFF
    /// come after everything beyond U+FFFF, which UTF-16 writes with surrogates.
    fileprivate func utf16Order(_ other: Span<UInt8>) -> RuleOrder {
        for index in 0..<Swift.min(count, other.count) where self[index] != other[index] {
            let left = self[index]
            let right = other[index]
            if left >= 0xEE, right >= 0xEE, (left < 0xF0) != (right < 0xF0) { return left < 0xF0 ? .greater : .less }
            return left < right ? .less : .greater
        }
        return count == other.count ? .equal : count < other.count ? .less : .greater
    }
}
