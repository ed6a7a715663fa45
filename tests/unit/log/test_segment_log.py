"""What the segment log does beyond the contract: files, rolling, retention, damage."""

from pathlib import Path

import pytest

from penstock.core.clock import ManualClock
from penstock.core.errors import Corrupt
from penstock.log import LogSettings, SegmentLog
from penstock.testing.log_contract import append_messages, payloads_of, read_all

SMALL = LogSettings(segment_bytes=4096, index_bytes=512, room_bytes=1024, max_bytes=None)


def written(log: SegmentLog, count: int, size: int = 500, partition: str = "door") -> list[bytes]:
    """Append `count` synced blocks with a payload of `size` bytes each; return the payloads."""
    payloads = [b"%06d" % i + bytes(size - 6) for i in range(count)]
    writer = log.writer(partition)
    for i, payload in enumerate(payloads):
        append_messages(writer, payload, arrived_us=1_000 + i)
        writer.sync()
    writer.close()
    return payloads


def segments(path: Path) -> list[Path]:
    return sorted((path / "door").glob("*.seg"))


def damage(path: Path, at: int, by: int = 0x10) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= by
    path.write_bytes(data)


def test_a_full_segment_is_followed_by_one_named_after_its_first_offset(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 20)
    names = [int(path.stem) for path in segments(tmp_path)]
    assert names[0] == 0
    assert len(names) > 2
    assert all(path.stat().st_size <= 4096 for path in segments(tmp_path))
    reader = log.reader("door")
    for name in names:
        reader.seek(name)
        assert payloads_of(read_all(reader)) == payloads[name:]


def test_an_old_segment_is_closed_at_the_next_write(tmp_path: Path) -> None:
    clock = ManualClock()
    log = SegmentLog(tmp_path, LogSettings(segment_age_s=60), clock)
    writer = log.writer("door")
    for _ in range(3):
        append_messages(writer, b"1")
        writer.sync()
        clock.advance(61)
    assert len(segments(tmp_path)) == 3


def test_closing_cuts_off_the_room_ahead(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings(room_bytes=100_000))
    writer = log.writer("door")
    append_messages(writer, b"1")
    writer.sync()
    assert segments(tmp_path)[0].stat().st_size > 100_000
    writer.close()
    assert segments(tmp_path)[0].stat().st_size < 200


def test_a_batch_larger_than_a_segment_is_kept_whole(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    assert payloads_of(read_all(log.reader("door"))) == []
    payloads = written(log, 3, size=10_000)
    assert payloads_of(read_all(log.reader("door"))) == payloads


def test_retention_by_size_keeps_the_newest(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_bytes=10_000))
    written(log, 60)
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 10_000 + 4096
    reader = log.reader("door")
    first = int(segments(tmp_path)[0].stem)
    assert reader.position == first > 0
    assert [block.offset for block in read_all(reader)] == list(range(first, 60))


def test_retention_by_age_keeps_the_newest(tmp_path: Path) -> None:
    clock = ManualClock()
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_age_s=3600), clock)
    written(log, 20)
    before = len(segments(tmp_path))
    clock.advance(3599)
    assert log.expire() == 0
    clock.advance(2)
    assert log.expire() == before - 1
    assert log.expire() == 0


def test_a_writer_deletes_nothing_for_its_age_since_its_clock_may_be_wrong(tmp_path: Path) -> None:
    clock = ManualClock()
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_age_s=3600), clock)
    written(log, 20)
    before = len(segments(tmp_path))
    believed_us = clock.now_us()
    clock.jump(31_536_000)
    written(log, 40)
    assert len(segments(tmp_path)) > before
    assert log.expire(believed_us) == 0
    assert log.reader("door").position == 0
    assert log.expire() > 0


def test_retention_waits_for_the_slowest_named_reader(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_bytes=1))
    slow = log.reader("door", "slow")
    fast = log.reader("door", "fast")
    payloads = written(log, 40)
    fast.commit(40)
    assert payloads_of(read_all(slow)) == payloads
    assert log.expire() == 0
    slow.commit(20)
    assert log.expire() > 0
    kept = log.reader("door")
    first = kept.position
    assert 0 < first <= 20
    assert payloads_of(read_all(kept)) == payloads[first:]


def test_a_damaged_position_of_a_reader_holds_retention_and_reads_from_the_start(
    tmp_path: Path,
) -> None:
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_bytes=1))
    log.reader("door", "slow").commit(0)
    damage(tmp_path / "door" / "readers" / "slow", 9)
    payloads = written(log, 20)
    assert payloads_of(read_all(log.reader("door", "slow"))) == payloads


def test_a_reader_overtaken_by_retention_goes_on_at_the_first_kept_message(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_bytes=None))
    reader = log.reader("door")
    written(log, 40)
    SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_bytes=1)).expire()
    first = int(segments(tmp_path)[0].stem)
    assert first > 0
    assert [block.offset for block in read_all(reader)] == list(range(first, 40))


