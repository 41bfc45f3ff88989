"""Judges bundles that knows nothing of Arkki: FHIR R4 as the package fhir.resources has it, and the profile facts that are written down about notices.

One JSON bundle a line on standard input; for each a line on standard output: "ok", or what is wrong, parted by " | ". R4B is asked: AuditEvent and
Provenance are the same in R4. References and ids, which the package leaves alone, are held here to the rules of the specification.
"""

import json
import re
import sys

from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.provenance import Provenance

SHARK = "https://shark.kanta.fi/fhir/StructureDefinition/"
EVENT = SHARK + "SocialWelfareAuditEvent"
PROVENANCE = SHARK + "SocialWelfareAuditEventProvenance"
CONTAINED = {
    "Organization": SHARK + "SocialWelfareAuditEventOrganization",
    "PractitionerRole": SHARK + "SocialWelfarePractitionerRole",
    "Practitioner": SHARK + "SocialWelfarePractitioner",
    "Consent": SHARK + "SocialWelfareConsent",
}
REGISTER = "https://gen.kanta.fi/fhir/StructureDefinition/extension/RegisterType"
REGISTER_LIST = "urn:oid:1.2.246.537.6.1264.201701"
TASKS = "urn:oid:1.2.246.537.6.1221.201601"
ORIGINAL_TASKS = {"urn:oid:1.2.246.537.6.1259.201601", "urn:oid:1.2.246.537.6.1283.201101"}
OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+\Z")
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")


def walk(value):
    """Every object in a tree."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def codings(extensions, tail):
    """Codings of extensions whose url ends so, at any depth."""
    found = [e for e in walk(extensions) if e.get("url", "").rsplit("/", 1)[-1] == tail]
    return [e["valueCoding"] for e in found if "valueCoding" in e]


def whole(coding, keys=("system", "code", "display")):
    return isinstance(coding, dict) and all(coding.get(key) for key in keys)


def resource(entry, fault):
    """What holds for both resources of a pair."""
    inner = entry.get("resource", {})
    kind, full = inner.get("resourceType"), entry.get("fullUrl", "")
    if entry.get("request") != {"method": "POST", "url": kind}:
        fault("the request is not a POST of the resource's type")
    if not OID.match(full) or not ID.match(inner.get("id", "")) or full != "urn:oid:" + inner["id"]:
        fault(f"{kind}: fullUrl and id are not one OID")
    if ".95." not in full:
        fault(f"{kind}: its id is not under node class 95")
    local = {c.get("id") for c in inner.get("contained", [])}
    if len(local) != len(inner.get("contained", [])):
        fault(f"{kind}: contained ids are not one each")
    referred = {r["reference"] for r in walk(inner) if isinstance(r.get("reference"), str)}
    for reference in referred:
        if reference.startswith("#") and reference[1:] not in local:
            fault(f"{kind}: {reference} refers to nothing")
    for contained in inner.get("contained", []):
        if "#" + contained["id"] not in referred:
            fault(f"{kind}: contained {contained['id']} is referred to by nothing (FHIR dom-3)")
        profile = CONTAINED.get(contained["resourceType"])
        if profile and contained.get("meta", {}).get("profile") != [profile]:
            fault(f"{kind}: contained {contained['resourceType']} has not its profile")
    return inner


def event(inner, fault):
    """The table of the notice's content, cardinality by cardinality."""
    contained = {c["id"]: c for c in inner.get("contained", [])}
    if inner.get("meta", {}).get("profile") != [EVENT]:
        fault("AuditEvent: not the profile")
    kinds = [e for e in inner.get("extension", []) if e["url"].endswith("/TypeOfDisclosure")]
    if len(kinds) != 1 or not whole(kinds[0].get("valueCoding")):
        fault("the type of disclosure is not there exactly once")
    elif set(kinds[0]["valueCoding"]) != {"system", "code", "display"}:
        fault("the type of disclosure has more than system, code and display")
    if sum(e["url"].endswith("/Consent") for e in inner.get("extension", [])) > 1:
        fault("more than one consent")
    for absent in ("action", "outcome", "outcomeDesc"):
        if absent in inner:
            fault(f"{absent} must be absent")
    if not inner.get("type", {}).get("code"):
        fault("no type")
    if set(inner.get("period", {})) != {"start"}:
        fault("the period is not a start alone")
    if not inner.get("recorded"):
        fault("recorded is missing")
    purposes = inner.get("purposeOfEvent", [])
    if len(purposes) != 1 or "text" in purposes[0] or len(purposes[0].get("coding", [])) != 1 or not whole(purposes[0]["coding"][0]):
        fault("the purpose is not one whole coding without text")
    who = []
    for agent in inner.get("agent", []):
        reference = agent.get("who", {}).get("reference", "")
        who.append(contained.get(reference[1:], {}))
        if not reference.startswith("#") or "requestor" not in agent:
            fault("an agent without contained who, or without requestor")
    if sum(agent.get("requestor") is True for agent in inner.get("agent", [])) != 1:
        fault("not exactly one requestor")
    controllers = [c for c in who if any(e["url"] == REGISTER for e in c.get("extension", []))]
    if len(controllers) != 1:
        fault("not exactly one agent is the controller with its register")
    else:
        coding = controllers[0]["extension"][0].get("valueCoding", {})
        if coding.get("system") != REGISTER_LIST or coding.get("code") not in {"1", "2"} or not coding.get("display"):
            fault("the register's type is not of its list")
        identifiers = controllers[0].get("identifier", [])
        if not any(i.get("system") == "urn:ietf:rfc:3986" and OID.match(i.get("value", "")) for i in identifiers) or not controllers[0].get("name"):
            fault("the controller has not OID and name")
    if "PractitionerRole" not in [c.get("resourceType") for c in who]:
        fault("no agent is the discloser")
    if len(inner.get("agent", [])) < 3:
        fault("controller, discloser and recipient are not all there")
    if not inner.get("source", {}).get("observer"):
        fault("no observer")
    if not inner.get("entity"):
        fault("no data set")
    for entity in inner.get("entity", []):
        tasks = codings(entity.get("extension", []), "FunctionCode")
        if not tasks or not all(t.get("system") == TASKS and t.get("code") for t in tasks):
            fault("a data set without service task")
        if not all(t.get("system") in ORIGINAL_TASKS and t.get("code") for t in codings(entity.get("extension", []), "OriginalFunctionCode")):
            fault("an original service task of another list")
        types = codings(entity.get("extension", []), "DocumentType") + codings(entity.get("extension", []), "PreciseDocumentType")
        if not types and not entity.get("description"):
            fault("a data set with neither type nor description")


