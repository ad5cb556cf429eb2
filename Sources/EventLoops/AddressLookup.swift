internal import CLibuv
import Glibc

/// One look-up of a host name, done by the system's resolver on another thread: the loop goes on meanwhile.
package final class AddressLookup {
    private let request: UnsafeMutablePointer<uv_getaddrinfo_t>
    private let loop: EventLoop
    private var done: (([String]?) -> Void)?

    /// Looks up `host` and calls `done` once, on the loop: addresses in numbers, in the order in which they should be
    /// tried, or nil when there are none. `done` is not called after the object has gone.
    package init(loop: EventLoop, host: String, _ done: @escaping ([String]?) -> Void) {
        self.loop = loop
        self.done = done
        request = .allocate(capacity: 1)
        var hints = AddressList.hints
        request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        let status = uv_getaddrinfo(
            loop.raw, request,
            { request, status, result in
                guard let request else { return }
                let addresses = status == 0 ? AddressList.numbers(of: result) : nil
                if let result { uv_freeaddrinfo(result) }
                let data = request.pointee.data
                request.deallocate()
                guard let data else { return }
                // SAFETY: deinit sets data to nil, so the object is alive.
                Unmanaged<AddressLookup>.fromOpaque(data).takeUnretainedValue().finish(addresses)
            }, host, nil, &hints)
        if status != 0 {
            request.deallocate()
            isOver = true
            done(nil)
            self.done = nil
        }
    }

    private var isOver = false

    private func finish(_ addresses: [String]?) {
        isOver = true
        let done = done
        self.done = nil
        done?(addresses)
    }

    deinit {
        guard !isOver else { return }
        // libuv calls back all the same, and frees the request then.
        request.pointee.data = nil
        uv_cancel(UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self))
    }

    /// What the system's resolver says to `host`: addresses in numbers, in its order, each once; nil when there are none. It
    /// blocks.
    package static func numbers(of host: String) -> [String]? {
        var hints = AddressList.hints
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        return AddressList.numbers(of: list)
    }
}

/// The list of the system's resolver. It stands by itself, since its types are those of a C module that other rooms do not
/// import.
private enum AddressList {
    /// Addresses of the kinds that this machine has itself.
    static var hints: addrinfo {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = CInt(AI_ADDRCONFIG)
        return hints
    }

    static func numbers(of list: UnsafeMutablePointer<addrinfo>?) -> [String]? {
        var numbers: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if let address = entry.pointee.ai_addr,
                getnameinfo(
                    address, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            {
                let number = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if !numbers.contains(number) { numbers.append(number) }
            }
            next = entry.pointee.ai_next
        }
        return numbers.isEmpty ? nil : numbers
    }
}
