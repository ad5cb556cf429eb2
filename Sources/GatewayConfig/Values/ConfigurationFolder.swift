/// The folder of the configuration file, from which relative paths in it are taken.
package struct ConfigurationFolder: Hashable, Sendable {
    /// The folder as text with its closing slash, or empty for the working directory.
    package let text: String

    /// The folder of `file`, a path as it was given on the command line.
    package init(of file: String) {
        guard let slash = file.lastIndex(of: "/") else {
            text = ""
            return
        }
        text = String(file[...slash])
    }

    /// `path` as it can be opened from the working directory: unchanged where it is absolute, else behind the folder.
    /// A leading `./` is dropped; `..` stays, because only the file system knows what a link's parent is.
    package func resolve(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        var rest = path[...]
        while rest.hasPrefix("./") {
            rest = rest.dropFirst(2).drop { $0 == "/" }
        }
        return text + rest
    }
}
