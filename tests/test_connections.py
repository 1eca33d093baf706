"""Connections are few and kept: a handshake for each request would cost more than all else."""

import asyncio
import json
import os
import ssl
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from raw_server import answer, ask, serving, transporting

from runner.connections import Connections
from runner.sandbox import ORG_HANDLE, TOKEN, World, serve
from runner.transport import Reply

CERTIFICATE = Path(__file__).with_name("self_signed.pem")
CONCURRENCY = 8
NUMBERS = [f"+1415555{index:04d}" for index in range(300)]


class Relay:
    """Passes bytes on to a server at ``port``, and counts the connections that it takes."""

    def __init__(self, port):
        self.connections, self.url = 0, ""
        self._port, self._open = port, set()

    async def take(self, reader, writer):
        self.connections += 1
        self._open.add(asyncio.current_task())
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    async def end(self):
        """Wait until all have left."""
        await asyncio.gather(*self._open)


async def _pass_on(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


@asynccontextmanager
async def relaying(server, context=None):
    relay = Relay(int(server.url.rpartition(":")[2]))
    listener = await asyncio.start_server(relay.take, "127.0.0.1", 0, ssl=context)
    relay.url = f"{'https' if context else 'http'}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        listener.close()
        await listener.wait_closed()
        await relay.end()


def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def run(folder, url):
    """Detach all numbers by the real command from the provider at ``url``; return the report."""
    account = {"provider": "unpod", "base_url": url, "token": TOKEN, "org_handle": ORG_HANDLE}
    account |= {"rate": "2000/s", "concurrency": CONCURRENCY}
    plan = {"version": 1, "name": "p", "teardown": [{"account": "main", "bridge": "sales", "numbers": NUMBERS}]}
    for name, document in (("config.yaml", {"accounts": {"main": account}}), ("plan.yaml", plan)):
        (folder / name).write_text(json.dumps(document))
    words = [
        "-m",
        "runner",
        "run",
        "plan.yaml",
        "--yes",
        "--json",
        "--quiet",
        "--config",
        "config.yaml",
        "--state-dir",
        "s",
    ]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TEARDOWN_")}
    environ = ours | {"SSL_CERT_FILE": str(CERTIFICATE)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return json.loads(out)


@pytest.mark.parametrize("context", [None, tls()], ids=["http", "https"])
async def test_a_run_makes_no_more_connections_than_it_has_workers(tmp_path, context):
    """Three hundred numbers, looked at, detached and looked at again, over one connection for each worker at most."""
    world = World()
    world.unpod.add_bridge("sales", NUMBERS)
    async with serve(world) as server, relaying(server, context) as relay:
        report = await run(tmp_path, relay.url)
    assert report["totals"]["detached"] == len(NUMBERS)
    assert len(world.record) == report["lanes"][0]["requests"] > len(NUMBERS)
    assert 1 <= relay.connections <= CONCURRENCY


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used():
    """An idle connection that its server gave up costs a new one, not an answer."""

    async def close_after(server, writer):
        writer.write(answer(200, {}))
        writer.write_eof()

    handlers = []

    async def meet(server, writer):
        handlers.append(asyncio.current_task())

    async with serving(close_after, on_connect=meet) as server, transporting() as transport:
        for count in (1, 2, 3):
            assert type(await ask(transport, server)) is Reply
            await handlers[-1]  # until the client has left as well
            assert server.connections == count


@pytest.mark.parametrize("unasked", [answer(200, {"to": "nobody"}), answer(408)], ids=["200", "408"])
async def test_what_nobody_asked_for_is_not_taken_for_the_next_answer(unasked):
    """A server that says something on an idle connection, as a 408 before it closes, costs a new connection."""
    idle, said = asyncio.Event(), asyncio.Event()

    async def say_more(server, writer):
        writer.write(answer(200, {"to": "first"}))
        await idle.wait()
        writer.write(unasked)
        said.set()

    async with serving(say_more, answer(200, {"to": "second"})) as server, transporting() as transport:
        first = await ask(transport, server)
        idle.set()
        await said.wait()
        for _ in range(3):
            await asyncio.sleep(0)  # the loop reads what has come
        second = await ask(transport, server)
    assert [first.body["to"], second.body["to"]] == ["first", "second"]
    assert server.connections == 2


async def test_there_are_as_many_connections_as_there_are_workers():
    """The pool is the lane's size, and a name is looked up once."""
    async with Connections(7, 5.0) as connections:
        assert connections.connector.limit == 7
        assert connections.connector.use_dns_cache
