import ByteBuffers

/// Text, as JavaScript makes it.
extension RuleMachine {
    /// `String(value)`.
    mutating func string(_ value: RuleValue, _ program: borrowing RuleProgram) throws(RuleFailure) -> RuleValue {
        if value.kind == .string { return value }
        let start = scratch.count
        try appendText(of: value, program)
        return RuleValue(.string, ByteRange(start: start, count: scratch.count - start), in: .scratch)
    }

    /// Appends `String(value)` to the scratch memory.
    mutating func appendText(
        of value: RuleValue, _ program: borrowing RuleProgram, nesting: Int = 0
    ) throws(RuleFailure) {
        try charge(1)
        switch value.kind {
        case .undefined: scratch.append("undefined")
        case .null: scratch.append("null")
        case .boolean: scratch.append(value.number != 0 ? "true" : "false")
        case .number: scratch.appendJavaScript(value.number)
        case .string:
            try charge(Int(value.range.count) >> 6)
            if value.place == .program {
                scratch.append(program.text(value.range))
            } else {
                scratch.appendOwn(value.range)
            }
        case .array:
            // Rules can build arrays deeper than any stack.
            guard nesting < Self.maximumNesting else { throw .tooExpensive }
            for index in 0..<Int(value.range.count) {
                if index > 0 { scratch.append(UInt8(ascii: ",")) }
                let element = element(index, of: value, program)
                try charge(1)
                if !element.isNothing { try appendText(of: element, program, nesting: nesting + 1) }
            }
        case .object: scratch.append("[object Object]")
        }
    }

    /// `cat`: the texts of all arguments, nothing for null.
    mutating func concatenate(_ base: Int, _ program: borrowing RuleProgram) throws(RuleFailure) -> RuleValue {
        let start = scratch.count
        for index in base..<stack.count where !stack[index].isNothing {
            try appendText(of: stack[index], program)
        }
        return RuleValue(.string, ByteRange(start: start, count: scratch.count - start), in: .scratch)
    }

    /// `substr`: offsets and lengths in UTF-16 units; a negative length leaves out that many at the end. Half of a
    /// surrogate pair, which UTF-8 cannot hold, becomes U+FFFD.
    mutating func substring(_ base: Int, _ program: borrowing RuleProgram) throws(RuleFailure) -> RuleValue {
        let source = try string(argument(0, base), program)
        let bytes = Int(source.range.count)
        try charge(bytes >> 5)
        let length = Double(text(source, program).utf16Count)
        let offset = JavaScriptNumber.integer(try number(argument(1, base), program))
        let first = offset < 0 ? max(length + offset, 0) : min(offset, length)
        let lengthArgument = argument(2, base)
        var last = length
        if lengthArgument.kind != .undefined {
            let written = try number(lengthArgument, program)
            // The reference compares with 0 before it cuts the fraction off, so -0.5 counts as negative.
            let wanted = JavaScriptNumber.integer(written)
            last = min(first + (written < 0 ? JavaScriptNumber.integer(length - first + written) : wanted), length)
        }
        guard last > first else { return RuleValue(.string, ByteRange(), in: .program) }
        let cut = text(source, program).utf16Slice(from: Int(first), to: Int(last))
        if !cut.splitsFirst, !cut.splitsLast {
            return RuleValue(
                .string, ByteRange(start: Int(source.range.start) + cut.start, count: cut.end - cut.start),
                in: source.place)
        }
        let start = scratch.count
        if cut.splitsFirst { scratch.append("\u{FFFD}") }
        let inside = ByteRange(start: Int(source.range.start) + cut.start, count: cut.end - cut.start)
        if source.place == .program { scratch.append(program.text(inside)) } else { scratch.appendOwn(inside) }
        if cut.splitsLast { scratch.append("\u{FFFD}") }
        return RuleValue(.string, ByteRange(start: start, count: scratch.count - start), in: .scratch)
    }

    /// `in`: whether an array has `needle` as an element (compared strictly), or a text contains its text.
    mutating func contains(
        _ haystack: RuleValue, _ needle: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> Bool {
        switch haystack.kind {
        case .array:
            try charge(Int(haystack.range.count) >> 3)
            for index in 0..<Int(haystack.range.count)
            where try strictlyEqual(element(index, of: haystack, program), needle, program) { return true }
            return false
        case .string where !haystack.range.isEmpty:
            let needle = try string(needle, program)
            var work = 0
            let found = text(haystack, program).contains(text(needle, program), work: &work)
            try charge(work >> 6)
            return found
        default:
            return false
        }
    }

    /// `starts_with` and `ends_with`: null unless there are exactly two texts. Bytes are compared, so case counts and
    /// equivalent forms of a character differ.
    mutating func compareAffix(
        _ node: RuleNode, _ base: Int, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> RuleValue {
        try spreadBareArgument(node, base, program)
        guard stack.count - base == 2 else { return .null }
        let value = stack[base]
        let affix = stack[base + 1]
        guard value.kind == .string, affix.kind == .string else { return .null }
        let text = text(value, program)
        let part = self.text(affix, program)
        guard part.count <= text.count else { return RuleValue(false) }
        let start = node.symbol == .startsWith ? 0 : text.count - part.count
        return RuleValue(text.extracting(start..<(start + part.count)).equals(part))
    }
}

extension Span where Element == UInt8 {
    /// A part of UTF-8 text that was asked for in UTF-16 units.
    fileprivate struct UTF16Slice {
        /// The bytes of the characters that lie wholly in the part.
        var start: Int
        var end: Int
        /// Whether the part begins, or ends, in the middle of a surrogate pair.
        var splitsFirst: Bool
        var splitsLast: Bool
    }

    /// The number of UTF-16 units of the text. A byte that is no UTF-8 counts as one.
    fileprivate var utf16Count: Int {
        var units = 0
        var index = 0
        while index < count {
            let length = Swift.max(utf8SequenceLength(at: index), 1)
            units += length == 4 ? 2 : 1
            index += length
        }
        return units
    }

    /// The part between the UTF-16 units `first` and `last`.
    fileprivate func utf16Slice(from first: Int, to last: Int) -> UTF16Slice {
        var slice = UTF16Slice(start: count, end: count, splitsFirst: false, splitsLast: false)
        var units = 0
        var index = 0
        var hasStart = false
        while index < count {
            if !hasStart, units >= first {
                slice.start = index
                slice.splitsFirst = units > first
                hasStart = true
            }
            if units == last {
                slice.end = index
                return slice
            }
            let length = Swift.max(utf8SequenceLength(at: index), 1)
            let width = length == 4 ? 2 : 1
            if units + width > last {
                slice.end = index
                slice.splitsLast = true
                if !hasStart { slice.start = index }
                return slice
            }
            units += width
            index += length
        }
        if !hasStart { slice.splitsFirst = units > first }
        return slice
    }

    /// Whether `part` occurs; counts the bytes compared in `work`.
    fileprivate func contains(_ part: Span<UInt8>, work: inout Int) -> Bool {
        if part.isEmpty { return true }
        guard part.count <= count else { return false }
        for start in 0...(count - part.count) {
            var index = 0
            while index < part.count, self[start + index] == part[index] { index += 1 }
            work += index + 1
            if index == part.count { return true }
            // The caller has no budget for as much as this.
            if work > RuleMachine.stepBudget << 6 { return false }
        }
        return false
    }
}
