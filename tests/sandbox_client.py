"""A small client for the tests of the sandbox, and the world that they begin with."""

import json

from yarl import URL

from runner.sandbox import ORG_HANDLE, TOKEN, World

ROOT = "/api/v2/platform"
BRIDGES = f"{ROOT}/telephony/bridges/"
DISCONNECT = f"{BRIDGES}sales/disconnect-provider/"
CONNECT = f"{BRIDGES}sales/connect-provider/"
PHONES = "/v2/sip/phone-numbers"
ONE, TWO, THREE = "+14155550101", "+14155550102", "+14155550103"
UNPOD = {"Authorization": f"Token {TOKEN}", "Org-Handle": ORG_HANDLE}
SIP = {"Authorization": TOKEN}


def seeded():
    """Two numbers on a bridge, one on a shared gateway pair, one free at each provider."""
    world = World()
    world.unpod.add_bridge("sales", [ONE, TWO])
    world.unpod.add_unassigned(THREE)
    world.videosdk.attach(ONE, "gw")
    world.videosdk.add_phone(TWO, "Lobby")
    return world


class Client:
    """Asks a sandbox over HTTP; an answer is its status and its document, or its text."""

    def __init__(self, session):
        self.session = session

    async def ask(self, method, path, headers=None, **options):
        headers = headers or (SIP if path.startswith("/v2/") else UNPOD)
        url = URL(path, encoded=True)
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
            text = await answer.text()
            self.headers = answer.headers
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def get(self, path, headers=None):
        return await self.ask("GET", path, headers)

    async def post(self, path, body):
        return await self.ask("POST", path, json=body)
