"""Questions about other processes that may never answer: asked in a thread, with a limit to how long anybody waits."""

import threading
from collections.abc import Callable


class Probe:
    """A question whose answer is one of a few words. While one asking hangs, nobody asks again."""

    def __init__(self, name: str, ask: Callable[[], str]) -> None:
        self.name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answer = ""

    def answer(self, seconds: float) -> str:
        """What the question gives, the name of the error it raises, or `no answer` after `seconds`."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._answer = "no answer"
                self._thread = threading.Thread(target=self._run, name=f"probe-{self.name}", daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(seconds)
        return "no answer" if thread.is_alive() else self._answer

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:
            self._answer = type(error).__name__
