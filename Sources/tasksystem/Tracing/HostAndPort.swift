/// A `Host` field, taken apart (RFC 9110 §7.2).
struct HostAndPort: Equatable {
    var host: String
    var port: Int?

    /// `name`, `name:80`, `[::1]:80`; nil for what is none of them.
    init?(_ text: String) {
        let end: String.Index
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return nil }
            end = text.index(after: bracket)
        } else {
            end = text.firstIndex(of: ":") ?? text.endIndex
        }
        host = text[..<end].filter { $0 != "[" && $0 != "]" }
        guard !host.isEmpty else { return nil }
        let rest = text[end...]
        if rest.isEmpty || rest == ":" { return }
        guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()) else { return nil }
        port = Int(number)
    }
}
