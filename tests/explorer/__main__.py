"""`bin/prove --explore`: try every order and print the figures; take out each guard and print what then goes wrong."""

import os
import secrets
import sys

import django


def main() -> int:
    """0 when every promise holds with all guards, and the search finds what goes wrong without each."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))  # nothing is signed, sealed or connected to
    os.environ.setdefault("PAYLOAD_KEYS", "A" * 43 + "=")
    django.setup()
    from tests.explorer.report import report

    held = True
    for line, is_right in report():
        print(line, flush=True)  # noqa: T201  the command's own output
        held = held and is_right
    print("✓ Everything held" if held else "✗ Something did not hold")  # noqa: T201
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
