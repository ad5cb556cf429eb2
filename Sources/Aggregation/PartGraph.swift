/// Which parts wait for which: sets of parts are bit masks, so a view has at most 64.
struct PartGraph {
    /// For each part the parts whose answers it needs.
    let dependencies: [UInt64]

    /// A cycle through the parts, each one waiting for the next and the last for the first; nil where there is none.
    /// It begins with its part of the lowest number.
    func cycle() -> [Int]? {
        var done: UInt64 = 0
        for start in dependencies.indices {
            var path: [Int] = []
            if let found = cycle(from: start, path: &path, done: &done) {
                let first = found.indices.min { found[$0] < found[$1] } ?? 0
                return Array(found[first...] + found[..<first])
            }
        }
        return nil
    }

    private func cycle(from part: Int, path: inout [Int], done: inout UInt64) -> [Int]? {
        if let begin = path.firstIndex(of: part) { return Array(path[begin...]) }
        if done & 1 << UInt64(part) != 0 { return nil }
        path.append(part)
        for next in parts(in: dependencies[part]) {
            if let found = cycle(from: next, path: &path, done: &done) { return found }
        }
        path.removeLast()
        done |= 1 << UInt64(part)
        return nil
    }

    /// The parts by the step in which they start at the earliest: first those that wait for none. There is no cycle.
    func stages() -> [[Int]] {
        let depths = self.depths()
        var stages = Array(repeating: [Int](), count: (depths.max() ?? -1) + 1)
        for (part, depth) in depths.enumerated() { stages[depth].append(part) }
        return stages
    }

    /// The longest chain of parts that wait for each other, first the one that waits for none. There is no cycle.
    func longestChain() -> [Int] {
        let depths = self.depths()
        guard let deepest = depths.max(), var part = depths.firstIndex(of: deepest) else { return [] }
        var chain = [part]
        while let before = parts(in: dependencies[part]).first(where: { depths[$0] == depths[part] - 1 }) {
            chain.append(before)
            part = before
        }
        return chain.reversed()
    }

    private func depths() -> [Int] {
        var depths = Array(repeating: 0, count: dependencies.count)
        // Each round settles at least one more step of the longest chain.
        for _ in dependencies {
            for part in dependencies.indices {
                for before in parts(in: dependencies[part]) { depths[part] = max(depths[part], depths[before] + 1) }
            }
        }
        return depths
    }

    func parts(in mask: UInt64) -> [Int] {
        dependencies.indices.filter { mask & 1 << UInt64($0) != 0 }
    }
}
