import FeatureFlags

/// The flags that were decided for one request, by slot: each once, whatever the number of parts that depend on it.
struct DecisionVector {
    private var made: [FlagResult?] = []

    /// The decision in `slot`, if it has been made.
    subscript(slot: Int) -> FlagResult? {
        slot < made.count ? made[slot] : nil
    }

    /// Keeps the decision in `slot`.
    mutating func set(_ result: FlagResult, in slot: Int) {
        while made.count <= slot { made.append(nil) }
        made[slot] = result
    }

    /// The number of slots that may hold a decision.
    var count: Int { made.count }

    /// Forgets all; memory is kept.
    mutating func reset() { made.removeAll(keepingCapacity: true) }
}
