"""Judges the HTTP API by its own description, with tools that know nothing of Arkki. Reads the OpenAPI document in the first line, then recorded answers, a JSON line
each (operation, status, body); prints `ok`, or a line for whatever is wrong."""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

document = json.loads(sys.stdin.readline())
wrong = [f"the description: {fault.message}" for fault in OpenAPIV31SpecValidator(document).iter_errors()]
registry = Registry().with_resource("urn:api", Resource.from_contents(document, default_specification=DRAFT202012))
operations = {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def absolute(schema):
    """References within the document, as references into the registry."""
    if isinstance(schema, dict):
        return {k: "urn:api" + v if k == "$ref" else absolute(v) for k, v in schema.items()}
    return [absolute(v) for v in schema] if isinstance(schema, list) else schema


for line in sys.stdin:
    answer = json.loads(line)
    name, status = answer["operation"], str(answer["status"])
    described = operations[name]["responses"].get(status)
    if described is None:
        wrong.append(f"{name}: {status} is not described")
        continue
    schema = described["content"]["application/json"]["schema"]
    if not schema:
        wrong.append(f"{name}: {status} says nothing of its answer")
        continue
    for fault in Draft202012Validator(absolute(schema), registry=registry).iter_errors(answer["body"]):
        wrong.append(f"{name} {status} at {list(fault.absolute_path)}: {fault.message[:300]}")

print("\n".join(wrong) if wrong else "ok")
