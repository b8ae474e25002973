"""Records what the agent does as spans and hands them to the Staso client. Does nothing when no sink is configured.

What goes wrong while recording or sending never reaches the agent.
"""

import contextvars
import functools
import inspect
import json
import os
import time
import traceback
import uuid
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Optional, TypeVar

from support import __version__, vcs
from support.staso_client import StasoClient

AGENT_NAME = "support-agent"
AGENT_NAMESPACE = uuid.UUID("a1b2c3d4-e5f6-7890-abcd-ef1234567890")

Function = TypeVar("Function", bound=Callable[..., Any])


class Span:
    """One step, in the form in which it is sent."""

    def __init__(self, trace_id: str, parent: Optional["Span"], kind: str, name: str) -> None:
        self.trace_id = trace_id
        self._began = time.monotonic()
        self._attributes: Dict[str, Any] = {}
        self.session_id = parent.session_id if parent else f"session-{trace_id[:8]}"
        self.record: Dict[str, Any] = {
            "span_id": f"00000000-0000-0000-{os.urandom(2).hex()}-{os.urandom(6).hex()}",
            "parent_span_id": parent.record["span_id"] if parent else None,
            "name": name,
            "kind": kind,
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "duration_ms": 0.0,
            "status": "ok",
            "model": None,
            "provider": None,
            "requested_model": None,
            "usage_available": None,
            "reasoning_effort": None,
            "input_tokens": 0,
            "output_tokens": 0,
            "total_tokens": 0,
            "input": "",
            "output": "",
            "attributes": "{}",
            "error_message": "",
            "session_id": self.session_id,
            "agent_name": AGENT_NAME,
            "agent_id": str(uuid.uuid5(AGENT_NAMESPACE, AGENT_NAME)),
            "agent_version": __version__,
            "user_id": None,
        }

    def set_attribute(self, key: str, value: Any) -> None:
        self._attributes[key] = value

    def set_model(self, provider: str, name: str) -> None:
        self.record.update(provider=provider, model=name, requested_model=name)

    def set_usage(self, input_tokens: int, output_tokens: int) -> None:
        total = input_tokens + output_tokens
        self.record.update(
            usage_available=True, input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total
        )

    def set_code(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        self.set_attribute("code.filepath", os.path.abspath(code.co_filename))
        self.set_attribute("code.lineno", code.co_firstlineno)
        self.set_attribute("code.function", function.__qualname__)

    def set_input(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        try:
            arguments = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
        except TypeError:
            arguments = dict(kwargs)
        self.record["input"] = _json(arguments)

    def fail(self, error: BaseException) -> None:
        self.record["status"] = "timeout" if isinstance(error, TimeoutError) else "error"
        self.record["error_message"] = str(error)
        self.set_attribute("exception.type", type(error).__name__)
        self.set_attribute("exception.message", str(error))
        self.set_attribute("exception.stacktrace", _stacktrace(error))
        status = getattr(error, "status", None)
        if isinstance(status, int):
            self.set_attribute("http.response.status_code", status)

    def finished(self, output: Any = None) -> Dict[str, Any]:
        self.record["output"] = "" if output is None else _json(output)
        self.record["duration_ms"] = (time.monotonic() - self._began) * 1000
        return self.sendable()

    def sendable(self) -> Dict[str, Any]:
        return {**self.record, "attributes": _json(self._attributes)}


class _NoSpan(Span):
    """Stands in when nothing is recorded."""

    def __init__(self) -> None:
        super().__init__("", None, "custom", "")


_client: Optional[StasoClient] = StasoClient.from_environment()
_current: "contextvars.ContextVar[Optional[Span]]" = contextvars.ContextVar("span", default=None)


def current() -> Span:
    """The step that is being recorded."""
    return _current.get() or _NoSpan()


def traced(kind: str) -> Callable[[Function], Function]:
    """Records every call of a function as a span, with its arguments by parameter name."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if _client is None:
                return function(*args, **kwargs)
            return _recorded(_client, kind, function, args, kwargs)

        return call  # type: ignore[return-value]

    return decorate


def shutdown(timeout_seconds: float = 5.0) -> None:
    """Sends what is still waiting."""
    if _client is not None:
        _client.close(timeout_seconds)


def _recorded(client: StasoClient, kind: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    parent = _current.get()
    span = Span(parent.trace_id if parent else str(uuid.uuid4()), parent, kind, function.__name__)
    span.set_code(function)
    span.set_input(function, args, kwargs)
    if parent is None:
        for key, value in vcs.revision().items():
            span.set_attribute(key, value)
        client.send(span.trace_id, _provisional(span))
    token = _current.set(span)
    try:
        output = function(*args, **kwargs)
    except BaseException as error:
        span.fail(error)
        client.send(span.trace_id, span.finished())
        raise
    finally:
        _current.reset(token)
    client.send(span.trace_id, span.finished(output))
    return output


def _provisional(root: Span) -> Dict[str, Any]:
    """The root as it is sent before it has ended, so that a run that is killed leaves a trace."""
    record = root.sendable()
    attributes = {**json.loads(record["attributes"]), "staso.provisional_root": True}
    return {**record, "attributes": _json(attributes)}


def _stacktrace(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames of this recorder."""
    report = traceback.TracebackException.from_exception(error)
    link: Optional[traceback.TracebackException] = report
    while link is not None:
        link.stack = traceback.StackSummary.from_list([frame for frame in link.stack if frame.filename != __file__])
        link = link.__cause__ or link.__context__
    return "".join(report.format())


def _json(value: Any) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(repr(value))
