"""Kills door and hub at random moments under load, tears the log, fills the disk, and counts.

`python -m tests.faults.campaign --trials 200` runs 200 trials; so does `make faults`.

Devices send numbered observations with QoS 1 over MQTT and by HTTP, each until it is acknowledged.
At the end every observation that was acknowledged must be in the store once, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.__main__ import machine, versions
from tests.faults.devices import BEGIN, STEP_US, Device, HttpDevice, MqttDevice
from tests.faults.victim import PATIENCE_S, Victim

#: What happens in one trial after the other. The last one ends the supervisor too, so that its
#: pauses between restarts begin anew.
KINDS = ("door", "hub", "door", "hub", "door and hub", "everything and torn log")
#: Observations per second of each MQTT device, and of the HTTP device.
MQTT_RATE, HTTP_RATE = 1000.0, 50.0
#: Size of the disk that is filled, in MiB.
SMALL_DISK_MIB = 96


@dataclass
class Trial:
    """One fault: what it was, and seconds until every device had new acknowledgements."""

    kind: str
    recovered_s: float


@dataclass
class Verdict:
    """What a campaign found."""

    trials: list[Trial] = field(default_factory=list)
    acknowledged: int = 0
    sent_again: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    never_sent: int = 0
    dead_letters: int = 0
    refused: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        bad = self.lost + self.duplicated + self.wrong + self.never_sent + self.dead_letters
        return not bad and not self.refused

    def add(self, other: Verdict) -> None:
        self.trials += other.trials
        self.refused += other.refused
        self.not_tried += other.not_tried
        for name in ("acknowledged", "sent_again", "lost", "duplicated", "wrong"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.never_sent += other.never_sent
        self.dead_letters += other.dead_letters

    def summary(self) -> dict[str, object]:
        by_kind: dict[str, list[float]] = {}
        for trial in self.trials:
            by_kind.setdefault(trial.kind, []).append(trial.recovered_s)
        facts = {name: value for name, value in asdict(self).items() if name != "trials"}
        return {
            "trials": len(self.trials),
            **facts,
            "recovered_s": {
                kind: {
                    "trials": len(times),
                    "median": round(sorted(times)[len(times) // 2], 2),
                    "longest": round(max(times), 2),
                }
                for kind, times in by_kind.items()
            },
        }


Say = Callable[[str], None]


class Campaign:
    """One platform, its devices, and what befalls them."""

    def __init__(
        self, data_dir: Path, seed: int, say: Say, mqtt_devices: int = 4, **environ: str
    ) -> None:
        self.victim = Victim(data_dir, **environ)
        self.verdict = Verdict()
        self._rng = random.Random(seed)
        self._say = say
        victim = self.victim
        self.devices: list[Device] = [
            *(
                MqttDevice(f"mqtt{i}", lambda: victim.mqtt_port, MQTT_RATE)
                for i in range(mqtt_devices)
            ),
            HttpDevice("http", lambda: victim.http_port, HTTP_RATE),
        ]

    @contextlib.asynccontextmanager
    async def running(self):
        await asyncio.to_thread(self.victim.start)
        tasks = [asyncio.create_task(device.run()) for device in self.devices]
        try:
            await self._recovery()
            yield self
        finally:
            for device, task in zip(self.devices, tasks, strict=True):
                device.stop()
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self.victim.close)

    async def kill_trials(self, kinds: Sequence[str]) -> None:
        for kind in kinds:
            await asyncio.sleep(self._rng.random() * 1.5)
            begin = time.monotonic()
            detail = await asyncio.to_thread(self._befall, kind)
            await self._timed(kind, begin, detail)

    def _befall(self, kind: str) -> str:
        if kind == "everything and torn log":
            self.victim.kill_everything()
            detail = self.victim.tear_log(self._rng)
            self.victim.start()
            return detail
        self.victim.kill(*kind.split(" and "))
        return ""

    async def full_disk_trial(self) -> None:
        """Fill the disk under load, wait until devices wait, and make room again."""
        await asyncio.sleep(self._rng.random())
        ballast = self.victim.data_dir.parent / "ballast"
        await asyncio.to_thread(fill, ballast)
        stalled_for, before = 0.0, -1
        deadline = time.monotonic() + PATIENCE_S
        while (stalled_for < 2 or not self._says_full()) and time.monotonic() < deadline:
            await asyncio.sleep(0.25)
            await asyncio.to_thread(fill, ballast)
            now = sum(len(device.acknowledged) for device in self.devices)
            stalled_for = stalled_for + 0.25 if now == before else 0.0
            before = now
        assert stalled_for >= 2, "the disk is full and messages are still acknowledged"
        assert self._says_full(), "nothing was said about the full disk"
        assert self.victim.is_running(), "the platform ended because the disk is full"
        if self._rng.random() < 0.5:
            self.victim.kill(*self._rng.choice((("door",), ("hub",), ("door", "hub"))))
            await asyncio.sleep(self._rng.random() * 3)
        begin = time.monotonic()
        ballast.unlink()
        await self._timed("full disk", begin)

    def _says_full(self) -> bool:
        errors = self.victim.errors
        return errors.exists() and "No space left on device" in errors.read_text()

    async def _timed(self, kind: str, begin: float, detail: str = "") -> None:
        await self._recovery()
        took = time.monotonic() - begin
        self.verdict.trials.append(Trial(kind, took))
        count = sum(len(device.acknowledged) for device in self.devices)
        text = (
            f"{len(self.verdict.trials):4} {kind}: again after {took:.1f} s, {count} acknowledged"
        )
        self._say(f"{text}{f' ({detail})' if detail else ''}")

    async def _recovery(self) -> None:
        """Wait until every device has new acknowledgements."""
        before = [len(device.acknowledged) for device in self.devices]
        deadline = time.monotonic() + PATIENCE_S
        while any(
            len(device.acknowledged) <= count
            for device, count in zip(self.devices, before, strict=True)
        ):
            if time.monotonic() > deadline:
                counts = [(d.topic, len(d.acknowledged), d.waiting) for d in self.devices]
                said = self.victim.errors.read_text()[-3000:]
                msg = f"no recovery within {PATIENCE_S:g} s: {counts} {self.victim.health()} {said}"
                raise AssertionError(msg)
            await asyncio.sleep(0.02)

    async def drain(self) -> None:
        """Let every device finish, and wait until the platform has taken all of it in."""
        for device in self.devices:
            device.is_draining = True
        deadline = time.monotonic() + PATIENCE_S
        while any(device.waiting for device in self.devices):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        waiting = {device.topic: device.waiting for device in self.devices if device.waiting}
        assert not waiting, f"never acknowledged: {waiting}"
        report = await asyncio.to_thread(self.victim.health)
        while report.get("lag_messages", 1) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            report = await asyncio.to_thread(self.victim.health)
        self.verdict.dead_letters = report.get("dead_letters", -1)

    async def judge(self, *, briefly: bool = False) -> None:
        """Compare the store with what was acknowledged, before and after restarts."""
        await self.drain()
        verdict = self.verdict
        verdict.acknowledged = sum(len(device.acknowledged) for device in self.devices)
        verdict.sent_again = sum(device.resent for device in self.devices)
        verdict.refused = [text for device in self.devices for text in device.refused]
        for how in ("as it is", "after a restart", "after kill -9 of everything"):
            if how == "after a restart" and briefly:
                continue
            if how == "after a restart":
                assert await asyncio.to_thread(self.victim.stop) == 0
                await asyncio.to_thread(self.victim.start)
            elif how != "as it is":
                await asyncio.to_thread(self.victim.kill_everything)
                await asyncio.to_thread(self.victim.start)
            await self._settled()
            found = await asyncio.to_thread(self._compare)
            self._say(f"     {how}: {found}")

    async def _settled(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            report = await asyncio.to_thread(self.victim.health)
            if report.get("ready") and not report["lag_messages"]:
                return
            await asyncio.sleep(0.1)
        msg = f"not settled: {self.victim.health()}"
        raise AssertionError(msg)

    def _compare(self) -> dict[str, int]:
        found = {"lost": 0, "duplicated": 0, "wrong": 0, "never_sent": 0}
        known = {
            item["thing"]: item["id"]
            for item in self.victim.get("/api/v1/datastreams?limit=100")["items"]
        }
        for device in self.devices:
            rows = self._rows(known.pop(device.topic))
            times = {time_us for time_us, _ in rows}
            due = {_time_us(number) for number in device.acknowledged}
            found["lost"] += len(due - times)
            found["never_sent"] += len(times - due)
            found["duplicated"] += len(rows) - len(times)
            found["wrong"] += sum(_time_us(int(value)) != time_us for time_us, value in rows)
        found["never_sent"] += len(known)
        found["wrong"] += not self._is_total(sum(len(d.acknowledged) for d in self.devices))
        for name, count in found.items():
            setattr(self.verdict, name, max(getattr(self.verdict, name), count))
        return found

    def _is_total(self, expected: int) -> bool:
        """Say whether the platform counts as many; its health report may be a second old."""
        for _ in range(600):
            if self.victim.health()["observations_total"] == expected:
                return True
            time.sleep(0.1)
        return False

    def _rows(self, datastream: int) -> list[tuple[int, float]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = f"/api/v1/datastreams/{datastream}/observations?format=parquet"
        table = pq.read_table(io.BytesIO(self.victim.download(path)))
        times = table["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        return list(zip(times, table["number"].to_pylist(), strict=True))


def _time_us(number: int) -> int:
    return round(BEGIN.timestamp()) * 1_000_000 + number * STEP_US


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("ab", 0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with path.open("ab", 0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))


@contextlib.contextmanager
def small_disk(parent: Path) -> Iterator[Path | None]:
    """Mount a small file system; give None where that is not allowed."""
    path = parent / "small-disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", str(path)]
    try:
        may = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        may = False
    try:
        yield path if may else None
    finally:
        if may:
            subprocess.run(["umount", "--lazy", str(path)], check=True)


async def run_kills(
    directory: Path, kinds: Sequence[str], seed: int, say: Say, *, briefly: bool = False
) -> Verdict:
    """Run trials that kill; return what they cost."""
    campaign = Campaign(directory / "data", seed, say)
    async with campaign.running():
        await campaign.kill_trials(kinds)
        await campaign.judge(briefly=briefly)
    return campaign.verdict


async def run_full_disks(
    directory: Path, trials: int, seed: int, say: Say, *, briefly: bool = False
) -> Verdict:
    """Run trials that fill the disk; return what they cost."""
    with small_disk(directory) as disk:
        if disk is None:
            return Verdict(not_tried=["full disk: only root may mount a small file system"])
        # The room that the log filled ahead would last the slow HTTP device for minutes.
        room = {"PENSTOCK_LOG_ROOM_BYTES": "4096"}
        campaign = Campaign(disk / "data", seed, say, mqtt_devices=2, **room)
        campaign.victim.errors = directory / "full-disk.stderr"
        async with campaign.running():
            for _ in range(trials):
                await campaign.full_disk_trial()
            await campaign.judge(briefly=briefly)
        return campaign.verdict


async def run(trials: int, seed: int, say: Say) -> Verdict:
    """Run the campaign: of 20 trials 19 kill and one fills the disk."""
    full = max(1, trials // 20)
    kinds = [KINDS[i % len(KINDS)] for i in range(trials - full)]
    with tempfile.TemporaryDirectory(prefix="penstock-faults-") as directory:
        verdict = await run_kills(Path(directory), kinds, seed, say)
        verdict.add(await run_full_disks(Path(directory), full, seed, say))
    return verdict


def say(text: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Run as many trials as the command line says and write the result."""
    parser = argparse.ArgumentParser(description="Kill, tear and fill under load, and count.")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--result", type=Path, help="JSON file to write")
    options = parser.parse_args()
    begin = time.monotonic()
    verdict = asyncio.run(run(options.trials, options.seed, say))
    result = {
        "what": "kill -9 of door and hub, torn log tails and a full disk under QoS 1 load",
        "command": f"make faults TRIALS={options.trials}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "seed": options.seed,
        "took_s": round(time.monotonic() - begin, 1),
        **verdict.summary(),
    }
    text = json.dumps(result, indent=2)
    say(text)
    if options.result:
        options.result.parent.mkdir(parents=True, exist_ok=True)
        options.result.write_text(text + "\n")
    sys.exit(not verdict.is_clean)


if __name__ == "__main__":
    main()
