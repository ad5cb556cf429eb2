package import ByteBuffers
import JSON

/// What was done: for the answer of a view that writes, and for the log.
extension AggregateRun {
    /// The request of a call is on its way: from now on its service may have it.
    package mutating func requestSent(_ call: Int) {
        if isRunning(call) { calls[call].wasSent = true }
    }

    /// It is certain that nothing of the request of a call has arrived.
    package mutating func requestLost(_ call: Int) {
        if isRunning(call) { calls[call].wasSent = false }
    }

    /// Whether a step may have changed something, so that asking for the view once more is not the same as asking once.
    package var mayHaveWritten: Bool {
        guard let plan else { return false }
        for call in 0..<calls.count where calls[call].wasSent && plan.parts[calls[call].part].isStep { return true }
        return false
    }

    /// What a part has come to.
    package func report(of part: Int) -> PartReport {
        guard let plan else { return PartReport(state: .notStarted) }
        let record = records[part]
        let asksOneByOne = plan.parts[part].fanOut?.isBatch == false
        var (sent, answered, well) = (0, 0, 0)
        var status: UInt16 = 0
        for call in 0..<calls.count where calls[call].part == part && calls[call].wasSent {
            sent += 1
            guard calls[call].status > 0 else { continue }
            answered += 1
            let isWell = (200...299).contains(calls[call].status)
            if isWell { well += 1 }
            // Of several the first that is no success tells most.
            if status == 0 || (200...299).contains(status) && !isWell { status = calls[call].status }
        }
        var report = PartReport(state: .notStarted, status: status)
        if plan.parts[part].isStep {
            let isWhole = record.state == .answered && sent == record.values.count || !asksOneByOne && sent > 0
            report.state =
                sent > answered
                ? .unknown : answered > well ? .failed : isWhole ? .done : sent > 0 ? .failed : .notStarted
        } else if record.state == .answered {
            report.state = record.failure == nil ? .done : .failed
        } else if sent > 0 {
            report.state = .failed
        }
        if asksOneByOne, record.state != .waiting, !record.values.isEmpty || record.state == .answered {
            report.values = PartReport.Values(done: well, of: record.values.count)
        }
        if let failure = record.failure, report.state != .failed || failure.reason != .badStatus {
            report.reason = failure.reason
        }
        return report
    }

    /// Appends what all parts have come to as a list (RFC 9651 §3.1): `reserve;state=done;status=201, charge;state=unknown`.
    package borrowing func appendReport(to field: inout ByteBuffer) {
        guard let plan else { return }
        for part in plan.parts.indices {
            if part > 0 { field.append(", ") }
            field.append(contentsOf: plan.parts[part].fieldItem)
            let report = report(of: part)
            field.append(";state=")
            field.append(report.state.word)
            if report.status > 0 {
                field.append(";status=")
                field.appendDecimal(report.status)
            }
            if let reason = report.reason {
                field.append(";reason=")
                field.append(reason.word)
            }
            if let values = report.values {
                field.append(";done=")
                field.appendDecimal(UInt(values.done))
                field.append(";of=")
                field.appendDecimal(UInt(values.of))
            }
        }
    }

    /// Appends the same as a member of a JSON object: `"parts":[{"name":"reserve","state":"done","status":201}]`.
    package borrowing func appendReport(toDocument document: inout ByteBuffer) {
        guard let plan else { return }
        document.append("\"parts\":[")
        for part in plan.parts.indices {
            if part > 0 { document.append(",") }
            document.append("{\"name\":")
            document.appendJSONString(Array(plan.parts[part].name.utf8).span)
            let report = report(of: part)
            document.append(",\"state\":\"")
            document.append(report.state.word)
            document.append("\"")
            if report.status > 0 {
                document.append(",\"status\":")
                document.appendDecimal(report.status)
            }
            if let reason = report.reason {
                document.append(",\"reason\":\"")
                document.append(reason.word)
                document.append("\"")
            }
            if let values = report.values {
                document.append(",\"done\":")
                document.appendDecimal(UInt(values.done))
                document.append(",\"of\":")
                document.appendDecimal(UInt(values.of))
            }
            document.append("}")
        }
        document.append("]")
    }
}
