/// Why an evaluation came to its result: OpenFeature's reasons, as far as this evaluator has them.
package enum FlagReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// No rule; the default variant. The only reason whose result a client may cache.
    case `static`
    /// The rule chose the variant.
    case targetingMatch
    /// The rule chose nothing: the default variant, or the caller's own default where the flag names none.
    case `default`
    /// The flag is switched off: the caller's own default.
    case disabled
    /// The caller's own default; the error code says why.
    case error

    /// As OpenFeature and OFREP write it.
    package var name: StaticString {
        switch self {
        case .static: "STATIC"
        case .targetingMatch: "TARGETING_MATCH"
        case .default: "DEFAULT"
        case .disabled: "DISABLED"
        case .error: "ERROR"
        }
    }

    /// The value of `feature_flag.result.reason` in OpenTelemetry's semantic conventions.
    package var attributeValue: StaticString {
        switch self {
        case .static: "static"
        case .targetingMatch: "targeting_match"
        case .default: "default"
        case .disabled: "disabled"
        case .error: "error"
        }
    }
}

/// What was wrong: OpenFeature's error codes, as far as this evaluator has them.
package enum FlagErrorCode: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// There is no flag of that name.
    case flagNotFound
    /// The rule has an unknown operator, a `$ref` to nothing, or something else that cannot be evaluated.
    case parseError
    /// The variant's value is of another type than the caller asked for.
    case typeMismatch
    /// The rule gave what is no variant's name, or is too large, or takes too many steps.
    case general

    /// As OpenFeature and OFREP write it.
    package var name: StaticString {
        switch self {
        case .flagNotFound: "FLAG_NOT_FOUND"
        case .parseError: "PARSE_ERROR"
        case .typeMismatch: "TYPE_MISMATCH"
        case .general: "GENERAL"
        }
    }

    /// The value of `error.type` in OpenTelemetry's semantic conventions.
    package var attributeValue: StaticString {
        switch self {
        case .flagNotFound: "flag_not_found"
        case .parseError: "parse_error"
        case .typeMismatch: "type_mismatch"
        case .general: "general"
        }
    }
}

/// The types of values; all variants of a flag have the same one.
package enum FlagValueType: UInt8, BitwiseCopyable, Sendable {
    case boolean, number, string, object
    /// Something that the format does not allow (null, an array): no caller can ask for it.
    case other
}

/// What a flag came to for one request: plain bytes.
package struct FlagResult: BitwiseCopyable, Equatable, Sendable {
    /// The number of the variant among the flag's own; nil where the caller's own default holds.
    package var variant: Int?
    package var reason: FlagReason
    package var errorCode: FlagErrorCode?
    /// The value, when it is a boolean.
    package var boolean: Bool?
    /// Where the last `fractional` that was evaluated put the user.
    package var bucket: FractionalBucket?

    package init(
        variant: Int? = nil, reason: FlagReason, errorCode: FlagErrorCode? = nil, boolean: Bool? = nil,
        bucket: FractionalBucket? = nil
    ) {
        self.variant = variant
        self.reason = reason
        self.errorCode = errorCode
        self.boolean = boolean
        self.bucket = bucket
    }

    /// The result for a name that no flag has.
    package static let flagNotFound = FlagResult(reason: .error, errorCode: .flagNotFound)
}
