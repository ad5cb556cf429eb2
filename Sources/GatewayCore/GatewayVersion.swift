/// Which gateway this is.
package enum GatewayVersion {
    /// The version, as `banyan --version` and the metrics tell it.
    package static let text = "0.1.0"
}
