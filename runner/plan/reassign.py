"""Where a group's numbers are moved to: its ``reassign``, which differs by provider, as flat settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from runner.config.grammar import LINE
from runner.config.reattach import is_reference
from runner.document.grammar import Strict, key
from runner.document.kinds import Inner, choice, line, whole
from runner.document.schema import validate
from runner.plan.slugs import SLUG

if TYPE_CHECKING:
    from runner.document import Node, Page

_REFUSED = choice("put_back", "leave")
_IF_REFUSED = "What becomes of a number that is not taken there: back to where it was, or left attached to nothing."


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError("it is kept in the ledger; write a reference, ${NAME} or file:/path, and no secret")
    return text


class BridgeFile(Strict):
    """Another bridge of the same Unpod account."""

    bridge: str = key(SLUG, "The slug of the bridge that the numbers are moved to.")
    provider_config_id: int | None = key(
        whole(least=1),
        "Through which provider configuration; without it the one that each number has now.",
        default=None,
    )
    if_refused: Literal["put_back", "leave"] = key(_REFUSED, _IF_REFUSED, default="put_back")

    def settings(self) -> dict[str, Any]:
        """Return what is given, flat."""
        return {name: value for name, value in vars(self).items() if value is not None}


class AuthFile(Strict):
    """The credentials that the trunk asks for."""

    username: str = key(LINE, "The user name.")
    password: str = key(line(_reference), "A reference: `${NAME}` or `file:/path`.")


class InboundFile(Strict):
    """The side that takes calls."""

    region: str = key(LINE, "Such as `auto` or `us002`.", default="auto")


class OutboundFile(InboundFile):
    """The side that makes calls."""

    address: str = key(LINE, "Host or host:port of the SIP trunk.")
    transport: Literal["udp", "tcp", "tls"] = key(choice("udp", "tcp", "tls"), "How it talks.")
    auth: AuthFile | None = key(Inner(AuthFile), "What the trunk asks for, if anything.", default=None)


class GatewaysFile(Strict):
    """A configuration of gateways at VideoSDK: each number gets a new pair of them."""

    name: str = key(LINE, "What the new gateways are called.")
    inbound: InboundFile | None = key(Inner(InboundFile), "How calls come in.", default=None)
    outbound: OutboundFile = key(Inner(OutboundFile), "How calls go out.")
    media_encryption: Literal["disable", "enable"] = key(
        choice("disable", "enable"), "Whether media is encrypted.", default="disable"
    )
    if_refused: Literal["put_back", "leave"] = key(_REFUSED, _IF_REFUSED, default="put_back")

    def settings(self) -> dict[str, Any]:
        """Return what is given, flat."""
        out = self.outbound
        auth = {"auth_username": out.auth.username, "auth_password": out.auth.password} if out.auth else {}
        return {
            "name": self.name,
            "address": out.address,
            "transport": out.transport,
            "region_inbound": self.inbound.region if self.inbound else "auto",
            "region_outbound": out.region,
            **auth,
            "media_encryption": self.media_encryption,
            "if_refused": self.if_refused,
        }


def read(node: Node, provider: str, page: Page) -> BridgeFile | GatewaysFile | None:
    """Return the destination that ``node`` describes at ``provider``; None after noting its problems."""
    if provider == "unpod":
        return validate(BridgeFile, node, page, "`reassign`")
    return validate(GatewaysFile, node, page, "`reassign`")
