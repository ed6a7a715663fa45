"""A process beside the platform: the demo's simulators."""

from __future__ import annotations

import os
import subprocess
import sys

from penstock.door.auth import COMPANION


class Companion:
    """Starts a Python module when the platform is ready and ends it with the platform.

    Args:
        arguments: Arguments for the Python interpreter, or None for no companion; `{http}` and
            `{mqtt}` are replaced by the addresses.
    """

    def __init__(self, arguments: list[str] | None) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, secret: str, **addresses: str) -> None:
        """Start it, once; without arguments this does nothing.

        Args:
            secret: The platform's own; with it the companion's devices come in though everybody
                must have an account, as clients of the default system that also send data as
                those of others.
            addresses: What replaces `{http}` and `{mqtt}`.
        """
        if self._arguments is not None and self._process is None:
            arguments = [argument.format(**addresses) for argument in self._arguments]
            account = {
                "PENSTOCK_SIMULATE_USERNAME": COMPANION,
                "PENSTOCK_SIMULATE_PASSWORD": secret,
            }
            self._process = subprocess.Popen(
                [sys.executable, *arguments], start_new_session=True, env=os.environ | account
            )

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
