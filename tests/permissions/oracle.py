"""Who may read which data, decided naively: facts in, no shared code with `core.access`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class NaiveGrant:
    owner: int
    reader: int
    thing: int | None
    datastream: int | None
    until_us: int | None
    in_force: bool = True


@dataclass
class NaiveTown:
    """Everything by plain ids; a datastream is (system, thing, datastream)."""

    administrators: set[int] = field(default_factory=set)
    disabled_users: set[int] = field(default_factory=set)
    agents: dict[int, set[int]] = field(default_factory=dict)
    clients: dict[int, tuple[int, bool, bool]] = field(default_factory=dict)
    grants: list[NaiveGrant] = field(default_factory=list)

    def user_reads(self, user: int, stream: tuple[int, int, int], now_us: int) -> bool:
        if user in self.disabled_users:
            return False
        if user in self.administrators:
            return True
        mine = {system for system, agents in self.agents.items() if user in agents}
        return any(self._system_reads(system, stream, now_us) for system in mine)

    def client_reads(self, client: int, stream: tuple[int, int, int], now_us: int) -> bool:
        if client not in self.clients:
            return False
        system, may_read, disabled = self.clients[client]
        return may_read and not disabled and self._system_reads(system, stream, now_us)

    def _system_reads(self, system: int, stream: tuple[int, int, int], now_us: int) -> bool:
        owner, thing, datastream = stream
        if system == owner:
            return True
        for grant in self.grants:
            if not grant.in_force or (grant.owner, grant.reader) != (owner, system):
                continue
            if grant.until_us is not None and grant.until_us <= now_us:
                continue
            if grant.datastream is not None:
                if grant.datastream == datastream:
                    return True
            elif grant.thing is None or grant.thing == thing:
                return True
        return False
