"""Decodes requests to a collector by OpenTelemetry's own definitions: otlp_decode.py FILE...

A file has one request's body, compressed or not, in protobuf or in JSON. Prints one JSON object: what each request is made of."""

import base64
import gzip
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def value(any_value):
    kind = any_value.WhichOneof("value")
    return None if kind is None else getattr(any_value, kind)


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def span(one):
    return {
        "trace": one.trace_id.hex(),
        "id": one.span_id.hex(),
        "parent": one.parent_span_id.hex(),
        "name": one.name,
        "kind": one.kind,
        "flags": one.flags,
        "state": one.trace_state,
        "start": one.start_time_unix_nano,
        "end": one.end_time_unix_nano,
        "status": one.status.code,
        "attributes": attributes(one.attributes),
        "events": [
            {"name": event.name, "time": event.time_unix_nano, "attributes": attributes(event.attributes)}
            for event in one.events
        ],
        "links": [{"trace": link.trace_id.hex(), "id": link.span_id.hex()} for link in one.links],
    }


def from_json(body):
    """The request in OTLP's JSON, which differs from protobuf's: ids are hexadecimal, enumerations are numbers."""
    document = json.loads(body)

    def convert(value):
        if isinstance(value, list):
            return [convert(one) for one in value]
        if not isinstance(value, dict):
            return value
        for key, one in value.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                if one != one.lower():
                    raise ValueError(f"{key} is not in lower case: {one}")
                value[key] = base64.b64encode(bytes.fromhex(one)).decode()
            elif key in ("kind", "code") and not isinstance(one, int):
                raise ValueError(f"{key} is no number: {one}")
            elif (key.endswith("UnixNano") or key == "intValue") and not isinstance(one, str):
                raise ValueError(f"{key} is no text: {one}")
            else:
                value[key] = convert(one)
        return value

    # A member that the definitions do not know is an error.
    return json_format.ParseDict(convert(document), ExportTraceServiceRequest())


requests = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        body = file.read()
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    if body[:1] == b"{":
        request = from_json(body)
        unknown = False
    else:
        request = ExportTraceServiceRequest.FromString(body)
        # Nothing that the definitions do not know, and nothing twice.
        unknown = len(request.SerializeToString()) != len(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            requests.append(
                {
                    "resource": attributes(resource.resource.attributes),
                    "scope": scope.scope.name,
                    "unknown": unknown,
                    "spans": [span(one) for one in scope.spans],
                }
            )
print(json.dumps({"requests": requests}))
