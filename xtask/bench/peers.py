"""A worker of `cargo xtask bench`: is this Host value allowed, asked of three Python frameworks.

Each line `go` on standard input runs one batch of each; the answer is one line of JSON, nanoseconds a call
by name. Only the check itself is asked: no request object is made and no header looked up.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.http.request import split_domain_port, validate_host
from starlette._utils import parse_host_header
from starlette.middleware.trustedhost import TrustedHostMiddleware
from werkzeug.sansio.utils import host_is_trusted

BATCH_NS = 20_000_000

workload = json.loads(Path(__file__).with_name("workload.json").read_text())
ALLOW: list[str] = workload["allow"]
STARLETTE = TrustedHostMiddleware(app=None, allowed_hosts=ALLOW)


def starlette(value: str) -> bool:
    """What `TrustedHostMiddleware.__call__` does between the header and its answer."""
    parsed = parse_host_header(value)
    if parsed is None:
        return False
    host = parsed.host.lower()
    for pattern in STARLETTE.allowed_hosts:
        if host == pattern or (pattern.startswith("*") and host.endswith(pattern[1:])):
            return True
        elif "www." + host == pattern:
            pass
    return False


def werkzeug(value: str) -> bool:
    """What `Request.host` asks when `trusted_hosts` is set."""
    return host_is_trusted(value, ALLOW)


def django(value: str) -> bool:
    """What `HttpRequest.get_host` asks of `ALLOWED_HOSTS`."""
    domain, _port = split_domain_port(value)
    return bool(domain) and validate_host(domain, ALLOW)


PEERS = [starlette, werkzeug, django]


def run(check: Callable[[str], bool], value: str, calls: int) -> int:
    start = time.perf_counter_ns()
    for _ in range(calls):
        check(value)
    return time.perf_counter_ns() - start


def main() -> None:
    host: str = workload["host"]
    for check in PEERS:
        assert check(host) is True, check.__name__
        assert check("evil.example.net") is False, check.__name__

    calls = {check: max(1, BATCH_NS * 1000 // run(check, host, 1000)) for check in PEERS}
    for line in sys.stdin:
        if line.strip() == "go":
            answer = {
                f"python/{check.__name__}": run(check, host, calls[check]) / calls[check]
                for check in PEERS
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
