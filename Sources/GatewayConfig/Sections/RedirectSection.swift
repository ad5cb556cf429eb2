internal import JSON

/// A route with `redirect`: the client is sent elsewhere (RFC 9110 §15.4).
package struct RedirectSection: Equatable, Sendable {
    /// `status`: 301, 302, 303, 307 or 308. Default: 308, permanent and with the method kept.
    package var status = 308
    /// `location`: a path or an `http(s)` URL, a template of the pattern's names; the room that matches compiles it.
    /// Required.
    package var location: String

    static let statuses = [301, 302, 303, 307, 308]
    static let keys = SectionKeys(["status", "location"])

    /// Nil where the location cannot be read.
    init?(_ section: SectionReader) {
        let session = section.session
        if let status = section.integer("status", 100...599) {
            if !Self.statuses.contains(status) {
                session.report(
                    section.pointer.appending("status"),
                    "a redirect has status 301, 302, 303, 307 or 308, found \(status)")
            }
            self.status = status
        }
        guard let location = section.line("location", upTo: 4096, isRequired: true) else { return nil }
        self.location = location
        let isTarget = location.hasPrefix("/") || location.hasPrefix("http://") || location.hasPrefix("https://")
        if !isTarget || location.hasPrefix("//") {
            // A location of two slashes leaves the site for the host that follows them (RFC 3986 §4.2).
            session.report(
                section.pointer.appending("location"),
                "expected a path such as \"/new/{rest}\" or an http(s) URL, found \(ValueProblem.quoted(location))")
        } else if location.contains(where: { $0 == " " || $0 == "\\" }) {
            session.report(section.pointer.appending("location"), "a location has no blanks and no backslashes")
        }
    }

    var effective: JSONValue {
        .section([("status", .number(status)), ("location", .string(location))])
    }
}
