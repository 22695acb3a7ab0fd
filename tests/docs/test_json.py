"""JSON on the pages is JSON, and where it says what it is an example of, the OpenAPI document agrees."""

import json

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from chimeway_py.schema import document
from tests.docs.openapi import schema_named
from tests.docs.pages import Block, all_blocks


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_it_can_be_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in all_blocks("json") if block.schema], ids=str)
def test_it_is_an_example_of_what_it_says(block: Block) -> None:
    faults = Draft202012Validator(schema_named(block.schema)).iter_errors(json.loads(block.text))

    assert [fault.message for fault in faults] == []


def test_the_openapi_document_is_served_to_anybody(client: Client) -> None:
    answer = client.get("/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(document()))


def test_no_block_is_in_a_language_that_nobody_checks() -> None:
    checked = {"sh", "python", "yaml", "json", "console", "text", "mermaid"}

    assert [str(block) for block in all_blocks() if block.language not in checked] == []
