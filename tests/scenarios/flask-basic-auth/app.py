"""A shop: it asks the service `orders` by name, with HTTP Basic credentials, and shows the answer.

ORDERS_URL   the service, such as http://orders.internal:8000
ORDERS_DNS   the resolver of the service discovery, as address:port
ORDERS_VIA   if set, where Hostbound forwards requests for ORDERS_URL
"""

import os
from urllib.parse import urlsplit

import dns.resolver
import requests
from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)
ORDERS = urlsplit(os.environ["ORDERS_URL"])
CREDENTIALS = ("shop", os.environ["ORDERS_PASSWORD"])
TIMEOUT = 5


def ask(path: str) -> requests.Response:
    """Asks `orders`: through Hostbound, or at the first address that the name has now."""
    via = os.environ.get("ORDERS_VIA")
    if via is not None:
        return requests.get(f"{via}{path}", auth=CREDENTIALS, timeout=TIMEOUT)
    server, port = os.environ["ORDERS_DNS"].rsplit(":", 1)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [server], int(port), TIMEOUT
    address = resolver.resolve(ORDERS.hostname, "A")[0].to_text()
    headers = {"Host": ORDERS.netloc}
    return requests.get(f"http://{address}:{ORDERS.port}{path}", headers=headers, auth=CREDENTIALS, timeout=TIMEOUT)


@app.get("/")
def index() -> tuple[str, int]:
    answer = ask("/orders")
    return answer.text, answer.status_code


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
