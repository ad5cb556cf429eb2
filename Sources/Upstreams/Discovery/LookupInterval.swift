/// How long an answer of the name service is used before it is asked again, in milliseconds.
package enum LookupInterval {
    /// However short an answer may be kept, the service is not asked more often.
    package static let least: UInt64 = 1_000
    /// However long it may be kept: what changed is noticed after so long.
    package static let most: UInt64 = 300_000
    /// Where the answer does not say (the resolver of the C library does not tell).
    package static let unknown: UInt64 = 30_000
    /// After a failure, at most: what is known stays in use meanwhile.
    package static let afterFailure: UInt64 = 2_000

    /// The time for an answer that holds for `timeToLive` seconds.
    package static func milliseconds(timeToLive: UInt32?) -> UInt64 {
        timeToLive.map { min(max(UInt64($0) * 1_000, least), most) } ?? unknown
    }

    /// The time after a failure, where a success would have been used for `interval`.
    package static func afterFailure(interval: UInt64) -> UInt64 {
        min(max(interval, least), afterFailure)
    }
}
