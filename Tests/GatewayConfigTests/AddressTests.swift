import GatewayConfig
import Testing

/// Addresses, blocks of addresses, hosts, listen addresses and server URLs.
@Suite struct AddressTests {
    @Test(arguments: [
        // RFC 3986 §3.2.2, IPv4
        ("0.0.0.0", "0.0.0.0"), ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"),
        // RFC 4291 §2.2, written as RFC 5952 §4 wants it
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        // RFC 4291 §2.5.5.2: a mapped address is the IPv4 address
        ("::ffff:10.0.0.1", "10.0.0.1"), ("::ffff:a00:1", "10.0.0.1"),
    ])
    func readsAddress(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(parsing: text))
        #expect(address.description == canonical)
        #expect(IPAddress(parsing: canonical) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.04", "0x7f.0.0.1", "1.2.3.-4", "1.2.3.",
        ".1.2.3",
        "1.2.3.4 ", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:", ":1",
        "1:2:3:4:5:6:7::8", "::1.2.3", "::1.2.3.4:5", "1.2.3.4::", "fe80::1%eth0", "[::1]", "::1/64",
    ])
    func refusesAddress(_ text: String) {
        #expect(IPAddress(parsing: text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
        ("0.0.0.0", false), ("::", false), ("::2", false), ("10.0.0.1", false),
    ])
    func knowsLoopback(_ text: String, _ expected: Bool) throws {
        #expect(try #require(IPAddress(parsing: text)).isLoopback == expected)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.0.0.0/8", "::1", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true), ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "203.0.113.9", true), ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false),
        ("192.0.2.7/32", "192.0.2.7", true), ("192.0.2.6/31", "192.0.2.7", true), ("192.0.2.6/31", "192.0.2.8", false),
        ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false), ("2001:db8::/64", "2001:db8::ffff:0:0:1", true),
        ("2001:db8::/64", "2001:db8:0:1::", false), ("2001:db8::/65", "2001:db8::7fff:0:0:1", true),
        ("2001:db8::/65", "2001:db8::8000:0:0:0", false), ("::1", "::1", true),
        ("::ffff:10.0.0.0/104", "10.9.9.9", true),
    ])
    func knowsWhatIsInABlock(_ block: String, _ address: String, _ expected: Bool) throws {
        let parsed = try AddressBlock(parsing: block)
        #expect(parsed.contains(try #require(IPAddress(parsing: address))) == expected)
    }

    @Test(arguments: [
        "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/8 ", "::/129", "lan",
        "/8",
        "10.0.0.0/٨", "[::1]/128",
    ])
    func refusesBlock(_ text: String) {
        #expect(throws: ValueProblem.self) { try AddressBlock(parsing: text) }
    }

    @Test(arguments: [
        ("10.0.0.1/8", "10.0.0.0/8", true), ("10.0.0.0/8", "10.0.0.0/8", false), ("192.0.2.7", "192.0.2.7/32", false),
        ("FD00::1/8", "fd00::/8", true), ("::ffff:10.0.0.0/104", "10.0.0.0/8", false), ("::/0", "::/0", false),
    ])
    func writesBlock(_ text: String, _ canonical: String, _ hadHostBits: Bool) throws {
        let block = try AddressBlock(parsing: text)
        #expect(block.description == canonical)
        #expect(block.hadHostBits == hadHostBits)
        #expect(try AddressBlock(parsing: canonical).base == block.base)
    }
}

@Suite struct ListenAddressTests {
    private let folder = ConfigurationFolder(of: "/etc/banyan/routes.json")

    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1:8080"), ("[::1]:8080", "[::1]:8080"), ("[0:0::1]:0", "[::1]:0"),
        ("LocalHost:80", "localhost:80"), ("gate_way.internal:65535", "gate_way.internal:65535"),
        ("unix:/run/b.sock", "unix:/run/b.sock"), ("unix:b.sock", "unix:/etc/banyan/b.sock"),
        ("unix:./b.sock", "unix:/etc/banyan/b.sock"),
    ])
    func readsAddress(_ text: String, _ canonical: String) throws {
        #expect(try ListenAddress(parsing: text, folder: folder).description == canonical)
    }

    @Test(arguments: [
        "", "8080", ":8080", "*:8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 80",
        "::1:8080", "[::1]", "[::1]8080", "[::1", "[127.0.0.1]:80", "http://127.0.0.1:80", "127.0.0.1:80/", "unix:",
        "a..b:80",
        "-a:80", "1.2.3:80", "a b:80", "unix:/" + String(repeating: "x", count: 103), "unix:a\0b",
    ])
    func refusesAddress(_ text: String) {
        #expect(throws: ValueProblem.self) { try ListenAddress(parsing: text, folder: folder) }
    }

    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1:80", true), ("127.0.0.1:80", "localhost:80", true),
        ("127.0.0.1:0", "127.0.0.1:0", false),
        ("127.0.0.1:80", "127.0.0.1:81", false), ("127.0.0.1:80", "0.0.0.0:80", false), ("[::1]:80", "[0::1]:80", true),
        ("unix:/a", "unix:/a", true), ("unix:/a", "unix:/b", false), ("unix:/a", "127.0.0.1:80", false),
    ])
    func knowsCollisions(_ left: String, _ right: String, _ expected: Bool) throws {
        let left = try ListenAddress(parsing: left, folder: folder)
        let right = try ListenAddress(parsing: right, folder: folder)
        #expect(left.collides(with: right) == expected)
        #expect(right.collides(with: left) == expected)
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("[::1]:1", true), ("localhost:1", true), ("a.localhost:1", true), ("unix:/a", true),
        ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false), ("example.com:1", false),
    ])
    func knowsWhatIsLocal(_ text: String, _ expected: Bool) throws {
        #expect(try ListenAddress(parsing: text, folder: folder).isLocal == expected)
    }

    @Test(arguments: [
        ("routes.json", "flags.json", "flags.json"), ("conf/routes.json", "flags.json", "conf/flags.json"),
        ("conf/routes.json", "./flags.json", "conf/flags.json"),
        ("conf/routes.json", "../flags.json", "conf/../flags.json"),
        ("conf/routes.json", "/flags.json", "/flags.json"), ("/routes.json", "a/b", "/a/b"),
        ("./routes.json", ".//flags.json", "./flags.json"),
    ])
    func takesPathsFromTheFolderOfTheFile(_ file: String, _ path: String, _ expected: String) {
        #expect(ConfigurationFolder(of: file).resolve(path) == expected)
    }
}

