"""Are weaknesses known of any pinned package? Exits with 1 if one is, and says so loudly if nobody could be asked.

Where a weakness does not concern us, a line of `.ci/advisories-ignored` says which, until when, and why.
"""

import datetime
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINNED = ROOT / "requirements-dev.txt"  # the service's own, and what tests and checks add
IGNORED = ROOT / ".ci" / "advisories-ignored"
NOT_RUN = "NOT RUN: skipped, no network, or no advisory database that answers. Nothing was checked."
PATIENCE = 120  # seconds; each package is a question of its own

Packages = Sequence[Mapping[str, Any]]


def asked() -> Packages | None:
    """What the advisory database says of each package; None when it cannot be asked."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(PINNED), "--disable-pip", "--no-deps"]
    try:
        done = subprocess.run(
            [*command, "-f", "json", "--progress-spinner", "off"],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None
    if "No module named" in done.stderr:
        raise SystemExit(done.stderr)
    try:
        found: Packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return found


def ignored(lines: Iterable[str], today: datetime.date) -> dict[str, str]:
    """Identifier -> why, of each line `ID  UNTIL  WHY` whose day has not come. Raises `ValueError` for other lines."""
    kept = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        identifier, until, why = line.split(maxsplit=2)
        if today < datetime.date.fromisoformat(until):
            kept[identifier] = why
    return kept


def judged(packages: Packages | None, ignoring: Mapping[str, str]) -> tuple[int, list[str]]:
    """The exit code, and what to say: weaknesses, what was ignored, and which packages nobody knew."""
    known = [one for one in packages or () if "skip_reason" not in one]
    if not known:
        return 0, [NOT_RUN]
    told, weak = [], 0
    for one in known:
        for each in one["vulns"]:
            why = next((ignoring[name] for name in (each["id"], *each.get("aliases", ())) if name in ignoring), "")
            fixed = ", ".join(each.get("fix_versions", ())) or "no version yet"
            line = f"{one['name']} {one['version']}: {each['id']}, mended in {fixed}"
            told.append(f"{line} (ignored: {why})" if why else line)
            weak += not why
    unknown = [one["name"] for one in packages or () if "skip_reason" in one]
    if unknown:
        told.append(f"NOT CHECKED, unknown to the database: {', '.join(unknown)}")
    return int(weak > 0), [*told, f"{len(known)} packages checked, {weak} weaknesses that count."]


def main() -> int:
    """Ask, judge, and say."""
    code, told = judged(asked(), ignored(IGNORED.read_text().splitlines(), datetime.datetime.now(datetime.UTC).date()))
    print("\n".join(told))
    return code


if __name__ == "__main__":
    sys.exit(main())
