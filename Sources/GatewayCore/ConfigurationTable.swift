import FeatureFlags
import GatewayConfig
import Routing

/// A configuration as a table of routes in the order in which they are tried, for `banyan check`.
package struct ConfigurationTable {
    /// One route.
    package struct Row: Equatable, Sendable {
        package var match: String
        package var action: String
    }

    /// The routes, most specific first.
    package private(set) var routes: [Row] = []
    /// What each context does, and what its flag says of it.
    package private(set) var contexts: [Row] = []

    /// The table of `loaded`.
    package init(_ loaded: LoadedConfiguration) {
        let configuration = loaded.configuration
        let snapshot = loaded.snapshot(generation: 1, boards: BoardRegistry())
        for number in snapshot.routes.inMatchingOrder {
            let route = configuration.routes[number]
            routes.append(Row(match: route.match + Self.conditions(route.when), action: Self.action(route.action)))
        }
        for context in configuration.contexts {
            contexts.append(Row(match: context.name, action: Self.describe(context, loaded.flags)))
        }
    }

    private static func conditions(_ when: WhenSection) -> String {
        let all = when.header.map { ("header", $0) } + when.query.map { ("query", $0) }
        if all.isEmpty { return "" }
        let texts = all.map { kind, condition in
            switch condition.expectation {
            case .equals(let text): "\(kind) \(condition.name)=\(text)"
            case .present: "\(kind) \(condition.name)"
            case .absent: "no \(kind) \(condition.name)"
            }
        }
        return " when " + texts.joined(separator: ", ")
    }

    private static func action(_ action: RouteSection.Action) -> String {
        switch action {
        case .forward(let forward):
            return "to \(forward.to)" + (forward.rewrite.map { " as \($0)" } ?? "")
        case .aggregate(let aggregate):
            return "view of " + aggregate.parts.map { "\($0.name) from \($0.from)" }.joined(separator: ", ")
        case .respond(let respond): return "answer \(respond.status)"
        case .redirect(let redirect): return "redirect \(redirect.status) to \(redirect.location)"
        }
    }

    private static func describe(_ context: ContextSection, _ flags: FlagSnapshot) -> String {
        guard let choice = context.choice else { return "always \(context.off)" }
        let sides =
            switch choice.targets {
            case .on(let upstream): "\(upstream) when \(choice.flag) is on"
            case .variants(let variants):
                variants.map { "\($0.upstream) for \($0.name)" }.joined(separator: ", ") + " of \(choice.flag)"
            }
        guard let number = flags.flagID(named: choice.flag) else {
            return "\(sides), else \(context.off); the flag file has no such flag"
        }
        return "\(sides), else \(context.off); now: \(flags.definitions[number].summary)"
    }
}
