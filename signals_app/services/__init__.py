"""What can be done with signals. One verb per function, one transaction each."""

from signals_app.services.intake import Receipt, SignalConflict, accept_signals
from signals_app.services.new_signal import NewSignal
from signals_app.services.payloads import load_payloads, store_payloads

__all__ = ["NewSignal", "Receipt", "SignalConflict", "accept_signals", "load_payloads", "store_payloads"]
