"""The state desk: what devices are wanted to be, and telling them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

import msgspec

from penstock.core.clock import Clock
from penstock.core.devices import Device, Json, State, StateRecords
from penstock.core.errors import InvalidInput, NotFound
from penstock.devices.directory import Directory
from penstock.devices.dispatcher import Dispatcher, Notice
from penstock.devices.naming import state_topic
from penstock.devices.post import Letter
from penstock.devices.reading import MAX_DEPTH, is_shallow, write_desired
from penstock.devices.settings import DeviceSettings

_log = logging.getLogger(__name__)


class StateDesk:
    """Keeps states and tells devices what is desired, retained, so that they know on arrival.

    Args:
        records: Keeps the states.
        directory: Knows the devices.
        dispatcher: Sends.
        settings: How large a state may be.
        clock: Tells the time.
    """

    def __init__(
        self,
        records: StateRecords,
        directory: Directory,
        dispatcher: Dispatcher,
        settings: DeviceSettings,
        clock: Clock,
    ) -> None:
        self._records = records
        self._directory = directory
        self._dispatcher = dispatcher
        self._settings = settings
        self._clock = clock

    def state(self, thing_id: int) -> State:
        """Return the state of a device; an empty one when nothing was ever set."""
        return self._records.state(thing_id)

    def desire(
        self, thing_id: int, desired: Mapping[str, Json], version: int | None = None
    ) -> State:
        """Set what is desired, on disk, and tell the device.

        Raises:
            Conflict: Somebody changed it since that version.
            InvalidInput: It is too large or deep, or the device cannot be told.
            NotFound: No such device.
        """
        size = len(msgspec.json.encode(desired))
        if size > self._settings.max_state_bytes:
            most = self._settings.max_state_bytes
            msg = f"a state of {size} bytes is too large; up to {most} are allowed"
            raise InvalidInput(msg)
        if not is_shallow(desired):
            msg = f"a state deeper than {MAX_DEPTH} levels is not allowed"
            raise InvalidInput(msg)
        (device,) = self._directory.devices([thing_id])
        self._topic(device)
        state = self._records.desire(thing_id, desired, self._clock.now_us(), version)
        self._tell(device, thing_id, state)
        return state

    def report(self, device: Device, reported: Mapping[str, Json], at_us: int) -> None:
        """Keep what a device reports, and tell it what is still missing."""
        if device.thing_id is None:
            return
        before = self._records.state(device.thing_id)
        state = self._records.report(device.thing_id, reported, at_us)
        if state is not None and state.desired_version and state.delta != before.delta:
            self._tell(device, device.thing_id, state)

    def tell_again(self) -> None:
        """Tell devices what the door does not have yet; called when the hub starts."""
        for thing_id in self._records.untold():
            try:
                (device,) = self._directory.devices([thing_id])
            except NotFound:
                continue
            self._tell(device, thing_id, self._records.state(thing_id))

    def _topic(self, device: Device) -> str:
        type_ = self._directory.type_of(device)
        system = self._directory.system_name(device.system)
        return self._directory.check_topic(device, state_topic(type_, device, system))

    def _tell(self, device: Device, thing_id: int, state: State) -> None:
        try:
            topic = self._topic(device)
        except InvalidInput as error:
            _log.warning("the desired state is not told: %s", error)
            return
        letter = Letter(
            key=f"state-{thing_id}-{state.desired_version}",
            topic=topic,
            payload=write_desired(state.desired_version, state.desired, state.delta),
            retain=True,
            is_receipt_wanted=False,
        )
        told = partial(self._records.told, thing_id, state.desired_version)
        self._dispatcher.put(Notice(letter, told))
