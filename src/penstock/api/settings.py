"""Settings of the HTTP API."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ApiTlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API over HTTPS: on when there is a certificate. New files are taken without a restart."""

    certificate: Annotated[
        str,
        msgspec.Meta(
            description="PEM file with the certificate, and behind it those of its issuers. Empty "
            "for plain HTTP.",
        ),
    ] = ""
    key: Annotated[
        str,
        msgspec.Meta(
            description="PEM file with the private key. Empty if it is in the certificate's file.",
        ),
    ] = ""
    minimum_version: Annotated[
        str,
        msgspec.Meta(description="Oldest TLS version taken: 1.2 or 1.3.", pattern=r"^1\.[23]$"),
    ] = "1.2"


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the API listens, whom it answers, and its bounds."""

    host: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="Address to listen on. Beyond loopback everybody must sign in, so there "
            "has to be a user: `penstock users add NAME --administrator --data-dir DIR`.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, msgspec.Meta(ge=0, le=65535, description="TCP port; 0 takes a free one.")
    ] = 8080
    tls: ApiTlsSettings = ApiTlsSettings()
    allowed_hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names (without port) that requests may be addressed to, beside loopback "
            "and `host`. Set it behind a proxy, and when listening beyond loopback."
        ),
    ] = ()
    max_body_bytes: Annotated[
        int,
        msgspec.Meta(ge=1024, le=268_435_455, description="Largest request body taken."),
    ] = 16_777_216
    max_requests_per_s: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            description="Most requests per second of one user or client, where there are accounts; "
            "five seconds' worth can be saved up.",
        ),
    ] = 500.0
    max_unknown_requests_per_s: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            description="Most requests per second from one network address that do not say who "
            "asks, or show something that is not valid.",
        ),
    ] = 20.0
    max_rows_per_page: Annotated[
        int,
        msgspec.Meta(ge=1, description="Most observations in one JSON answer; `next` goes on."),
    ] = 200_000
    max_buckets: Annotated[
        int, msgspec.Meta(ge=1, description="Most buckets that one downsampled answer may have.")
    ] = 500_000
    max_rows_per_event: Annotated[
        int, msgspec.Meta(ge=1, description="Most rows in one live event; older ones are skipped.")
    ] = 50_000
    max_snapshot_rows: Annotated[
        int,
        msgspec.Meta(ge=1, description="Most stored rows that a live stream begins with."),
    ] = 50_000
    max_streams: Annotated[
        int, msgspec.Meta(ge=1, description="Most live streams at one time.")
    ] = 400
    max_streams_per_company: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Most live streams of the users and clients of one company at one time, "
            "where there are accounts. Users without a company count as one.",
        ),
    ] = 100
    max_streams_per_account: Annotated[
        int,
        msgspec.Meta(ge=1, description="Most live streams of one user or client at one time."),
    ] = 30
    max_events_per_s: Annotated[
        float,
        msgspec.Meta(gt=0, description="Most events per second of one live stream."),
    ] = 40.0
    heartbeat_s: Annotated[
        float,
        msgspec.Meta(gt=0, description="A silent live stream shows a sign of life this often."),
    ] = 15.0
    max_wait_s: Annotated[
        float,
        msgspec.Meta(gt=0, description="Longest time that one request may ask to wait."),
    ] = 60.0
    threads: Annotated[
        int,
        msgspec.Meta(ge=1, le=256, description="Store and catalog calls at one time."),
    ] = 8
    sql_threads: Annotated[
        int,
        msgspec.Meta(
            ge=1, le=64, description="Questions in SQL and backtests computed at one time."
        ),
    ] = 2
    max_sql_rows: Annotated[
        int, msgspec.Meta(ge=1, description="Most rows that the answer to one question may have.")
    ] = 100_000
    max_sql_s: Annotated[
        float, msgspec.Meta(gt=0, description="Longest time that one question may take, seconds.")
    ] = 30.0
