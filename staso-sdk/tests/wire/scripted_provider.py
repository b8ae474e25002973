"""A provider for litellm that answers by script: two tool calls, then a sentence that repeats their results."""

import litellm
from litellm import CustomLLM
from litellm.types.utils import ChatCompletionMessageToolCall, Choices, Function, Message, ModelResponse, Usage

CALLS = [("call_1", "add", '{"x": 2, "note": "Grüße, 東京"}'), ("call_2", "look", '{"x": 3}')]
ERRORS = {
    400: litellm.BadRequestError,
    429: litellm.RateLimitError,
    503: litellm.ServiceUnavailableError,
}


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def decide(messages):
    """What to say: ("calls", None) or ("text", sentence). Fails when told to."""
    results = [text_of(message) for message in messages if message["role"] == "tool"]
    if results:
        return "text", f"I saw: {', '.join(results)}."
    said = text_of(messages[-1])
    if said.startswith("fail "):
        status = int(said.split()[1])
        raise ERRORS[status](message="as told", llm_provider="scripted", model="scripted")
    return ("calls", None) if "call both" in said else ("text", "Nothing to do.")


def chunk(text="", tool_use=None, finish_reason=None):
    return {
        "text": text,
        "tool_use": tool_use,
        "is_finished": finish_reason is not None,
        "finish_reason": finish_reason or "",
        "index": 0,
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18} if finish_reason else None,
    }


def tool_piece(index, arguments, call_id=None, name=None):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, "index": index}


class Scripted(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        kind, text = decide(kwargs["messages"])
        message = Message(role="assistant", content=text)
        if kind == "calls":
            message.tool_calls = [
                ChatCompletionMessageToolCall(id=call_id, type="function", function=Function(name=name, arguments=arguments))
                for call_id, name, arguments in CALLS
            ]
        reason = "tool_calls" if kind == "calls" else "stop"
        response = ModelResponse(model="scripted", choices=[Choices(index=0, message=message, finish_reason=reason)])
        response.usage = Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18)
        return response

    async def astreaming(self, *args, **kwargs):
        kind, text = decide(kwargs["messages"])
        if kind == "calls":
            for index, (call_id, name, arguments) in enumerate(CALLS):
                yield chunk(tool_use=tool_piece(index, "", call_id, name))
                for start in range(0, len(arguments), 4):
                    yield chunk(tool_use=tool_piece(index, arguments[start : start + 4]))
            yield chunk(finish_reason="tool_calls")
        else:
            for start in range(0, len(text), 8):
                yield chunk(text=text[start : start + 8])
            yield chunk(finish_reason="stop")


handler = Scripted()
