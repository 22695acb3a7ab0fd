from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import workflows
from tests.definitions.documents import document
from workflows.definitions.data_schema import data_faults
from workflows.definitions.document import parse_document
from workflows.definitions.files import find_files, load_file
from workflows.definitions.graph import successors
from workflows.definitions.schema import document_schema
from workflows.definitions.validate import validate
from workflows.steps.registry import kinds

SAMPLES = find_files([Path(workflows.__file__).parent / "samples"])


def test_the_schema_is_a_schema_and_knows_every_kind() -> None:
    schema = document_schema()

    Draft202012Validator.check_schema(schema)
    assert {f"step_{name}" for name in kinds()} <= set(schema["$defs"])


def test_the_samples_ship() -> None:
    escalations = ["comment_digest", "incident_escalation", "invoice_dunning", "mention_escalation"]
    messages = ["parcel_sent", "sign_in_alert", "trial_ending", "weekly_news"]
    assert [path.stem for path in SAMPLES] == [*escalations, *messages]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_is_valid_for_us_and_for_any_validator(path: Path) -> None:
    raw = load_file(path)

    assert validate(raw) == []
    Draft202012Validator(document_schema()).validate(raw)
    assert raw["key"] == path.stem


def test_successors_follow_every_way_out_of_a_step() -> None:
    (path,) = (path for path in SAMPLES if path.stem == "incident_escalation")

    whole = parse_document(load_file(path))

    assert {step.key: successors(whole, step.key) for step in whole.steps} == {
        "tell": ("how_bad",),
        "how_bad": ("page", "acknowledge"),
        "acknowledge": ("page",),
        "page": ("paged",),
        "paged": ("escalate",),
        "escalate": (),
    }


def test_start_data_is_judged_by_the_data_schema() -> None:
    raw = document(
        data_schema={"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
    )

    assert data_faults(raw, {"amount": 3}) == []
    assert [(one["path"], one["code"]) for one in data_faults(raw, {"amount": "3"})] == [("/amount", "type")]
    assert [(one["path"], one["code"]) for one in data_faults(raw, {})] == [("/amount", "required")]
    assert data_faults(document(), "anything") == []