@Suite struct ServerURLTests {
    @Test(arguments: [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1:9000"),
        ("http://users", "http://users:80", "users"),
        ("https://Users.Internal/", "https://users.internal:443", "users.internal"),
        ("https://users:8443/api/v1/", "https://users:8443/api/v1", "users:8443"),
        ("http://[::1]:9000/a%20b/-._~!$&'()*+,;=:@", "http://[::1]:9000/a%20b/-._~!$&'()*+,;=:@", "[::1]:9000"),
        ("http://task_service:80", "http://task_service:80", "task_service"), ("http://a:443", "http://a:443", "a:443"),
    ])
    func readsURL(_ text: String, _ canonical: String, _ authority: String) throws {
        let url = try ServerURL(parsing: text)
        #expect(url.description == canonical)
        #expect(url.authority == authority)
        #expect(try ServerURL(parsing: canonical) == url)
    }

    @Test(arguments: [
        "", "127.0.0.1:80", "//a", "HTTP://a", "ftp://a", "http:/a", "http://", "http:///a", "http://a:", "http://a:0",
        "http://a:65536", "http://a:b", "http://user@a", "http://user:secret@a", "http://a?b", "http://a/b?c",
        "http://a#b", "http://a/b#",
        "http://a//", "http://a/b//c", "http://a/./b", "http://a/..", "http://a/%2e%2E/b", "http://a/.%2e",
        "http://a/b c", "http://a/%",
        "http://a/%g0", "http://a/ü", "http://a/\\", "http://::1", "http://[::1]x", "http://1.2.3.4.5", "http://a\r\nb",
    ])
    func refusesURL(_ text: String) {
        #expect(throws: ValueProblem.self) { try ServerURL(parsing: text) }
    }

    @Test(arguments: [
        ("10.0.0.2", "10.0.0.2:53"), ("10.0.0.2:8600", "10.0.0.2:8600"), ("::1", "[::1]:53"), ("[::1]", "[::1]:53"),
        ("[fe80::1]:5353", "[fe80::1]:5353"),
    ])
    func readsNameServer(_ text: String, _ canonical: String) throws {
        #expect(try NameServerAddress(parsing: text).description == canonical)
    }

    @Test(arguments: ["", "ns.example", "localhost:53", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0", "[::1", ":53", "a b"])
    func refusesNameServer(_ text: String) {
        #expect(throws: ValueProblem.self) { try NameServerAddress(parsing: text) }
    }

    @Test(arguments: [
        ("srv+http://_users._tcp.example", "srv+http://_users._tcp.example"),
        ("srv+https://_Users._TCP.service.consul/api/", "srv+https://_users._tcp.service.consul/api"),
    ])
    func readsService(_ text: String, _ canonical: String) throws {
        let url = try ServerURL(parsingServerOrService: text)
        #expect(url.isService)
        #expect(url.port == 0)
        #expect(url.description == canonical)
        #expect(url.authority == url.host.description)
        #expect(try ServerURL(parsingServerOrService: canonical) == url)
        #expect(throws: ValueProblem.self) { try ServerURL(parsing: text) }
    }

    @Test(arguments: [
        "srv+", "srv+http://", "srv+ftp://_a._tcp.b", "srv+_a._tcp.b", "srv://_a._tcp.b", "SRV+http://_a._tcp.b",
        "srv+http://_a._tcp.b:80", "srv+http://_a._tcp", "srv+http://a._tcp.b", "srv+http://_a.tcp.b",
        "srv+http://_._tcp.b", "srv+http://127.0.0.1", "srv+http://[::1]", "srv+http://_a._tcp.b?c",
        "srv+http://_a._tcp.b//", "srv+http://u@_a._tcp.b", "srv+srv+http://_a._tcp.b",
    ])
    func refusesService(_ text: String) {
        #expect(throws: ValueProblem.self) { try ServerURL(parsingServerOrService: text) }
    }

    @Test func takesAServerWhereAServiceMayStand() throws {
        let url = try ServerURL(parsingServerOrService: "http://_a._tcp.b")
        #expect(!url.isService)
        #expect(url == (try ServerURL(parsing: "http://_a._tcp.b")))
    }

    @Test func neverRepeatsAPassword() {
        let problem = #expect(throws: ValueProblem.self) { try ServerURL(parsing: "http://user:hunter2@a") }
        #expect(problem?.message.contains("hunter2") == false)
    }
}
