"""Does the source hold a secret? Exits with 1 for whatever looks like one and is not in `.secrets.baseline`.

What is in there was looked at and is none: examples, test values, digests. `--accept` takes in what is found now; look
at it first. The baseline holds digests, so it tells nothing.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".secrets.baseline"
NOT_READ = (".png", ".ico", ".woff2", ".svg")
GENERATED = {"requirements.txt", "requirements-dev.txt", "requirements-embedded.txt", "requirements-browser.txt"}

Found = dict[tuple[str, str, str], int]  # (file, kind, digest) -> line


def files() -> list[str]:
    """Every file of the repository that a person wrote."""
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.splitlines()
    return [name for name in listed if not name.endswith(NOT_READ) and name not in {*GENERATED, BASELINE.name}]


def found_in(names: Iterable[str], root: Path = ROOT) -> Found:
    """What looks like a secret."""
    with default_settings():
        seen = SecretsCollection(root=str(root))
        seen.scan_files(*names)
    return {(name, one.type, one.secret_hash): one.line_number for name, one in seen}


def accepted(path: Path = BASELINE) -> set[tuple[str, str, str]]:
    """What somebody has looked at."""
    return {tuple(one) for one in json.loads(path.read_text())}  # type: ignore[misc]


def main(arguments: list[str]) -> int:
    """Compare, and say."""
    found = found_in(files())
    if arguments == ["--accept"]:
        BASELINE.write_text(json.dumps(sorted(found), indent=0) + "\n")
    known = accepted()
    for (name, kind, digest), line in found.items():
        if (name, kind, digest) not in known:
            print(f"{name}:{line}: looks like a secret ({kind}). If it is none: .ci/find_secrets.py --accept")
    gone = known - found.keys()
    print(f"{len(found)} places look like secrets, {len(found.keys() - known)} of them are new; {len(gone)} are gone.")
    return int(bool(found.keys() - known))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
