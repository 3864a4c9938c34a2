"""The consumer group as the broker sees it: who works, and where each worker says that it answers."""

from __future__ import annotations

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import GroupCoordinatorNotAvailableError, for_code
from msgspec import Struct

# What the broker calls a group without members; it forgets one after a week.
ENDED = ("Empty", "Dead")


class Member(Struct, frozen=True):
    """A worker: the address that it connected from, and the URL under which its peers find it."""

    host: str
    url: str


class Group(Struct, frozen=True):
    """A consumer group; ``state`` and ``assignor`` in the broker's words."""

    state: str
    assignor: str = ""
    members: tuple[Member, ...] = ()


class _FaustMetadata(Struct):
    """The part of what Faust's assignor tells its leader that is of use here."""

    url: str = ""


async def describe_group(admin: AIOKafkaAdminClient, name: str) -> Group:
    """Return the group *name*; one that never was is Dead. Raises KafkaError."""
    try:
        (response,) = await admin.describe_consumer_groups([name])
    except GroupCoordinatorNotAvailableError:
        return Group("Dead")  # a cluster in which no group has been yet has no coordinators
    (group,) = response.to_object()["groups"]
    if group["error_code"]:
        raise for_code(group["error_code"])
    members = tuple(Member(one["client_host"].lstrip("/"), _url(one["member_metadata"])) for one in group["members"])
    return Group(group["state"], group["protocol"], members)


def _url(metadata: bytes) -> str:
    """Return the URL in a member's metadata; "" while it is still joining or if it is no Faust."""
    try:
        about = ConsumerProtocolMemberMetadata.decode(metadata).user_data
        return msgspec.json.decode(about, type=_FaustMetadata).url
    except (ValueError, msgspec.MsgspecError):
        return ""
