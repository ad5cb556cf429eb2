/// Numbers as Prometheus and OpenMetrics write them.
enum MetricNumber {
    /// The shortest text that reads back as `value`, in the form in which Go's `%g` has it: what other exporters write, so
    /// that the same bound is the same text wherever it comes from.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == 0 { return "0" }
        let (digits, exponent) = decimal(value.magnitude)
        let sign = value < 0 ? "-" : ""
        guard exponent > -4, exponent <= 6 else {
            let power = exponent - 1
            let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
            let amount = power.magnitude < 10 ? "0\(power.magnitude)" : "\(power.magnitude)"
            return "\(sign)\(digits.prefix(1))\(fraction)e\(power < 0 ? "-" : "+")\(amount)"
        }
        if exponent <= 0 { return sign + "0." + String(repeating: "0", count: -exponent) + digits }
        if digits.count <= exponent { return sign + digits + String(repeating: "0", count: exponent - digits.count) }
        return sign + digits.prefix(exponent) + "." + digits.dropFirst(exponent)
    }

    /// The same with a fraction even where there is nothing behind the point: OpenMetrics' canonical form of a bound.
    static func canonical(_ value: Double) -> String {
        let text = text(value)
        return text.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "I") }
            ? text : text + ".0"
    }

    /// The digits of a positive number, without zeros at either end, and where the point stands behind them:
    /// 0.`digits` times ten to the power of `exponent`.
    private static func decimal(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = value.description.split(separator: "e")
        let mantissa = parts.first.map { Array($0.utf8) } ?? []
        var digits = mantissa.filter { $0 != UInt8(ascii: ".") }
        var exponent = mantissa.firstIndex(of: UInt8(ascii: ".")) ?? digits.count
        if parts.count > 1 { exponent += Int(parts[1]) ?? 0 }
        while digits.first == 48 {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.last == 48 { digits.removeLast() }
        return (String(decoding: digits, as: UTF8.self), exponent)
    }
}
