"""A process beside the platform: the demo's simulators."""

from __future__ import annotations

import subprocess
import sys


class Companion:
    """Starts a Python module when the platform is ready and ends it with the platform.

    Args:
        arguments: Arguments for the Python interpreter, or None for no companion; `{http}` and
            `{mqtt}` are replaced by the addresses.
    """

    def __init__(self, arguments: list[str] | None) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **addresses: str) -> None:
        """Start it, once; without arguments this does nothing."""
        if self._arguments is not None and self._process is None:
            arguments = [argument.format(**addresses) for argument in self._arguments]
            self._process = subprocess.Popen([sys.executable, *arguments], start_new_session=True)

    def stop(self) -> None:
        """End it; kill it when it does not end. Safe to call twice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
