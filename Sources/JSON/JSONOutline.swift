import ByteBuffers

/// The text of a document and, once somebody asks for a position, its index.
final class JSONOutline {
    private let text: [UInt8]
    private var index: JSONIndex?
    private var scanError: JSONScanError?
    /// The position of every `landmarkDistance`th byte, as far as positions were asked for: in a large file with many
    /// errors lines are not counted from the top for each of them.
    private var landmarks = [SourcePosition(line: 1, column: 1, offset: 0)]
    private static let landmarkDistance = 4096
    /// The children of the arrays and objects on the way to a position, by the number of their node: the next position
    /// is mostly a neighbour.
    private var elements: [UInt32: [JSONNodeID]] = [:]
    private var members: [UInt32: [[UInt8]: JSONNodeID]] = [:]

    init(_ text: [UInt8]) {
        self.text = text
    }

    /// Throws where brackets outside strings nest deeper than `limit`, before a parser recurses into them; and at a
    /// NUL, which jansson takes for the end of the text, whatever follows.
    func check(depth limit: Int) throws(JSONSyntaxError) {
        var depth = 0
        var isInString = false
        var isEscaped = false
        for (offset, byte) in text.enumerated() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth > limit {
                    throw JSONSyntaxError(
                        position: position(at: offset), message: "arrays and objects nest more than \(limit) deep")
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            case 0:
                throw JSONSyntaxError(position: position(at: offset), message: "not valid JSON: NUL character")
            default:
                break
            }
        }
    }

    /// The error for a text that jansson refused, where `offset` is how far it had read.
    ///
    /// The scanner knows the very byte that is wrong. What the scanner accepts and jansson does not is a value (a
    /// number out of range, a U+0000 in a string), which ends where jansson stopped.
    func syntaxError(reason: String, offset: Int) -> JSONSyntaxError {
        scan()
        if let scanError {
            return JSONSyntaxError(
                position: position(at: scanError.offset), message: "not valid JSON: \(scanError.message) (\(reason))")
        }
        let place = innermostRange(endingAt: offset).map { Int($0.start) } ?? offset
        return JSONSyntaxError(position: position(at: place), message: "JSON that cannot be used: \(reason)")
    }

    func position(of pointer: JSONPointer, ofName: Bool) -> SourcePosition {
        scan()
        guard let root = index?.root else { return position(at: 0) }
        var place = root
        var isExact = true
        for token in pointer.tokens {
            guard let child = child(token, of: place) else {
                isExact = false
                break
            }
            place = child
        }
        guard let node = index?[place] else { return position(at: 0) }
        let range = ofName && isExact && !node.name.isEmpty ? node.name : node.range
        return position(at: Int(range.start))
    }

    func duplicates() -> [JSONDocument.Duplicate] {
        scan()
        var found: [JSONDocument.Duplicate] = []
        for number in 0..<(index?.names.duplicateCount ?? 0) {
            guard let duplicate = index?.names.duplicate(number) else { continue }
            found.append(
                JSONDocument.Duplicate(
                    pointer: pointer(toNameAt: Int(duplicate.name.start)),
                    position: position(at: Int(duplicate.name.start)),
                    firstPosition: position(at: Int(duplicate.first.start))))
        }
        return found.sorted { $0.position < $1.position }
    }

    private func scan() {
        guard index == nil, scanError == nil else { return }
        // No hash seed: the operator's own file need not be defended against.
        var fresh = JSONIndex(seed: 0)
        let text = text
        do throws(JSONScanError) {
            let limits = JSONIndex.Limits(depth: .max, nodes: .max)
            try fresh.scan(text.span, limits: limits, duplicateNames: .recorded)
            index = consume fresh
        } catch {
            scanError = error
        }
    }

    private func position(at offset: Int) -> SourcePosition {
        let text = text
        let offset = max(0, min(offset, text.count))
        let wanted = offset / Self.landmarkDistance
        while landmarks.count <= wanted {
            let next = landmarks.count * Self.landmarkDistance
            landmarks.append(SourcePosition(offset: next, in: text.span, after: landmarks[landmarks.count - 1]))
        }
        return SourcePosition(offset: offset, in: text.span, after: landmarks[wanted])
    }

    private func decoded(_ quoted: ByteRange) -> String {
        let text = text
        var name = ByteBuffer()
        name.appendDecodedJSONString(text.span.slice(quoted))
        return name.text
    }

    /// The child that `token` names; of several members of one name the last, as jansson has it.
    private func child(_ token: String, of parent: JSONNodeID) -> JSONNodeID? {
        guard let kind = index?[parent].kind else { return nil }
        if kind == .array {
            guard let place = JSONPointer.arrayIndex(token) else { return nil }
            let elements = elements(of: parent)
            return place < elements.count ? elements[place] : nil
        }
        return members(of: parent)[Array(token.utf8)]
    }

    private func elements(of parent: JSONNodeID) -> [JSONNodeID] {
        if let known = elements[parent.rawValue] { return known }
        var listed: [JSONNodeID] = []
        var child = index?.firstChild(of: parent)
        while let current = child {
            listed.append(current)
            child = index?.next(after: current)
        }
        elements[parent.rawValue] = listed
        return listed
    }

    /// Names are told apart by their bytes: two strings that Swift takes for equal can be two members.
    private func members(of parent: JSONNodeID) -> [[UInt8]: JSONNodeID] {
        if let known = members[parent.rawValue] { return known }
        var named: [[UInt8]: JSONNodeID] = [:]
        var child = index?.firstChild(of: parent)
        while let current = child, let name = index?[current].name {
            named[Array(decoded(name).utf8)] = current
            child = index?.next(after: current)
        }
        members[parent.rawValue] = named
        return named
    }

    /// The pointer to the member whose name begins at `offset`.
    private func pointer(toNameAt offset: Int) -> JSONPointer {
        var pointer = JSONPointer()
        var place = index?.root
        while let current = place, let node = index?[current], Int(node.name.start) != offset || node.name.isEmpty {
            var child = index?.firstChild(of: current)
            var position = 0
            while let candidate = child, let range = index?[candidate].range, range.end <= offset {
                child = index?.next(after: candidate)
                position += 1
            }
            guard let inner = child, let name = index?[inner].name else { return pointer }
            pointer.tokens.append(name.isEmpty ? String(position) : decoded(name))
            place = inner
        }
        return pointer
    }

    /// The name or scalar that ends at `offset`.
    private func innermostRange(endingAt offset: Int) -> ByteRange? {
        for number in 0..<(index?.count ?? 0) {
            guard let node = index?[JSONNodeID(rawValue: UInt32(truncatingIfNeeded: number))] else { continue }
            if node.name.end == offset, !node.name.isEmpty { return node.name }
            if node.range.end == offset, node.kind != .array, node.kind != .object { return node.range }
        }
        return nil
    }
}
