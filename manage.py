#!/usr/bin/env python3
"""Run an administrative command: `manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Hand the command line to Django with our settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
