"""How many files and sockets a process may have open."""

from __future__ import annotations

import logging
import resource

_log = logging.getLogger(__name__)

#: Files beside the connections: log segments, journal, standard streams.
BESIDE = 200


def allow_connections(count: int) -> int:
    """Raise this process's limit for so many connections, as far as the system lets it.

    Returns how many there can be, and says what to do when those are fewer.
    """
    wanted = count + BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return count
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if limit < wanted:
        _log.info(
            "%d instead of %d connections are possible: the system lets this process open %d "
            "files; raise its limit (`ulimit -Hn`, or LimitNOFILE= of its service) for more",
            limit - BESIDE, count, limit,
        )  # fmt: skip
    return max(1, min(count, limit - BESIDE))
