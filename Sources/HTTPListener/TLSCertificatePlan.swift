/// Which certificates serve which names: for each name one certificate of each kind of key.
struct TLSCertificatePlan {
    /// The sets of certificates that are needed, by their numbers; the first one is the default.
    private(set) var sets: [[Int]] = []
    /// Each name with the number of its set.
    private(set) var names: [(name: String, set: Int)] = []

    /// A plan for certificates with these names and kinds of keys, in the order of the configuration.
    ///
    /// - Throws: ``TLSProblem`` where two certificates with the same kind of key want to serve one name.
    init(_ certificates: [(names: [String], kind: CInt)]) throws(TLSProblem) {
        var members: [String: [Int]] = [:]
        var order: [String] = []
        for (number, certificate) in certificates.enumerated() {
            for name in certificate.names where members[name]?.last != number {
                if members[name] == nil { order.append(name) }
                if let other = members[name]?.first(where: { certificates[$0].kind == certificate.kind }) {
                    throw TLSProblem(
                        .names(number),
                        "certificate \(other) serves \"\(name)\" with the same kind of key already; give each its \"names\""
                    )
                }
                members[name, default: []].append(number)
            }
        }
        // The default set is the first certificate, with those that serve its first name beside it.
        sets = [certificates.first?.names.first.flatMap { members[$0] } ?? [0]]
        for name in order {
            let wanted = members[name] ?? []
            if let set = sets.firstIndex(of: wanted) {
                names.append((name, set))
            } else {
                names.append((name, sets.count))
                sets.append(wanted)
            }
        }
    }
}
