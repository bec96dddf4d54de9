"""A worker of `cargo xtask bench`: RFC 9421 with HMAC over a POST of 1 KiB, verified by the PyPI package `http-message-signatures`.

The protocol is that of peers.py. The body is verified too, as the engine does.
"""

import datetime
import json
import sys
import time
import types

from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

BODY = b"x" * 1024
# A signature is verified while it is fresh: it gets room for the length of a bench.
MAX_AGE = datetime.timedelta(hours=6)
BATCH = 200


class Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        return b"published-test-key-fedcba9876543210"

    resolve_private_key = resolve_public_key


message = types.SimpleNamespace(
    method="POST",
    url="https://api.example.com/v2/orders?expand=lines",
    headers={"Content-Type": "application/json"},
)
COVERED = ("@method", "@authority", "@path", "@query", "content-digest")
HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys()).sign(
    message, key_id="k2", covered_component_ids=COVERED, nonce="n-0123456789abcdef", tag="partner-api", body=BODY
)
verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())


def verify() -> None:
    verifier.verify(message, max_age=MAX_AGE, body=BODY)


def main() -> None:
    verify()
    for line in sys.stdin:
        if line.strip() == "go":
            start = time.perf_counter_ns()
            for _ in range(BATCH):
                verify()
            print(json.dumps({"python/http-message-signatures": (time.perf_counter_ns() - start) / BATCH}), flush=True)


if __name__ == "__main__":
    main()
