"""Prompts: the text files under prompts/, with {{name}} for what changes from ticket to ticket."""

import re
from typing import Dict

from support import store
from support.tracing import traced

PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@traced("chain")
def render_prompt(name: str, values: Dict[str, str]) -> str:
    """Fills the placeholders of prompts/<name>.txt."""
    template = store.read_text(f"prompts/{name}.txt")
    return PLACEHOLDER.sub(lambda match: str(values.get(match.group(1), match.group(0))), template)
