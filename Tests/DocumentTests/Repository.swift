import Foundation

/// The files of this repository, as the tests read them.
enum Repository {
    /// The top folder.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The text of the file at `path`, relative to the top folder.
    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The names of the folders in the folder at `path`.
    static func folders(in path: String) throws -> Set<String> {
        let entries = try FileManager.default.contentsOfDirectory(
            at: root.appending(path: path), includingPropertiesForKeys: [.isDirectoryKey])
        return Set(
            try entries.filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
                .map(\.lastPathComponent))
    }

    /// The paths of all documents, relative to the top folder. Folders of builds and of git are left out.
    static func documents() throws -> [String] {
        var found: [String] = []
        var folders = [""]
        while let folder = folders.popLast() {
            for name in try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path) {
                if name.hasPrefix(".") { continue }
                let path = folder.isEmpty ? name : folder + "/" + name
                let values = try root.appending(path: path).resourceValues(forKeys: [.isDirectoryKey])
                if values.isDirectory == true {
                    folders.append(path)
                } else if name.hasSuffix(".md") {
                    found.append(path)
                }
            }
        }
        return found.sorted()
    }
}
