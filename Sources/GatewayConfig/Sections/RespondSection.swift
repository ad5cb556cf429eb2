package import JSON

/// A route with `respond`: a fixed answer, given without asking anybody.
package struct RespondSection: Equatable, Sendable {
    /// What is sent as the body.
    package enum Body: Equatable, Sendable {
        /// Nothing.
        case none
        /// A string of the file: as `text/plain; charset=utf-8`.
        case text(String)
        /// Any other value of the file: as `application/json`.
        case json(JSONValue)
    }

    /// `status`: 200 to 599. Default: 200.
    package var status: Int
    /// `headers`: fields of the answer. A `content-type` here wins over the body's own. Default: none.
    package var headers: [HeaderEditsSection.Field] = []
    /// `body`: text, or any other JSON. Default: nothing. None with status 204, 205 and 304 (RFC 9110 §15).
    package var body = Body.none

    static let keys = SectionKeys(["status", "headers", "body"])

    init(status: Int) {
        self.status = status
    }

    init(_ section: SectionReader) {
        let session = section.session
        status = section.integer("status", 200...599) ?? 200
        headers = HeaderEditsSection.fields("headers", section, FieldRules.reasonAgainstResponse)
        guard let place = section.place("body") else { return }
        if [204, 205, 304].contains(status) {
            session.reportName(place.pointer, "an answer with status \(status) has no body")
        }
        switch session.json(place) {
        case .string(let text): body = .text(text)
        case let value: body = .json(value)
        }
    }

    /// The `Content-Type` that belongs to the body where ``headers`` names none; nil without a body.
    package var defaultContentType: String? {
        switch body {
        case .none: nil
        case .text: "text/plain; charset=utf-8"
        case .json: "application/json"
        }
    }

    var effective: JSONValue {
        let body: JSONValue?
        switch self.body {
        case .none: body = nil
        case .text(let text): body = .string(text)
        case .json(let value): body = value
        }
        return .section([
            ("status", .number(status)),
            ("headers", headers.isEmpty ? nil : .section(headers.map { ($0.name, $0.effective) })),
            ("body", body),
        ])
    }
}
