"""A message in one piece, for channels that have no subject."""

from chimeway_py.rendering import Rendered


def titled(content: Rendered, *, bold: str = "", most: int = 0) -> str:
    """The title on a line of its own, then the text; cut to at most `most` characters."""
    title = f"{bold}{content.subject}{bold}\n" if content.subject else ""
    whole = f"{title}{content.text}"
    return whole if not most or len(whole) <= most else f"{whole[: most - 1]}…"
