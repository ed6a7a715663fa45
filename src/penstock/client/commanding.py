"""The client as an operator, or a device that obeys, sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.client.commands import DeviceInfo, Handler, Orders, Servant, Task


class Commanding:
    """What `Client` can do with devices and commands."""

    _orders: Orders
    _servant: Servant

    @property
    def system(self) -> str:
        """Name of the system that this client acts for."""
        raise NotImplementedError

    def devices(self, search: str = "") -> list[DeviceInfo]:
        """Return devices whose names hold a text, by name."""
        return self._orders.devices(search)

    def declare_device_type(self, name: str, commands: Sequence[Mapping[str, Any]]) -> None:
        """Say which commands devices of a type have; for the platform's administrators.

        Args:
            name: Of the type.
            commands: Each with `name`, and `parameters` with `name`, `kind`, `unit`, `minimum`, ...

        Raises:
            Forbidden: It is not yours to say.
            InvalidInput: It cannot be declared like that.
        """
        self._orders.declare(name, commands)

    def register_device(self, name: str, type: str = "", topic: str = "") -> DeviceInfo:  # noqa: A002
        """Register a device, so that it can be commanded; again is harmless.

        Args:
            name: Its name.
            type: Its device type, which says what commands it has.
            topic: Below which topic it talks; by default as its type says.
        """
        return self._orders.register(name, type, topic)

    def send_command(
        self,
        device: str,
        command: str,
        *,
        wait_s: float = 60.0,
        time_to_live_s: float | None = None,
        **parameters: Any,
    ) -> Task:
        """Order a command of a device, and return what became of it.

        Args:
            device: Its name.
            command: As its type declares it.
            wait_s: How long to wait for its end; 0 returns at once.
            time_to_live_s: How long the device has to accept it.
            parameters: What the command needs.

        Raises:
            NotFound: There is no such device.
            InvalidInput: It has no such command, or a parameter is not allowed.
            Forbidden: It is not yours to command.
        """
        return self._orders.send(device, command, parameters, time_to_live_s, wait_s)

    def on_command(
        self, device: str, command: str, timeout_s: float = 10.0
    ) -> Callable[[Handler], Handler]:
        """Let a function carry out a command of a device that this program is.

        The function gets the parameters by name. What it returns is the message of the task; when
        it raises, the task has failed. Commands are carried out one after the other, each once.

        Raises:
            NotFound: There is no such device; see `register_device`.
            Forbidden: Its commands are not for this client.
            NotConnected: The platform cannot be reached.
        """

        def take(handler: Handler) -> Handler:
            topic = self._orders.command_topic(device, command, self.system)
            self._servant.serve(topic, handler, timeout_s)
            return handler

        return take
