import ByteBuffers
import HTTPMessage

/// The messages that operations read.
enum Messages {
    /// What a browser sends: twelve fields.
    static let browserRequest = lines(
        "GET /tasks/42/details?expand=comments HTTP/1.1",
        "Host: tasks.example.com",
        "Connection: keep-alive",
        "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"",
        "sec-ch-ua-mobile: ?0",
        "sec-ch-ua-platform: \"Linux\"",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
        "Accept: application/json, text/plain, */*",
        "Sec-Fetch-Site: same-origin",
        "Referer: https://tasks.example.com/board",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
        "Cookie: session=0d7b1b0c6d1f4c0f9a4be2f0a1c2d3e4; theme=dark; consent=all")

    /// The least that is a request.
    static let smallRequest = lines("GET / HTTP/1.1", "Host: a")

    /// What a program sends that has something to say.
    static let postRequest = lines(
        "POST /tasks HTTP/1.1",
        "Host: tasks.example.com",
        "User-Agent: python-httpx/0.27.2",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Content-Type: application/json",
        "Content-Length: 182",
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl",
        "Idempotency-Key: 9b3b9c5e-5c0b-4e4e-9d0e-2f4d6c8a0b1c")

    /// A request within a trace that others began.
    static let tracedRequest = lines(
        "GET /tasks/42 HTTP/1.1",
        "Host: tasks.example.com",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
        "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,vendor@tenant=a:1;b:2",
        "baggage: tenant=acme,session=0d7b1b0c")

    /// What a service answers.
    static let response = lines(
        "HTTP/1.1 200 OK",
        "Date: Sun, 01 Nov 2026 12:00:00 GMT",
        "Server: uvicorn",
        "Content-Type: application/json",
        "Content-Length: 1024",
        "Cache-Control: private, max-age=30",
        "ETag: \"5d8c72a5edda8d6a\"",
        "Vary: Accept-Encoding",
        "Connection: keep-alive")

    private static func lines(_ lines: String...) -> [UInt8] {
        Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    /// An object of 1 KiB with these members at its beginning, which are JSON.
    static func object(_ members: String) -> [UInt8] {
        var text = "{" + members + ",\"state\":\"open\",\"estimate\":2.5,\"labels\":[\"backend\",\"migration\",\"q4\"],"
        text += "\"due\":null,\"watchers\":[{\"id\":7,\"muted\":false},{\"id\":11,\"muted\":true}],\"text\":\""
        let words = "The order of the two calls matters: the \\\"old\\\" one has to be asked first. "
        while text.utf8.count < 1024 - 2 - words.utf8.count { text += words }
        while text.utf8.count < 1024 - 2 { text += "x" }
        return Array((text + "\"}").utf8)
    }

    /// The head of a request, or an error where it is none.
    static func read(_ text: [UInt8]) throws(WrongResult) -> RequestHead {
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        let progress = parser.consume(text.span, into: &head)
        try require(progress, is: .complete(consumed: text.count))
        return head
    }
}
