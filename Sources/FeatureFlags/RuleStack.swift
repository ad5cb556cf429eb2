/// The arguments of the operators that are being evaluated. Values beyond `count` are left over and kept as memory.
struct RuleStack: ~Copyable {
    private var values: [RuleValue] = []
    private(set) var count = 0

    /// The value at `index`, which must be below `count`.
    subscript(index: Int) -> RuleValue { values[index] }

    mutating func push(_ value: RuleValue) {
        if count < values.count { values[count] = value } else { values.append(value) }
        count += 1
    }

    /// Takes the last value; `undefined` from an empty stack.
    mutating func pop() -> RuleValue {
        guard count > 0 else { return .undefined }
        count -= 1
        return values[count]
    }

    /// Takes all values from `index` on.
    mutating func truncate(to index: Int) {
        count = min(count, index)
    }

    /// Takes all values, and gives memory for many of them back.
    mutating func clear() {
        count = 0
        if values.count > 4096 { values = [] }
    }
}
