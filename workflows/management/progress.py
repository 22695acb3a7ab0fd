"""How far a long command is: one line on standard error, which no result ever shares."""

from django.core.management.base import OutputWrapper


class Progress:
    """Writes over its own line, and ends it before anything else is written."""

    def __init__(self, stderr: OutputWrapper, *, shown: bool) -> None:
        self._stderr, self._shown, self._is_open = stderr, shown, False

    def tell(self, text: str) -> None:
        """Say how far it is."""
        if self._shown:
            self._stderr.write(text, ending="\r")
            self._is_open = True

    def end(self) -> None:
        """Leave the line, if one was begun: what comes next begins its own."""
        if self._is_open:
            self._stderr.write("")
            self._is_open = False
