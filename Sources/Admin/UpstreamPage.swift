import GatewayCore
import JSON
import Upstreams

/// How upstreams do, as JSON.
enum UpstreamPage {
    /// All of them.
    static func describe(_ reports: [UpstreamReport]) -> JSONValue {
        .object([
            .init("ok", .bool(reports.allSatisfy { $0.state == .ok })),
            .init("upstreams", .array(reports.map(describe))),
        ])
    }

    /// One of them.
    static func describe(_ report: UpstreamReport) -> JSONValue {
        var members: [JSONMember] = [
            .init("name", .string(report.name)),
            .init("state", .string(report.state.rawValue)),
            .init("panic", .bool(report.isPanic)),
            .init("endpoints", .array(report.endpoints.map(describe))),
            .init("breaker", report.breaker.map(describe) ?? .null),
            .init("requests", describe(report.requests)),
            .init("retries", describe(report.retries)),
            .init("fallbacks", report.fallbacks.map(describe) ?? .null),
            .init("attempts", .integer(Int64(clamping: report.attempts))),
            .init("diverted", .integer(Int64(clamping: report.diverted))),
        ]
        if let pools = report.pools {
            members.append(
                .init(
                    "pools",
                    .object(pools.pools.map { .init($0.name, .array($0.servers.map { .string($0) })) })))
            members.append(.init("active", .string(pools.active)))
            members.append(.init("activeByFile", .string(pools.filed)))
        } else {
            members.append(.init("serversReplaced", .bool(report.hasReplacedServers)))
        }
        return .object(members)
    }

    private static func describe(_ endpoint: UpstreamReport.Endpoint) -> JSONValue {
        .object([
            .init("endpoint", .string(endpoint.text)),
            .init("state", .string("\(endpoint.state.word)")),
            .init("health", .string(word(endpoint.health))),
            .init("ejectedForMs", endpoint.ejectedFor.map { .integer(Int64(clamping: $0)) } ?? .null),
            .init("breaker", endpoint.breaker.map(describe) ?? .null),
            .init("requests", .integer(Int64(endpoint.requests))),
        ])
    }

    private static func word(_ health: HealthRecord.State) -> String {
        switch health {
        case .unknown: "unknown"
        case .healthy: "healthy"
        case .unhealthy: "unhealthy"
        }
    }

    private static func describe(_ breaker: UpstreamReport.Breaker) -> JSONValue {
        .object([
            .init("state", .string("\(breaker.phase.word)")),
            .init("openForMs", breaker.openFor.map { .integer(Int64(clamping: $0)) } ?? .null),
        ])
    }

    private static func describe(_ budget: UpstreamReport.Budget) -> JSONValue {
        .object([
            .init("underWay", .integer(Int64(budget.underWay))), .init("most", .integer(Int64(budget.most))),
        ])
    }
}
