"""Where services may be: a provider's API over https anywhere, over plain http on this machine alone."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_ODD = re.compile(r"[^\x21-\x7e]|\\")


def base_url(text: str) -> str:
    """Return ``text`` without a slash at its end; ValueError with the mend, which never repeats the address.

    An address may hold a password, so that no part of it is fit for an error message.
    """
    return _checked(text, credentials=True)


def service_url(text: str) -> str:
    """As `base_url`, for a service that is sent no credentials: plain http may lead anywhere."""
    return _checked(text, credentials=False)


def page_url(text: str) -> str:
    """As `service_url`, and it may have a query."""
    path, mark, query = text.partition("?")
    return _checked(path, credentials=False) + mark + query


def _checked(text: str, *, credentials: bool) -> str:
    if _ODD.search(text):
        raise ValueError("holds a blank, a backslash or a character outside ASCII; write it like https://host/path")
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("is not the address of an API; write it like https://host/path")
    if complaint := _complaint(text, url, credentials=credentials):
        raise ValueError(complaint)
    return text.rstrip("/")


def _complaint(text: str, url: SplitResult, *, credentials: bool) -> str | None:
    if "@" in url.netloc:
        return "holds a user name or password; take it out, and give credentials as token or api_key"
    if "?" in text or "#" in text:
        return "holds a query or a fragment; end it before the ? or #"
    if credentials and url.scheme == "http" and not _is_loopback(url.hostname or ""):
        return "sends credentials in the clear; write https://, as http:// is for localhost alone"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
