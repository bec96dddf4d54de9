"""Signs and verifies with other people's libraries: `python interop.py sign|verify PROFILE`, JSON lines in, JSON lines out.

A request to sign is what a program would hand to `requests`; what comes out is what `requests` would send, as `hostbound decide` reads it.
"""

import base64
import datetime
import json
import os
import sys
import types
import urllib.parse

import requests
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms
from standardwebhooks import Webhook

TAG = "interop"
COMPONENTS = (
    "@method",
    "@target-uri",
    "@authority",
    "@scheme",
    "@request-target",
    "@path",
    "@query",
    '"@query-param";name="id"',
    "content-type",
    "x-list",
)
KEY = os.environ["KEY"]


def message_keys():
    keys = {"k1": KEY.encode()}
    return MappingKeyResolver(public_keys=keys, private_keys=keys)


def sign_message(prepared, asked):
    signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=message_keys())
    now = datetime.datetime.now(datetime.timezone.utc)
    body = base64.b64decode(asked["body"])
    signer.sign(
        prepared,
        key_id="k1",
        created=now,
        expires=now + datetime.timedelta(seconds=100),
        nonce=asked["nonce"],
        tag=TAG,
        covered_component_ids=COMPONENTS,
        # A request without a body has no digest, or that of nothing.
        body=body if body or asked["digest"] else None,
    )


def sign_webhook(prepared, asked):
    now = datetime.datetime.now(datetime.timezone.utc)
    prepared.headers["webhook-id"] = asked["nonce"]
    prepared.headers["webhook-timestamp"] = str(int(now.timestamp()))
    prepared.headers["webhook-signature"] = webhook().sign(asked["nonce"], now, base64.b64decode(asked["body"]).decode())


def sign(asked, signer):
    headers = {"Content-Type": asked["type"], "X-List": "a, b"}
    body = base64.b64decode(asked["body"])
    prepared = requests.Request(asked["method"], asked["url"], headers=headers, data=body).prepare()
    signer(prepared, asked)
    url = urllib.parse.urlsplit(prepared.url)
    return {
        "method": prepared.method,
        "scheme": url.scheme,
        "target": prepared.path_url,
        "headers": [["Host", url.netloc], *prepared.headers.items()],
        "body": {"base64": asked["body"]},
    }


def verify_message(received):
    headers = dict(received["headers"])
    url = f"{received['scheme']}://{headers['Host']}{received['target']}"
    message = types.SimpleNamespace(method=received["method"], url=url, headers=headers)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=message_keys())
    body = base64.b64decode(received["body"]["base64"])
    max_age = datetime.timedelta(minutes=2)
    [result] = verifier.verify(message, expect_tag=TAG, require_components=COMPONENTS, max_age=max_age, body=body)
    assert {"created", "expires", "nonce", "keyid", "alg", "tag"} == set(result.parameters)


def verify_webhook(received):
    body = base64.b64decode(received["body"]["base64"])
    webhook().verify(body, dict(received["headers"]), json_parse=False)


def webhook():
    return Webhook(f"whsec_{base64.b64encode(KEY.encode()).decode()}")


def verify(received, verifier):
    try:
        verifier(received)
    except Exception as error:  # Each library has errors of its own.
        return {"valid": False, "error": f"{type(error).__name__}: {error}"}
    return {"valid": True}


def main():
    command, profile = sys.argv[1:]
    run = {"sign": sign, "verify": verify}[command]
    how = {
        ("sign", "http-message-signatures"): sign_message,
        ("sign", "standard-webhooks"): sign_webhook,
        ("verify", "http-message-signatures"): verify_message,
        ("verify", "standard-webhooks"): verify_webhook,
    }[command, profile]
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), how)))


main()
