"""What a person sees while the demo runs."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO


def say(text: str, to: TextIO = sys.stdout) -> None:
    """One line of progress, at once."""
    print(f"· {text}", file=to, flush=True)


def welcome(url: str, seeded: Mapping[str, Any], servers: Mapping[str, str], shop_url: str) -> str:
    """Addresses and logins, as one block of text. `servers` maps a name to an address or folder."""
    operator = seeded["operator"]
    lines = ["", "chimeway_py is running. Ctrl-C stops all of it.", ""]
    lines += [f"  {'Admin':<12} {url}/admin/   user {operator['username']}   password {operator['password']}"]
    lines += [f"  {'REST':<12} {url}/v1/      OpenAPI {url}/v1/openapi.json"]
    lines += [f"  {'Bell':<12} {shop_url}/   a product of yours: Ada's inbox, and buttons"]
    lines += [f"  {'Tour':<12} docs/demo.md: where each part can be seen", ""]
    for tenant in seeded["tenants"]:
        lines += [f"  Tenant {tenant['slug']}"]
        lines += [f"    {'API key':<10} {tenant['api_key']}"]
        lines += [f"    {'Webhook':<10} {url}/hooks/{tenant['source']}   secret {tenant['secret']}"]
    lines += ["", "  For the tour in README.md:", f"    {exports(url, seeded['tenants'][0])}"]
    lines += ["", *(f"  {name:<12} {place}" for name, place in servers.items()), ""]
    return "\n".join(lines)


def exports(url: str, tenant: Mapping[str, str]) -> str:
    """The shell line that the tour of the README starts with."""
    hook, secret = f"{url}/hooks/{tenant['source']}", tenant["secret"]
    return f"export URL={url} KEY={tenant['api_key']} HOOK={hook} SECRET={secret}"
