import ArgumentParser
import Foundation
import NIOCore

/// `tasksystem`: the Task Management System, as one monolith or as single services.
@main
struct TaskSystemCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasksystem",
        abstract: "The Task Management System: a monolith, and the services that it is split into.",
        discussion: """
            Each process keeps its data in memory unless --database names a file, and begins with the same \
            seed data. Every answer bears Served-By with the name of its process.

            EXAMPLES
              tasksystem monolith --port 9000 --database monolith.db
              tasksystem comments --port 9003 --database comments.db --copy-from monolith.db
              curl http://127.0.0.1:9000/tasks/1/comments
              curl http://127.0.0.1:9003/tasks/1/comments?delay=300ms
            """,
        subcommands: [
            MonolithCommand.self, UsersCommand.self, TasksCommand.self, CommentsCommand.self,
            NotificationsCommand.self, AuditCommand.self,
        ])
}

struct MonolithCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monolith", abstract: "Serve all contexts from one database.",
        discussion: """
            EXAMPLES
              tasksystem monolith --port 9000
              tasksystem monolith --port 9000 --database monolith.db --log
            """)

    @OptionGroup var options: ServerOptions

    func run() async throws {
        try await options.serve("monolith", contexts: BoundedContext.allCases)
    }
}

/// A command that serves one context.
protocol ContextCommand: AsyncParsableCommand {
    static var context: BoundedContext { get }
    var options: ServerOptions { get }
    var copy: CopyOptions { get }
}

extension ContextCommand {
    static func serving(_ what: String) -> CommandConfiguration {
        CommandConfiguration(
            commandName: context.rawValue, abstract: "Serve \(what) from a database of its own.",
            discussion: """
                EXAMPLES
                  tasksystem \(context) --port 9003
                  tasksystem \(context) --port 9003 --database \(context).db --copy-from monolith.db
                """)
    }

    func run() async throws {
        try await options.serve(Self.context.rawValue, contexts: [Self.context], copyFrom: copy.copyFrom)
    }
}

struct UsersCommand: ContextCommand {
    static let context = BoundedContext.users
    static let configuration: CommandConfiguration = serving("users and organizations")
    @OptionGroup var options: ServerOptions
    @OptionGroup var copy: CopyOptions
}

struct TasksCommand: ContextCommand {
    static let context = BoundedContext.tasks
    static let configuration: CommandConfiguration = serving("tasks")
    @OptionGroup var options: ServerOptions
    @OptionGroup var copy: CopyOptions
}

struct CommentsCommand: ContextCommand {
    static let context = BoundedContext.comments
    static let configuration: CommandConfiguration = serving("comments")
    @OptionGroup var options: ServerOptions
    @OptionGroup var copy: CopyOptions
}

struct NotificationsCommand: ContextCommand {
    static let context = BoundedContext.notifications
    static let configuration: CommandConfiguration = serving("notifications")
    @OptionGroup var options: ServerOptions
    @OptionGroup var copy: CopyOptions
}

struct AuditCommand: ContextCommand {
    static let context = BoundedContext.audit
    static let configuration: CommandConfiguration = serving("the audit trail")
    @OptionGroup var options: ServerOptions
    @OptionGroup var copy: CopyOptions
}
