import COpenSSL
import EventLoops
import Synchronization

/// One key that session tickets are sealed with.
package struct TicketKey: Equatable, Sendable {
    /// What tells it from others: stands in the ticket.
    package let name: [UInt8]
    let cipher: [UInt8]
    let mac: [UInt8]
    /// When it was made, in milliseconds of a monotonic clock.
    package let madeAt: UInt64

    /// A key of 80 random bytes.
    package init(bytes: [UInt8], madeAt: UInt64) {
        precondition(bytes.count == TicketKey.size, "a ticket key has 80 bytes")
        name = Array(bytes[..<16])
        cipher = Array(bytes[16..<48])
        mac = Array(bytes[48...])
        self.madeAt = madeAt
    }

    /// Bytes of a key with its name.
    package static let size = 80
}

/// The ticket keys in use: the newest seals, the one before it still opens.
package struct TicketKeyRing: Sendable {
    /// How long a key seals tickets, in milliseconds: 12 hours. It opens them for as long again.
    package static let lifetime: UInt64 = 12 * 3_600_000

    private var current: TicketKey
    private var previous: TicketKey?

    /// A ring of one key.
    package init(_ first: TicketKey) { current = first }

    /// The key that seals at `now`; `make` gives the bytes of a new one when the old one has had its time.
    package mutating func sealing(at now: UInt64, make: () -> [UInt8]?) -> TicketKey {
        let age = now &- current.madeAt
        guard age >= Self.lifetime, let bytes = make() else { return current }
        previous = age < 2 * Self.lifetime ? current : nil
        current = TicketKey(bytes: bytes, madeAt: now)
        return current
    }

    /// The key with this name at `now`, and whether the ticket should be sealed anew with another one.
    package func opening(_ name: Span<UInt8>, at now: UInt64) -> (key: TicketKey, isOld: Bool)? {
        if Self.equal(name, current.name) {
            let age = now &- current.madeAt
            return age < 2 * Self.lifetime ? (current, age >= Self.lifetime) : nil
        }
        if let previous, Self.equal(name, previous.name), now &- previous.madeAt < 2 * Self.lifetime {
            return (previous, true)
        }
        return nil
    }

    private static func equal(_ name: Span<UInt8>, _ known: [UInt8]) -> Bool {
        guard name.count == known.count else { return false }
        for index in known.indices where name[index] != known[index] { return false }
        return true
    }
}

/// The keys by which a client takes a TLS session up again, at whichever worker: made at random, held in memory alone,
/// and changed twice a day, so that what was recorded cannot be read with a key that is found later.
package final class TLSTicketKeys: Sendable {
    private let ring: Mutex<TicketKeyRing>
    private let methods: Methods

    // SAFETY: fetched algorithms are immutable, and OpenSSL counts their references atomically.
    private struct Methods: @unchecked Sendable {
        let cipher: OpaquePointer
    }

    /// Fresh keys; nil when the system gives no random bytes.
    package init?() {
        guard let bytes = Self.randomBytes(), let cipher = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil) else { return nil }
        ring = Mutex(TicketKeyRing(TicketKey(bytes: bytes, madeAt: Self.now)))
        methods = Methods(cipher: cipher)
    }

    deinit { EVP_CIPHER_free(methods.cipher) }

    private static var now: UInt64 { EventLoop.nanoseconds / 1_000_000 }

    private static func randomBytes() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: TicketKey.size)
        return RAND_bytes(&bytes, CInt(bytes.count)) == 1 ? bytes : nil
    }

    /// Prepares to seal a ticket: writes the key's name and a random vector. 1, or -1 when something failed.
    func seal(
        _ name: UnsafeMutablePointer<UInt8>, _ vector: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer
    ) -> CInt {
        let key = ring.withLock { $0.sealing(at: Self.now, make: Self.randomBytes) }
        guard RAND_bytes(vector, 16) == 1 else { return -1 }
        name.update(from: key.name, count: 16)
        guard EVP_EncryptInit_ex(cipher, methods.cipher, nil, key.cipher, vector) == 1 else { return -1 }
        return Self.set(key, on: mac) ? 1 : -1
    }

    /// Prepares to open a ticket: 1, 2 when it should be sealed anew, 0 when the key is not ours any more, -1 on failure.
    func open(
        _ name: UnsafeMutablePointer<UInt8>, _ vector: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer
    ) -> CInt {
        // SAFETY: OpenSSL passes the 16 bytes of the name; they are looked at during the call only.
        let bytes = UnsafeBufferPointer(start: UnsafePointer(name), count: 16)
        let found = ring.withLock { $0.opening(bytes.span, at: Self.now) }
        guard let found else { return 0 }
        guard EVP_DecryptInit_ex(cipher, methods.cipher, nil, found.key.cipher, vector) == 1,
            Self.set(found.key, on: mac)
        else { return -1 }
        return found.isOld ? 2 : 1
    }

    private static func set(_ key: TicketKey, on mac: OpaquePointer) -> Bool {
        var bytes = key.mac
        return banyan_mac_set_key(mac, &bytes, bytes.count) == 1
    }
}
