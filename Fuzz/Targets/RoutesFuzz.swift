import GatewayConfig
import GatewayCore
import JSON

/// A routes.json, read, checked, compiled, and put to a few questions.
enum RoutesFuzz {
    private static let environment = ["NAME": "value", "PORT": "8080", "EMPTY": ""]
    private static let flags = Array(
        #"{"flags":{"f":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}}}"#.utf8)

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let reading = ConfigurationReader.read(text: input, file: "routes.json", environment: environment)
        try checkIssues(reading.issues, input)
        let hasErrors = reading.issues.contains { $0.severity == .error }
        try require(
            (reading.configuration == nil) == hasErrors || reading.draft == nil, "errors do not refuse the file")
        try require(reading.draft != nil || hasErrors, "a file is refused without a reason")

        let files = FileAccess(inMemory: ["routes.json": input, "flags.json": flags])
        let loader = ConfigurationLoader(path: "routes.json", environment: environment, files: files)
        switch loader.load() {
        case .refused(let issues):
            try checkIssues(issues, input)
            try require(issues.contains { $0.severity == .error }, "a file is refused without an error")
        case .loaded(let loaded):
            try checkIssues(loaded.issues, input)
            try require(!hasErrors, "a file with errors is loaded")
            try checkQuestions(loaded)
        }
    }

    /// Every issue stands in the text, on one line.
    private static func checkIssues(_ issues: [ConfigurationIssue], _ text: [UInt8]) throws(BrokenProperty) {
        for issue in issues where issue.file == "routes.json" {
            let place = issue.position
            try require(place.offset >= 0 && place.offset <= text.count, "an issue lies outside the text: \(issue)")
            let lines = text.prefix(place.offset).count { $0 == UInt8(ascii: "\n") }
            try require(place.line == lines + 1 && place.column >= 1, "an issue names another line: \(issue)")
            try require(!issue.description.utf8.contains { $0 < 0x20 }, "an issue takes several lines")
        }
    }

    /// A configuration in force has an answer to every request.
    private static func checkQuestions(_ loaded: LoadedConfiguration) throws(BrokenProperty) {
        var isSilent = false
        for line in ["GET /", "GET /a/b/c", "POST a.example/users/7?x=1", "OPTIONS *"] {
            do throws(ExplanationError) {
                let request = Explanation.Request(line: line, user: "u1", headers: ["x-tenant: t", "cookie: a=b"])
                let lines = try Explanation(request, under: loaded).lines
                isSilent = isSilent || lines.isEmpty
            } catch {
                throw BrokenProperty("a request cannot be explained: \(error)")
            }
        }
        try require(!isSilent, "a request is explained with nothing")
    }
}
