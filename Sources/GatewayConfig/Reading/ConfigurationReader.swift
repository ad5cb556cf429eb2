package import JSON

/// What a reading of routes.json brought.
package struct ConfigurationReading {
    /// The configuration; nil where an issue is an error.
    package let configuration: GatewayConfiguration?
    /// What could be read, also beside errors: for the rooms that compile patterns, templates and flags, so that their
    /// errors are told in the same run. Never to be put to use. Nil where the text is no JSON object.
    package let draft: GatewayConfiguration?
    /// Every error and every warning in the order of the file.
    package let issues: [ConfigurationIssue]
    /// Where each value stands, for issues that are found later.
    package let source: ConfigurationSource

    /// The same reading with what other rooms found in the ``draft``: issues in the order of the file, and no
    /// ``configuration`` where one of them is an error.
    package func adding(_ found: [ConfigurationIssue]) -> ConfigurationReading {
        ConfigurationReading(draft: draft, issues: issues + found, source: source)
    }

    /// Whether an error stands at `pointer` or below: what is known to be wrong need not be compiled, too.
    package func hasError(at pointer: JSONPointer) -> Bool {
        issues.contains { $0.severity == .error && $0.pointer.tokens.starts(with: pointer.tokens) }
    }

    init(draft: GatewayConfiguration?, issues: [ConfigurationIssue], source: ConfigurationSource) {
        var sorted: [ConfigurationIssue] = []
        let inOrder = issues.enumerated().sorted {
            ($0.element.position.offset, $0.offset) < ($1.element.position.offset, $1.offset)
        }
        for (_, issue) in inOrder {
            // The same said twice of one place says nothing more; only issues of one place can be equal.
            var earlier = sorted.count - 1
            while earlier >= 0, sorted[earlier].position == issue.position, sorted[earlier] != issue { earlier -= 1 }
            if earlier < 0 || sorted[earlier] != issue { sorted.append(issue) }
        }
        configuration = sorted.contains { $0.severity == .error } ? nil : draft
        self.draft = draft
        self.issues = sorted
        self.source = source
    }
}

/// Reads routes.json: from its bytes to a ``GatewayConfiguration``, or to everything that is wrong with it.
package enum ConfigurationReader {
    /// Objects and arrays may nest this deep; a fixed answer or a template of a body may be deep, nothing else is.
    package static let maximumDepth = 128

    /// Reads, fills in the environment and every default, and checks.
    ///
    /// - Parameters:
    ///   - text: the bytes of the file, UTF-8; a byte order mark is an error.
    ///   - file: the path as it was named on the command line: for messages, and its folder for relative paths.
    ///   - environment: what `${NAME}` and `{ "env": NAME }` see.
    ///   - files: what the checks for files see; nil leaves these checks out.
    package static func read(
        text: [UInt8], file: String, environment: [String: String], files: FileAccess? = nil
    ) -> ConfigurationReading {
        let document: JSONDocument
        do throws(JSONSyntaxError) {
            document = try JSONDocument(parsing: text, maximumDepth: maximumDepth)
        } catch {
            let issue = ConfigurationIssue(
                .error, file: file, position: error.position, pointer: JSONPointer(), message: error.message)
            return ConfigurationReading(
                draft: nil, issues: [issue], source: ConfigurationSource(file: file, document: nil))
        }
        let duplicates = document.duplicates()
        let session = ReadingSession(
            source: ConfigurationSource(file: file, document: document), environment: environment)
        for duplicate in duplicates {
            let name = ValueProblem.quoted(duplicate.pointer.tokens.last ?? "")
            session.add(
                ConfigurationIssue(
                    .error, file: file, position: duplicate.position, pointer: duplicate.pointer,
                    message: "duplicate key \(name), first at line \(duplicate.firstPosition.line)"))
        }
        let root = SectionPlace(value: session.source.root, pointer: JSONPointer())
        let draft = session.section(root, GatewayConfiguration.keys).map { GatewayConfiguration($0) }
        if let draft {
            ConfigurationValidator(configuration: draft, session: session, files: files).validate()
        }
        return ConfigurationReading(draft: draft, issues: session.issues, source: session.source)
    }
}