def test_a_reader_survives_restarts_of_the_writer(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    reader = log.reader("door")
    seen = []
    for i in range(30):
        writer = log.writer("door")
        append_messages(writer, b"%d" % i, bytes(i * 11))
        writer.close()
        seen += [block.offset for block in reader.read()]
    assert seen == list(range(0, 60, 2))


def test_a_log_forgets_what_was_closed_and_closes_the_rest(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    written(log, 3)
    files = len(list(Path("/proc/self/fd").iterdir()))
    kept = log.reader("door")
    for _ in range(50):
        reader = log.reader("door")
        reader.read()
        reader.close()
    assert len(log._opened) <= 2
    kept.read()
    assert len(list(Path("/proc/self/fd").iterdir())) > files
    log.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_damage_in_the_middle_is_reported_once_and_skipped(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 20)
    damage(segments(tmp_path)[1], 700)
    lost = int(segments(tmp_path)[1].stem) + 1
    reader = log.reader("door")
    got = payloads_of(reader.read())
    while reader.position < lost:
        got += payloads_of(reader.read())
    with pytest.raises(Corrupt, match=rf"messages {lost} to {lost} of log partition 'door'"):
        reader.read()
    got += payloads_of(read_all(reader))
    assert got == payloads[:lost] + payloads[lost + 1 :]


def test_a_damaged_segment_header_costs_that_segment_only(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 20)
    damage(segments(tmp_path)[1], 20)
    first, second = (int(path.stem) for path in segments(tmp_path)[1:3])
    reader = log.reader("door")
    got = payloads_of(reader.read())
    with pytest.raises(Corrupt, match=f"messages {first} to {second - 1} "):
        reader.read()
    got += payloads_of(read_all(reader))
    assert got == payloads[:first] + payloads[second:]


def test_a_missing_segment_is_reported(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 20)
    gone, following = segments(tmp_path)[1:3]
    gone.unlink()
    reader = log.reader("door")
    got = payloads_of(reader.read())
    with pytest.raises(Corrupt, match=f"messages {int(gone.stem)} to {int(following.stem) - 1} "):
        reader.read()
    assert (
        got + payloads_of(read_all(reader))
        == payloads[: int(gone.stem)] + payloads[int(following.stem) :]
    )


def test_offsets_that_readers_saw_are_never_given_again(tmp_path: Path) -> None:
    # Given a disk that lost blocks it had promised to keep
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 5)
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[: 48 + 2 * 550])
    # When the writer comes back
    writer = log.writer("door")
    assert writer.end_offset == 5
    append_messages(writer, b"new")
    writer.sync()
    # Then the gap is reported, not filled
    reader = log.reader("door")
    got = payloads_of(reader.read())
    with pytest.raises(Corrupt):
        reader.read()
    assert got + payloads_of(read_all(reader)) == [*payloads[: len(got)], b"new"]
    assert reader.position == 6


def test_recovery_never_cuts_a_sound_block_behind_a_damaged_one(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings())
    payloads = written(log, 5)
    damage(segments(tmp_path)[0], 48 + 100)
    (tmp_path / "door" / "durable").unlink()
    log.writer("door").close()
    reader = log.reader("door")
    with pytest.raises(Corrupt):
        reader.read()
    assert payloads_of(read_all(reader)) == payloads[1:]


def test_a_block_inside_a_payload_never_passes_for_a_block(tmp_path: Path) -> None:
    # Given a payload that is itself a block of another log, with an offset further on
    other = SegmentLog(tmp_path / "other")
    written(other, 10)
    forged = (tmp_path / "other" / "door" / f"{0:020d}.seg").read_bytes()[-550:]
    log = SegmentLog(tmp_path, LogSettings())
    writer = log.writer("door")
    append_messages(writer, forged)
    append_messages(writer, b"true")
    writer.sync()
    # When the block around it is damaged
    damage(segments(tmp_path)[0], 48 + 60)
    # Then the search for the next block does not fall for it
    reader = log.reader("door")
    with pytest.raises(Corrupt, match="messages 0 to 0 "):
        reader.read()
    assert payloads_of(read_all(reader)) == [b"true"]


@pytest.mark.parametrize("index", [b"", b"garbage" * 99, None])
def test_without_a_sound_index_positions_are_found_by_scanning(
    tmp_path: Path, index: bytes | None
) -> None:
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 30)
    for path in (tmp_path / "door").glob("*.idx"):
        if index is None:
            path.unlink()
        else:
            path.write_bytes(index)
    reader = log.reader("door")
    for offset in (0, 13, 29):
        reader.seek(offset)
        assert payloads_of(read_all(reader)) == payloads[offset:]
        reader.seek_time(1_000 + offset)
        assert reader.position == offset
    assert log.writer("door").end_offset == 30


def test_an_index_of_another_file_misleads_nobody(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    payloads = written(log, 30)
    written(log, 5, size=333, partition="hub")
    written(log, 12, size=77, partition="aux")
    for path in (tmp_path / "door").glob("*.idx"):
        path.write_bytes((tmp_path / "aux" / f"{0:020d}.idx").read_bytes())
    reader = log.reader("door")
    for offset in (0, 13, 29):
        reader.seek(offset)
        assert payloads_of(read_all(reader)) == payloads[offset:]
    assert log.writer("door").end_offset == 30


def test_times_are_found_across_segments_and_clock_jumps(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, SMALL)
    writer = log.writer("door")
    times = [(i * 7919) % 1000 + i * 20 for i in range(60)]
    for time_us in times:
        append_messages(writer, bytes(300), arrived_us=time_us)
        writer.sync()
    reader = log.reader("door")
    for time_us in range(0, 2300, 13):
        reader.seek_time(time_us)
        expected = next((i for i, t in enumerate(times) if t >= time_us), 60)
        assert reader.position == expected
