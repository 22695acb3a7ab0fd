"""The words of the bell: the page that tells them says what the script has, and the script writes none besides."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = (ROOT / "deliveries/static/deliveries/chimeway-inbox.js").read_text()
PAGE = (ROOT / "docs/inbox.md").read_text()


def test_the_page_tells_every_label_and_every_label_is_used() -> None:
    block = SCRIPT.partition("const LABELS = {")[2].partition("};")[0]
    ours = dict(re.findall(r'^ +(\w+): "(.+)",$', block, re.MULTILINE))
    table = PAGE.partition("| label |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", table, re.MULTILINE))
    used = set(re.findall(r'this\.label\((?:unread \? )?"(\w+)"(?: : "(\w+)")?', SCRIPT))

    assert len(ours) == block.strip().count("\n") + 1
    assert told == ours
    assert {name for pair in used for name in pair if name} == set(ours)
    written = re.findall(r'(?:textContent|"aria-label"): "([^"]+)"', SCRIPT)
    assert written == [], "words that no page can change"
