@testable import Aggregation

/// Numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// A number from 0 on that is less than `bound`.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Whether something happens that happens in `percent` of all cases.
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// One of `choices`.
    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}

/// Makes views: few names and places, so that what is said of one meets what is said of another.
struct ViewGenerator {
    var random: SeededGenerator
    private var parts: [ViewSpec.Part] = []
    private var hasBase = false

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    static let names = ["a", "b", "c", "id", "l", "x/y", "é"]

    /// A view; not every one is accepted.
    mutating func spec() -> ViewSpec {
        parts = []
        let count = random.pick([1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 8, 12])
        let hasOutput = random.chance(25)
        hasBase = count > 1 && random.chance(30)
        for index in 0..<count {
            var next = part(index, hasOutput: hasOutput)
            if hasBase { place(&next, index, hasOutput: hasOutput) }
            parts.append(next)
        }
        for index in parts.indices where random.chance(35) && parts[index].replacing == .nothing {
            if hasBase, index == 0 { continue }
            guard let join = join(index) else { continue }
            // Of places that can be one and the same, it is not said which part comes first.
            let places = parts.compactMap { $0.join?.host == join.host ? $0.join?.place : nil }
            if places.contains(where: { $0 != join.place && ViewSpec.Pattern.meet($0, join.place) }) { continue }
            parts[index].join = join
        }
        if hasBase, !hasOutput, random.chance(30) {
            for index in parts.indices where parts[index].join?.host == 0 && parts[index].replacing == .place {
                if parts[index].fanOut == nil, random.chance(60) { parts[index].join?.place = [] }
            }
        }
        // Parts need not stand behind those that they wait for.
        let writes = !hasBase && random.chance(30)
        let first = hasBase ? 1 : 0
        var order = Array(first..<count)
        // Steps need their order, most of the time.
        if !writes || random.chance(10) { order.shuffle(using: &random) }
        parts = moved(to: Array(0..<first) + order)
        for index in parts.indices where writes && random.chance(40) {
            parts[index].isStep = true
            if parts[index].fanOut?.isBatch == false { parts[index].fanOut?.concurrency = 1 }
        }
        var spec = ViewSpec(parts: parts)
        spec.hasBase = hasBase
        spec.conflicts = random.pick([.first, .first, .last, .error])
        spec.namesErrors = random.chance(40)
        if hasOutput { spec.output = output() }
        return spec
    }

    // MARK: - Parts

    /// Makes the first part the base, and some others replace something of it.
    private mutating func place(_ part: inout ViewSpec.Part, _ index: Int, hasOutput: Bool) {
        part.isMerged = false
        if index == 0 {
            (part.name, part.isOptional, part.defaultValue, part.pick) = ("base", false, .null, [])
            (part.members, part.renames, part.flattened) = (.all, [], [])
            return
        }
        if hasOutput || random.chance(40) { return }
        if part.fanOut == nil, random.chance(25), !parts.contains(where: { $0.replacing == .whole }) {
            part.replacing = .whole
            (part.members, part.renames, part.flattened) = (.all, [], [])
        } else if let fanOut = part.fanOut {
            guard fanOut.source == 0, let last = fanOut.steps.lastIndex(of: .every), last + 1 < fanOut.steps.count
            else { return }
            let cut = last + 1 + random.below(fanOut.steps.count - last - 1)
            let key = fanOut.steps[cut...].compactMap { step in
                if case .name(let name) = step { name } else { nil }
            }
            part.replacing = .place
            part.join = ViewSpec.Join(host: 0, place: Array(fanOut.steps[..<cut]), member: name(), key: key)
        } else {
            part.replacing = .place
            part.join = ViewSpec.Join(
                host: 0, place: tokens(random.pick([0, 0, 1, 1, 2])).map { .name($0) }, member: name(), key: nil)
        }
        (part.isOptional, part.defaultValue) = (false, .null)
    }

