package import ByteBuffers

/// The fields by which an upstream learns for how long its answer is waited for, and those by which a client says it.
package enum DeadlineFields {
    /// The name of our own field, in lower case.
    package static let name = "banyan-deadline-ms"

    /// Appends `Banyan-Deadline-Ms`. The time may be over when it is written: then 1 is said, since 0 could be taken for
    /// no bound at all.
    package static func append(milliseconds: UInt64, into out: inout ByteBuffer) {
        out.append("Banyan-Deadline-Ms: ")
        out.appendDecimal(max(milliseconds, 1))
        out.append("\r\n")
    }

    /// Appends `grpc-timeout`: at most eight digits and a unit, of the finest that has room for it, rounded down.
    package static func appendGRPC(milliseconds: UInt64, into out: inout ByteBuffer) {
        let most: UInt64 = 99_999_999
        var value = max(milliseconds, 1)
        var unit = UInt8(ascii: "m")
        if value > most {
            value /= 1_000
            unit = UInt8(ascii: "S")
        }
        if value > most {
            value /= 60
            unit = UInt8(ascii: "M")
        }
        if value > most {
            value = min(value / 60, most)
            unit = UInt8(ascii: "H")
        }
        out.append("grpc-timeout: ")
        out.appendDecimal(value)
        out.append(unit)
        out.append("\r\n")
    }

    /// What a `grpc-timeout` says, in nanoseconds, `UInt64.max` for more than fits; nil where it breaks the grammar
    /// (`1*8DIGIT ("H" / "M" / "S" / "m" / "u" / "n")`).
    static func grpcNanoseconds(_ value: Span<UInt8>) -> UInt64? {
        guard (2...9).contains(value.count) else { return nil }
        let factor: UInt64
        switch value[value.count - 1] {
        case UInt8(ascii: "H"): factor = 3_600_000_000_000
        case UInt8(ascii: "M"): factor = 60_000_000_000
        case UInt8(ascii: "S"): factor = 1_000_000_000
        case UInt8(ascii: "m"): factor = 1_000_000
        case UInt8(ascii: "u"): factor = 1_000
        case UInt8(ascii: "n"): factor = 1
        default: return nil
        }
        guard let number = digits(value.extracting(0..<(value.count - 1))) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }

    /// A whole number of at most 18 digits.
    static func digits(_ text: Span<UInt8>) -> UInt64? {
        guard (1...18).contains(text.count) else { return nil }
        var value: UInt64 = 0
        for index in 0..<text.count {
            guard text[index] &- 0x30 < 10 else { return nil }
            value = value * 10 + UInt64(text[index] &- 0x30)
        }
        return value
    }
}

extension RequestHead {
    /// For how long the peer says that it waits, in milliseconds: the least that its `Banyan-Deadline-Ms` fields say;
    /// nil where there is none. Only of a trusted peer is it worth anything.
    package var toldDeadline: UInt64? {
        var least: UInt64?
        var next = fields.first(.banyan)
        while let index = next {
            if name(index).equalsIgnoringCase("banyan-deadline-ms"), let told = DeadlineFields.digits(value(index)) {
                least = min(least ?? .max, told)
            }
            next = fields.firstIndex(of: .banyan, after: index)
        }
        return least
    }

    /// For how long the peer waits for an answer, in milliseconds, by what it says itself or, of a gRPC call, by
    /// `grpc-timeout`; `UInt64.max` where it says nothing. Only of a trusted peer is it worth anything.
    package var patience: UInt64 {
        var least = toldDeadline ?? .max
        guard isGRPC else { return least }
        for index in 0..<fields.count where name(index).equalsIgnoringCase("grpc-timeout") {
            if let time = DeadlineFields.grpcNanoseconds(value(index)) { least = min(least, time / 1_000_000) }
        }
        return least
    }

    /// Whether the client says by an `Idempotency-Key` that the request may come twice.
    package var bearsIdempotencyKey: Bool {
        for index in 0..<fields.count where name(index).equalsIgnoringCase("idempotency-key") {
            if value(index).count > 0 { return true }
        }
        return false
    }

    /// Whether the request is a gRPC call, by its content type.
    package var isGRPC: Bool {
        guard let index = fields.first(.contentType) else { return false }
        let type = value(index)
        let prefix = 16
        guard type.count >= prefix, type.extracting(0..<prefix).equalsIgnoringCase("application/grpc") else {
            return false
        }
        if type.count == prefix { return true }
        let next = type[prefix]
        return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || next.isBlank
    }

    /// Whether the call would run for longer than `milliseconds` by its own `grpc-timeout` fields, or says nothing. What
    /// breaks the grammar is the server's to refuse, and is left as it is.
    package func grpcOutlasts(milliseconds: UInt64) -> Bool {
        let (bound, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return false }
        var outlasts = true
        for index in 0..<fields.count where name(index).equalsIgnoringCase("grpc-timeout") {
            guard let told = DeadlineFields.grpcNanoseconds(value(index)), told > bound else {
                outlasts = false
                break
            }
        }
        return outlasts
    }
}
