import ByteBuffers
import Glibc
import HTTPMessage

/// Looks up the addresses of a name that is to be listened on, at the start, where waiting hurts nobody.
enum HostLookup {
    /// The addresses of `name` on this machine; empty when there are none.
    static func addresses(of name: String) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = CInt(AI_PASSIVE)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next {
            if let ip = number(of: entry.pointee), !found.contains(ip) { found.append(ip) }
            next = entry.pointee.ai_next
        }
        return found
    }

    private static func number(of entry: addrinfo) -> IPAddress? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard let address = entry.ai_addr,
            getnameinfo(address, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return IPAddress(bytes.span)
    }
}
