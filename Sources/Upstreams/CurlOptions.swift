internal import CLibcurl

/// The options of one libcurl handle, typed, and those that every handle of the gateway gets (security.md §4).
struct CurlOptions {
    let easy: UnsafeMutableRawPointer

    init(_ easy: UnsafeMutableRawPointer) { self.easy = easy }

    func set(_ option: CURLoption, _ value: Int) { _ = banyan_curl_set_long(easy, option, value) }

    func set(_ option: CURLoption, _ value: String) { _ = banyan_curl_set_text(easy, option, value) }

    func set(_ option: CURLoption, text: UnsafePointer<CChar>?) { _ = banyan_curl_set_text(easy, option, text) }

    func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        _ = banyan_curl_set_pointer(easy, option, pointer)
    }

    func set(_ option: CURLoption, list: UnsafeMutablePointer<curl_slist>?) {
        _ = banyan_curl_set_list(easy, option, list)
    }

    /// Sets what leads to `address`: URL, TLS, and nothing that an environment variable or an answer could change.
    func lead(to address: EndpointAddress) {
        let scheme = address.isSecure ? "https" : "http"
        set(CURLOPT_URL, "\(scheme)://\(Self.urlName(of: address)):\(address.port)/")
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_PROTOCOLS_STR, scheme)
        set(CURLOPT_FOLLOWLOCATION, 0)
        guard address.isSecure else { return }
        set(CURLOPT_SSL_VERIFYPEER, address.tls.verifies ? 1 : 0)
        set(CURLOPT_SSL_VERIFYHOST, address.tls.verifies ? 2 : 0)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = address.tls.authorities {
            set(CURLOPT_CAINFO, file)
            set(CURLOPT_CAPATH, text: nil)
        }
        if let file = address.tls.certificate { set(CURLOPT_SSLCERT, file) }
        if let file = address.tls.key { set(CURLOPT_SSLKEY, file) }
    }

    /// The addresses (in numbers) that the name in the URL stands for, as a list that the caller frees: libcurl's own
    /// resolver never runs.
    static func resolved(
        _ address: EndpointAddress, to candidates: [String]
    ) -> UnsafeMutablePointer<curl_slist>? {
        let numbers = candidates.map { $0.contains(":") ? "[\($0)]" : $0 }.joined(separator: ",")
        return curl_slist_append(nil, "\(urlName(of: address)):\(address.port):\(numbers)")
    }

    private static func urlName(of address: EndpointAddress) -> String {
        let name = address.tls.serverName ?? address.host
        return name.contains(":") ? "[\(name)]" : name
    }
}

extension UpstreamFailure {
    /// Why a connection could not be opened.
    init(opening code: CURLcode) {
        switch code {
        case CURLE_OPERATION_TIMEDOUT: self = .connectTimeout
        case CURLE_COULDNT_RESOLVE_HOST: self = .dnsFailed
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
            self = .tlsFailed
        default: self = .connectFailed
        }
    }
}
