import COpenSSL

/// What OpenSSL says of its last failure on this thread.
enum OpenSSLError {
    /// Takes what is said off the thread's queue, and returns the reason of the first error in words.
    static func text() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        // SAFETY: the reason is a string of static storage, or none.
        guard code != 0, let reason = ERR_reason_error_string(code) else { return "unknown reason" }
        return String(cString: reason)
    }
}
