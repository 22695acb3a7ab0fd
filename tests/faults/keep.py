"""Sign heads of all traces and keep them, or hold kept ones against the database, as a program: VERB FOLDER.

`keep` is what somebody does who fetches heads every hour, and `check` is what they do later. Both in one program each.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import django


def keep(folder: Path) -> Iterator[str]:
    """Sign, and add what is new to a file of each tenant."""
    from tenants.services import tenant_list
    from workflows.heads.reading import export_heads
    from workflows.heads.signing import sign_heads

    for tenant_id, slug in tenant_list():
        sign_heads(tenant_id=tenant_id)
        file = folder / f"{slug}.jsonl"
        file.touch()
        kept = len(file.read_text().splitlines())  # heads of a tenant are numbered from 1
        with file.open("a") as lines:
            lines.writelines(export_heads(tenant_id=tenant_id, after=kept))
    yield from ()


def check(folder: Path) -> Iterator[str]:
    """What is wrong; how much was held against the database is printed."""
    from tenants.services import tenant_list
    from workflows.heads.checking import Checked, check_heads
    from workflows.heads.keys import public_keys

    checked = Checked()
    for tenant_id, slug in tenant_list():
        lines = (folder / f"{slug}.jsonl").read_text().splitlines(keepends=True)
        for one in check_heads(tenant_id=tenant_id, lines=lines, keys=public_keys(), checked=checked):
            yield f"{slug}: {f'run {one.run}' if one.run else f'head {one.number}'}: {one.code}. {one.message}"
    sys.stdout.write(f"{checked.heads} signed heads tell of {checked.leaves} ends of traces.\n")
    if not checked.leaves:
        yield "no head tells of any trace"


def main(verb: str, folder: Path) -> int:
    """1 when something is wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    django.setup()
    folder.mkdir(exist_ok=True)
    found = list({"keep": keep, "check": check}[verb](folder))
    sys.stderr.writelines(f"{text}\n" for text in found)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
