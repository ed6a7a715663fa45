"""The post by MQTT: one connection of the hub to the door, made again whenever it is lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from penstock.core.listening import HUB_CLIENT, PLATFORM_CLIENT
from penstock.devices.post import Down, Letter, PostEvent, Received, Taken, Up

_log = logging.getLogger(__name__)

#: User property by which the door is asked to say when a device has a message.
RECEIPT_PROPERTY = "penstock-receipt"
#: User property with a client identifier of the device.
RECEIPT_FROM = "penstock-receipt-from"
#: Topics below which it says so.
RECEIPTS = "$SYS/penstock/receipts"
#: Seconds between attempts to connect: first, and at most.
RETRY_S = (0.1, 2.0)
#: Seconds without a word after which the door asks whether the hub is still there.
KEEP_ALIVE_S = 30
#: Letters on their way to the door that are not acknowledged yet.
MAX_IN_FLIGHT = 1000
#: Reason code of an acknowledgement that says that nobody subscribed (OASIS MQTT 5.0, 3.4.2.1).
NO_MATCHING_SUBSCRIBERS = 0x10


class MqttPost:
    """Brings letters to the door with QoS 1 over MQTT 5.

    A connection that is lost is given up with what was on its way; whoever uses this sends again
    what was not taken.

    Args:
        address: Asked before every attempt, since a door may come back on another port; None when
            it is not known yet.
        secret: Password of the platform's own connections.
        name: Client identifier; no two connections have the same.
    """

    def __init__(
        self,
        address: Callable[[], tuple[str, int] | None],
        secret: str,
        name: str = HUB_CLIENT,
    ) -> None:
        self._name = name
        self._address = address
        self._secret = secret
        self._stop = threading.Event()
        self._client: paho.Client | None = None
        self._tell: Callable[[PostEvent], None] = _ignore
        self._thread: threading.Thread | None = None

    def open(self, tell: Callable[[PostEvent], None]) -> None:
        """Begin to connect, in a thread of its own."""
        self._tell = tell
        self._thread = threading.Thread(target=self._run, name="hub-post", daemon=True)
        self._thread.start()

    def send(self, letter: Letter) -> int | None:
        """Send a letter and return its number; None when the door is away."""
        client = self._client
        if client is None:
            return None
        info = client.publish(
            letter.topic, letter.payload, qos=1, retain=letter.retain, properties=_terms(letter)
        )
        return info.mid if info.rc == paho.MQTT_ERR_SUCCESS else None

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        pause_s = RETRY_S[0]
        while not self._stop.is_set():
            if self._serve():
                pause_s = RETRY_S[0]
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, RETRY_S[1])

    def _serve(self) -> bool:
        """Connect and stay until the connection ends; return whether there was one."""
        address = self._address()
        if address is None:
            return False
        ended, came = threading.Event(), threading.Event()
        client = self._prepare(came, ended)
        try:
            client.connect(*address, keepalive=KEEP_ALIVE_S, clean_start=True)
        except (OSError, ValueError) as error:
            _log.debug("the door cannot be reached at %s: %s", address, error)
            return False
        client.loop_start()
        try:
            while not (ended.is_set() or self._stop.is_set()):
                ended.wait(0.2)
        finally:
            was_up, self._client = self._client is not None, None
            client.disconnect()
            client.loop_stop()
            if was_up:
                self._tell(Down())
        return came.is_set()

    def _prepare(self, came: threading.Event, ended: threading.Event) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self._name,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        if self._secret:
            client.username_pw_set(PLATFORM_CLIENT, self._secret)

        def on_connect(*given: Any) -> None:
            reason: ReasonCode = given[3]
            if reason.is_failure:
                _log.warning("the door refuses the hub: %s", reason)
                ended.set()
                return
            client.subscribe(f"{RECEIPTS}/#", qos=1)

        def on_subscribe(*_: Any) -> None:
            # Only now does a receipt find its way; nothing is sent before.
            self._client = client
            came.set()
            self._tell(Up())

        def on_publish(_: Any, __: Any, number: int, reason: ReasonCode, ___: Any) -> None:
            self._tell(Taken(number, reason.value != NO_MATCHING_SUBSCRIBERS))

        def on_message(_: Any, __: Any, message: paho.MQTTMessage) -> None:
            receipt = _receipt(message)
            if receipt is not None:
                self._tell(receipt)

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_publish = on_publish
        client.on_message = on_message
        client.on_disconnect = lambda *_: ended.set()
        return client


class _Receipt(msgspec.Struct):
    at: int


def _receipt(message: paho.MQTTMessage) -> Received | None:
    key = message.topic.rpartition("/")[2]
    try:
        return Received(key, msgspec.json.decode(message.payload, type=_Receipt).at)
    except msgspec.DecodeError:
        _log.warning("a receipt of the door cannot be read: %r", message.payload[:200])
        return None


def _terms(letter: Letter) -> Properties:
    terms = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if letter.lives_s is not None:
        terms.MessageExpiryInterval = letter.lives_s
    if letter.reply_topic:
        terms.ResponseTopic = letter.reply_topic
        terms.CorrelationData = letter.key.encode()
    if letter.is_receipt_wanted:
        terms.UserProperty = [
            (RECEIPT_PROPERTY, letter.key),
            *((RECEIPT_FROM, client) for client in letter.clients),
        ]
    return terms


def _ignore(_: PostEvent) -> None:
    """Nobody listens yet."""
