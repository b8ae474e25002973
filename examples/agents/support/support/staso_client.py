"""Sends spans to a Staso ingest: POST {base}/v1/traces/ingest, in batches, on a thread of its own."""

import json
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from typing import Any, Dict, List, Optional, Tuple

from support import __version__

USER_AGENT = f"support-agent/{__version__}"
BATCH_SPANS = 100
BATCH_SECONDS = 0.5
QUEUE_SPANS = 10_000
ATTEMPTS = 3
DELAYS_SECONDS = (0.5, 1.0)
TIMEOUT_SECONDS = 10.0
RETRY_AFTER_MAX_SECONDS = 60.0

Item = Tuple[str, Dict[str, Any]]


class NotDelivered(Exception):
    """A batch was not taken."""

    def __init__(self, kind: str, retry_after: Optional[float] = None) -> None:
        super().__init__(kind)
        self.retry_after = retry_after


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API key goes to the configured address and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class StasoClient:
    """A bounded queue and a thread that empties it. Spans that do not fit are dropped and counted."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._url = base_url.rstrip("/") + "/v1/traces/ingest"
        self._api_key = api_key
        self._queue: "queue.Queue[Optional[Item]]" = queue.Queue(QUEUE_SPANS)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="staso", daemon=True)
        self._thread.start()

    @classmethod
    def from_environment(cls) -> "Optional[StasoClient]":
        base_url = os.environ.get("STASO_BASE_URL", "")
        if not base_url.startswith(("http://", "https://")) or os.environ.get("STASO_ENABLED") == "0":
            return None
        return cls(base_url, os.environ.get("STASO_API_KEY", ""))

    def send(self, trace_id: str, span: Dict[str, Any]) -> None:
        try:
            self._queue.put_nowait((trace_id, span))
        except queue.Full:
            self.dropped += 1

    def close(self, timeout_seconds: float) -> None:
        """Waits until everything is sent, at most this long."""
        try:
            self._queue.put(None, timeout=timeout_seconds)
        except queue.Full:
            pass
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            print(f"staso: gave up after {timeout_seconds} s, some spans were not delivered", file=sys.stderr)

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if batch:
                try:
                    self._deliver(batch)
                except Exception as error:
                    self.dropped += len(batch)
                    print(f"staso: {len(batch)} spans were not delivered: {error}", file=sys.stderr)

    def _next_batch(self) -> Tuple[List[Item], bool]:
        """The spans of the next half second, and whether there may be more after them."""
        batch: List[Item] = []
        first = self._queue.get()
        if first is None:
            return batch, False
        batch.append(first)
        until = time.monotonic() + BATCH_SECONDS
        while len(batch) < BATCH_SPANS:
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return batch, True
            if item is None:
                return batch, False
            batch.append(item)
        return batch, True

    def _deliver(self, batch: List[Item]) -> None:
        body = _body(batch)
        key = str(uuid.uuid4())
        for attempt in range(ATTEMPTS):
            try:
                return self._post(body, key, len({trace_id for trace_id, _ in batch}))
            except NotDelivered as error:
                if error.retry_after is None or attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(max(error.retry_after, DELAYS_SECONDS[attempt]))

    def _post(self, body: bytes, key: str, traces: int) -> None:
        request = urllib.request.Request(self._url, data=body, method="POST")
        request.add_header("X-API-Key", self._api_key)
        request.add_header("Content-Type", "application/json")
        request.add_header("User-Agent", USER_AGENT)
        request.add_header("Idempotency-Key", key)
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                answer = response.read(65_536)
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except OSError as error:
            raise NotDelivered(f"network_unavailable ({error})", 0.0) from None
        _check_receipt(answer, key, traces)


def _body(batch: List[Item]) -> bytes:
    traces: Dict[str, List[Dict[str, Any]]] = {}
    for trace_id, span in batch:
        traces.setdefault(trace_id, []).append(span)
    return json.dumps(
        {
            "traces": [
                {
                    "trace_id": trace_id,
                    "timestamp": min(span["timestamp"] for span in spans),
                    "environment": os.environ.get("STASO_ENVIRONMENT", "production"),
                    "workspace_slug": os.environ.get("STASO_WORKSPACE_SLUG", "default"),
                    "spans": spans,
                }
                for trace_id, spans in traces.items()
            ]
        }
    ).encode("utf-8")


def _refused(error: urllib.error.HTTPError) -> NotDelivered:
    kinds = {401: "invalid_key", 402: "plan_expired", 403: "forbidden", 429: "rate_limited"}
    if error.code >= 500:
        return NotDelivered(f"backend_unavailable ({error.code})", 0.0)
    wait = _seconds(error.headers.get("Retry-After")) if error.code == 429 else None
    return NotDelivered(f"{kinds.get(error.code, 'malformed_response')} ({error.code})", wait)


def _seconds(text: Optional[str]) -> Optional[float]:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= RETRY_AFTER_MAX_SECONDS else None


def _check_receipt(answer: bytes, key: str, traces: int) -> None:
    """All or nothing: the sink must have taken every trace and every span of exactly this batch."""
    try:
        receipt = json.loads(answer)
    except ValueError:
        raise NotDelivered("malformed_response (no JSON)") from None
    expected = {"accepted": traces, "rejected": 0, "spans_dropped": 0}
    for name, value in expected.items():
        found = receipt.get(name) if isinstance(receipt, dict) else None
        if type(found) is not int or found != value:
            raise NotDelivered(f"malformed_response ({name} is {found!r}, not {value})")
    if receipt.get("receipt_id") != key:
        raise NotDelivered("malformed_response (receipt_id of another batch)")
