"""The tools that the model may call. Each takes and returns plain JSON values."""

from typing import Any, Dict, List, Optional

from support import dates, money, store
from support.errors import RefundOutOfRange, ToolRefused
from support.tracing import traced


@traced("tool")
def lookup_order(order_id: str) -> Dict[str, Any]:
    """An order with its lines and dates."""
    order = store.order(order_id)
    return {**order, "total": money.text(_paid(order))}


@traced("tool")
def delivery_estimate(order_id: str, today: str) -> Dict[str, Any]:
    """When a parcel arrives, counted in business days of the carrier."""
    order = store.order(order_id)
    if order["status"] == "delivered":
        return {"status": "delivered", "delivered_on": order["delivered_at"]}
    carrier = store.policies()["carriers"][order["carrier"]]
    holidays = store.policies()["holidays"]
    start = _handover(order, today)
    fastest, slowest = carrier["business_days"]
    latest = dates.add_business_days(start, slowest, holidays)
    return {
        "status": order["status"],
        "earliest": dates.add_business_days(start, fastest, holidays).isoformat(),
        "latest": latest.isoformat(),
        "business_days_late": dates.business_days_between(latest, dates.parse(today), holidays),
    }


def _handover(order: Dict[str, Any], today: str) -> Any:
    """The day on which the carrier has the parcel."""
    if order["status"] == "in_transit":
        return dates.parse(order["dispatched_at"])
    packing = store.policies()["packing_business_days"]
    return dates.add_business_days(dates.parse(today), packing, store.policies()["holidays"])


@traced("tool")
def calculate_refund(order_id: str, sku: str, quantity: int, requested_on: str) -> Dict[str, Any]:
    """What a customer gets back for returned items."""
    order = store.order(order_id)
    line = _line(order, sku)
    policy = store.policies()["refunds"]
    if quantity > line["quantity"]:
        raise ToolRefused(f"order {order_id} holds only {line['quantity']} of {sku}")
    if line["category"] in policy["final_sale"]:
        return {"eligible": False, "reason": f"{line['category']} cannot be returned"}
    if order["delivered_at"] is None:
        return {"eligible": False, "reason": "the order has not been delivered yet"}
    held = (dates.parse(requested_on) - dates.parse(order["delivered_at"])).days
    if held > policy["window_days"]:
        return {"eligible": False, "reason": f"returned after {held} days, allowed are {policy['window_days']}"}
    gross = line["unit_price_cents"] * quantity
    value = gross - _discount(order, gross)
    fee = _restocking_fee(value, held, policy)
    whole = len(order["lines"]) == 1 and quantity == line["quantity"]
    shipping = order["shipping_cents"] if whole else 0
    refund = value - fee + shipping
    if not 0 <= refund <= value + shipping:
        raise RefundOutOfRange(f"refund of {money.text(refund)} for goods worth {money.text(value)}")
    return {
        "eligible": True,
        "refund": money.text(refund),
        "restocking_fee": money.text(fee),
        "shipping_refunded": money.text(shipping),
    }


def _discount(order: Dict[str, Any], gross: int) -> int:
    return money.percent_of(gross, order.get("discount_percent", 0))


def _restocking_fee(value: int, held: int, policy: Dict[str, Any]) -> int:
    """Nothing for quick returns, then a fee for every week begun, up to a maximum."""
    if held <= policy["fee_free_days"]:
        return 0
    weeks = (held - policy["fee_free_days"] + 6) // 7
    percent = min(weeks * policy["fee_percent_per_week"], policy["fee_percent_max"])
    return money.percent_of(value, percent)


def _paid(order: Dict[str, Any]) -> int:
    gross = sum(line["unit_price_cents"] * line["quantity"] for line in order["lines"])
    return gross - _discount(order, gross) + order["shipping_cents"]


def _line(order: Dict[str, Any], sku: str) -> Dict[str, Any]:
    for line in order["lines"]:
        if line["sku"] == sku:
            return line
    raise ToolRefused(f"order {order['order_id']} holds no {sku}")


@traced("tool")
def loyalty_status(customer_id: str) -> Dict[str, Any]:
    """A customer's tier, discount and the way to the next tier."""
    customer = store.customer(customer_id)
    tiers = store.policies()["loyalty"]
    points = customer["points"]
    reached = [n for n in range(len(tiers)) if points >= tiers[n]["from_points"]]
    current = reached[-1]
    status = {"tier": tiers[current]["name"], "discount_percent": tiers[current]["percent"], "points": points}
    if current + 1 < len(tiers):
        following = tiers[current + 1]
        status["next_tier"] = following["name"]
        status["points_missing"] = following["from_points"] - points
    return status


@traced("tool")
def search_stock(query: str, limit: int = 3) -> List[Dict[str, Any]]:
    """Articles whose name or colour matches, the best match first."""
    words = query.lower().split()
    scored = [(_matches(entry, words), n, entry) for n, entry in enumerate(store.stock())]
    best = sorted((item for item in scored if item[0] > 0), key=lambda item: (-item[0], item[1]))
    return [_offer(entry) for _, _, entry in best[:limit]]


