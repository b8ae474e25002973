"""Answers one ticket: python3 -m support TICKET."""

import json
import sys
import traceback

from support import tracing
from support.agent import handle_ticket


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python3 -m support TICKET", file=sys.stderr)
        return 2
    try:
        reply = handle_ticket(sys.argv[1])
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        tracing.shutdown()
    print(json.dumps(reply, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
