"""The least that a script in asyncio can do: workers share an iterator, post, and read the answer. No record, no retry.

Usage: bare.py URL FIELD CONCURRENCY LIST HEADERS [uvloop]
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator


async def work(session: aiohttp.ClientSession, url: str, field: str, requests: Iterator[str]) -> None:
    """Post what the others leave; SystemExit for any answer but a success."""
    for line in requests:
        path, number = line.split()
        async with session.post(url + path, data=orjson.dumps({field: number})) as response:
            await response.read()
            if response.status != 200:  # noqa: PLR2004 - the success
                raise SystemExit(f"HTTP {response.status}")


async def main(url: str, field: str, concurrency: int, requests: Iterator[str], headers: str) -> None:
    """Post all of them."""
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=json.loads(headers)) as session:
        await asyncio.gather(*(work(session, url, field, requests) for _ in range(concurrency)))


if __name__ == "__main__":
    url, field, concurrency, requests, headers, *loop = sys.argv[1:]
    if loop == ["uvloop"]:
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with Path(requests).open(encoding="utf-8") as lines:
        asyncio.run(main(url, field, int(concurrency), lines, headers))
