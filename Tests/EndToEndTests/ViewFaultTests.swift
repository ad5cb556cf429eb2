import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// Every failure of a service, at every part of a view: what the client is told, what is left of the view, and what
    /// the log says (http-behaviour.md §1; routes-json.md, "Status and failure").
    @Suite
    struct ViewFaults {
        /// The parts: the second one needs a value of the first, the third nothing of either.
        private static let parts = ["first", "second", "alone"]
        private static let targets = ["/first", "/second/7", "/alone"]
        private static let values = [#"{"id":7}"#, #"{"v":[1.50]}"#, "[ 3 ]"]

        /// A fault at one part of a view, all of whose parts are required or optional.
        private struct Case: Sendable {
            var fault: ViewFault
            var part: Int
            var isRequired: Bool

            /// Of a view that fails: the part that is on its way then. It is answered only in views that can go on.
            var sibling: Int { part == 2 ? 0 : 2 }

            var route: String { "/\(fault.upstream)/\(parts[part])/\(isRequired ? "required" : "optional")" }

            var name: String { "\(fault.name), at \(parts[part]), \(isRequired ? "required" : "optional")" }
        }

        /// What the services have seen.
        private final class Board: Sendable {
            private let state = Mutex((asked: [Int: [String]](), held: [Int: Int](), let: [Int: Int]()))

            func ask(_ number: Int, _ target: String) {
                state.withLock { $0.asked[number, default: []].append(target) }
            }
            func hold(_ number: Int) { state.withLock { $0.held[number, default: 0] += 1 } }
            func letGo(_ number: Int) { state.withLock { $0.let[number, default: 0] += 1 } }

            func asked(_ number: Int) -> [String] { state.withLock { $0.asked[number] ?? [] } }
            func holds(_ number: Int) -> Bool { state.withLock { $0.held[number] != nil } }
            /// Those whose sibling is still on its way.
            var open: [Int] { state.withLock { state in state.held.keys.filter { state.held[$0] != state.let[$0] } } }
        }

        private static func number(_ request: HTTPText) throws -> Int {
            guard let number = request["x-case"].flatMap({ Int($0) }) else { throw ExchangeFailure("no number") }
            return number
        }

        /// Answers what it is asked for; but not the sibling of a part that fails its view.
        private static func healthy(_ cases: [Case], _ board: Board) throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    let number = try number(request)
                    board.ask(number, request.target)
                    guard let part = targets.firstIndex(of: request.target) else { return }
                    if cases.indices.contains(number), cases[number].isRequired, cases[number].sibling == part {
                        board.hold(number)
                        try connection.awaitEnd()
                        return board.letGo(number)
                    }
                    let body = values[part]
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                            + body)
                }
            }
        }

        /// Does what the fault is; where that fails the view, once the sibling is on its way.
        private static func faulty(_ cases: [Case], _ board: Board) throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    let number = try number(request)
                    if cases[number].isRequired { try eventually("the sibling is asked") { board.holds(number) } }
                    switch cases[number].fault.deed {
                    case .answer(let bytes): try connection.wire.send(bytes)
                    case .cut(let bytes): return try connection.wire.send(bytes)
                    case .reset(let bytes):
                        try connection.wire.send(bytes)
                        return connection.wire.reset()
                    case .silence(let bytes):
                        try connection.wire.send(bytes)
                        return try connection.awaitEnd()
                    case .none: return
                    }
                }
            }
        }

        /// The view in which `part` is asked of `upstream`.
        private static func view(_ upstream: String, _ part: Int, isRequired: Bool) -> String {
            let members = parts.indices.map { number in
                let own = number == part
                let from = own ? (["brief", "asked"].contains(upstream) ? "faulty" : upstream) : "healthy"
                let path = own && upstream == "asked" ? "/{n}" : ["/first", "/second/{first.id}", "/alone"][number]
                let query = own && number == 1 && upstream == "asked" ? "?id={first.id}" : ""
                let time = own && upstream == "brief" ? "300ms" : "20s"
                let optional = isRequired ? "" : #", "optional": true, "default": {"no": "\#(parts[number])"}"#
                return #"""
                    "\#(parts[number])": {"from": "\#(from)", "timeout": "\#(time)"\#(optional), "request":
                      {"method": "GET", "path": "\#(path)\#(query)", "headers": {"X-Case": "{n}"}}}
                    """#
            }
            let pattern = "/\(upstream)/\(parts[part])/\(isRequired ? "required" : "optional")/{n}"
            return #"""
                {"match": "GET \#(pattern)", "timeout": "30s", "errors": "body", "aggregate": {\#(members.joined(separator: ",\n"))}}
                """#
        }

        /// Asks for every view, some at a time, and gives the answers by the numbers of the cases.
        private static func answers(to cases: [Case], at place: SocketPlace) throws -> [Int: Result<
            HTTPText, any Error
        >] {
            let state = Mutex((next: 0, running: 16, answers: [Int: Result<HTTPText, any Error>]()))
            for _ in 0..<16 {
                Thread {
                    while true {
                        let number = state.withLock { state in
                            defer { state.next += 1 }
                            return state.next
                        }
                        guard number < cases.count else { break }
                        let answer = Result { try RawClient(place).exchange("GET \(cases[number].route)/\(number)") }
                        state.withLock { $0.answers[number] = answer }
                    }
                    state.withLock { $0.running -= 1 }
                }.start()
            }
            try eventually("all views are answered", within: Deadline(.seconds(120))) {
                state.withLock { $0.running } == 0
            }
            return state.withLock { $0.answers }
        }

        @Test("Every failure, at every part, required and optional")
        func matrix() throws {
            let cases = try ViewFault.all().flatMap { fault in
                Self.parts.indices.flatMap { part in
                    [true, false].map { Case(fault: fault, part: part, isRequired: $0) }
                }
            }
            let board = Board()
            let healthy = try Self.healthy(cases, board)
            let faulty = try Self.faulty(cases, board)
            let refused = try StubUpstream.saying("no")
            refused.stop()
            let clear = try StubUpstream { connection in try connection.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
            let gate = Gate()
            let busy = try StubUpstream { connection in
                _ = try connection.request()
                try gate.wait()
            }
            defer { gate.open() }
            // One connection waits to be accepted, for ever: no other one is made.
            let full = try SocketPlace.ipv4(port: 0).listen(backlog: 0)
            let waiting = try full.bound.connect()
            defer {
                close(waiting)
                close(full.descriptor)
            }
            let nowhere = "http://\(String(repeating: "n", count: 60)).invalid"
            var setup = GatewaySetup().upstream("healthy", healthy).upstream("faulty", faulty)
                .upstream("impatient", faulty, #""timeout": "300ms", "idleTimeout": "300ms""#)
                .upstream("refused", refused).upstream("nowhere", url: nowhere)
                .upstream("clear", url: "https://127.0.0.1:\(clear.place.port)")
                .upstream("full", url: "http://\(full.bound)", #""connectTimeout": "200ms""#)
                .upstream("busy", busy, #""maxRequests": 1, "maxPending": 0"#)
                .route(#"{"match": "/busy", "to": "busy"}"#)
            for upstream in Set(cases.map(\.fault.upstream) + ["healthy"]).sorted() {
                for part in Self.parts.indices {
                    for isRequired in [true, false] {
                        setup = setup.route(Self.view(upstream, part, isRequired: isRequired))
                    }
                }
            }
            let gateway = try GatewayProcess(setup)
            let holder = try gateway.client().request("GET /busy")
            _ = try busy.requests(1)
            let answers = try Self.answers(to: cases, at: gateway.place)
            try eventually("what nobody waits for is cancelled (\(board.open.map { cases[$0].name }))") {
                board.open.isEmpty
            }
            let lines = try Self.log(of: gateway, count: cases.count)
            for (number, item) in cases.enumerated() {
                guard case .success(let answer)? = answers[number] else {
                    Issue.record("\(item.name): \(String(describing: answers[number]))")
                    continue
                }
                let wrong =
                    (item.isRequired ? Self.faults(ofFailed: answer, item) : Self.faults(ofPartial: answer, item))
                    + Self.faults(of: lines["\(item.route)/\(number)"] ?? [:], item)
                let isAsked = board.asked(number).contains("/second/7")
                let unasked = item.part == 0 && isAsked ? ["what needs a value of the part was asked for"] : []
                if !(wrong + unasked).isEmpty {
                    Issue.record(
                        "\(item.name): \((wrong + unasked).joined(separator: "; "))\n\(answer)\n\(lines["\(item.route)/\(number)"] ?? [:])"
                    )
                }
            }
            let good = try gateway.exchange("GET /healthy/alone/optional/\(cases.count)")
            #expect(good.text == #"{"first":{"id":7},"second":{"v":[1.50]},"alone":[ 3 ]}"#, "\(good)")
            holder.close()
        }

        // MARK: - What has to come of it

        private static func faults(ofFailed answer: HTTPText, _ item: Case) -> [String] {
            let fault = item.fault
            var wrong: [String] = []
            if answer.status != fault.viewStatus { wrong.append("status \(fault.viewStatus) is due") }
            if answer.cause != fault.viewCause { wrong.append("cause \(fault.viewCause) is due") }
            if answer["content-type"] != "application/problem+json" { wrong.append("no problem document") }
            if (answer["retry-after"] != nil) != (fault.viewStatus == 503) { wrong.append("Retry-After") }
            if !answer.values("banyan-partial").isEmpty { wrong.append("Banyan-Partial in a view that is none") }
            return wrong
        }

        private static func faults(ofPartial answer: HTTPText, _ item: Case) -> [String] {
            let fault = item.fault
            var failed = [item.part: (fault.reason, fault.toldStatus)]
            if item.part == 0 { failed[1] = ("missing_input", nil) }
            let numbers = failed.keys.sorted()
            let members = parts.indices.map {
                #""\#(parts[$0])":\#(failed[$0] == nil ? values[$0] : #"{"no":"\#(parts[$0])"}"#)"#
            }
            let errors = numbers.map { number in
                let status = failed[number]?.1.map { #","status":\#($0)"# } ?? ""
                return #""\#(parts[number])":{"reason":"\#(failed[number]?.0 ?? "")"\#(status)}"#
            }
            let partial = numbers.map { number in
                "\(parts[number]);reason=\(failed[number]?.0 ?? "")"
                    + (failed[number]?.1.map { ";status=\($0)" } ?? "")
            }
            let text = "{\((members + [#""_errors":{\#(errors.joined(separator: ","))}"#]).joined(separator: ","))}"
            var wrong: [String] = []
            if answer.status != 200 { wrong.append("status 200 is due") }
            if answer.text != text { wrong.append("\(text) is due") }
            if answer["banyan-partial"] != partial.joined(separator: ", ") { wrong.append("\(partial) is due") }
            if answer["cache-control"] != "no-store" { wrong.append("no-store is due") }
            if !answer.values("etag").isEmpty { wrong.append("what cannot be kept has an ETag") }
            return wrong
        }

        private static func faults(of line: [String: Any], _ item: Case) -> [String] {
            let fault = item.fault
            let told = line["parts"] as? [String: Any] ?? [:]
            let part = told[parts[item.part]] as? [String: Any] ?? [:]
            let upstream = ["brief", "asked"].contains(fault.upstream) ? "faulty" : fault.upstream
            var wrong: [String] = []
            if line["cause"] as? String != (item.isRequired ? fault.viewCause : nil) { wrong.append("the log's cause") }
            if part["cause"] as? String != fault.reason { wrong.append("the log's cause of the part") }
            if part["upstream"] as? String != upstream { wrong.append("the log's upstream") }
            if part["status"] as? Int != fault.answered ?? 0 { wrong.append("the log's status of the part") }
            if (line["marks"] as? [String] ?? []).contains("partial") == item.isRequired {
                wrong.append("the log's mark")
            }
            if !item.isRequired, item.part == 0 {
                let second = told["second"] as? [String: Any] ?? [:]
                if second["cause"] as? String != "missing_input" { wrong.append("the log's cause of the second part") }
            }
            return wrong
        }

        /// The lines of the access log by their paths, once there are so many.
        private static func log(of gateway: GatewayProcess, count: Int) throws -> [String: [String: Any]] {
            try eventually("each view has its line") {
                gateway.process.lines().count { $0.hasPrefix("{") } >= count
            }
            var lines: [String: [String: Any]] = [:]
            for text in gateway.process.lines() where text.hasPrefix("{") {
                let line = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
                if let line, let path = line["path"] as? String { lines[path] = line }
            }
            return lines
        }
    }
}
