import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event
from tests.alarms.receivers import mail_server, webhook
from tests.catalog.template import fresh_catalog, place_of, reopened

from penstock.alarms.mail import addresses
from penstock.alarms.notifying import Notifier
from penstock.alarms.settings import AlarmSettings
from penstock.alarms.step import delivery
from penstock.alarms.webhooks import check_url, post
from penstock.catalog import SqlCatalog
from penstock.catalog.alarms.notifications import SqlNotifications
from penstock.core.alarm_records import TargetRecord
from penstock.core.clock import SystemClock
from penstock.core.errors import InvalidInput, NotConnected
from penstock.core.notifications import Delivery, DeliveryState, TargetKind, TargetSpec

NEAR = AlarmSettings(webhook_private=True, retry_s=0.05, max_retry_s=0.2)
BODY = '{"event":"raise","by":"","comment":"","alarm":{"message":"hot","severity":"high"}}'


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    made = fresh_catalog(tmp_path)
    yield made
    made.close()


def target(records: SqlNotifications, kind: TargetKind, address: str) -> TargetRecord:
    spec = TargetSpec(name="it", kind=kind, address=address, secret="key")
    return records.save_target(TargetRecord(system_id=1, spec=spec, by="", changed_us=0))


def until(records: SqlNotifications, id_: int, count: int) -> list[Delivery]:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        found = [
            one
            for one in records.deliveries([id_], None, 100)
            if one.state is not DeliveryState.WAITING
        ]
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(records.deliveries([id_], None, 100))


def test_a_webhook_is_tried_until_it_is_taken_with_one_key_and_a_signature(
    catalog: SqlCatalog,
) -> None:
    records = SqlNotifications(catalog.database)
    with webhook(500, 302, 404) as receiver:
        to = target(records, TargetKind.WEBHOOK, receiver.url)
        notifier = Notifier(records, lambda: [to], lambda *_: None, NEAR, SystemClock())
        records.add(delivery(to, "raise", BODY, 1, SystemClock().now_us()))
        records.add(delivery(to, "return", BODY, 1, SystemClock().now_us()))
        notifier.start()
        done = until(records, to.id, 2)
        notifier.close()
    keys = [headers["Penstock-Delivery"] for headers, _ in receiver.got]
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0], "what follows waits for what failed"
    assert len(keys) == 5
    headers, body = receiver.got[0]
    signed = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    assert headers["Penstock-Signature"] == f"sha256={signed}"
    assert [one.attempts for one in done] == [1, 4]
    assert {one.outcome for one in done} == {"200 OK"}


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("http://127.0.0.1:9/", AlarmSettings()),
        ("http://localhost:9/", AlarmSettings()),
        ("http://[::1]:9/", AlarmSettings()),
        ("http://[::ffff:127.0.0.1]:9/", AlarmSettings()),
        ("http://[64:ff9b::127.0.0.1]:9/", AlarmSettings()),
        ("http://[2002:7f00:1::]:9/", AlarmSettings()),
        ("http://169.254.169.254/latest/meta-data", AlarmSettings()),
        ("http://10.1.2.3/", AlarmSettings()),
        ("http://0x7f000001/", AlarmSettings()),
        ("http://0/", AlarmSettings()),
        ("file:///etc/passwd", NEAR),
        ("http://name:secret@example.com/", NEAR),
        ("http://example.com/\r\nX: y", NEAR),
        ("https://example.org/", AlarmSettings(webhook_hosts=["example.com"])),
    ],
)
def test_a_webhook_goes_nowhere_it_may_not(url: str, settings: AlarmSettings) -> None:
    with pytest.raises(InvalidInput):
        post(url, BODY, "k", "", settings)


def test_addresses_that_may_be_told_pass() -> None:
    assert check_url("https://example.com/x?y=1", AlarmSettings()).hostname == "example.com"
    assert addresses("a@example.com, b@example.com") == ["a@example.com", "b@example.com"]
    for wrong in ("a@example.com\nBcc: b@example.com", "nobody", ""):
        with pytest.raises(InvalidInput):
            addresses(wrong)


def test_nobody_answers_is_told() -> None:
    with pytest.raises(NotConnected, match="cannot be reached"):
        post("http://127.0.0.1:1/", BODY, "k", "", NEAR)


def test_who_answers_byte_by_byte_keeps_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        is_over = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not is_over.wait(0.02):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        short = AlarmSettings(webhook_private=True, webhook_timeout_s=0.3)
        with pytest.raises(NotConnected, match=r"took longer than 0\.3 s"):
            post(url, BODY, "k", "", short)
        is_over.set()
        dripping.join()


