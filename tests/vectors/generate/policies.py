#!/usr/bin/env python3
"""Writes the cases of ../../../policies/jwt-api.toml and introspected-api.toml, and the pins of the first: everything below the line that says so.

Needs the package `cryptography` (pip install cryptography). Deterministic: the same text at every run. `policies.py --check` compares with the files.
"""

import sys

del sys.path[0]  # this folder: a file here has the name of a module of the standard library, which `cryptography` needs

import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

NOW = 1767225600
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MARK = "# What must keep working."
FOLDER = pathlib.Path(__file__).resolve().parents[3] / "policies"


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def quoted(text):
    assert "'" not in text
    return "'%s'" % text


class Key:
    """A published test key, made of a word. Never use it for anything else."""

    def __init__(self, word):
        scalar = int.from_bytes(hashlib.sha512(word.encode()).digest(), "big") % (P256_N - 1) + 1
        self.private = ec.derive_private_key(scalar, ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        x, y = (b64u(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self.members = {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def jwk(self, kid):
        return dict(self.members, kid=kid, alg="ES256", use="sig")

    def thumbprint(self):
        return b64u(hashlib.sha256(json.dumps(self.members, separators=(",", ":")).encode()).digest())

    def pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, data):
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


OURS, NEXT, THEIRS = Key("jwt-api, this year"), Key("jwt-api, next year"), Key("an attacker")
KEYS = {"2026-1": OURS, "2026-2": NEXT}


def token(now=NOW, kid="2026-1", key=OURS, header=None, sign=None, **claims):
    head = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    body = {"iss": "https://auth.example.com/", "aud": "https://api.example.com", "sub": "user-1", "client_id": "web", "iat": now - 60, "exp": now + 600, "scope": "orders:read"}
    for given, base in [(header or {}, head), (claims, body)]:
        base.update(given)
        for name in [name for name, value in base.items() if value is None]:
            del base[name]
    signed = ".".join(b64u(json.dumps(part, separators=(",", ":")).encode()) for part in (head, body))
    return signed + "." + b64u((sign or key.sign)(signed.encode()))


def key_set(**keys):
    return json.dumps({"keys": [key.jwk(kid.replace("_", "-").lstrip("k")) for kid, key in keys.items()]}, separators=(",", ":"))


HONEST = key_set(k2026_1=OURS, k2026_2=NEXT)


def request(bearer=None, now=NOW, method="GET", target="/orders/7", host="api.example.com", headers=(), answers=None):
    fields = [("host", host)] + ([("authorization", "Bearer " + bearer)] if bearer else []) + list(headers)
    text = 'now = %d, method = "%s", scheme = "https", target = "%s", headers = [%s]' % (now, method, target, ", ".join('["%s", "%s"]' % field for field in fields))
    return "{ %s%s }" % (text, ", answers = %s" % answers if answers else "")


def fetched(text):
    return "{ keys = { access = %s } }" % quoted(text)


def told(**members):
    """What the introspection endpoint says."""
    answer = {"active": True, "iss": "https://auth.example.com/", "aud": "orders-api", "sub": "user-1", "client_id": "web", "iat": NOW - 60, "exp": NOW + 600, "scope": "orders:read"}
    answer.update(members)
    return "{ introspection = %s }" % quoted(json.dumps({name: value for name, value in answer.items() if value is not None}, separators=(",", ":")))


def case(name, request, expect):
    return '[[cases]]\nname = "%s"\nrequest = %s\nexpect = { %s }\n' % (name, request, expect)


def allowed(name, request, identity='route = "/orders/**"'):
    return case(name, request, 'decision = "allow", identity = { %s }' % identity)


def denied(name, request, reason, status=None):
    return case(name, request, 'decision = "deny", reason = "%s"%s' % (reason, ", status = %d" % status if status else ""))


REBINDING = denied("rebinding: a page under a foreign name", request(host="evil.test", headers=[("origin", "https://evil.test"), ("sec-fetch-site", "same-origin")]), "host_not_allowed")


def jwt_api():
    late = NOW + 7200
    signed_by = lambda key: lambda data: hmac.new(key, data, "sha256").digest()
    yield MARK + " Tokens and keys are published test values, made by tests/vectors/generate/policies.py; `answers` stands for the issuer's server.\n"
    yield allowed("a token of this issuer, for this API: the keys are fetched", request(token(), answers=fetched(HONEST)), 'token = { name = "access", subject = "user-1", scopes = ["orders:read"] }')
    yield allowed("the issuer's next key, with the keys at hand", request(token(kid="2026-2", key=NEXT)))
    yield allowed("several audiences and scopes, this one among them", request(token(aud=["https://other.example.com", "https://api.example.com"], scope="orders:read reports:read"), target="/reports/2026"), 'route = "/reports/**"')
    yield allowed("a clock that is 30 seconds ahead", request(token(iat=NOW + 30, nbf=NOW + 30)))
    yield allowed("the last second of the tolerance", request(token(exp=NOW - 29, iat=NOW - 600)))
    yield allowed("the issuer's server is down for half an hour: the keys that are held do", request(token(NOW + 1800), now=NOW + 1800, answers="{ keys = { access = { status = 503, body = '' } } }"))
    yield "# What must not.\n"
    yield REBINDING
    yield denied("no token", request(now=NOW + 1800), "token_missing", 401)
    row = lambda name, reason, status=None, *, target="/orders/7", **more: denied(name, request(token(NOW + 1800, **more), now=NOW + 1800, target=target), reason, status)
    yield row("expired", "token_expired", 401, exp=NOW + 1770, iat=NOW + 1000)
    yield row("a token for another API", "audience_mismatch", aud="https://other.example.com")
    yield row("another issuer, with a key of this one", "issuer_mismatch", iss="https://evil.example/")
    yield row("too long-lived", "token_lifetime_too_long", exp=NOW + 1800 + 3600)
    yield row("an ID token", "token_type_not_allowed", header={"typ": "JWT"})
    yield row("no signature: alg none", "token_algorithm_not_allowed", header={"alg": "none"}, sign=lambda data: b"\0")
    yield row("alg confusion: the public key as a secret", "token_algorithm_not_allowed", header={"alg": "HS256"}, sign=signed_by(OURS.pem()))
    yield row("a key that the token brings along", "token_header_not_understood", key=THEIRS, header={"jwk": THEIRS.members})
    yield row("a name that no key has: the set is fetched again, and has it not", "token_key_unknown", kid="2025-9", key=THEIRS)
    yield row("the name of a key, and the signature of another", "token_signature_mismatch", key=THEIRS)
    yield row("without the route's scope", "scope_insufficient", 403, target="/reports/2026")
    yield row("bound to its holder, which nobody checks here", "token_binding_missing", cnf={"jkt": THEIRS.thumbprint()})
    poisoned = request(token(NOW + 2500, kid="evil", key=THEIRS), now=NOW + 2500, answers=fetched(key_set(k2026_1=OURS, evil=THEIRS)))
    yield denied("a poisoned key set: one more key, which is not pinned", poisoned, "token_key_unknown")
    poisoned = request(token(late, key=THEIRS), now=late, answers=fetched(key_set(k2026_1=THEIRS)))
    yield denied("a poisoned key set: another key under the name of a pinned one, and no other is held", poisoned, "token_keys_unavailable", 503)


def introspected_api():
    yield MARK + " Tokens and the secret are published test values; `answers` stands for the issuer's server. By tests/vectors/generate/policies.py.\n"
    yield allowed("a token that the issuer knows", request("opaque-1", answers=told()), 'token = { name = "access", subject = "user-1", scopes = ["orders:read"] }')
    yield allowed("the same ten seconds later: the issuer is not asked again", request("opaque-1", now=NOW + 10))
    yield allowed("several audiences and scopes, this one among them", request("opaque-2", target="/reports/2026", answers=told(aud=["other-api", "orders-api"], scope="orders:read reports:read")), 'route = "/reports/**"')
    yield allowed("the issuer says that it is a bearer token", request("opaque-3", answers=told(token_type="Bearer")))
    yield "# What must not.\n"
    yield REBINDING
    yield denied("no token", request(), "token_missing", 401)
    yield denied("two credentials in one", request("opaque-4 opaque-5"), "token_malformed")
    yield denied("a token that the issuer does not know", request("opaque-6", answers="{ introspection = '{\"active\":false}' }"), "token_inactive", 401)
    yield denied("revoked: 31 seconds later the issuer is asked again", request("opaque-1", now=NOW + 31, answers="{ introspection = '{\"active\":false}' }"), "token_inactive")
    row = lambda name, reason, status=None, *, target="/orders/7", **members: denied(name, request("opaque-%s" % hashlib.sha256(name.encode()).hexdigest()[:8], target=target, answers=told(**members)), reason, status)
    yield row("expired, though the issuer calls it active", "token_expired", exp=NOW - 30)
    yield row("a token for another API", "audience_mismatch", aud="other-api")
    yield row("a token for nobody in particular", "claim_missing", aud=None)
    yield row("another issuer behind the same endpoint", "issuer_mismatch", iss="https://evil.example/")
    yield row("too long-lived", "token_lifetime_too_long", iat=NOW - 60, exp=NOW + 3600)
    yield row("without the route's scope", "scope_insufficient", 403, target="/reports/2026")
    yield row("bound to its holder, which nobody checks here", "token_binding_missing", cnf={"jkt": THEIRS.thumbprint()})
    yield row("no bearer token", "token_type_not_allowed", token_type="DPoP")
    yield denied("the issuer cannot be asked", request("opaque-8", answers="{ introspection = {} }".replace("{}", "{ status = 502, body = '' }")), "token_keys_unavailable", 503)
    yield denied("an answer that is a page", request("opaque-8", answers="{ introspection = { status = 200, type = 'text/html', body = '{\"active\":true}' } }"), "token_keys_unavailable", 503)


def main():
    wrong = []
    for name, cases in [("jwt-api.toml", jwt_api), ("introspected-api.toml", introspected_api)]:
        path = FOLDER / name
        text = path.read_text()
        written = text.split(MARK)[0] + "\n".join(cases())
        if cases is jwt_api:
            for kid, key in KEYS.items():
                assert '"%s",' % key.thumbprint() in written, "the pin of %s is %s" % (kid, key.thumbprint())
        if sys.argv[1:] == ["--check"]:
            wrong += [str(path)] if text != written else []
        elif sys.argv[1:]:
            sys.exit("usage: policies.py [--check]")
        else:
            path.write_text(written)
    if wrong:
        sys.exit("%s: not what generate/policies.py writes: run it again" % ", ".join(wrong))


if __name__ == "__main__":
    main()
