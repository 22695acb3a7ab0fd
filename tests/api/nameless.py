"""Members of bodies that could name an object by their type, and name none; each with the reason."""

WORDS = {
    "actor": "who decides, as the caller knows them",
    "actors[]": "who may decide, as callers know them",
    "comment": "prose",
    "const": "a value",
    "cron": "a calendar",
    "description": "prose",
    "error": "prose",
    "expression": "a calendar",
    "html": "text of a message",
    "instant": "a time",
    "local_time": "a time",
    "locale": "a language",
    "note": "prose",
    "outcome": "a word of the step's kind",
    "overlap": "a duration",
    "prefix": "text before a secret",
    "reason": "prose",
    "step": "a step of the version that the run in the address follows",
    "text": "text of a message",
    "title": "text of a message",
    "ttl": "a duration",
    "url": "an address of the outside world",
    "worker": "who works, as the caller knows them",
    "zone": "a time zone",
}
"""By the last word, wherever it stands."""

OPEN = {
    "addresses.*": "where a recipient is reached",
    "answer.*": "what came back: data of the run",
    "attributes.*": "what the tenant says of a recipient",
    "coalesced.*": "how many messages an example stands for",
    "correlation.*": "values of a run or a signal, compared with those of the same tenant",
    "data.*": "what the tenant says to a run",
    "metadata.*": "what the caller says of a decision",
    "recipient.*": "what is said of the run's own subject",
    "steps.*": "what steps of an example brought back",
    "when.*": "a condition: paths and values",
    "quiet_hours[].channels[]": "a channel of the service",
    "quiet_hours[].from": "a time of day",
    "quiet_hours[].to": "a time of day",
    "window.from": "a time of day",
    "window.to": "a time of day",
    "signals[].name": "the name of signals, which every tenant sends itself",
    "match.*": "a value",
    "locales.*.subject": "text of a message",
    "templates.*.subject": "text of a message",
}
"""By the end of the place."""

_DOCUMENT = "a key of a definition, which the schema of definitions tells of: it is walked by itself"
_TAKE_DOCUMENTS = ("post /v1/definitions", "post /v1/definitions/validate", "put /v1/definitions/{key}")
_TOP = ("correlation[]", "data_schema.*", "deadline", "key", "name", "start_on.*", "steps[].*", "templates.*")
_TITLE = "a title for people"
ALONE = {
    "definition correlation[]": "the name of a value of its runs",
    "definition name": _TITLE,
    "definition start_on.signal": "the name of signals, which every tenant sends itself",
    "definition steps[].key": "what the definition calls its own step",
    "patch /v1/sources/{public_id} mapping.*": "paths into a webhook's body",
    "patch /v1/sources/{public_id} name": _TITLE,
    "patch /v1/sources/{public_id} name_map.*": "names of signals, which every tenant sends itself",
    "post /hooks/providers/{public_id} *": "what a provider reports, read after its signature was verified",
    "post /hooks/{public_id} *": "what a sender posts, read after its signature was verified",
    "post /v1/broadcasts columns.*": "a column of a file",
    "post /v1/broadcasts name": _TITLE,
    "post /v1/broadcasts/{public_id}/start token": "what the caller has seen of the broadcast in the address",
    "post /v1/definitions/{key}/migrate map.*": "a step of the definition in the address",
    "post /v1/deliveries/{delivery}/bounce code": "a word of mail servers",
    "post /v1/external/{kind}/{external_id} status": "a word of who does the work",
    "post /v1/providers/{key}/test to": "an address, which is nobody's object",
    "post /v1/sources mapping.*": "paths into a webhook's body",
    "post /v1/sources name": _TITLE,
    "post /v1/sources name_map.*": "names of signals, which every tenant sends itself",
    "post /v1/sources secret": "a secret",
    "post /v1/sources/{public_id}/rotate secret": "a secret",
    "post /v1/templates/{key}/preview subject": "whom the example is about, among the tenant's own",
    "post /v1/templates/{key}/test subject": "whom the example is about, among the tenant's own",
    "put /v1/broadcasts/{public_id}/targets multipart/form-data *": "the same files in another envelope",
    "put /v1/categories/{key} name": _TITLE,
    "put /v1/providers/{key} config.*": "what the provider's kind asks for",
    "put /v1/providers/{key} credentials.*": "secrets",
    "put /v1/secrets/{key} value": "a secret",
    "put /v1/segments/{key} condition.*": "a condition: paths and values",
    "put /v1/segments/{key} name": _TITLE,
    "put /v1/sending-rules caps[].channel": "a channel of the service",
    "put /v1/sending-rules caps[].name": "what the rule itself is called",
    "put /v1/sending-rules caps[].per": "a duration",
    "put /v1/templates/{key} subject": "text of a message",
    "step_external answer": "what the run calls what came back",
    "step_external of": "the kind of work, a word of who does it",
    "step_http answer": "what the run calls what came back",
    **{f"{asked} {member}": _DOCUMENT for asked in _TAKE_DOCUMENTS for member in _TOP},
    **{
        f"step_{kind} {member}": why
        for kind in ("approval", "branch", "deliver", "digest", "external", "http", "throttle", "wait")
        for member, why in {"key": "what the definition calls its own step", "name": _TITLE}.items()
    },
}
"""By the whole of it."""


def reason_of(member: str) -> str:
    """The entry that tells why a member names nothing of a tenant: a key of one of the tables, or nothing."""
    place = member.rsplit(maxsplit=1)[-1]
    ends = (end for end in OPEN if place == end or place.endswith(f".{end}"))
    word = place.rsplit(".", 1)[-1]
    return member if member in ALONE else next(ends, word if word in WORDS else "")
