"""The admin of signals and of the sources that send them."""

from signals_app.admin import concerns, erasures, signals, sources

__all__ = ["concerns", "erasures", "signals", "sources"]
