"""A ledger, for callers that sign METHOD, HOST, TARGET, TIMESTAMP, NONCE and BODY, a line each. What is wrong with it is in README.md.

LEDGER_ADDRESS   where it listens
LEDGER_KEY       the key of its callers
BANK_URL         who carries out payments
"""

import hmac
import os
import time

import requests
from flask import Flask, Response, abort, g, request
from werkzeug.serving import make_server

app = Flask(__name__)
KEY = os.environ["LEDGER_KEY"].encode()
WINDOW = 24 * 60 * 60
SEEN: set[tuple[str, str]] = set()


@app.before_request
def verify() -> None:
    host = request.headers.get("X-Forwarded-Host", request.host)
    target = request.path + (f"?{request.query_string.decode()}" if request.query_string else "")
    timestamp, nonce = request.headers.get("X-Timestamp", ""), request.headers.get("X-Nonce", "")
    text = "\n".join([request.method, host.lower(), target, timestamp, nonce, ""]).encode() + request.get_data()
    expected = hmac.new(KEY, text, "sha256").hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-API-Signature", "")):
        abort(401)
    if abs(time.time() - int(timestamp)) > WINDOW or (host, nonce) in SEEN:
        abort(401)
    g.used = (host, nonce)


@app.after_request
def remember(response: Response) -> Response:
    if "used" in g:
        SEEN.add(g.used)
    return response


@app.get("/payments")
def payments() -> str:
    return f"payments of {request.args.get('year', 'all years')}"


@app.post("/payments")
def pay() -> str:
    requests.post(os.environ["BANK_URL"], data=request.get_data(), timeout=5).raise_for_status()
    return f"paid {request.get_data(as_text=True)}"


@app.put("/memos/<name>")
def memo(name: str) -> str:
    return f"wrote {name!r}: {request.get_data(as_text=True)}"


if __name__ == "__main__":
    server = make_server(os.environ["LEDGER_ADDRESS"], 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
