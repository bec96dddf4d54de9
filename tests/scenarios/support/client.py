"""A client that signs what it asks, by one of two recipes. `POST /` tells it what, in JSON:

method, url, body   the request; its name is looked up for each one
via                 if there, the forwarder that it is handed to instead
ago                 how many seconds its clock is behind: a signature from the past, without the wait

CLIENT_RECIPE   host_nonce or service_scoped
CLIENT_ID       who it is
CLIENT_KEY      its key
CLIENT_DNS      the resolver, as address:port
"""

import hmac
import os
import secrets
import time
from urllib.parse import urlsplit

import dns.resolver
import requests
from flask import Flask, request
from werkzeug.serving import make_server

app = Flask(__name__)
ID = os.environ["CLIENT_ID"]
KEY = os.environ["CLIENT_KEY"].encode()
TIMEOUT = 5


def mac(fields: list[str], delimiter: str, body: bytes) -> str:
    return hmac.new(KEY, delimiter.join([*fields, ""]).encode() + body, "sha256").hexdigest()


def host_nonce(method: str, host: str, target: str, timestamp: str, body: bytes) -> dict[str, str]:
    nonce = secrets.token_urlsafe(24)
    signature = mac([method, host, target, timestamp, nonce], "\n", body)
    return {"X-API-Signature": signature, "X-Timestamp": timestamp, "X-Nonce": nonce}


def service_scoped(method: str, host: str, target: str, timestamp: str, body: bytes) -> dict[str, str]:
    signature = mac([method, ID, target.partition("?")[0], timestamp], "|", body)
    return {"X-Signature": signature, "X-Timestamp": timestamp, "X-Service-ID": ID}


RECIPE = {"host_nonce": host_nonce, "service_scoped": service_scoped}[os.environ["CLIENT_RECIPE"]]


def address_of(name: str) -> str:
    """The first address that the name has now."""
    server, port = os.environ["CLIENT_DNS"].rsplit(":", 1)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [server], int(port), TIMEOUT
    return resolver.resolve(name, "A")[0].to_text()


@app.post("/")
def ask() -> dict[str, int | str]:
    told = request.get_json()
    url, body = urlsplit(told["url"]), told.get("body", "").encode()
    place = told.get("via") or f"http://{address_of(url.hostname)}:{url.port}"
    prepared = requests.Request(told["method"], place + told["url"].removeprefix(f"http://{url.netloc}"), data=body).prepare()
    timestamp = str(int(time.time()) - told.get("ago", 0))
    prepared.headers.update(RECIPE(prepared.method, url.netloc, prepared.path_url, timestamp, body), Host=url.netloc)
    answer = requests.Session().send(prepared, timeout=TIMEOUT, allow_redirects=False)
    return {"status": answer.status_code, "text": answer.text}


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
