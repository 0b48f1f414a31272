"""Call a tool repeatedly with several callers in parallel, until standard input ends; then print the results as JSON.

The program runs in a pod with the server's image: the cluster's network may not be reachable from outside, and a
port-forward ends with its pod. Every second caller keeps its connection, the others open one per call. The first line
of standard input has the call: `url`, `headers`, `body`, and the number of `callers`.
"""

import asyncio
import json
import sys
import threading
import time
from typing import Any

import httpx

SECONDS = 60.0


async def main() -> None:
    """Call until standard input ends."""
    request = json.loads(sys.stdin.readline())
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    calls: list[dict[str, Any]] = []
    started = [asyncio.Event() for _ in range(request["callers"])]
    running = [
        asyncio.create_task(_caller(request, number, ended, started[number], calls)) for number in range(len(started))
    ]
    for each in started:
        await each.wait()
    print("calling", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await asyncio.gather(*running)
    print(json.dumps(calls), flush=True)


async def _caller(
    request: dict[str, Any], number: int, ended: asyncio.Event, started: asyncio.Event, calls: list[dict[str, Any]]
) -> None:
    keeps = number % 2 == 0
    http = httpx.AsyncClient(timeout=SECONDS, trust_env=False)
    while not ended.is_set():
        begun = time.time()
        problem = await _call(http, request)
        calls.append({"caller": number, "keeps": keeps, "begun": begun, "ended": time.time(), "problem": problem})
        started.set()
        if not keeps:
            await http.aclose()
            http = httpx.AsyncClient(timeout=SECONDS, trust_env=False)
    await http.aclose()


async def _call(http: httpx.AsyncClient, request: dict[str, Any]) -> str | None:
    """Return what went wrong with one call, or None."""
    try:
        answer = await http.post(request["url"], headers=request["headers"], json=request["body"])
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    text = answer.text
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        text = next((line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")), "{}")
    try:
        result = json.loads(text).get("result")
    except ValueError:
        result = None
    if answer.status_code != httpx.codes.OK or result is None or result.get("isError"):
        return f"HTTP {answer.status_code}: {answer.text[:300]}"
    return None


if __name__ == "__main__":
    asyncio.run(main())
