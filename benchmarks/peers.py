"""Programs of others that are measured beside ours: each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def environment(name: str, *packages: str) -> Path:
    """Return the Python of an environment with these packages; it is made when it is not there.

    Raises:
        RuntimeError: They do not install here.
    """
    home = Path(tempfile.gettempdir()) / f"penstock-peer-{name}"
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{', '.join(packages)} does not install here") from error
        done.write_text("\n".join(packages))
    return python


def answer(python: Path, program: str, *args: str, cwd: Path | None = None) -> Any:
    """Run a program and return the JSON that it prints as its last line."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", program, *args], cwd=cwd, env=clean, check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout.decode().strip().rsplit("\n", 1)[-1])
