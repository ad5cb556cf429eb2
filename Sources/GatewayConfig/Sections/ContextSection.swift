internal import JSON

/// A member of `contexts`: a bounded context, the unit of migration. It says once who serves it today, who will, and
/// which flag decides.
package struct ContextSection: Equatable, Sendable {
    /// How a flag chooses.
    package struct FlagChoice: Equatable, Sendable {
        /// `flag`: the name of the flag in the flag file.
        package var flag: String
        /// Who serves the context by the flag's value.
        package var targets: Targets
    }

    /// Who serves a context by its flag's value. Any other value, an error, or a missing flag means `off`.
    package enum Targets: Equatable, Sendable {
        /// `on`: the upstream for the value `true`.
        case on(String)
        /// `variants`: an upstream for each name of a variant.
        case variants([Variant])
    }

    /// A member of `variants`.
    package struct Variant: Equatable, Sendable {
        /// The name of the flag's variant.
        package var name: String
        /// The upstream that serves it.
        package var upstream: String
    }

    /// The name, as an upstream's. It may be the name of an upstream, and then hides it in `to` and `from`.
    package var name: String
    /// `off`: the upstream when the flag is off, missing, disabled or in error: the safe side. Required.
    package var off: String
    /// `flag` with `on` or `variants`; nil where the file has none of them: everything goes to ``off``.
    package var choice: FlagChoice?
    /// `fallback` and its keys: who answers where the upstream that was chosen cannot. Default: nil, nobody.
    package var fallback: FallbackSection?

    static let keys = SectionKeys(
        ["off", "on", "flag", "variants"] + FallbackSection.keys, later: ["shadow", "dualWrite", "guard"])

    init(name: String, _ section: SectionReader) {
        self.name = name
        off = section.reference("off", isRequired: true) ?? ""
        let on = section.reference("on")
        let flag = section.line("flag", upTo: 256)
        let variants = section.named("variants", areNames: false).compactMap { name, place in
            section.session.reference(place, .upstream).map { Variant(name: name, upstream: $0) }
        }
        Self.check(section, hasVariants: !variants.isEmpty)
        if let flag, let on {
            choice = FlagChoice(flag: flag, targets: .on(on))
        } else if let flag, !variants.isEmpty {
            choice = FlagChoice(flag: flag, targets: .variants(variants))
        }
        fallback = FallbackSection(context: section)
        checkFallback(section)
    }

    /// A fallback that answers whatever the flag says cannot answer in place of another.
    private func checkFallback(_ section: SectionReader) {
        guard let fallback, upstreams.allSatisfy({ $0.name == fallback.upstream }) else { return }
        section.session.report(
            section.pointer.appending("fallback"),
            "\(ValueProblem.quoted(fallback.upstream)) serves this context already; a fallback is another upstream")
    }

    private static func check(_ section: SectionReader, hasVariants: Bool) {
        let session = section.session
        let hasFlag = section.has("flag")
        if section.has("on"), section.has("variants") {
            session.reportName(
                section.pointer.appending("variants"), "\"variants\" stands instead of \"on\", not beside it")
        }
        for key in ["on", "variants"] where section.has(key) && !hasFlag {
            session.reportName(section.pointer.appending(key), "\"\(key)\" needs a \"flag\" that decides")
        }
        if hasFlag, !section.has("on"), !section.has("variants") {
            session.reportName(
                section.pointer.appending("flag"), "\"flag\" needs \"on\" or \"variants\" to choose from")
        }
        if section.isObject("variants"), section.place("variants")?.value == .object([]) {
            session.report(section.pointer.appending("variants"), "expected at least one variant")
        }
    }

    /// Every upstream that the flag can choose with the key that names it, in the order of the design.
    package var upstreams: [(key: [String], name: String)] {
        var upstreams: [(key: [String], name: String)] = [(["off"], off)]
        switch choice?.targets {
        case .on(let upstream): upstreams.append((["on"], upstream))
        case .variants(let variants): upstreams += variants.map { (["variants", $0.name], $0.upstream) }
        case nil: break
        }
        return upstreams
    }

    var effective: JSONValue {
        var on: JSONValue?
        var variants: JSONValue?
        switch choice?.targets {
        case .on(let upstream): on = .string(upstream)
        case .variants(let list): variants = .section(list.map { ($0.name, .string($0.upstream)) })
        case nil: break
        }
        return .section(
            [("off", .string(off)), ("on", on), ("variants", variants), ("flag", choice.map { .string($0.flag) })]
                + (fallback?.effective ?? []))
    }
}
