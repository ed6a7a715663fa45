"""What the front door counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """Counters since the start; `as_metrics` names them for Prometheus."""

    messages: int = 0
    bytes: int = 0
    syncs: int = 0
    sync_seconds: float = 0.0
    sync_failures: int = 0
    connections: int = 0
    accepted: int = 0
    rejected: int = 0
    violations: int = 0
    refused: int = 0
    denied: int = 0
    denied_subscriptions: int = 0
    revoked: int = 0
    over_quota: int = 0
    handshake_failures: int = 0
    certificate_until_s: float = 0.0
    duplicates: int = 0
    #: Messages that came by HTTP and that subscribers wanted.
    posted: int = 0
    delivered: int = 0
    subscriber_dropped: int = 0
    sessions: int = 0
    retained: int = 0
    unsynced_bytes: int = 0
    stalled: int = 0
    #: Bytes that came from and went to clients, whatever they mean.
    received_bytes: int = 0
    sent_bytes: int = 0

    def as_metrics(self) -> dict[str, float]:
        """Return every figure under its Prometheus name."""
        return {_METRICS[name]: float(getattr(self, name)) for name in _METRICS}


_METRICS = {
    "messages": "penstock_door_messages_total",
    "bytes": "penstock_door_bytes_total",
    "syncs": "penstock_door_syncs_total",
    "sync_seconds": "penstock_door_sync_seconds_total",
    "sync_failures": "penstock_door_sync_failures_total",
    "connections": "penstock_door_connections",
    "accepted": "penstock_door_connections_total",
    "rejected": "penstock_door_rejected_total",
    "violations": "penstock_door_protocol_violations_total",
    "refused": "penstock_door_sign_ins_refused_total",
    "denied": "penstock_door_messages_denied_total",
    "denied_subscriptions": "penstock_door_subscriptions_denied_total",
    "revoked": "penstock_door_connections_revoked_total",
    "over_quota": "penstock_door_over_quota_total",
    "handshake_failures": "penstock_door_tls_failures_total",
    "certificate_until_s": "penstock_door_certificate_expires_seconds",
    "duplicates": "penstock_door_duplicates_total",
    "posted": "penstock_door_posted_total",
    "delivered": "penstock_door_delivered_total",
    "subscriber_dropped": "penstock_door_subscriber_dropped_total",
    "sessions": "penstock_door_sessions",
    "retained": "penstock_door_retained",
    "unsynced_bytes": "penstock_door_unsynced_bytes",
    "stalled": "penstock_door_stalled",
}