def test_mail_is_sent_by_a_mail_server(catalog: SqlCatalog) -> None:
    records = SqlNotifications(catalog.database)
    with mail_server() as box:
        settings = AlarmSettings(smtp_host="127.0.0.1", smtp_port=box.port, smtp_security="none")
        to = target(records, TargetKind.MAIL, "sue@example.com, joe@example.com")
        notifier = Notifier(records, lambda: [to], lambda *_: None, settings, SystemClock())
        hostile = json.loads(BODY)
        hostile["alarm"]["message"] = "hot\nBcc: eve@example.com"
        made = records.add(delivery(to, "raise", json.dumps(hostile), 1, 0))
        done = notifier.attempt(to, made)
        notifier.close()
    assert done.state is DeliveryState.SENT, done.outcome
    head = box.taken[0].split("\r\n\r\n")[0]
    assert "Subject: [HIGH] raise: hot Bcc: eve@example.com" in head
    assert "\nBcc:" not in head
    assert f"Message-ID: <{made.key}@penstock>" in head


def test_what_comes_later_waits_for_what_failed(catalog: SqlCatalog) -> None:
    records = SqlNotifications(catalog.database)
    to = target(records, TargetKind.WEBHOOK, "http://127.0.0.1:1/")
    notifier = Notifier(records, lambda: [to], lambda *_: None, NEAR, SystemClock())
    now_us = SystemClock().now_us()
    first = records.add(delivery(to, "raise", BODY, 1, now_us))
    failed = notifier.attempt(to, first)
    notifier.close()
    records.settle([failed])
    later = records.add(delivery(to, "return", BODY, 1, now_us))
    records.add(msgspec.structs.replace(delivery(to, "test", BODY, 1, now_us), due_us=2**62))
    assert failed.state is DeliveryState.WAITING
    assert records.due(failed.due_us - 1, (), 9) == []
    assert [one.id for one in records.due(failed.due_us, (), 9)] == [first.id, later.id]


def test_what_never_works_is_given_up(catalog: SqlCatalog) -> None:
    records = SqlNotifications(catalog.database)
    to = target(records, TargetKind.WEBHOOK, "http://127.0.0.1:1/")
    notifier = Notifier(records, lambda: [to], lambda *_: None, NEAR, SystemClock())
    old = records.add(delivery(to, "raise", BODY, 1, 1_000_000))
    done = notifier.attempt(to, old)
    notifier.close()
    assert done.state is DeliveryState.FAILED


KILLED = """
import sys, time
from penstock.alarms.notifying import Notifier
from penstock.alarms.settings import AlarmSettings
from penstock.alarms.step import delivery
from penstock.catalog import SqlCatalog
from penstock.catalog.alarms.notifications import SqlNotifications
from penstock.core.clock import SystemClock
records = SqlNotifications(SqlCatalog.open(sys.argv[1]).database)
to = records.targets()[0]
settings = AlarmSettings(webhook_private=True, retry_s=0.05)
notifier = Notifier(records, lambda: [to], lambda *_: None, settings, SystemClock())
notifier.start()
for number in range(int(sys.argv[2])):
    made = records.add(delivery(to, "raise", '{"n":%d}' % number, 1, SystemClock().now_us()))
    print(made.key, flush=True)
    notifier.wake()
time.sleep(60)
"""


def test_after_kill_9_everything_that_was_kept_is_sent_and_its_key_tells_repeats(
    tmp_path: Path,
) -> None:
    fresh_catalog(tmp_path).close()
    file = place_of(tmp_path)
    kept: list[str] = []
    with webhook() as receiver:
        catalog = reopened(tmp_path)
        to = target(SqlNotifications(catalog.database), TargetKind.WEBHOOK, receiver.url)
        catalog.close()
        for round_ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-c", KILLED, str(file), "30"],
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ,
            )
            assert process.stdout is not None
            kept += [process.stdout.readline().strip() for _ in range(10 + round_ * 7)]
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept += [line.strip() for line in process.stdout if len(line.strip()) == 32]
            process.stdout.close()
        catalog = reopened(tmp_path)
        records = SqlNotifications(catalog.database)
        notifier = Notifier(records, lambda: [to], lambda *_: None, NEAR, SystemClock())
        notifier.start()
        # More may be kept than could be said before the kill.
        with receiver.came:
            receiver.came.wait_for(
                lambda: set(kept) <= {headers["Penstock-Delivery"] for headers, _ in receiver.got},
                90,
            )
        notifier.close()
        catalog.close()
    got = [headers["Penstock-Delivery"] for headers, _ in receiver.got]
    assert set(kept) <= set(got)
    # At least once; what was on its way when it was killed came again.
    assert len(got) - len(set(got)) <= 3


def test_what_was_sent_costs_nothing_when_it_is_looked_for_what_waits(catalog: SqlCatalog) -> None:
    records = SqlNotifications(catalog.database)
    asked: list[str] = []
    with catalog.database.read() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert records.due(10, (1,), 9) == []
    with catalog.database.read() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {asked[0]}", (1, 2, 3, 4, 5)[: asked[0].count("?")]
        )
        said = [row[3] for row in plan]
    assert not [line for line in said if line.startswith("SCAN")], said
