"""A platform in a process of its own, as a user starts it: `penstock up` on free ports."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.postgres_settings import environment


class Running:
    """A platform that runs.

    Args:
        data_dir: Its folder.
        options: More options of `penstock up`.

    Attributes:
        http: Where its API is.
        mqtt: Where its door is.
    """

    def __init__(self, data_dir: Path, *options: str, settings: str = "") -> None:
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(data_dir)]
        if settings:
            file = data_dir / "penstock.toml"
            file.write_text(settings, encoding="utf-8")
            command += ["--config", str(file)]
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=environment(data_dir),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"ready: (https?://\S+)  \(MQTT on (\S+):(\d+)", line)
        if found is None:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"not ready: {line!r} {self.said()}")
        self.http = found.group(1)
        self.mqtt = (found.group(2), int(found.group(3)))

    def said(self) -> str:
        """Return what it wrote to standard error."""
        self._said.seek(0)
        return self._said.read()

    def stop(self) -> None:
        """End it. Safe to call twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
