"""Where packages come from: what pip's own settings say, read before there is a pip."""

import base64
import configparser
import hashlib
import html.parser
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PUBLIC = "https://pypi.org/simple"
SYSTEM_WIDE = Path("/etc/pip.conf")


class NotFetched(Exception):
    """The file is in none of the configured places, or is not the file it should be."""


def setting(name: str) -> str:
    """One of pip's settings (`index-url`, `cert`, …): environment first, then user's and system's files. May be ''."""
    value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if value is not None:
        return value
    found = ""
    for path in config_files():
        parser = configparser.RawConfigParser()
        parser.read(path)
        for section in ("global", "install"):
            found = parser.get(section, name, fallback=found)
    return found


def config_files() -> "list[Path]":
    """Pip's configuration files, weakest first."""
    if os.environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    system = [Path(folder) / "pip/pip.conf" for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    files = [*system, SYSTEM_WIDE, Path.home() / ".pip/pip.conf", user / "pip/pip.conf"]
    named = os.environ.get("PIP_CONFIG_FILE")
    return [*files, Path(named)] if named else files


def indexes() -> "list[str]":
    """Addresses of the indexes to ask, in order."""
    if setting("no-index").lower() in ("1", "true", "yes", "on"):
        return []
    return [setting("index-url") or PUBLIC, *setting("extra-index-url").split()]


def as_uv_settings() -> "dict[str, str]":
    """The same places in the words of uv, which does not read pip's settings."""
    first, *more = indexes() or [""]
    wanted = {
        "UV_DEFAULT_INDEX": first,
        "UV_INDEX": " ".join(more),
        "UV_FIND_LINKS": ",".join(setting("find-links").split()),
        "UV_NO_INDEX": "" if first else "1",
        "SSL_CERT_FILE": setting("cert"),
    }
    return {name: value for name, value in wanted.items() if value}


def fetch(project: str, filename: str, sha256: str) -> bytes:
    """The bytes of one file of a project, checked against the hash. Raises NotFetched, naming every place tried."""
    tried = []
    for place in [*setting("find-links").split(), *(f"{url.rstrip('/')}/{project}/" for url in indexes())]:
        try:
            content = look_in(place, filename)
        except (OSError, urllib.error.URLError, ValueError) as error:
            tried.append(f"{without_password(place)}: {error}")
            continue
        if content is None:
            tried.append(f"{without_password(place)}: not there")
        elif hashlib.sha256(content).hexdigest() != sha256:
            tried.append(f"{without_password(place)}: another file under that name")
        else:
            return content
    raise NotFetched("\n  ".join([f"{filename} was not found:", *(tried or ["no index is configured"])]))


def look_in(place: str, filename: str) -> "bytes | None":
    """The file if this folder, page or index has it, else None."""
    if "://" not in place:
        place = Path(place).expanduser().absolute().as_uri()
    if place.startswith("file://"):
        folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(place).path))
        if (folder / filename).is_file():
            return (folder / filename).read_bytes()
        page = folder / "index.html" if folder.is_dir() else folder
        if not page.is_file():
            return None
        place = page.as_uri()
    links = Links()
    links.feed(read(place).decode())
    for link in links.found:
        address = urllib.parse.urljoin(place, link)
        if urllib.parse.urlsplit(address).path.endswith("/" + filename):
            return read(address)
    return None


class Links(html.parser.HTMLParser):
    """Collects the addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: "list[tuple[str, str | None]]") -> None:
        """Keep the address of an anchor."""
        self.found += [value for name, value in attributes if tag == "a" and name == "href" and value]


def read(address: str) -> bytes:
    """The content of an address, with the credentials in it and pip's certificate and proxy."""
    parts = urllib.parse.urlsplit(address)
    request = urllib.request.Request(without_password(address), headers={"Accept": "text/html, */*;q=0.1"})
    if parts.username:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        return open_with(request, ssl.create_default_context(cafile=setting("cert") or None))
    except urllib.error.URLError as error:
        if parts.username or not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise
        # A bare system has no certificates to check with. The hash, not the connection, proves what we got; pip brings
        # certificates of its own for everything after it.
        return open_with(request, ssl._create_unverified_context())  # noqa: S323


def open_with(request: urllib.request.Request, context: ssl.SSLContext) -> bytes:
    """Answer of one request, within 30 seconds of silence."""
    proxy = setting("proxy")
    openers = [urllib.request.HTTPSHandler(context=context)]
    if proxy:
        openers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    with urllib.request.build_opener(*openers).open(request, timeout=30) as answer:
        return answer.read()


def without_password(address: str) -> str:
    """The address as it may be shown and asked for."""
    parts = urllib.parse.urlsplit(address)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
