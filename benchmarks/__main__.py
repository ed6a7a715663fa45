"""Run benchmarks and keep their results: `python -m benchmarks [NAME ...]`.

Each module here with a `run() -> dict` is a benchmark. Its result goes to
`benchmarks/results/<name>.json`, with the machine, the versions and the command.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("penstock", "pyarrow", "duckdb", "numpy", "msgspec", "uvloop", "fastapi", "uvicorn")


def names() -> list[str]:
    """Return the benchmarks there are."""
    modules = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    return [name for name in modules if "\ndef run(" in (HERE / f"{name}.py").read_text()]


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what was measured with."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_ticks() -> tuple[int, int]:
    """Return the processors' time so far: what the host gave to other machines, and all."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return ticks[7], sum(ticks)


def measure(name: str) -> None:
    """Run one benchmark and keep its result."""
    print(f"{name} ...", flush=True)
    began = time.time()
    load = os.getloadavg()[0]
    stolen, total = cpu_ticks()
    result = importlib.import_module(f"benchmarks.{name}").run()
    stolen_after, total_after = cpu_ticks()
    kept = {
        "command": f"python -m benchmarks {name}",
        "date": time.strftime("%Y-%m-%d", time.gmtime(began)),
        "seconds": round(time.time() - began, 1),
        "load_average_before": round(load, 1),
        "cpu_stolen_by_host": round((stolen_after - stolen) / max(total_after - total, 1), 3),
        "machine": machine(),
        "versions": versions(),
        "result": result,
    }
    text = json.dumps(kept, indent=2, ensure_ascii=False)
    (HERE / "results" / f"{name}.json").write_text(text + "\n")
    print(json.dumps(result, indent=2, ensure_ascii=False), flush=True)


def main() -> None:
    """Run the benchmarks named, or all."""
    known = names()
    wanted = sys.argv[1:] or known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; there are: {', '.join(known)}")
    (HERE / "results").mkdir(exist_ok=True)
    for name in wanted:
        measure(name)


if __name__ == "__main__":
    main()
