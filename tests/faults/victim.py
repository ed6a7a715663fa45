"""The platform that the campaign kills, fills and tears."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

#: Seconds after which the platform should have recovered from anything; under load of others too.
PATIENCE_S = 90.0


def held_port() -> socket.socket:
    """Return a socket bound but never listening: nobody else gets its port between two starts."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    return place


class Victim:
    """`penstock up` on fixed ports, so that devices find it again."""

    def __init__(self, data_dir: Path, **environ: str) -> None:
        self.data_dir = data_dir
        self._environ = {**os.environ, **environ}
        self._places = held_port(), held_port()
        self.http_port, self.mqtt_port = (place.getsockname()[1] for place in self._places)
        self.errors = data_dir.with_suffix(".stderr")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "penstock.cli.main", "up"]
        command += ["--data-dir", str(self.data_dir)]
        command += ["--http", f"127.0.0.1:{self.http_port}"]
        command += ["--mqtt", f"127.0.0.1:{self.mqtt_port}"]
        with self.errors.open("a") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self._environ,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if "ready" not in line:
            msg = f"the platform did not start: {line} {self.errors.read_text()[-3000:]}"
            raise AssertionError(msg)

    def children(self) -> dict[str, int]:
        """Return the process ids of door and hub, as far as they run."""
        found: dict[str, int] = {}
        assert self._process is not None
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    command = Path(f"/proc/{child}/cmdline").read_bytes().decode()
                    for name in ("door", "hub"):
                        if f"{name}_process" in command:
                            found[name] = int(child)
        return found

    def kill(self, *names: str) -> None:
        """kill -9 these children."""
        children = self.children()
        for name in names:
            with contextlib.suppress(ProcessLookupError, KeyError):
                os.kill(children[name], signal.SIGKILL)

    def kill_everything(self) -> None:
        """kill -9 the supervisor and its children at once."""
        assert self._process is not None
        children = self.children()
        for pid in (self._process.pid, *children.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.communicate()
        deadline = time.monotonic() + PATIENCE_S
        while any(_runs(pid) for pid in children.values()) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode

    def close(self) -> None:
        """Stop if it runs, and give the ports back."""
        if self.is_running():
            self.stop()
        for place in self._places:
            place.close()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def get(self, path: str) -> Any:
        return json.loads(self.download(path))

    def download(self, path: str) -> bytes:
        address = f"http://127.0.0.1:{self.http_port}{path}"
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            content: bytes = answer.read()
            return content

    def health(self) -> dict[str, Any]:
        """Return the health report, or nothing when nobody answers."""
        try:
            report: dict[str, Any] = self.get("/api/v1/health")
        except (OSError, ValueError):
            return {}
        return report

    def tear_log(self, rng: random.Random) -> str:
        """Do to the ends of the log what a power loss may do to what was never synced."""
        done = []
        for folder in sorted(path for path in (self.data_dir / "log").iterdir()):
            segments = sorted(folder.glob("*.seg"))
            if not segments:
                continue
            mark = (folder / "durable").read_bytes()
            base, durable = (int.from_bytes(mark[at : at + 8], "little") for at in (16, 24))
            last = segments[-1]
            keep = durable if int(last.stem) == base else last.stat().st_size
            content = last.read_bytes()
            tail = content[keep : keep + rng.randrange(4000)]
            kinds = {
                "cut": tail[: rng.randrange(len(tail) + 1)],
                "garbled": bytes(byte ^ rng.randrange(256) for byte in tail),
                "noise": tail + rng.randbytes(rng.randrange(1, 3000)),
                "stale": tail + content[keep - rng.randrange(1, min(keep, 3000)) : keep],
                "zeros": tail + bytes(rng.randrange(1, 5000)),
            }
            kind = rng.choice(sorted(kinds))
            last.write_bytes(content[:keep] + kinds[kind])
            done.append(f"{folder.name} {kind}")
            for index in folder.glob("*.idx"):
                if rng.random() < 0.3:
                    index.write_bytes(index.read_bytes()[: rng.randrange(100)])
        return ", ".join(done)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
