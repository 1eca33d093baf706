"""requests in a pool of threads that share a session.

Usage: threads.py URL FIELD CONCURRENCY LIST HEADERS
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests


def main(url: str, field: str, concurrency: int, listed: str, headers: str) -> None:
    """Post all of them; SystemExit for any answer but a success."""
    session = requests.Session()
    session.headers.update(json.loads(headers))
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=concurrency))

    def post(line: str) -> int:
        path, number = line.split()
        status: int = session.post(url + path, data=json.dumps({field: number}), timeout=30).status_code
        return status

    with Path(listed).open(encoding="utf-8") as lines, ThreadPoolExecutor(concurrency) as pool:
        if set(pool.map(post, lines)) != {200}:
            raise SystemExit("not every answer was a success")


if __name__ == "__main__":
    url, field, concurrency, listed, headers = sys.argv[1:]
    main(url, field, int(concurrency), listed, headers)
