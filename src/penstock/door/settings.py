"""Settings of the front door."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

#: What MQTT can express (section 2.1.4), in bytes.
_MQTT_MAX_BYTES = 268_435_460


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name and password that devices may come in with."""

    name: Annotated[str, msgspec.Meta(description="User name in CONNECT.", min_length=1)]
    password_hash: Annotated[
        str,
        msgspec.Meta(description="Argon2 hash of the password.", pattern=r"^\$argon2"),
    ]
    access: Annotated[
        Literal["read", "write", "readwrite"],
        msgspec.Meta(
            description="Whether it may subscribe, publish, or both, to the topics of the default "
            "system: those that belong to no other."
        ),
    ] = "readwrite"


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MQTT over TLS: on when there is a certificate. New files are taken without a restart."""

    certificate: Annotated[
        str,
        msgspec.Meta(
            description="PEM file with the certificate, and behind it those of its issuers. Empty "
            "for no TLS.",
        ),
    ] = ""
    key: Annotated[
        str,
        msgspec.Meta(
            description="PEM file with the private key. Empty if it is in the certificate's file.",
        ),
    ] = ""
    host: Annotated[
        str | None,
        msgspec.Meta(description="Address to listen on; none for that of the section above."),
    ] = None
    port: Annotated[
        int, msgspec.Meta(description="TCP port; 0 takes a free one.", ge=0, le=65535)
    ] = 8883
    client_ca: Annotated[
        str,
        msgspec.Meta(
            description="PEM file with the issuers whose client certificates are taken. Empty for "
            "no client certificates.",
        ),
    ] = ""
    require_client_certificate: Annotated[
        bool,
        msgspec.Meta(description="Turn away who shows no certificate of `client_ca`."),
    ] = False
    certificate_names_user: Annotated[
        bool,
        msgspec.Meta(
            description="The name in a client certificate says who it is, without a password. If "
            "false, the certificate comes on top of name and password."
        ),
    ] = True
    minimum_version: Annotated[
        str,
        msgspec.Meta(description="Oldest TLS version taken: 1.2 or 1.3.", pattern=r"^1\.[23]$"),
    ] = "1.2"


class WebSocketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MQTT over web sockets: on when there is a port."""

    host: Annotated[
        str | None,
        msgspec.Meta(description="Address to listen on; none for that of the section above."),
    ] = None
    port: Annotated[
        int | None,
        msgspec.Meta(
            description="TCP port for `ws://`; 0 takes a free one, none is for none.",
        ),
    ] = None
    tls_port: Annotated[
        int | None,
        msgspec.Meta(
            description="TCP port for `wss://`, with the certificate of [door.tls]; 0 takes a "
            "free one, none is for none.",
        ),
    ] = None
    path: Annotated[
        str, msgspec.Meta(description="Path in the address of the web socket.", pattern="^/")
    ] = "/mqtt"
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Web pages that may connect, as in `https://plant.example`; `*` for all. "
            "Pages of this machine, and those of the IP address that they connect to, may."
        ),
    ] = ()


class DoorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the front door listens, whom it lets in, and its bounds."""

    host: Annotated[
        str,
        msgspec.Meta(
            description="Address to listen on. On another than loopback, everybody must show who "
            "they are.",
            min_length=1,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, msgspec.Meta(description="TCP port; 0 takes a free one.", ge=0, le=65535)
    ] = 1883
    users: Annotated[
        tuple[User, ...],
        msgspec.Meta(
            description="Device accounts, clients of the default system, beside the users, clients "
            "and keys of the platform. While there is none of all these, and only this machine can "
            "reach the door, anyone may come in."
        ),
    ] = ()
    tls: TlsSettings = TlsSettings()
    websocket: WebSocketSettings = WebSocketSettings()
    max_packet_bytes: Annotated[
        int,
        msgspec.Meta(description="Largest packet taken.", ge=1024, le=_MQTT_MAX_BYTES),
    ] = 16_777_216
    max_connections: Annotated[
        int,
        msgspec.Meta(
            description="Most connections at one time. The process raises its limit of open files "
            "to fit, as far as the system lets it.",
            ge=1,
        ),
    ] = 20_000
    max_pending_connections: Annotated[
        int,
        msgspec.Meta(description="Most connections that have not finished CONNECT yet.", ge=1),
    ] = 500
    connect_timeout_s: Annotated[
        float, msgspec.Meta(description="Time to finish CONNECT after connecting.", gt=0)
    ] = 10.0
    max_keep_alive_s: Annotated[
        int,
        msgspec.Meta(
            description="Longest keep-alive; MQTT 5.0 clients are told, 0 leaves it to clients.",
            ge=0,
            le=65535,
        ),
    ] = 0
    receive_maximum: Annotated[
        int,
        msgspec.Meta(
            description="Most unacknowledged messages from one MQTT 5.0 client.", ge=1, le=65535
        ),
    ] = 32768
    max_topic_aliases: Annotated[
        int,
        msgspec.Meta(
            description="Most topic aliases, each way, of one connection.", ge=0, le=65535
        ),
    ] = 64
    max_unsynced_bytes: Annotated[
        int,
        msgspec.Meta(
            description="Received but not on disk yet: above this, reading pauses.", ge=65536
        ),
    ] = 67_108_864
    max_outbound_bytes: Annotated[
        int,
        msgspec.Meta(
            description="Unread bytes kept for one client. From an eighth of this, QoS 0 "
            "messages to it are dropped and others queue; above it, it is disconnected.",
            ge=65536,
        ),
    ] = 8_388_608
    max_inflight: Annotated[
        int,
        msgspec.Meta(
            description="Most unacknowledged QoS 1 and 2 messages to one client.", ge=1, le=65535
        ),
    ] = 256
    max_queued_messages: Annotated[
        int,
        msgspec.Meta(
            description="Most QoS 1 and 2 messages waiting for one client. A session has 65,535 "
            "packet identifiers: with as many messages that are not acknowledged, further ones "
            "are lost to a client that is away, also when more may wait.",
            ge=0,
        ),
    ] = 10_000
    max_queued_bytes: Annotated[
        int,
        msgspec.Meta(description="Most payload bytes waiting for one client.", ge=0),
    ] = 33_554_432
    max_all_queued_bytes: Annotated[
        int,
        msgspec.Meta(
            description="Most bytes of QoS 1 and 2 messages for all clients together that wait or "
            "are not acknowledged; each counts 256 bytes beside its payload.",
            ge=0,
        ),
    ] = 1_073_741_824
    max_sessions: Annotated[
        int, msgspec.Meta(description="Most sessions, connected or kept.", ge=1)
    ] = 50_000
    max_session_expiry_s: Annotated[
        int,
        msgspec.Meta(
            description="Longest time a session is kept after its client left.",
            ge=0,
            le=4_294_967_295,
        ),
    ] = 604_800
    max_subscriptions: Annotated[
        int, msgspec.Meta(description="Most subscriptions of one session.", ge=1)
    ] = 1_000
    max_overlapping_subscriptions: Annotated[
        int,
        msgspec.Meta(
            description="Most subscriptions of one session that one topic may match. Those with "
            "wildcards at the same levels count as one, as do all without wildcards; each name of "
            "a shared subscription counts.",
            ge=1,
        ),
    ] = 32
    max_all_subscriptions: Annotated[
        int, msgspec.Meta(description="Most subscriptions of all sessions together.", ge=1)
    ] = 500_000
    max_retained: Annotated[
        int, msgspec.Meta(description="Most topics with a retained message.", ge=0)
    ] = 100_000
    sys_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="Time between two looks at the figures under `$SYS/broker/`, as "
            "Mosquitto's `sys_interval`; 0 for no such figures.",
            ge=0,
        ),
    ] = 10.0
    max_retained_bytes: Annotated[
        int, msgspec.Meta(description="Most payload bytes in retained messages.", ge=0)
    ] = 134_217_728
    company_share: Annotated[
        float,
        msgspec.Meta(
            description="How much one company can have of what the others leave of "
            "`max_connections`, `max_sessions`, `max_all_subscriptions`, `max_all_queued_bytes`, "
            "`max_retained` and `max_retained_bytes`, as a fraction. One that is alone can have "
            "all.",
            gt=0,
            le=1,
        ),
    ] = 0.5
    account_share: Annotated[
        float,
        msgspec.Meta(
            description="How much one user, client or device account can have of what the others "
            "of its company leave of the company's part, as a fraction.",
            gt=0,
            le=1,
        ),
    ] = 0.5