def judge(line):
    faults = []
    fault = faults.append
    try:
        value = json.loads(line, object_pairs_hook=unique)
    except ValueError as error:
        return [f"JSON: {error}"]
    for part, cls in [(value, Bundle)] + [
        (e.get("resource"), {"AuditEvent": AuditEvent, "Provenance": Provenance}.get(e.get("resource", {}).get("resourceType")))
        for e in value.get("entry", [])
    ]:
        if cls is None:
            fault("a resource that is neither AuditEvent nor Provenance")
            continue
        try:
            cls.model_validate(part)
        except Exception as error:  # every way in which the package refuses
            fault(f"fhir.resources: {str(error).splitlines()[0]}: {'; '.join(str(error).splitlines()[1:3])}")
    if value.get("type") != "transaction":
        fault("not a transaction")
    entries = value.get("entry", [])
    pairs = list(zip(entries[0::2], entries[1::2]))
    if not pairs or len(entries) % 2:
        fault("not pairs")
    people = set()
    for first, second in pairs:
        audit, provenance = resource(first, fault), resource(second, fault)
        if (audit.get("resourceType"), provenance.get("resourceType")) != ("AuditEvent", "Provenance"):
            fault("not a pair of AuditEvent and Provenance")
            continue
        event(audit, fault)
        people |= {json.dumps(c.get("identifier"), sort_keys=True) for c in audit.get("contained", []) if c["resourceType"] == "Patient" and c["id"] == "client"}
        if provenance.get("meta", {}).get("profile") != [PROVENANCE] or not provenance.get("language") or not provenance.get("extension"):
            fault("Provenance: profile, language or extension is missing")
        if [t.get("reference") for t in provenance.get("target", [])] != [first.get("fullUrl")]:
            fault("Provenance: its target is not the AuditEvent before it")
        if not provenance.get("agent"):
            fault("Provenance: nobody wrote it")
    if len(people) != 1:
        fault("not all about the same person")
    ids = [e.get("fullUrl") for e in entries]
    if len(set(ids)) != len(ids):
        fault("ids are not one each")
    signature = value.get("signature", {})
    if not all(signature.get(key) for key in ("type", "when", "who", "data")):
        fault("no signature")
    if any(v in ("", [], {}, None) for o in walk(value) for v in o.values()):
        fault("an empty value")
    return faults


def unique(pairs):
    """Python takes a key that stands twice; FHIR does not."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


for text in sys.stdin:
    if text.strip():
        print(" | ".join(judge(text)) or "ok", flush=True)
