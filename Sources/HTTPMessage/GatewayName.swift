/// The name by which a gateway is told from others in `Via`: its pseudonym (RFC 9110 §7.6.3).
package struct GatewayName: Equatable, Sendable {
    let bytes: [UInt8]

    /// The name that a gateway has where nobody gave it one.
    package static let standard = GatewayName("banyan")

    /// - Parameter text: letters, digits, `.`, `-` and `_`. Case does not count where names are compared.
    package init(_ text: String) { bytes = Array(text.utf8) }
}
