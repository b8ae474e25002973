"""The model. Its provider is replaced by the recorded answers under recorded/, so that the agent runs anywhere.

A recording is chosen by what stands in the conversation. Limits work as they do at a provider: an answer longer than
`max_tokens` is cut, one that takes longer than the timeout does not arrive, a model that is not served is an error.
"""

import functools
import json
import time
from typing import Any, Dict, List

from support import store, tracing
from support.errors import ModelNotFound, ModelTimeout, ProviderOverloaded
from support.prompts import PLACEHOLDER
from support.tracing import traced

CHARACTERS_PER_TOKEN = 4
OVERLOADED = (503, 529)


def ask(messages: List[Dict[str, Any]], tools: List[Dict[str, Any]], max_tokens: int) -> Dict[str, Any]:
    """One answer; tries again when the provider is overloaded."""
    config = store.settings()
    for attempt in range(config["retries"]):
        try:
            return chat(messages, tools, max_tokens)
        except ProviderOverloaded:
            time.sleep(config["retry_delay_seconds"] * 2**attempt)
    return chat(messages, tools, max_tokens)


@traced("llm")
def chat(messages: List[Dict[str, Any]], tools: List[Dict[str, Any]], max_tokens: int) -> Dict[str, Any]:
    """One request to the provider: the answer's text and the tools it asks for."""
    config = store.settings()
    span = tracing.current()
    span.set_model(config["provider"], config["model"])
    span.set_attribute("gen_ai.request.max_tokens", max_tokens)
    _check_model(config["model"])
    recording = _recording(messages)
    _check_provider(recording["provider"], config["timeout_seconds"])
    answer = _answer(recording, messages, bool(tools))
    text = json.dumps(answer["tool_calls"]) if answer["tool_calls"] else answer["content"]
    whole = tokens(text) <= max_tokens
    if not whole:
        answer = _cut(answer, max_tokens)
    span.set_usage(tokens(json.dumps(messages)), min(tokens(text), max_tokens))
    reason = "length" if not whole else "tool_calls" if answer["tool_calls"] else "stop"
    span.set_attribute("gen_ai.response.finish_reasons", [reason])
    return answer


def tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@functools.lru_cache(maxsize=None)
def _recordings() -> List[Dict[str, Any]]:
    files = sorted((store.ROOT / "recorded").glob("*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def _recording(messages: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The first recording whose words all stand in the conversation, else the one without words."""
    prompt = messages[0]["content"]
    if PLACEHOLDER.search(prompt):
        return next(item for item in _recordings() if item.get("for") == "unfilled placeholder")
    for item in _recordings():
        if item.get("words") and all(word in prompt for word in item["words"]):
            return item
    return next(item for item in _recordings() if item.get("for") == "anything else")


def _check_model(name: str) -> None:
    catalogue = next(item for item in _recordings() if item.get("for") == "catalogue")
    if name in catalogue["models"]:
        return
    replacements = catalogue["retired"].get(name, catalogue["models"])
    names = " or ".join(f"`{replacement}`" for replacement in replacements)
    raise ModelNotFound(404, "model_not_found", f"the model `{name}` does not exist or was retired; use {names}")


def _check_provider(provider: Dict[str, Any], timeout_seconds: float) -> None:
    if provider["status"] in OVERLOADED:
        raise ProviderOverloaded(provider["status"], provider["code"], provider["message"])
    if provider["latency_seconds"] > timeout_seconds:
        time.sleep(min(timeout_seconds, 2))
        raise ModelTimeout(f"request timed out after timeout_seconds = {timeout_seconds}")


def _answer(recording: Dict[str, Any], messages: List[Dict[str, Any]], may_call_tools: bool) -> Dict[str, Any]:
    turn = sum(message["role"] == "assistant" for message in messages)
    turns = recording["turns"]
    if not may_call_tools:
        reply = recording["reply"]
        return {"content": reply if isinstance(reply, str) else json.dumps(reply), "tool_calls": []}
    if turn >= len(turns):
        return {"content": recording.get("ready", "READY"), "tool_calls": []}
    calls = [
        {"id": f"call_{turn}_{n}", "name": call["name"], "arguments": json.dumps(call["arguments"])}
        for n, call in enumerate(turns[turn])
    ]
    return {"content": "", "tool_calls": calls}


def _cut(answer: Dict[str, Any], max_tokens: int) -> Dict[str, Any]:
    """What is left of an answer at the limit: the beginning of its text, or of the last call's arguments."""
    room = max_tokens * CHARACTERS_PER_TOKEN
    if not answer["tool_calls"]:
        return {**answer, "content": answer["content"][:room]}
    calls = [dict(call) for call in answer["tool_calls"]]
    excess = len(json.dumps(calls)) - room
    last = calls[-1]
    last["arguments"] = last["arguments"][: max(1, len(last["arguments"]) - excess)]
    return {**answer, "tool_calls": calls}
