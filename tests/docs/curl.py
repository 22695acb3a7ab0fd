#!/usr/bin/env python3
"""A curl for machines that have none: as much of it as the documentation uses."""

import argparse
import sys
import urllib.error
import urllib.request


def main(arguments: list[str]) -> int:
    """Send one request and print the body of the answer; 22 for a refusal under --fail, as curl does."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("url")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", "--data-binary", dest="data")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-S", "--show-error", action="store_true")
    parser.add_argument("-f", "--fail", action="store_true")
    options = parser.parse_args(arguments)
    request = urllib.request.Request(options.url, data=_body(options.data), method=options.request)
    for header in options.header:
        name, _, value = header.partition(":")
        request.add_header(name, value.strip())
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    sys.stdout.buffer.write(answer.read())
    return 22 if options.fail and answer.status >= 400 else 0


def _body(data: str | None) -> bytes | None:
    """The text given, or with @ the file of that name; `@-` is standard input."""
    if data is None:
        return None
    if data == "@-":
        return sys.stdin.buffer.read()
    if data.startswith("@"):
        with open(data[1:], "rb") as file:
            return file.read()
    return data.encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
