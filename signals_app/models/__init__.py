"""Rows of signals."""

from signals_app.models.collection import Collection
from signals_app.models.payload import Payload
from signals_app.models.signal import Signal
from signals_app.models.signal_key import SignalKey
from signals_app.models.source import Scheme, SignalSource
from signals_app.models.subject_erasure import SubjectErasure

__all__ = ["Collection", "Payload", "Scheme", "Signal", "SignalKey", "SignalSource", "SubjectErasure"]
