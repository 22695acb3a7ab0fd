"""Addresses as we keep them: a digest to find them again, and a masked form for people."""

from tenants.vault import vault_of


def digest_of(tenant_id: int, address: str) -> str:
    """64 hex digits, the same for one address of one tenant. Under its own key, so that nobody finds it by guessing."""
    return vault_of(tenant_id).digest("recipient", address.casefold()).hex()


def masked(address: str) -> str:
    """`anna@example.com` as `a***@example.com`, `+436641234567` as `+43***67`; anything else as its first character."""
    if not address or address[0] in "{[":
        return {"{": "a browser", "[": "browsers", "": ""}[address[:1]]
    if address.startswith("+") and address[1:].isdecimal():
        return f"{address[:3]}***{address[-2:]}"
    name, at, domain = address.rpartition("@")
    if not at:
        name, domain = address, ""
    return f"{name[:1]}***{at}{domain}"[:200]
