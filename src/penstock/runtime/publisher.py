"""Messages that come by HTTP or from inside, put into a log partition in groups."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from penstock.core.clock import Arrivals, Clock
from penstock.core.errors import Backpressure, InvalidInput, PenstockError
from penstock.core.log import MQTT_3_1_1, LogWriter
from penstock.core.publish import encode_publish

#: Bytes that may wait for the disk before senders are asked to slow down.
MAX_WAITING_BYTES = 268_435_456


class Publisher:
    """Appends to one partition from one event loop; everybody waiting shares a sync."""

    def __init__(self, writer: LogWriter, clock: Clock) -> None:
        self._writer = writer
        self._arrivals = Arrivals(clock)
        self._waiting_bytes = 0
        self._is_stalled = False
        self._syncing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub-log")

    @property
    def end_offset(self) -> int:
        """Offset that the next message gets."""
        return self._writer.end_offset

    async def publish(self, messages: Sequence[tuple[str, bytes]], client: str) -> int:
        """Put (topic, payload) pairs into the log, together, and return the offset behind them.

        When it returns they are on disk.

        Raises:
            InvalidInput: There is none, or a topic cannot be published to; nothing was kept.
            Backpressure: Too much is waiting for the disk; nothing was kept.
            DiskFull: No space. Nothing was kept, but for the messages whose sync was the first to
                fail: they go to disk when there is space.
        """
        if not messages:
            msg = "nothing to publish; send at least one message"
            raise InvalidInput(msg)
        packets = [encode_publish(topic, payload) for topic, payload in messages]
        size = sum(map(len, packets))
        if self._waiting_bytes + size > MAX_WAITING_BYTES:
            msg = f"{self._waiting_bytes} bytes wait for the disk; send again a little later"
            raise Backpressure(msg)
        ends = array("I")
        end = 0
        for packet in packets:
            end += len(packet)
            ends.append(end)
        if self._is_stalled:
            await self._sync(self._writer.end_offset)
        arrived_us = self._arrivals.stamp(len(packets))
        first = self._writer.append(
            client, MQTT_3_1_1, arrived_us, b"".join(packets), ends.tobytes()
        )
        behind = first + len(packets)
        self._waiting_bytes += size
        try:
            await self._sync(behind)
        finally:
            self._waiting_bytes -= size
        return behind

    def close(self) -> None:
        """Wait for the sync at hand; nothing is published any more."""
        self._thread.shutdown()

    async def _sync(self, offset: int) -> None:
        """Sync until `offset` is durable; those who come during a sync share the next one."""
        while self._writer.durable_offset < offset:
            async with self._syncing:
                if self._writer.durable_offset < offset:
                    loop = asyncio.get_running_loop()
                    try:
                        await loop.run_in_executor(self._thread, self._writer.sync)
                    except PenstockError:
                        self._is_stalled = True
                        raise
                    self._is_stalled = False
