import ByteBuffers
import Foundation
import JSON
import Testing

@testable import GatewayConfig

/// docs/routes.schema.json and the reader say the same of every file.
@Suite struct SchemaTests {
    private static let file = Fixture.project.appending(path: "docs/routes.schema.json")

    private static func schema() throws -> JSONValue {
        try JSONDocument(parsing: Array(Data(contentsOf: file))).value()
    }

    private func document(_ fixture: Fixture) throws -> JSONValue {
        try JSONDocument(parsing: fixture.text).value()
    }

    // MARK: - Fixtures

    @Test func acceptsWhatTheReaderAccepts() throws {
        let validator = SchemaValidator(schema: try Self.schema())
        for fixture in try Fixture.all(.good) {
            #expect(validator.accepts(try document(fixture)), "\(fixture)")
        }
        #expect(validator.unknownKeywords.isEmpty)
    }

    @Test func refusesWhatTheReaderRefuses() throws {
        let validator = SchemaValidator(schema: try Self.schema())
        for fixture in try Fixture.all(.schema) {
            #expect(!validator.accepts(try document(fixture)), "\(fixture)")
        }
        #expect(validator.unknownKeywords.isEmpty)
    }

    /// These belong to another folder if the schema could see what is wrong with them.
    @Test func cannotSeeSemanticErrors() throws {
        let validator = SchemaValidator(schema: try Self.schema())
        for fixture in try Fixture.all(.semantic) {
            #expect(validator.accepts(try document(fixture)), "\(fixture)")
        }
    }

    // MARK: - Mutants

    /// Each value of each good file in turn replaced, taken away, or renamed: whatever the schema refuses, the reader
    /// refuses, too. (The other direction cannot hold: names may now dangle.)
    @Test func refusesEveryMutantThatTheSchemaRefuses() throws {
        let validator = SchemaValidator(schema: try Self.schema())
        var refused = 0
        for mutant in try Mutant.all() where !validator.accepts(mutant.document) {
            refused += 1
            #expect(!Fixture.read(mutant.text).isGood, "\(mutant)")
        }
        #expect(refused > 2000)
    }

