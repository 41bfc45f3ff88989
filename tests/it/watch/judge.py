"""Reads OTLP trace requests (JSON), a line each, with OpenTelemetry's own message types; prints the spans, a JSON line each, or fails."""

import base64
import json
import sys

from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = ("traceId", "spanId", "parentSpanId")


def as_protobuf(value):
    """OTLP's JSON writes ids as hexadecimal digits where protobuf's JSON wants base64."""
    if isinstance(value, dict):
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in IDS else as_protobuf(v) for k, v in value.items()}
    return [as_protobuf(v) for v in value] if isinstance(value, list) else value


for line in sys.stdin:
    request = ParseDict(as_protobuf(json.loads(line)), ExportTraceServiceRequest(), ignore_unknown_fields=False)
    for resource in request.resource_spans:
        service = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8 and len(span.parent_span_id) in (0, 8)
                assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
                print(json.dumps({
                    "service": service["service.name"],
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": MessageToDict(span)["kind"],
                    "attributes": {a.key: a.value.string_value or a.value.int_value for a in span.attributes},
                }))
