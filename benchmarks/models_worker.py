"""The measurements of `models.py`, in the environment whose interpreter runs it. Uses only what both libraries have."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

CALLS = 300
STREAMS = {1000: 12, 4000: 6}


def cpu(function: Callable[[], Any], times: int = 1) -> float:
    """CPU seconds of this process for one call of `function`."""
    started = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - started) / times


def added(bare: Callable[[], Any], ours: Callable[[], Any], rounds: int, times: int) -> tuple[float, float, float]:
    """CPU seconds of the bare SDK, of the library, and the difference; medians over rounds that take turns."""
    bare()
    ours()
    pairs = [(cpu(bare, times), cpu(ours, times)) for _ in range(rounds)]
    sdk = statistics.median(first for first, _ in pairs)
    library = statistics.median(second for _, second in pairs)
    return sdk, library, statistics.median(second - first for first, second in pairs)


def main() -> None:
    import openai

    from smolagents import ChatMessage, MessageRole, OpenAIServerModel
    from smolagents.models import agglomerate_stream_deltas

    url = sys.argv[1]
    roles = [MessageRole.SYSTEM, *[MessageRole.USER, MessageRole.ASSISTANT] * 9, MessageRole.USER]
    text = "Some words of a conversation, as long as they mostly are. " * 12
    messages = [ChatMessage(role=role, content=[{"type": "text", "text": text}]) for role in roles]
    plain: Any = [{"role": role.value, "content": [{"type": "text", "text": text}]} for role in roles]
    client = openai.OpenAI(base_url=url, api_key="k")
    model = OpenAIServerModel("whole", api_base=url, api_key="k")
    stop = ["Observation:", "Calling tools:"]

    sdk, library, more = added(
        lambda: client.chat.completions.create(model="whole", messages=plain, stop=stop),
        lambda: model.generate(messages, stop_sequences=stop),
        rounds=15,
        times=CALLS // 15,
    )
    found = {
        "a call of the bare SDK [ms]": sdk * 1e3,
        "a call of the library [ms]": library * 1e3,
        "added to a call [ms]": more * 1e3,
    }
    per_delta = {}
    for pieces, rounds in STREAMS.items():
        name = f"stream-{pieces}"
        streaming = OpenAIServerModel(name, api_base=url, api_key="k")

        def bare(name: str = name) -> str:
            chunks = client.chat.completions.create(
                model=name, messages=plain, stop=stop, stream=True, stream_options={"include_usage": True}
            )
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

        def ours(streaming: Any = streaming) -> Any:
            return agglomerate_stream_deltas(list(streaming.generate_stream(messages, stop_sequences=stop)))

        assert ours().content == bare()
        sdk, library, more = added(bare, ours, rounds, 1)
        per_delta[pieces] = more / pieces
        found[f"a delta of the bare SDK, stream of {pieces:,} [µs]"] = sdk / pieces * 1e6
        found[f"added to a delta, stream of {pieces:,} [µs]"] = more / pieces * 1e6
    found["added per delta, 4,000 over 1,000 [ratio]"] = per_delta[4000] / per_delta[1000]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
