"""Where a group's numbers are moved to: its ``reassign``, which differs by provider, as flat settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from runner.config.reattach import is_reference
from runner.document import Mapping
from runner.document.schema import WHOLE, Line, Strict, choice, validate
from runner.plan.slugs import Slug  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from runner.document import Node, Page

_Refused = Annotated[Literal["put_back", "leave"], choice("put_back", "leave")]
_IF_REFUSED = "What becomes of a number that is not taken there: back to where it was, or left attached to nothing."


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError("it is kept in the ledger; write a reference, ${NAME} or file:/path, and no secret")
    return text


class BridgeFile(Strict):
    """Another bridge of the same Unpod account."""

    bridge: Slug = Field(description="The slug of the bridge that the numbers are moved to.")
    provider_config_id: Annotated[int, Field(ge=1), WHOLE] | None = Field(
        default=None, description="Through which provider configuration; without it the one that each number has now."
    )
    if_refused: _Refused = Field(default="put_back", description=_IF_REFUSED)

    def settings(self) -> dict[str, Any]:
        """Return what is given, flat."""
        return self.model_dump(exclude_none=True)


class AuthFile(Strict):
    """The credentials that the trunk asks for."""

    username: Line = Field(description="The user name.")
    password: Annotated[Line, AfterValidator(_reference)] = Field(description="A reference: `${NAME}` or `file:/path`.")


class InboundFile(Strict):
    """The side that takes calls."""

    region: Line = Field(default="auto", description="Such as `auto` or `us002`.")


class OutboundFile(InboundFile):
    """The side that makes calls."""

    address: Line = Field(description="Host or host:port of the SIP trunk.")
    transport: Annotated[Literal["udp", "tcp", "tls"], choice("udp", "tcp", "tls")] = Field(description="How it talks.")
    auth: AuthFile | None = Field(default=None, description="What the trunk asks for, if anything.")


class GatewaysFile(Strict):
    """A configuration of gateways at VideoSDK: each number gets a new pair of them."""

    name: Line = Field(description="What the new gateways are called.")
    inbound: InboundFile | None = Field(default=None, description="How calls come in.")
    outbound: OutboundFile = Field(description="How calls go out.")
    media_encryption: Annotated[Literal["disable", "enable"], choice("disable", "enable")] = Field(
        default="disable", description="Whether media is encrypted."
    )
    if_refused: _Refused = Field(default="put_back", description=_IF_REFUSED)

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


Destination = BridgeFile | GatewaysFile


def read(node: Node, provider: str, page: Page) -> Destination | None:
    """Return the destination that ``node`` describes at ``provider``; None after noting its problems."""
    if provider == "unpod":
        return validate(BridgeFile, node, page, "`reassign`")
    outbound, inbound = _inner(node, "outbound"), _inner(node, "inbound")
    auth = outbound and _inner(outbound, "auth")
    parts: dict[str, Strict | None] = {}
    if auth:
        parts["auth"] = validate(AuthFile, auth, page, "`auth`")
    if inbound:
        parts["inbound"] = validate(InboundFile, inbound, page, "`inbound`")
    if outbound:
        given: dict[str, object] = {"auth": parts["auth"] or AuthFile.model_construct()} if auth else {}
        parts["outbound"] = validate(OutboundFile, outbound, page, "`outbound`", given)
    sides = {"inbound": parts.get("inbound") or InboundFile(), "outbound": parts.get("outbound")}
    whole: dict[str, object] = {key: side or OutboundFile.model_construct() for key, side in sides.items()}
    file = validate(GatewaysFile, node, page, "`reassign`", whole)
    return None if None in parts.values() else file


def _inner(node: Node, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Mapping) else None
