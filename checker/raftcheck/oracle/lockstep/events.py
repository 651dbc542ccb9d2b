"""What happens in a run, in a form that means the same whatever came before it: it can be shortened and repeated."""

from typing import Any, Literal

import msgspec

Kind = Literal["timeout", "heartbeat", "propose", "deliver", "crash", "restart"]

BEGIN = 0
"""The number of the request that begins a run; what it sends comes from it."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An event of a run. `number` (from 1) names it for good, also when those before it are left out.

    A delivery does not name a message by the number that an adapter gave to it, but by where it comes from: of the
    messages that the event `source` made `sender` send to `server`, the one at `position`. `crash_after`: the server
    crashes as soon as it has done so many things (written to disk, sent a message) of what the event makes it do.
    """

    number: int
    do: Kind
    server: str
    sender: str | None = None
    source: int | None = None
    position: int = 0
    crash_after: int | None = None

    def request(self, message_id: str | int | None = None) -> dict[str, Any]:
        """Return what an adapter is asked."""
        request: dict[str, Any] = {"do": self.do}
        if self.do == "deliver":
            request["message"] = message_id
        else:
            request["server"] = self.server
        if self.do == "propose":
            request["value"] = f"w{self.number}"
        if self.crash_after is not None:
            request["crash_after"] = self.crash_after
        return request