    private mutating func part(_ index: Int, hasOutput: Bool) -> ViewSpec.Part {
        var name = "p\(index)"
        if random.chance(25) {
            let plain = random.pick(["a", "b", "c", "id", "l"])
            if !parts.contains(where: { $0.name == plain }) { name = plain }
        }
        var part = ViewSpec.Part(name: name, path: [.text("/\(name)")])
        part.isOptional = random.chance(45)
        if part.isOptional, random.chance(60) { part.defaultValue = defaultValue(2) }
        if random.chance(30) { part.pick = tokens(1 + random.below(2)) }
        switch random.below(10) {
        case 0, 1, 2: part.members = .only(patterns(random.chance(8) ? 0 : 1 + random.below(3)))
        case 3, 4: part.members = .allBut(patterns(1 + random.below(3)))
        default: break
        }
        if random.chance(20) { part.renames = renames() }
        if random.chance(15) { part.flattened = patterns(1 + random.below(2)) }
        if !parts.isEmpty, random.chance(45) { part.fanOut = fanOut() }
        part.isMerged = !hasOutput && part.fanOut == nil && random.chance(20)
        let references = (0..<random.pick([0, 0, 1, 1, 2])).map { _ in reference() }
        let values = part.fanOut.map { $0.isBatch ? ViewSpec.Reference.all : .each }
        for (number, reference) in (references + (values.map { [$0] } ?? [])).enumerated() {
            switch random.below(number == references.count ? 6 : 8) {
            case 0, 1, 2, 3: part.path += [.text("/"), .reference(reference)]
            case 4: part.path += [.text(part.path.contains { $0.isQuery } ? "&q=" : "?q="), .reference(reference)]
            case 5:
                var isAlone = random.chance(60)
                if case .all = reference { isAlone = true }
                let form = ViewSpec.Form.string(
                    isAlone ? [.reference(reference)] : [.text("t "), .reference(reference)])
                part.body = .object(
                    [("k\"", form), ("n", .literal(.array([.null, .number("1")])))]
                        + (part.body.map { [("m", $0)] } ?? []))
            default: if part.header == nil { part.header = [.text("h "), .reference(reference)] }
            }
        }
        return part
    }

    private mutating func reference() -> ViewSpec.Reference {
        let single = parts.indices.filter { parts[$0].fanOut == nil && parts[$0].replacing == .nothing }
        guard !single.isEmpty, !random.chance(12) else { return .query }
        let part = random.pick(single)
        return .part(part, (random.chance(60) ? parts[part].pick : []) + tokens(random.pick([0, 1, 1, 1, 2])))
    }

    private mutating func fanOut() -> ViewSpec.FanOut? {
        let source = hasBase && random.chance(60) ? 0 : random.below(parts.count)
        if parts[source].replacing != .nothing { return nil }
        var depth = 1
        var next = parts[source].fanOut
        while let fanOut = next {
            depth += 1
            next = parts[fanOut.source].fanOut
        }
        if depth > 3 { return nil }
        var steps: [ViewSpec.Step] = []
        if parts[source].fanOut == nil {
            if random.chance(80) { steps = parts[source].pick.map { .name($0) } }
            if random.chance(50) { steps.append(.name(name())) }
            steps.append(.every)
            if random.chance(15) { steps += [.name(name()), .every] }
        } else if random.chance(25) {
            steps = [.name(name()), .every]
        }
        for _ in 0..<random.pick([0, 1, 1, 1, 2]) { steps.append(.name(name())) }
        return ViewSpec.FanOut(
            source: source, steps: steps, isBatch: random.chance(40), limit: random.pick([1, 2, 3, 50, 50, 50]),
            concurrency: random.pick([1, 2, 3, 8]), key: random.chance(70) ? ["id"] : tokens(1 + random.below(2)))
    }

    private mutating func join(_ index: Int) -> ViewSpec.Join? {
        if parts[index].isMerged { return nil }
        let member = name()
        guard let fanOut = parts[index].fanOut else {
            let host = random.below(parts.count)
            if parts[host].replacing == .whole { return nil }
            if host == index || hosts(of: host).contains(index) { return nil }
            return ViewSpec.Join(
                host: host, place: random.chance(50) ? [] : [.name(token())], member: member, key: nil)
        }
        let host = parts[fanOut.source]
        let first = (fanOut.steps.lastIndex(of: .every) ?? -1) + 1
        guard first < fanOut.steps.count, !hosts(of: fanOut.source).contains(index) else { return nil }
        let cut = first + random.below(fanOut.steps.count - first)
        var place = Array(fanOut.steps[..<cut])
        if host.fanOut == nil {
            let pick = host.pick.map { ViewSpec.Step.name($0) }
            guard place.starts(with: pick) else { return nil }
            place.removeFirst(pick.count)
        }
        let key = fanOut.steps[cut...].compactMap { step in
            if case .name(let name) = step { name } else { nil }
        }
        return ViewSpec.Join(host: fanOut.source, place: place, member: member, key: key)
    }

    /// The parts that one is put into, and these into.
    private func hosts(of part: Int) -> [Int] {
        var hosts: [Int] = []
        var next = parts[part].join?.host
        while let host = next, !hosts.contains(host) {
            hosts.append(host)
            next = parts[host].join?.host
        }
        return hosts
    }

    // MARK: - Places

