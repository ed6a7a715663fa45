"""Telling people: what waits is tried until it is sent or given up, each target on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from penstock.alarms.mail import send_mail
from penstock.alarms.settings import AlarmSettings
from penstock.alarms.webhooks import post
from penstock.core.alarm_records import NotificationRecords, TargetRecord
from penstock.core.clock import Clock
from penstock.core.errors import InvalidInput, PenstockError
from penstock.core.notifications import Delivery, DeliveryState, TargetKind

_log = logging.getLogger(__name__)

#: Targets that are told at one time.
WORKERS = 8
#: Notifications taken up at once.
TAKEN = 200
#: How often it is looked for what is due, in seconds; news wakes it at once.
LOOK_EVERY_S = 0.5

#: Publishes a payload to a topic, and returns when it is on disk.
Publish = Callable[[str, bytes], None]


class Notifier:
    """Sends what waits. At least once: the same key comes again after a crash.

    Args:
        records: What waits.
        targets: All targets, as of now.
        publish: For MQTT.
        settings: Where to, and how patiently.
        clock: Tells what is due.
    """

    def __init__(
        self,
        records: NotificationRecords,
        targets: Callable[[], Sequence[TargetRecord]],
        publish: Publish,
        settings: AlarmSettings,
        clock: Clock,
    ) -> None:
        self._records = records
        self._targets = targets
        self._publish = publish
        self._settings = settings
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, "notify")
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Look for what is due now."""
        self._wake.set()

    def close(self) -> None:
        """End after what is being sent. Safe to call twice."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def attempt(self, target: TargetRecord, delivery: Delivery) -> Delivery:
        """Try once and return what became of it; nothing is kept."""
        now_us = self._clock.now_us()
        attempts = delivery.attempts + 1
        try:
            outcome, state = self._send(target, delivery), DeliveryState.SENT
        except InvalidInput as error:
            outcome, state = str(error), DeliveryState.FAILED
        except PenstockError as error:
            age_s = (now_us - delivery.created_us) / 1e6
            gives_up = age_s > self._settings.give_up_s
            outcome = str(error)
            state = DeliveryState.FAILED if gives_up else DeliveryState.WAITING
        pause_s = min(
            self._settings.retry_s * 2 ** min(attempts - 1, 30), self._settings.max_retry_s
        )
        done_us = self._clock.now_us()
        return msgspec.structs.replace(
            delivery,
            state=state,
            attempts=attempts,
            outcome=outcome[:500],
            due_us=done_us + round(pause_s * 1e6),
            done_us=None if state is DeliveryState.WAITING else done_us,
        )

    def _send(self, target: TargetRecord, delivery: Delivery) -> str:
        spec = target.spec
        if spec.kind is TargetKind.WEBHOOK:
            return post(spec.address, delivery.body, delivery.key, spec.secret, self._settings)
        if spec.kind is TargetKind.MAIL:
            return send_mail(spec.address, delivery.body, delivery.key, self._settings)
        self._publish(spec.address, delivery.body.encode())
        return "published"

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()
            try:
                while self._take_up() and not self._stop.is_set():
                    pass
            except PenstockError as error:
                _log.warning("it cannot be looked who is to be told: %s", error)
                self._stop.wait(1.0)
            except Exception:
                _log.exception("it cannot be looked who is to be told; trying again")
                self._stop.wait(1.0)

    def _take_up(self) -> bool:
        """Hand what is due to the workers, a target to one at a time; return if there was any."""
        with self._lock:
            busy = sorted(self._busy)
        due = self._records.due(self._clock.now_us(), busy, TAKEN)
        targets = {one.id: one for one in self._targets()}
        by_target: dict[int, list[Delivery]] = {}
        for one in due:
            by_target.setdefault(one.target_id, []).append(one)
        for id_, some in by_target.items():
            with self._lock:
                self._busy.add(id_)
            self._pool.submit(self._deliver, targets.get(id_), id_, some)
        return bool(by_target)

    def _deliver(self, target: TargetRecord | None, id_: int, some: Sequence[Delivery]) -> None:
        try:
            for one in some:
                if target is None or self._stop.is_set():
                    return
                done = self.attempt(target, one)
                self._records.settle([done])
                if done.state is DeliveryState.WAITING:
                    # What follows waits for it too, so that the order stays.
                    rest = [
                        msgspec.structs.replace(other, due_us=done.due_us)
                        for other in some
                        if other.id > one.id
                    ]
                    self._records.settle(rest)
                    return
        except Exception:
            _log.exception("notifications of target %s could not be written down", id_)
            self._stop.wait(1.0)
        finally:
            with self._lock:
                self._busy.discard(id_)
            self._wake.set()
