"""The agent: finds out what it needs with tools, then writes one reply."""

import json
import re
from typing import Any, Dict, List, Optional

from support import model, store
from support.errors import ReplyRejected, ToolRefused, TurnLimitReached
from support.prompts import PLACEHOLDER, render_prompt
from support.tools import DEFINITIONS, TOOLS
from support.tracing import traced

# What a reply may only repeat from the tools' results: amounts and dates.
FIGURE = re.compile(r"\d+\.\d{2}\b|\d{4}-\d{2}-\d{2}")


@traced("agent")
def handle_ticket(ticket_id: str) -> Dict[str, Any]:
    """The reply to a ticket: subject, body and the tools that it rests on."""
    ticket = store.ticket(ticket_id)
    facts = gather_facts(ticket)
    prompt = reply_prompt(ticket, facts)
    answer = model.ask([{"role": "user", "content": prompt}], [], store.settings()["reply_max_tokens"])
    return parse_reply(answer["content"], facts)


@traced("chain")
def gather_facts(ticket: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Lets the model call tools until it knows enough; the results in order."""
    config = store.settings()
    prompt = render_prompt(
        "plan",
        {
            "today": ticket["received_on"],
            "question": ticket["text"],
            "customer_id": ticket["customer_id"],
        },
    )
    messages: List[Dict[str, Any]] = [{"role": "user", "content": prompt}]
    facts: List[Dict[str, Any]] = []
    for _ in range(config["max_turns"]):
        answer = model.ask(messages, DEFINITIONS, config["plan_max_tokens"])
        messages.append({"role": "assistant", **answer})
        if not answer["tool_calls"]:
            return facts
        for call in answer["tool_calls"]:
            result = call_tool(call["name"], json.loads(call["arguments"]))
            facts.append({"tool": call["name"], "result": result})
            messages.append(
                {"role": "tool", "tool_call_id": call["id"], "name": call["name"], "content": json.dumps(result)}
            )
    raise TurnLimitReached(f"no answer after max_turns = {config['max_turns']} turns")


def call_tool(name: str, arguments: Dict[str, Any]) -> Any:
    """Runs a tool. What the shop's data does not allow is a result; a fault of the tool is not."""
    tool = TOOLS.get(name)
    if tool is None:
        return {"error": f"there is no tool {name}; there are {', '.join(sorted(TOOLS))}"}
    try:
        return tool(**arguments)
    except ToolRefused as refused:
        return {"error": str(refused)}


@traced("chain")
def reply_prompt(ticket: Dict[str, Any], facts: List[Dict[str, Any]]) -> str:
    """The prompt for the final reply."""
    config = store.settings()
    customer = store.customer(ticket["customer_id"])
    return render_prompt(
        "reply",
        {
            "customer_name": customer["name"],
            "question": ticket["text"],
            "facts": "\n".join(f"- {fact['tool']}: {json.dumps(fact['result'])}" for fact in facts),
            "currency": config["currency"],
            "signature": config["signature"],
        },
    )


@traced("chain")
def parse_reply(text: str, facts: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Reads the model's reply and refuses what must not reach a customer."""
    try:
        reply = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReplyRejected(f"the reply is not valid JSON: {error}") from error
    problem = _problem(reply, facts)
    if problem is not None:
        raise ReplyRejected(problem)
    return reply


def _problem(reply: Any, facts: List[Dict[str, Any]]) -> Optional[str]:
    if not isinstance(reply, dict) or not all(isinstance(reply.get(key), str) for key in ("subject", "body")):
        return "the reply needs a subject and a body"
    if PLACEHOLDER.search(reply["subject"] + reply["body"]):
        return "the reply holds an unfilled placeholder"
    limit = store.settings()["reply_max_characters"]
    if len(reply["body"]) > limit:
        return f"the reply has {len(reply['body'])} characters, more than reply_max_characters = {limit}"
    used = {fact["tool"] for fact in facts}
    sources = reply.get("sources")
    if not isinstance(sources, list) or not sources or not set(sources) <= used:
        return f"the reply rests on {sources}, the tools used are {sorted(used)}"
    known = set(FIGURE.findall(json.dumps(facts)))
    unknown = [figure for figure in FIGURE.findall(reply["body"]) if figure not in known]
    if unknown:
        return f"the reply names {unknown[0]}, which no tool returned"
    return None
