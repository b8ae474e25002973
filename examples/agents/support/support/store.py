"""Read-only access to the shop's data, the prompts and the configuration."""

import functools
import json
from pathlib import Path
from typing import Any, Dict, List

from support.errors import ToolRefused

ROOT = Path(__file__).resolve().parent.parent


def read_text(relative: str) -> str:
    return (ROOT / relative).read_text(encoding="utf-8")


@functools.lru_cache(maxsize=None)
def _load(name: str) -> Any:
    return json.loads(read_text(name))


def settings() -> Dict[str, Any]:
    return _load("config.json")


def policies() -> Dict[str, Any]:
    return _load("data/policies.json")


def stock() -> List[Dict[str, Any]]:
    return _load("data/stock.json")


def ticket(ticket_id: str) -> Dict[str, Any]:
    return _find("data/tickets.json", "ticket", ticket_id)


def customer(customer_id: str) -> Dict[str, Any]:
    return _find("data/customers.json", "customer", customer_id)


def order(order_id: str) -> Dict[str, Any]:
    return _find("data/orders.json", "order", order_id)


def _find(file: str, what: str, key: str) -> Dict[str, Any]:
    found = _load(file).get(key)
    if found is None:
        raise ToolRefused(f"there is no {what} {key}")
    return found
