import ByteBuffers

/// Which set of certificates serves a name: exact names first, then wildcards for one label (RFC 6125 §6.4.3).
package struct TLSNameTable: Sendable {
    private struct Entry: Sendable {
        var range: ByteRange
        var set: Int
    }

    private var text: [UInt8] = []
    private var exact: [Entry] = []
    /// What stands behind `*.`.
    private var wildcards: [Entry] = []

    /// A table of names in lower case, each with the number of its set; no name stands twice.
    package init(_ names: [(name: String, set: Int)]) {
        let sorted = names.map { (Array($0.name.utf8), $0.set) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        for (name, set) in sorted {
            let isWildcard = name.starts(with: "*.".utf8)
            let bytes = isWildcard ? Array(name.dropFirst(2)) : name
            let entry = Entry(range: ByteRange(start: text.count, count: bytes.count), set: set)
            text += bytes
            if isWildcard { wildcards.append(entry) } else { exact.append(entry) }
        }
    }

    /// The set for `host`, in any case and with or without the dot of the root; nil when no name fits.
    package func set(for host: Span<UInt8>) -> Int? {
        var count = host.count
        if count > 0, host[count - 1] == UInt8(ascii: ".") { count -= 1 }
        let name = host.extracting(..<count)
        if let set = find(name, in: exact) { return set }
        guard !wildcards.isEmpty, let dot = name.firstIndex(of: UInt8(ascii: ".")), dot > 0 else { return nil }
        return find(name.extracting((dot + 1)...), in: wildcards)
    }

    private func find(_ name: Span<UInt8>, in entries: [Entry]) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            let order = Self.compare(name, text.span.slice(entries[middle].range))
            if order == 0 { return entries[middle].set }
            if order < 0 { high = middle } else { low = middle + 1 }
        }
        return nil
    }

    /// Compares a name in any case with one in lower case, byte by byte.
    private static func compare(_ name: Span<UInt8>, _ known: Span<UInt8>) -> Int {
        for index in 0..<min(name.count, known.count) {
            let byte = name[index]
            let folded = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
            if folded != known[index] { return folded < known[index] ? -1 : 1 }
        }
        return name.count - known.count
    }

    /// Whether a certificate with the DNS names `held` is good for `wanted`, which may be a wildcard itself.
    package static func covers(_ wanted: String, by held: [String]) -> Bool {
        if held.contains(wanted) { return true }
        guard !wanted.hasPrefix("*."), let dot = wanted.firstIndex(of: "."), dot > wanted.startIndex else {
            return false
        }
        return held.contains("*" + wanted[dot...])
    }
}
