"""What every log must do: derive a test class from `LogContract` and give it `open_log`.

Example:
    class TestMyLog(LogContract):
        @pytest.fixture
        def open_log(self, tmp_path):
            return lambda: MyLog(tmp_path)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pytest

from penstock.core.errors import Bug, Conflict, InvalidInput
from penstock.core.log import MQTT_3_1_1, MQTT_5_0, Block, Log, LogReader, LogWriter
from penstock.core.publish import encode_publish, parse_publish

#: Opens the log anew over what was kept before; called again after the last one was closed.
OpenLog = Callable[[], Log]


def run_of_messages(*payloads: bytes, topic: str = "site/device/sensor") -> tuple[bytes, bytes]:
    """Return `packets` and `ends` of a block that holds one message for each payload."""
    packets = [encode_publish(topic, payload) for payload in payloads]
    ends, at = [], 0
    for packet in packets:
        at += len(packet)
        ends.append(at)
    return b"".join(packets), struct.pack(f"<{len(ends)}I", *ends)


def append_messages(
    writer: LogWriter, *payloads: bytes, arrived_us: int = 1_000_000, client: str = "device-1"
) -> int:
    """Append one block with a message for each payload; return its offset."""
    packets, ends = run_of_messages(*payloads)
    return writer.append(client, MQTT_3_1_1, arrived_us, packets, ends)


def read_all(reader: LogReader, max_bytes: int = 4_194_304) -> list[Block]:
    """Read until there is nothing more."""
    blocks: list[Block] = []
    while more := reader.read(max_bytes):
        blocks += more
    return blocks


def payloads_of(blocks: Sequence[Block]) -> list[bytes]:
    """Return the payload of every message in `blocks`."""
    payloads = []
    for block in blocks:
        start = 0
        for end in struct.unpack(f"<{block.count}I", block.ends):
            payloads.append(parse_publish(block.packets[start:end], block.protocol)[1])
            start = end
    return payloads


class LogContract:
    """The promises of `penstock.core.log`, one test each."""

    @pytest.fixture
    def open_log(self) -> OpenLog:
        """Give a function that opens the log; every test gets fresh storage."""
        raise NotImplementedError("a test class for a log must define the fixture open_log")

    @pytest.fixture
    def log(self, open_log: OpenLog) -> Log:
        """Give a log without partitions."""
        return open_log()

    def test_a_new_log_has_no_partitions(self, log: Log) -> None:
        """Nothing exists before a writer was opened."""
        assert list(log.partitions()) == []

    def test_partitions_are_listed_by_name(self, log: Log) -> None:
        """A partition exists once a writer was opened."""
        for name in ("hub", "door"):
            log.writer(name).close()
        assert list(log.partitions()) == ["door", "hub"]

    def test_a_reader_does_not_make_a_partition(self, log: Log) -> None:
        """Waiting for a partition does not bring it into being."""
        reader = log.reader("door", "ingest")
        assert list(reader.read()) == []
        assert list(log.partitions()) == []

    def test_a_reader_opened_before_the_partition_sees_it_begin(self, log: Log) -> None:
        """Processes may start in any order."""
        reader = log.reader("door")
        assert list(reader.read()) == []
        writer = log.writer("door")
        append_messages(writer, b"1")
        writer.sync()
        assert payloads_of(read_all(reader)) == [b"1"]

    def test_offsets_count_messages_from_zero(self, log: Log) -> None:
        """A block's offset is that of its first message."""
        writer = log.writer("door")
        assert writer.end_offset == 0
        assert append_messages(writer, b"1", b"2", b"3") == 0
        assert append_messages(writer, b"4") == 3
        assert writer.end_offset == 4

    def test_a_block_comes_back_as_it_was_appended(self, log: Log) -> None:
        """Every field is kept, byte by byte."""
        writer = log.writer("door")
        packets, ends = run_of_messages(b"\x00\xff PBlk", b"")
        writer.append("Gerät-7", MQTT_5_0, 1_700_000_000_123_456, packets, ends)
        writer.sync()
        expected = Block(0, 2, 1_700_000_000_123_456, "Gerät-7", MQTT_5_0, packets, ends)
        assert list(log.reader("door").read()) == [expected]

    def test_a_block_is_invisible_until_it_is_synced(self, log: Log) -> None:
        """Readers see only what survives a power loss."""
        writer = log.writer("door")
        reader = log.reader("door")
        append_messages(writer, b"1")
        assert writer.durable_offset == 0
        assert list(reader.read()) == []
        assert writer.sync() == writer.durable_offset == 1
        assert payloads_of(reader.read()) == [b"1"]

    def test_sync_with_nothing_buffered_is_harmless(self, log: Log) -> None:
        """It may be called on every turn of a loop."""
        writer = log.writer("door")
        assert writer.sync() == 0
        append_messages(writer, b"1")
        assert [writer.sync(), writer.sync()] == [1, 1]

    def test_an_empty_block_is_a_bug(self, log: Log) -> None:
        """A block has at least one message."""
        with pytest.raises(Bug):
            log.writer("door").append("device-1", MQTT_3_1_1, 0, b"", b"")

    def test_a_closed_writer_has_synced_and_takes_no_more(self, log: Log) -> None:
        """Close twice, sync never again."""
        writer = log.writer("door")
        append_messages(writer, b"1")
        writer.close()
        writer.close()
        assert payloads_of(read_all(log.reader("door"))) == [b"1"]
        with pytest.raises(Bug):
            writer.sync()

    def test_a_partition_has_one_writer(self, log: Log) -> None:
        """The second is refused until the first is closed."""
        writer = log.writer("door")
        with pytest.raises(Conflict):
            log.writer("door")
        log.writer("hub")
        writer.close()
        log.writer("door")

    def test_a_reopened_log_continues_where_it_ended(self, open_log: OpenLog) -> None:
        """Nothing synced is lost and no offset is given twice."""
        log = open_log()
        writer = log.writer("door")
        append_messages(writer, b"1", b"2")
        log.close()
        log = open_log()
        writer = log.writer("door")
        assert writer.end_offset == writer.durable_offset == 2
        assert append_messages(writer, b"3") == 2
        writer.sync()
        assert payloads_of(read_all(log.reader("door"))) == [b"1", b"2", b"3"]
        log.close()

    def test_reading_in_small_pieces_gives_the_same(self, log: Log) -> None:
        """`max_bytes` bounds a read but never hides a large block."""
        writer = log.writer("door")
        sent = [bytes([65 + i % 26]) * (i * 37 % 900) for i in range(60)]
        for payload in sent:
            append_messages(writer, payload, payload)
        writer.sync()
        expected = [p for payload in sent for p in (payload, payload)]
        for max_bytes in (1, 500, 20_000):
            blocks = read_all(log.reader("door"), max_bytes)
            assert payloads_of(blocks) == expected

    def test_readers_are_independent(self, log: Log) -> None:
        """One reader's position is nobody else's."""
        writer = log.writer("door")
        append_messages(writer, b"1")
        writer.sync()
        first, second = log.reader("door", "a"), log.reader("door", "b")
        read_all(first)
        assert (first.position, second.position) == (1, 0)
        assert payloads_of(read_all(second)) == [b"1"]

    def test_a_named_reader_continues_at_its_committed_position(self, open_log: OpenLog) -> None:
        """What was read but not committed is read again."""
        log = open_log()
        writer = log.writer("door")
        append_messages(writer, b"1")
        append_messages(writer, b"2")
        writer.sync()
        reader = log.reader("door", "ingest")
        read_all(reader)
        reader.commit(1)
        log.close()
        again = open_log().reader("door", "ingest")
        assert again.position == 1
        assert payloads_of(read_all(again)) == [b"2"]

    def test_a_nameless_reader_cannot_commit(self, log: Log) -> None:
        """There is no name to keep the position under."""
        with pytest.raises(Bug):
            log.reader("door").commit(0)

    def test_nobody_commits_what_is_not_there(self, log: Log) -> None:
        """A position behind the end would make a later message look done with."""
        writer = log.writer("door")
        append_messages(writer, b"1")
        writer.sync()
        reader = log.reader("door", "ingest")
        reader.commit(1)
        with pytest.raises(Bug):
            reader.commit(2)

    def test_seek_into_a_block_returns_the_whole_block(self, log: Log) -> None:
        """The first block may start before the position."""
        writer = log.writer("door")
        append_messages(writer, b"1", b"2", b"3")
        append_messages(writer, b"4")
        writer.sync()
        reader = log.reader("door")
        reader.seek(1)
        assert reader.position == 1
        assert [block.offset for block in read_all(reader)] == [0, 3]
        reader.seek(3)
        assert [block.offset for block in read_all(reader)] == [3]

    def test_seek_back_reads_again(self, log: Log) -> None:
        """That is what replay is."""
        writer = log.writer("door")
        append_messages(writer, b"1")
        writer.sync()
        reader = log.reader("door")
        read_all(reader)
        reader.seek(0)
        assert payloads_of(read_all(reader)) == [b"1"]

    def test_seek_time_finds_the_first_block_since(self, log: Log) -> None:
        """Arrival times may go back when a clock is set; the first block in the log counts."""
        writer = log.writer("door")
        for arrived_us in (10, 20, 15, 30):
            append_messages(writer, b"%d" % arrived_us, arrived_us=arrived_us)
            writer.sync()
        reader = log.reader("door")
        found = []
        for time_us in (0, 10, 11, 16, 21, 31):
            reader.seek_time(time_us)
            found.append(reader.position)
        assert found == [0, 0, 1, 1, 3, 4]

    def test_an_unusable_name_is_refused(self, log: Log) -> None:
        """Names may become names of files."""
        for name in ("", "../door", "a/b", ".hidden", "x" * 101):
            with pytest.raises(InvalidInput):
                log.writer(name)
            with pytest.raises(InvalidInput):
                log.reader("door", name or "-")
