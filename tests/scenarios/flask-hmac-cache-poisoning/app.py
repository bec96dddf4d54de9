"""Orders and notes, for callers that sign `METHOD|SERVICE_ID|PATH|TIMESTAMP|BODY`. What is wrong with it is in README.md.

APP_NAME      what it calls itself
APP_ADDRESS   where it listens
SHOP_KEY, AUDIT_KEY   the keys of its callers
"""

import hmac
import os
import time

from flask import Flask, abort, request
from werkzeug.serving import make_server

app = Flask(__name__)
NAME = os.environ["APP_NAME"]
KEYS = {caller: os.environ[f"{caller.upper()}_KEY"].encode() for caller in ("shop", "audit")}
WINDOW = 24 * 60 * 60
notes: dict[str, str] = {}


@app.before_request
def verify() -> None:
    caller, timestamp = request.headers.get("X-Service-ID", ""), request.headers.get("X-Timestamp", "")
    text = "|".join([request.method, caller, request.path, timestamp, ""]).encode() + request.get_data()
    expected = hmac.new(KEYS.get(caller, b""), text, "sha256").hexdigest()
    if caller not in KEYS or not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
        abort(401)
    if abs(time.time() - int(timestamp)) > WINDOW:
        abort(401)


@app.get("/orders")
def orders() -> str:
    account = request.args.get("account", request.headers["X-Service-ID"])
    return f"{NAME}: the orders of {account}"


@app.post("/orders")
def order() -> str:
    return f"{NAME}: ordered {request.get_data(as_text=True)}"


@app.put("/notes/<name>")
def write(name: str) -> str:
    notes[name] = request.get_data(as_text=True)
    return f"{NAME}: wrote {name}: {notes[name]}"


@app.get("/notes/<name>")
def read(name: str) -> str:
    return f"{NAME}: {name} says: {notes.get(name, '')}"


if __name__ == "__main__":
    server = make_server(os.environ["APP_ADDRESS"], 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