    private mutating func name() -> String { random.pick(Self.names) }
    private mutating func token() -> String { random.chance(8) ? random.pick(["0", "1"]) : name() }
    private mutating func tokens(_ count: Int) -> [String] { (0..<count).map { _ in token() } }

    private mutating func pattern() -> ViewSpec.Pattern {
        if random.chance(45) { return ViewSpec.Pattern(steps: [.name(name())], isName: true) }
        return ViewSpec.Pattern(
            steps: (0..<random.pick([1, 2, 2, 3])).map { _ in random.chance(30) ? .every : .name(token()) })
    }

    private mutating func patterns(_ count: Int) -> [ViewSpec.Pattern] {
        var patterns: [ViewSpec.Pattern] = []
        for _ in 0..<count {
            let next = pattern()
            if !patterns.contains(where: { $0.text == next.text }) { patterns.append(next) }
        }
        return patterns
    }

    /// New names; no member gets two.
    private mutating func renames() -> [(pattern: ViewSpec.Pattern, name: String)] {
        var renames: [(pattern: ViewSpec.Pattern, name: String)] = []
        for pattern in patterns(1 + random.below(2)) where !renames.contains(where: { $0.pattern.overlaps(pattern) }) {
            renames.append((pattern, random.chance(80) ? name() : "n\"é"))
        }
        return renames
    }

    private mutating func defaultValue(_ depth: Int) -> ModelValue {
        switch random.below(depth > 0 ? 6 : 4) {
        case 0: return .null
        case 1: return .number("\(random.below(10))")
        case 2: return .bool(false)
        case 3: return .string(Array("d\"".utf8))
        case 4: return .array([defaultValue(depth - 1)])
        default:
            let names = Array(Self.names.shuffled(using: &random).prefix(random.below(3)))
            return .object(names.map { ModelMember(Array($0.utf8), defaultValue(depth - 1)) })
        }
    }

    // MARK: - The whole

    private mutating func output() -> ViewSpec.Form {
        var members: [(name: String, form: ViewSpec.Form)] = []
        func needed(_ part: Int) -> Bool {
            parts[part].join == nil && !parts.contains { $0.dependencies.contains(part) }
        }
        for part in parts.indices where needed(part) || random.chance(40) {
            var tokens: [String] = []
            if parts[part].fanOut == nil, random.chance(60) {
                tokens = (random.chance(60) ? parts[part].pick : []) + self.tokens(random.below(3))
            }
            let reference = ViewSpec.Piece.reference(.part(part, tokens))
            let form = ViewSpec.Form.string(random.chance(70) ? [reference] : [.text("t\""), reference, .text("é")])
            members.append(("m\(members.count)", random.chance(20) ? .array([form, .literal(.null)]) : form))
        }
        if random.chance(20) { members.append(("q", .string([.reference(.query)]))) }
        return random.chance(15) ? .array(members.map(\.form)) : .object(members)
    }

    /// The parts in another order: part `n` stands at `places[n]` then.
    private func moved(to places: [Int]) -> [ViewSpec.Part] {
        func moved(_ piece: ViewSpec.Piece) -> ViewSpec.Piece {
            if case .reference(.part(let part, let tokens)) = piece { return .reference(.part(places[part], tokens)) }
            return piece
        }
        func moved(_ form: ViewSpec.Form) -> ViewSpec.Form {
            switch form {
            case .literal: form
            case .string(let pieces): .string(pieces.map(moved))
            case .array(let elements): .array(elements.map(moved))
            case .object(let members): .object(members.map { ($0.name, moved($0.form)) })
            }
        }
        var made = parts
        for (index, part) in parts.enumerated() {
            var copy = part
            copy.path = part.path.map(moved)
            copy.header = part.header?.map(moved)
            copy.body = part.body.map(moved)
            copy.fanOut?.source = part.fanOut.map { places[$0.source] } ?? 0
            copy.join?.host = part.join.map { places[$0.host] } ?? 0
            made[places[index]] = copy
        }
        return made
    }
}

extension ViewSpec.Piece {
    /// Whether the query begins here.
    fileprivate var isQuery: Bool {
        if case .text(let text) = self { return text.hasPrefix("?") }
        return false
    }
}

extension ViewSpec.Pattern {
    /// Whether both can mean one place.
    func overlaps(_ other: ViewSpec.Pattern) -> Bool {
        let ways = [self, other].map { $0.isName ? [$0.steps, [.every] + $0.steps] : [$0.steps] }
        return ways[0].contains { first in ways[1].contains { Self.meet(first, $0) } }
    }

    static func meet(_ first: [ViewSpec.Step], _ second: [ViewSpec.Step]) -> Bool {
        first.count == second.count && zip(first, second).allSatisfy { $0 == $1 || $0 == .every || $1 == .every }
    }
}