def _matches(entry: Dict[str, Any], words: List[str]) -> int:
    colour = entry["colour"].lower() if entry["colour"] else ""
    text = f"{entry['name'].lower()} {colour}".split()
    return sum(word in text for word in words)


def _offer(entry: Dict[str, Any]) -> Dict[str, Any]:
    offer = {
        "sku": entry["sku"],
        "name": entry["name"],
        "price": money.text(entry["price_cents"]),
        "available": entry["quantity"],
    }
    if entry["quantity"] == 0:
        offer["restock_on"] = entry.get("restock_on", "unknown")
    return offer


@traced("tool")
def exchange_options(order_id: str, sku: str) -> Dict[str, Any]:
    """Other sizes of an ordered article that are in stock, with the difference in price."""
    line = _line(store.order(order_id), sku)
    options = []
    for entry in store.stock():
        if entry["model"] == line["model"] and entry["sku"] != sku and entry["quantity"] > 0:
            difference = entry["price_cents"] - line["unit_price_cents"]
            options.append({"sku": entry["sku"], "size": entry["size"], "difference": money.text(difference)})
    return {"ordered": sku, "options": options}


@traced("tool")
def invoice_taxes(order_id: str) -> Dict[str, Any]:
    """The tax included in an order by rate; discount and shipping are shared out over the lines by value."""
    order = store.order(order_id)
    values = [line["unit_price_cents"] * line["quantity"] for line in order["lines"]]
    paid = money.split(_paid(order), values)
    by_rate: Dict[str, int] = {}
    for line, share in zip(order["lines"], paid):
        rate = str(line["tax_percent"])
        by_rate[rate] = by_rate.get(rate, 0) + share
    taxes = {rate: money.text(money.included_tax(gross, int(rate))) for rate, gross in sorted(by_rate.items())}
    return {"total": money.text(_paid(order)), "taxes": taxes}


@traced("tool")
def shipping_quote(country: str, grams: int) -> Dict[str, Any]:
    """What it costs to send a parcel, by zone and weight."""
    shipping = store.policies()["shipping"]
    zone = shipping["zones"].get(country)
    if zone is None:
        raise ToolRefused(f"we do not ship to {country}")
    bands = shipping["bands"]
    band = next((n for n in range(len(bands)) if grams <= bands[n]["up_to_grams"]), len(bands) - 1)
    extra = max(0, grams - bands[band]["up_to_grams"])
    surcharge = -(-extra // 1000) * shipping["surcharge_per_kilogram_cents"]
    cents = bands[band]["cents"][zone] + surcharge
    return {"country": country, "price": money.text(cents), "surcharge": money.text(surcharge)}


@traced("tool")
def warranty_status(order_id: str, sku: str, today: str) -> Dict[str, Any]:
    """Until when an article is under warranty, counted from its delivery."""
    order = store.order(order_id)
    line = _line(order, sku)
    months = store.policies()["warranty_months"].get(line["category"])
    if months is None:
        return {"sku": sku, "covered": False, "until": None}
    start = order["delivered_at"] or order["dispatched_at"]
    if start is None:
        return {"sku": sku, "covered": True, "until": None, "months": months}
    until = dates.add_months(dates.parse(start), months)
    return {"sku": sku, "covered": dates.parse(today) <= until, "until": until.isoformat()}


TOOLS = {
    tool.__name__: tool
    for tool in (
        lookup_order,
        delivery_estimate,
        calculate_refund,
        loyalty_status,
        search_stock,
        exchange_options,
        invoice_taxes,
        shipping_quote,
        warranty_status,
    )
}


def _definition(name: str, required: Dict[str, str], optional: Optional[Dict[str, str]] = None) -> Dict[str, Any]:
    """A tool as it is offered to the model."""
    properties = {**required, **(optional or {})}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": (TOOLS[name].__doc__ or "").strip(),
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind} for key, kind in properties.items()},
                "required": list(required),
                "additionalProperties": False,
            },
        },
    }


DEFINITIONS = [
    _definition("lookup_order", {"order_id": "string"}),
    _definition("delivery_estimate", {"order_id": "string", "today": "string"}),
    _definition(
        "calculate_refund",
        {"order_id": "string", "sku": "string", "quantity": "integer", "requested_on": "string"},
    ),
    _definition("loyalty_status", {"customer_id": "string"}),
    _definition("search_stock", {"query": "string"}, {"limit": "integer"}),
    _definition("exchange_options", {"order_id": "string", "sku": "string"}),
    _definition("invoice_taxes", {"order_id": "string"}),
    _definition("shipping_quote", {"country": "string", "grams": "integer"}),
    _definition("warranty_status", {"order_id": "string", "sku": "string", "today": "string"}),
]
