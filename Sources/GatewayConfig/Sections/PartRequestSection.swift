package import JSON

/// The call of a part: `get`, which is only a path, or `request`.
package struct PartRequestSection: Equatable, Sendable {
    /// `method`: the method, in upper case. Default: GET.
    package var method = "GET"
    /// `path` (or the value of `get`): a template beginning with `/`; the room that aggregates compiles it. Required.
    package var path: String
    /// `headers`: fields that are sent, their values being templates. Default: none.
    package var headers: [HeaderEditsSection.Field] = []
    /// `body`: any JSON, whose strings are templates; or a string, which is a template of plain text. Default: none.
    package var body: JSONValue?

    static let keys = SectionKeys(["method", "path", "headers", "body"])

    /// Nil where the path cannot be read, or not exactly one of `get` and `request` is there, which is reported.
    init?(part: SectionReader) {
        let session = part.session
        if part.has("get"), part.has("request") {
            session.reportName(
                part.pointer.appending("request"), "\"request\" stands instead of \"get\", not beside it")
        }
        if part.has("get") {
            guard let path = part.pathTemplate("get") else { return nil }
            self.path = path
            return
        }
        guard part.has("request") else {
            session.report(part.pointer, "missing \"get\" (or \"request\"), the call of this part")
            return nil
        }
        guard let section = part.section("request", Self.keys) else { return nil }
        if let method = section.string("method") {
            if !FieldRules.isMethod(method) {
                session.report(
                    section.pointer.appending("method"),
                    "expected a method in upper case such as \"POST\", found \(ValueProblem.quoted(method))")
            } else if method == "CONNECT" || method == "TRACE" {
                session.report(section.pointer.appending("method"), "\(method) cannot be the call of a part")
            }
            self.method = method
        }
        headers = HeaderEditsSection.fields("headers", section, FieldRules.reasonAgainstRequest)
        body = section.place("body").map { session.json($0) }
        guard let path = section.pathTemplate("path", isRequired: true) else { return nil }
        self.path = path
    }

    var effective: JSONValue {
        .section([
            ("method", .string(method)),
            ("path", .string(path)),
            ("headers", headers.isEmpty ? nil : .section(headers.map { ($0.name, $0.effective) })),
            ("body", body),
        ])
    }
}
