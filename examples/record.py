"""Runs a command and writes the traces that it sends to a file that `heal --trace` and `diagnose` read.

    python3 examples/record.py run.json python3 my_agent.py

The command finds an ingest of the staso format at STASO_BASE_URL. Exits with the command's exit code.
"""

import http.server
import json
import os
import subprocess
import sys
import threading

MAX_BODY_BYTES = 64 << 20


class Ingest(http.server.BaseHTTPRequestHandler):
    """Takes every batch and acknowledges it exactly, as the SDKs demand."""

    traces = {}

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/v1/traces/ingest" or length > MAX_BODY_BYTES:
            return self.send_error(404)
        batch = json.loads(self.rfile.read(length))["traces"]
        for trace in batch:
            known = self.traces.setdefault(trace["trace_id"], {**trace, "spans": []})
            known["spans"].extend(trace["spans"])
        receipt = {"accepted": len(batch), "rejected": 0, "spans_dropped": 0}
        answer = json.dumps({**receipt, "receipt_id": self.headers.get("Idempotency-Key")}).encode()
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: record.py FILE COMMAND...")
    file, command = sys.argv[1], sys.argv[2:]
    server = http.server.HTTPServer(("127.0.0.1", 0), Ingest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    ended = subprocess.run(command, env={**os.environ, "STASO_BASE_URL": address, "STASO_API_KEY": "local"})
    server.shutdown()
    if not Ingest.traces:
        sys.exit(f"record.py: {command[0]} ended with {ended.returncode} and sent no trace")
    with open(file, "w", encoding="utf-8") as out:
        json.dump({"traces": list(Ingest.traces.values())}, out, indent=1)
    print(f"record.py: {len(Ingest.traces)} traces in {file}", file=sys.stderr)
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
