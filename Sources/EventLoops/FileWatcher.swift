internal import CLibuv
import Glibc

/// Tells when a file's content may have changed, however it was changed: written in place, replaced by rename (as
/// editors do), or reached through a symbolic link that was turned elsewhere (as Kubernetes does with ConfigMaps).
///
/// The folder is watched for events, and the file is looked at every second besides, since events are not to be had
/// on every file system. A burst of changes is reported once, when it has been quiet for a moment.
package final class FileWatcher {
    /// What tells one state of a file from another, without reading it.
    private struct Signature: Equatable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = -1
        var seconds = 0
        var nanoseconds = 0
    }

    private let path: String
    private let handle: UnsafeMutablePointer<uv_fs_event_t>
    private let action: () -> Void
    private let loop: EventLoop
    private var seen: Signature
    private var pending: Signature
    private var isSettling = false
    /// Since when the file is gone and this has not been reported.
    private var missedSince: UInt64?
    private var timer: ActionTimer?

    private static let settleTime: UInt64 = 50
    private static let lookInterval: UInt64 = 1000

    /// Runs `action` on `loop` after the file at `path` has changed, or has been gone for a second. It need not exist.
    ///
    /// - Throws: `EventLoopError` when the loop has no room for the watch itself.
    package init(loop: EventLoop, path: String, _ action: @escaping () -> Void) throws(EventLoopError) {
        self.path = path
        self.action = action
        self.loop = loop
        seen = Self.signature(of: path)
        pending = seen
        handle = .allocate(capacity: 1)
        let status = uv_fs_event_init(loop.raw, handle)
        guard status == 0 else {
            handle.deallocate()
            throw EventLoopError(code: status, doing: "watch \(path)")
        }
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        uv_unref(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self))
        // Where events cannot be had (no inotify, a folder that is not there), the look every second remains.
        _ = uv_fs_event_start(
            handle,
            { handle, _, _, _ in
                guard let data = handle?.pointee.data else { return }
                // SAFETY: data is nil from deinit on.
                Unmanaged<FileWatcher>.fromOpaque(data).takeUnretainedValue().look()
            }, Self.folder(of: path), 0)
        let timer = ActionTimer(loop: loop) { [unowned self] in look() }
        self.timer = timer
        timer.schedule(after: Self.lookInterval)
    }

    deinit {
        handle.pointee.data = nil
        HandleDisposal.close(handle)
    }

    private func look() {
        let current = Self.signature(of: path)
        if current != pending {
            pending = current
            isSettling = true
            timer?.schedule(after: Self.settleTime)
            return
        }
        if isSettling, timer?.isScheduled == true { return }
        isSettling = false
        timer?.schedule(after: Self.lookInterval)
        let missed = missedSince
        missedSince = nil
        if current == seen { return }
        // Some tools take a file away before they bring the new one: only one that stays away is reported.
        if current.size < 0 {
            let since = missed ?? loop.now
            guard loop.now &- since >= Self.lookInterval else {
                missedSince = since
                return
            }
        }
        seen = current
        action()
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func signature(of path: String) -> Signature {
        var status = stat()
        guard stat(path, &status) == 0 else { return Signature() }
        return Signature(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }
}
