/// Preference for servers of the gateway's own zone: they get everything while enough of them are available, and less
/// in proportion when fewer are, so that the rest is not overrun.
package struct ZoneRule: Equatable, Sendable {
    /// The share of the zone's servers that must be available for it to get everything.
    package let enough: Double

    /// A rule; a share outside of 0…1 is taken for the nearest.
    package init(enough: Double = 0.7) {
        self.enough = enough >= 0 ? min(enough, 1) : 0
    }

    /// Whether a request stays in the zone.
    ///
    /// - Parameters:
    ///   - available: available servers of the zone, of `total`.
    ///   - others: available servers of other zones.
    ///   - bits: 32 random bits.
    package func staysInZone(available: Int, of total: Int, others: Int, bits: UInt64) -> Bool {
        guard available > 0 else { return false }
        guard others > 0 else { return true }
        let needed = enough * Double(total)
        if Double(available) >= needed - 1e-9 { return true }
        return Double(bits & 0xFFFF_FFFF) < Double(available) / needed * 4_294_967_296
    }
}
