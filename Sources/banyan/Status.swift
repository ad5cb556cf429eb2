import ArgumentParser
import Glibc
import JSON

/// `banyan status`: how do the upstreams do?
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how the upstreams of the gateway that runs do.",
        discussion: """
            Endpoints with their health, ejections, circuit breakers, requests, budgets and pools. The exit code is 0
            where all is well, 1 where something is not, and 69 where the gateway cannot be reached.

            EXAMPLES
              banyan status
              banyan status --json | jq '.upstreams[] | select(.state != "ok")'
              banyan status --admin 127.0.0.1:9901
            """)

    @Flag(help: "Print what the admin listener says, as JSON.")
    var json = false

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let upstreams = try client.ask("GET", "/upstreams").accepted()
        let gateway = try client.ask("GET", "/status").accepted()
        let isColoured = isatty(1) == 1 && (ProcessEnvironment.variables["NO_COLOR"] ?? "").isEmpty
        let report = StatusReport(gateway: gateway.body, upstreams: upstreams.body)
        if json {
            Output.line(upstreams.text.last == "\n" ? String(upstreams.text.dropLast()) : upstreams.text)
        } else {
            for line in report.lines(isColoured: isColoured) { Output.line(line) }
        }
        if !report.isWell { throw ExitCode(1) }
    }
}

/// What the admin listener says of a gateway, as lines for a terminal.
struct StatusReport {
    private let gateway: JSONValue
    private let upstreams: [JSONValue]
    /// Whether there is nothing that somebody should look at.
    let isWell: Bool

    /// - Parameters:
    ///   - gateway: what `/status` says.
    ///   - upstreams: what `/upstreams` says.
    init(gateway: JSONValue, upstreams: JSONValue) {
        self.gateway = gateway
        if case .array(let list) = upstreams["upstreams"] { self.upstreams = list } else { self.upstreams = [] }
        let isRefused = if case .array(let lines) = gateway["refusedReload"] { !lines.isEmpty } else { false }
        isWell = upstreams["ok"] == .bool(true) && gateway["draining"] == .bool(false) && !isRefused
    }

    /// A field of a table.
    private struct Cell {
        var text: String
        var colour = Colour.none

        init(_ text: String, _ colour: Colour = .none) {
            self.text = text
            self.colour = colour
        }
    }

    private enum Colour: String {
        case none = ""
        case good = "32"
        case doubtful = "33"
        case bad = "31"
    }

    /// The lines, columns aligned.
    func lines(isColoured: Bool) -> [String] {
        let titles = ["UPSTREAM", "STATE", "REQUESTS", "BREAKER", "RETRIES", "FALLBACKS", "DIVERTED", "POOL"]
        var rows = [titles.map { Cell($0) }]
        for upstream in upstreams {
            rows.append(row(of: upstream))
            if case .array(let endpoints) = upstream["endpoints"] { rows += endpoints.map(row(ofEndpoint:)) }
        }
        let widths = titles.indices.map { column in rows.map { $0[column].text.count }.max() ?? 0 }
        return [summary] + refusals + [""]
            + rows.map { row in
                let cells = zip(row, widths).map { cell, width in
                    let padding = String(repeating: " ", count: width - cell.text.count)
                    guard isColoured, cell.colour != .none else { return cell.text + padding }
                    return "\u{1B}[\(cell.colour.rawValue)m\(cell.text)\u{1B}[0m" + padding
                }
                let line = cells.joined(separator: "  ")
                return String(line.reversed().drop { $0 == " " }.reversed())
            }
    }

    private var summary: String {
        let state = gateway["draining"] == .bool(true) ? "draining" : "serving"
        return "gateway \(state), configuration \(Self.number(gateway["generation"])), "
            + "\(Self.number(gateway["workers"])) worker\(gateway["workers"] == .integer(1) ? "" : "s")"
    }

    /// What was wrong with a configuration that was refused.
    private var refusals: [String] {
        guard case .array(let lines) = gateway["refusedReload"], !lines.isEmpty else { return [] }
        return ["the last change of the configuration was refused:"]
            + lines.compactMap { if case .string(let text) = $0 { "  " + text } else { nil } }
    }

    private func row(of upstream: JSONValue) -> [Cell] {
        let state = Self.text(upstream["state"])
        let pool = Self.text(upstream["active"])
        let filed = Self.text(upstream["activeByFile"])
        let isReplaced = upstream["serversReplaced"] == .bool(true)
        return [
            Cell(Self.text(upstream["name"])), Cell(state, Self.colour(state)),
            Cell(Self.budget(upstream["requests"])), Self.breaker(upstream["breaker"]),
            Cell(Self.budget(upstream["retries"])), Cell(Self.budget(upstream["fallbacks"])),
            Cell(Self.share(of: upstream["diverted"], in: upstream["attempts"])),
            Cell(
                pool == filed ? (isReplaced ? "servers replaced" : pool) : "\(pool) (the file says \(filed))",
                pool != filed || isReplaced ? .doubtful : .none),
        ]
    }

    private func row(ofEndpoint endpoint: JSONValue) -> [Cell] {
        let state = Self.text(endpoint["state"])
        var words = state
        if case .integer(let time) = endpoint["ejectedForMs"] { words += " for \(Self.seconds(time))" }
        return [
            Cell("  " + Self.text(endpoint["endpoint"])), Cell("  " + words, Self.colour(state)),
            Cell(Self.number(endpoint["requests"])), Self.breaker(endpoint["breaker"]), Cell(""), Cell(""), Cell(""),
            Cell(""),
        ]
    }

    private static func colour(_ state: String) -> Colour {
        switch state {
        case "ok", "available": .good
        case "degraded", "half_open": .doubtful
        default: .bad
        }
    }

    private static func breaker(_ value: JSONValue?) -> Cell {
        guard let value, value != .null else { return Cell("-") }
        let state = text(value["state"])
        guard case .integer(let time) = value["openForMs"] else {
            return Cell(state, state == "closed" ? .good : .doubtful)
        }
        return Cell("\(state) for \(seconds(time))", .bad)
    }

    private static func budget(_ value: JSONValue?) -> String {
        guard let value, value != .null else { return "-" }
        return "\(number(value["underWay"])) of \(number(value["most"]))"
    }

    /// `1.5 %`.
    private static func share(of part: JSONValue?, in whole: JSONValue?) -> String {
        guard case .integer(let part) = part, case .integer(let whole) = whole, whole > 0, part > 0 else { return "-" }
        let tenths = Int64((Double(part) * 1_000 / Double(whole)).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    /// `12.3 s`.
    private static func seconds(_ milliseconds: Int64) -> String {
        "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s"
    }

    private static func text(_ value: JSONValue?) -> String { if case .string(let text) = value { text } else { "" } }

    private static func number(_ value: JSONValue?) -> String {
        if case .integer(let number) = value { "\(number)" } else { "-" }
    }
}