    /// Where the only change is the name of a key, both refuse it, or both do not care for names there.
    @Test func agreesOnEveryRenamedKey() throws {
        let validator = SchemaValidator(schema: try Self.schema())
        for mutant in try Mutant.all() where mutant.change == .renamed {
            let unknown = Fixture.read(mutant.text).issues.contains { $0.message.hasPrefix("unknown key") }
            if unknown { #expect(!validator.accepts(mutant.document), "\(mutant)") }
        }
    }

    // MARK: - Keys and defaults

    /// The keys of every section stand in the schema, and no others.
    @Test(
        arguments: [
            ("", GatewayConfiguration.keys), ("gateway", GatewaySection.keys), ("listener", ListenerSection.keys),
            ("listenerTLS", ListenerTLSSection.keys), ("listenerCertificate", ListenerTLSSection.certificateKeys),
            ("clientCertificateHeaders", ListenerTLSSection.Headers.keys),
            ("admin", AdminSection.keys), ("limits", LimitsSection.keys), ("overload", OverloadSection.keys),
            ("timeouts", TimeoutsSection.keys),
            ("identity", IdentitySection.keys), ("accessLog", AccessLogSection.keys), ("tracing", TracingSection.keys),
            ("upstreamObject", UpstreamSection.keys), ("poolObject", PoolSection.keys),
            ("serverObject", ServerSection.keys),
            ("upstreamTLS", UpstreamTLSSection.keys), ("balanceByHash", BalanceSection.keys),
            ("hashKey", BalanceSection.hashKeys), ("retry", RetrySection.keys),
            ("retryBackoff", RetrySection.Backoff.keys), ("hedge", HedgeSection.keys), ("health", HealthSection.keys),
            ("outlier", OutlierSection.keys), ("successRate", OutlierSection.SuccessRate.keys),
            ("latency", OutlierSection.Latency.keys), ("breaker", BreakerSection.keys),
            ("adaptiveLimit", AdaptiveLimitSection.outerKeys), ("adaptiveBounds", AdaptiveLimitSection.keys),
            ("context", ContextSection.keys),
            ("route", RouteSection.keys),
            ("when", WhenSection.keys), ("headerEdits", HeaderEditsSection.keys), ("part", PartSection.keys),
            ("partRequest", PartRequestSection.keys), ("respond", RespondSection.keys),
            ("redirect", RedirectSection.keys),
        ] as [(String, SectionKeys)])
    func namesTheKeysOfTheReader(_ definition: String, _ keys: SectionKeys) throws {
        let schema = try Self.schema()
        let section = definition.isEmpty ? schema : try #require(schema["definitions"]?[definition])
        guard case .object(let properties)? = section["properties"] else {
            Issue.record("no properties in \(definition)")
            return
        }
        #expect(Set(properties.map(\.name)) == Set(keys.known))
        #expect(section["additionalProperties"] == .bool(false))
    }

    /// Every default of the schema is what the reader fills in.
    @Test(arguments: [
        ("gateway", "/gateway"), ("listener", "/gateway/listeners/0"), ("limits", "/gateway/limits"),
        ("timeouts", "/gateway/timeouts"), ("accessLog", "/gateway/accessLog"), ("tracing", "/gateway/tracing"),
        ("upstreamObject", "/upstreams/monolith"), ("serverObject", "/upstreams/monolith/servers/0"),
        ("upstreamTLS", "/upstreams/monolith/tls"), ("part", "/routes/0/aggregate/a"),
        ("partRequest", "/routes/0/aggregate/a/request"), ("respond", "/routes/1/respond"),
        ("route", "/routes/3"), ("context", "/contexts/c"), ("retry", "/upstreams/monolith/retry"),
        ("retryBackoff", "/upstreams/monolith/retry/backoff"), ("hedge", "/upstreams/on/hedge"),
        ("health", "/upstreams/on/health"),
        ("outlier", "/upstreams/monolith/outlier"), ("successRate", "/upstreams/monolith/outlier/successRate"),
        ("latency", "/upstreams/on/outlier/latency"), ("breaker", "/upstreams/on/breaker"),
        ("adaptiveBounds", "/upstreams/on/maxRequests/adaptive"),
        ("redirect", "/routes/2/redirect"),
    ])
    func namesTheDefaultsOfTheReader(_ definition: String, _ pointer: String) throws {
        let text = #"""
            { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ] }, "upstreams": {
                "monolith": "http://a", "on": { "servers": ["http://a"], "hedge": true, "health": true, "outlier": { "latency": true },
                  "breaker": true, "maxRequests": "adaptive" }
              },
              "contexts": { "c": { "off": "on", "fallback": "monolith" } },
              "routes": [ { "match": "/a", "aggregate": { "a": { "from": "monolith", "get": "/", "optional": true } } },
                          { "match": "/b", "respond": {} }, { "match": "/c", "redirect": { "location": "/" } },
                          { "match": "/d", "to": "monolith" } ] }
            """#
        let configuration = try #require(Fixture.read(Array(text.utf8)).configuration)
        let effective = configuration.effective(workers: 1)
        let section = try #require(JSONPointer(parsing: pointer).flatMap { effective.value(at: $0) })
        guard case .object(let properties)? = try Self.schema()["definitions"]?[definition]?["properties"] else {
            Issue.record("no properties in \(definition)")
            return
        }
        var compared = 0
        for property in properties where property.name != "optional" {
            guard let expected = property.value["default"] else { continue }
            // What belongs beside another action of a route.
            if definition == "route", AggregateSection.routeKeys.contains(property.name) { continue }
            #expect(section[property.name] == expected, "\(definition).\(property.name)")
            compared += 1
        }
        #expect(compared > 0)
    }

    /// An editor shows a word for each key.
    @Test func describesEveryKey() throws {
        let schema = try Self.schema()
        guard case .object(let definitions)? = schema["definitions"] else {
            Issue.record("no definitions")
            return
        }
        for section in definitions.map(\.value) + [schema] {
            guard case .object(let properties)? = section["properties"] else { continue }
            for property in properties {
                let target = property.value["$ref"].flatMap { reference -> JSONValue? in
                    guard case .string(let text) = reference else { return nil }
                    return JSONPointer(parsing: String(text.dropFirst())).flatMap { schema.value(at: $0) }
                }
                #expect(property.value["description"] ?? target?["description"] != nil, "\(property.name)")
            }
        }
    }

    // MARK: - Another validator

    /// The validator of these tests gives the verdicts of Python's `jsonschema`, on every fixture and every mutant.
    @Test(.enabled(if: PythonValidator.isInstalled, "python3 with the package jsonschema is not installed"))
    func agreesWithAnIndependentValidator() throws {
        let validator = SchemaValidator(schema: try Self.schema())
        var documents: [JSONValue] = []
        for kind in [Fixture.Kind.good, .schema, .semantic] { documents += try Fixture.all(kind).map(document) }
        documents += try Mutant.all().map(\.document)
        let verdicts = try PythonValidator.verdicts(on: documents, schema: Self.file)
        #expect(verdicts.count == documents.count)
        for (document, verdict) in zip(documents, verdicts) {
            var text = ByteBuffer()
            text.appendJSON(document)
            #expect(validator.accepts(document) == verdict, "\(text.text)")
        }
    }
}
