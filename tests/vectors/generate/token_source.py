#!/usr/bin/env python3
"""Writes ../token_source.json: keys that are fetched, introspection and the cache, by docs/contract.md §12-14, made without a look at the engine.

Needs the package `cryptography`, as token.py does, whose issuer it uses. Deterministic: the same text at every run. `token_source.py --check` compares with the file.
"""

import sys

FOLDER, sys.path[0] = sys.path[0], "/nowhere"  # token.py takes the first entry away: this folder, which has names of the standard library

import base64
import hashlib
import importlib.util
import json
import pathlib

_spec = importlib.util.spec_from_file_location("issuer", pathlib.Path(FOLDER) / "token.py")
issuer = importlib.util.module_from_spec(_spec)
sys.modules["issuer"] = issuer
_spec.loader.exec_module(issuer)
from issuer import API, GONE, ISS, ISS_A, ISS_B, KEYS, NOW, PREFLIGHT, Raw, Req, b64u, bearer, but, dumps, fits, jwk, number, octets, raw, right, seconds, shorten, token, unb64u  # noqa: E402

IDP, OWN, TLS = "https://auth.invalid", "https://internal.invalid", "https://tls.invalid"  # RFC 6761: no name below it is ever found
JWKS = IDP + "/jwks"
DAY = 86400
CLAIMS = {"iss": ISS, "aud": API, "sub": "user-1", "iat": NOW - 1000, "exp": NOW + DAY}


def thumbprint(key):
    """RFC 7638, of the members as they are written."""
    names = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "oct": ("k", "kty")}[key["kty"]]
    return b64u(hashlib.sha256(json.dumps({n: key[n] for n in names}, separators=(",", ":"), sort_keys=True).encode()).digest())


SECRETS = {"INTROSPECTION": "published-test-key-INTROSPECTION", "TOKEN_HN": issuer.SECRETS["TOKEN_HN"]}


def authority():
    """A certificate authority in PEM; nothing is ever connected to."""
    import datetime
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hostbound vectors")])
    at = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(issuer.private("ed2").public_key()).serial_number(1).not_valid_before(at).not_valid_after(at.replace(year=2046))
    return made.add_extension(x509.BasicConstraints(True, None), True).sign(issuer.private("ed2"), None).public_bytes(serialization.Encoding.PEM).decode()


SECRETS["ca.pem"] = authority()

# ---------------------------------------------------------------------------------------------------------------- policies

POLICIES = {}
EGRESS = {"allow": [IDP], "credentials": {IDP: ["authorization"]}}
OPEN_ROUTE = {"path": "/open", "name": "open", "require": []}


def policy(name, sections, routes=None, egress=EGRESS, **more):
    sections = {"main": sections} if "issuer" in sections else sections
    routes = routes or [OPEN_ROUTE, {"path": "/scoped/**", "name": "scoped", "require": ["token:main"], "scopes": ["s"]}, {"path": "/**", "name": "any", "require": ["token:main"]}]
    assert name not in POLICIES, name
    POLICIES[name] = {"version": 1, "name": name, **({"mode": more.pop("mode")} if "mode" in more else {}), "hosts": {"allow": [API]}, "egress": egress, **more, "tokens": sections, "routes": routes}


def fetched(pins="none", algorithms=("EdDSA",), url=JWKS, **more):
    return {"issuer": ISS, "audience": [API], "algorithms": list(algorithms), "keys": {"url": url, **({} if pins is None else {"pins": pins})}, **more}


def asked(**more):
    return {"issuer": ISS, "audience": [API], "introspection": {"url": IDP + "/introspect", "client_id": "api", "secret": {"env": "INTROSPECTION"}}, **more}


SIGNED = {"signatures": {"api": {"profile": "host-nonce", "max_body": "1KiB", "keys": [{"id": "k1", "secret": {"env": "TOKEN_HN"}}]}}}
PIN1, PIN2 = thumbprint(jwk("ed1")), thumbprint(jwk("ed2"))
ALL = issuer.ASYMMETRIC
policy("url", fetched())
policy("url-nocache", fetched(cache=False))
policy("url-cache", fetched(cache=True))
policy("url-mixed", fetched(algorithms=ALL))
policy("url-tight", fetched(clock_tolerance="0s"))
policy("url-caps", fetched(max_lifetime="48h", max_age="30m"))
policy("url-cookie", fetched(**{"from": {"cookie": "session"}}))
policy("pinned", fetched(PIN1))
policy("pinned-list", fetched([PIN1, PIN2]))
policy("pinned-mixed", fetched([PIN1, thumbprint(jwk("rsa1")), thumbprint(jwk("ec1"))], ALL))
policy("pinned-none-listed", fetched(["A" * 43]))
policy("by-ca", fetched(None, url=OWN + "/jwks"), egress={"destinations": [{"origin": OWN, "ca": {"file": "ca.pem"}}]})
policy("by-tls-pins", fetched(None, url=TLS + "/jwks"), egress={"destinations": [{"origin": TLS, "pins": ["sha256/" + "A" * 43 + "="]}]})
policy("report", fetched(), mode="report")
policy("route-report", fetched(), [OPEN_ROUTE, {"path": "/watch/**", "name": "watch", "require": ["token:main"], "mode": "report"}, {"path": "/**", "name": "any", "require": ["token:main"]}])
EITHER = {"a": {**fetched(), "issuer": ISS_A}, "b": {"issuer": ISS_B, "audience": [API], "algorithms": ["EdDSA"], "keys": {"jwks": {"keys": [jwk("ed2", "ed2")]}}}}
policy("either", EITHER, [OPEN_ROUTE, {"path": "/**", "name": "any", "require": ["token:a|token:b"]}])
policy("either-turned", EITHER, [OPEN_ROUTE, {"path": "/**", "name": "any", "require": ["token:b|token:a"]}])
policy("either-report", EITHER, [OPEN_ROUTE, {"path": "/**", "name": "any", "require": ["token:a|token:b"]}], mode="report")
policy("either-url", {"a": EITHER["a"], "b": {**fetched(url=IDP + "/b"), "issuer": ISS_B}}, [OPEN_ROUTE, {"path": "/**", "name": "any", "require": ["token:a|token:b"]}])
policy("sections", {"a": {**fetched(), "issuer": ISS_A}, "b": {**fetched(url=IDP + "/b"), "issuer": ISS_B}, "c": {**fetched(url=IDP + "/c"), "issuer": ISS_A, "audience": ["c"]}},
       [OPEN_ROUTE] + [{"path": "/%s/**" % n, "name": n, "require": ["token:" + n]} for n in "abc"])
policy("both", fetched(), [OPEN_ROUTE, {"path": "/**", "name": "any", "require": ["signature:api", "token:main"]}], **SIGNED)
policy("one-signed", fetched(), [OPEN_ROUTE, {"path": "/signed/**", "name": "signed", "require": ["signature:api"]}, {"path": "/both/**", "name": "both", "require": ["token:main", "signature:api"]},
                                 {"path": "/**", "name": "any", "require": ["token:main"]}], **SIGNED)
policy("intro", asked())
policy("intro-nocache", asked(cache=False))
policy("intro-tight", asked(clock_tolerance="0s"))
policy("intro-cookie", asked(**{"from": {"cookie": "session"}}))
policy("intro-header", asked(**{"from": {"header": "x-token"}}))
policy("intro-expect", asked(expect={"client_id": ["app-1", "app-2"]}))
policy("intro-required", asked(required_claims=["jti", "tenant"]))
policy("intro-life", asked(max_lifetime="5m"))
policy("intro-age", asked(max_age="10m"))
policy("intro-strict", asked(max_lifetime="1h", max_age="10m", required_claims=["jti"], expect={"client_id": ["app-1"]}))
policy("intro-audiences", asked(audience=["other", API]))
policy("intro-report", asked(), mode="report")
policy("intro-route-report", asked(), [OPEN_ROUTE, {"path": "/watch/**", "name": "watch", "require": ["token:main"], "scopes": ["s"], "mode": "report"}, {"path": "/**", "name": "any", "require": ["token:main"]}])
policy("intro-sections", {"a": asked(), "b": asked(audience=["b"], introspection={"url": IDP + "/b", "client_id": "b", "secret": {"name": "INTROSPECTION_B"}}), "k": fetched()},
       [OPEN_ROUTE] + [{"path": "/%s/**" % n, "name": n, "require": ["token:" + n]} for n in "abk"])
SECRETS["INTROSPECTION_B"] = "published-test-key-INTROSPECTION_B"
policy("intro-both", asked(), [OPEN_ROUTE, {"path": "/**", "name": "any", "require": ["signature:api", "token:main"]}], **SIGNED)
policy("intro-one-signed", asked(), [OPEN_ROUTE, {"path": "/signed/**", "name": "signed", "require": ["signature:api"]}, {"path": "/**", "name": "any", "require": ["token:main"]}], **SIGNED)

# ---------------------------------------------------------------------------------------------------------------- requests


def T(kid="ed1", key="ed1", header=None, **claims):
    """A token with a day to live."""
    return token(claims=but(CLAIMS, **claims), key=key, **{"kid": kid, **(header or {})})


def S(*keys, **more):
    """A key set's text."""
    return dumps({"keys": list(keys), **more})


K1, K2 = jwk("ed1", "ed1"), jwk("ed2", "ed2")
G, R, BOTH = S(K1), S(K2), S(K1, K2)  # the good set, the one after it, and both
T1, T2 = T(), T("ed2", "ed2")
NEW = T("new", "ed2")  # of a key that comes later
N = S(K1, jwk("ed2", "new"))


def answers(keys=GONE, intro=GONE):
    """The member `answers`; `keys` is the answer for main, or a table by section."""
    out = {}
    if keys is not GONE:
        out["keys"] = keys if isinstance(keys, dict) and not set(keys) & {"status", "body"} else {"main": keys}
    if intro is not GONE:
        out["introspection"] = intro
    return out


def with_answers(req, out):
    made = Req({**{f: v for f, v in req.items() if f not in ("headers", "peer", "body")}, **({"answers": out} if out else {}), **{f: v for f, v in req.items() if f in ("headers", "peer", "body")}}, req.token)
    made.claims = None
    return made


def Q(tok=T1, keys=GONE, at=0, intro=GONE, out=None, **more):
    """A request at NOW + at."""
    return with_answers(bearer(tok, now=NOW + at, **more), answers(keys, intro) if out is None else out)


def QS(tok=T1, keys=GONE, at=0, intro=GONE, **more):
    """The same, signed by host-nonce at NOW."""
    return with_answers(issuer.signed(tok, now=NOW + at, **more), answers(keys, intro))


OPAQUE = "2YotnFZFEjr1zCsicMWpAA"
ACTIVE = {"active": True, "iss": ISS, "aud": API, "sub": "user-1", "client_id": "app-1", "iat": NOW - 10, "exp": NOW + 290}


def said(**changes):
    """What the introspection endpoint says: the good answer with other members."""
    return dumps(but(ACTIVE, **changes))


def I(answer=None, at=0, tok=OPAQUE, **more):
    """A request with an opaque token; the answer as a text, an answer or GONE."""
    answer = said() if answer is None else answer
    out = Q(tok, at=at, intro=None if answer is NONE else answer, **more)
    return out


NONE = object()  # null: no answer


def reply(body, status=200, type="application/json"):
    return {"status": status, "type": type, "body": body}


# ---------------------------------------------------------------------------------------------------------------- cases

CHECK = {**issuer.CHECK, "token_keys_unavailable": ("token", 503, "unavailable"), "token_inactive": ("claims", 401, "token_invalid"), "signature_missing": ("signature", 401, "signature_missing")}
SUFFIX = {**issuer.SUFFIX, "token_keys_unavailable": ".keys", "token_inactive": ".introspection"}
OURS = [r for r, (check, _, _) in CHECK.items() if check in ("token", "claims")]
CASES, BY_ID = [], {}


def full_id(slug):
    return "source-" + slug


def add(id, comment, flags, policy, req, want, twin=None, before=None):
    id = full_id(id)
    case = {"id": id, "comment": comment, "flags": flags.split(), "policy": policy, "request": dict(req), "want": want}
    if before:
        case["before"] = [full_id(b) for b in before.split()]
        missing = [b for b in case["before"] if b not in BY_ID]
        assert not missing, (id, missing)
    if twin:
        case["twin"] = full_id(twin)
    assert id not in BY_ID, id
    CASES.append(case)
    BY_ID[id] = case


def mode_of(policy):
    return POLICIES[policy].get("mode", "enforce")


def first_section(policy):
    return next(iter(POLICIES[policy]["tokens"]))


def claims_of(req, claims):
    if claims is not None:
        return claims
    answer = req.get("answers", {}).get("introspection")
    if answer is not None:
        return json.loads(answer if isinstance(answer, str) else answer["body"])
    return req.token.claims()


def A(id, comment, flags, policy, req, name="", route="any", preflight=False, signature=None, claims=None, silent=False, **more):
    """An allowed case. `claims`: of an answer that was given before; `silent`: report mode of the route."""
    name = first_section(policy) if name == "" else name
    proof = issuer.proved(name, claims_of(req, claims)) if name and mode_of(policy) == "enforce" and not silent else None
    add(id, comment, "allow " + flags, policy, req, {"decision": "allow", "status": 200, "check": None, "reason": None, "public_reason": None, "rule": None, "mode": mode_of(policy),
                                                     "identity": {"host": API, "route": route, "preflight": preflight, "signature": signature, "token": proof}, "reported": []}, **more)


def is_introspected(policy, name):
    return "introspection" in POLICIES[policy]["tokens"][name]


def rule_of(reason, policy, suffix, name):
    if reason not in OURS or reason in issuer.RULES:
        return issuer.RULES.get(reason)
    name = name or first_section(policy)
    suffix = SUFFIX.get(reason, "") if suffix is None else suffix
    if is_introspected(policy, name):
        suffix = {".keys": ".introspection", ".types": ".introspection"}.get(suffix, suffix)
    return "tokens.%s%s" % (name, suffix)


def D(id, comment, flags, policy, req, reason, twin=None, suffix=None, name=None, **more):
    """A denied case; without a name of one its twin is looked for."""
    check, status, public = CHECK[reason]
    add(id, comment, flags, policy, req, {"decision": "deny", "status": status, "check": check, "reason": reason, "public_reason": public,
                                          "rule": rule_of(reason, policy, suffix, name), "mode": mode_of(policy), "identity": None, "reported": []}, twin=twin, **more)


def W(id, comment, flags, policy, req, reason, twin=None, suffix=None, name=None, route="any", **more):
    """A reported case."""
    check, status, _ = CHECK[reason]
    add(id, comment, flags, policy, req, {"decision": "allow", "status": 200, "check": None, "reason": None, "public_reason": None, "rule": None, "mode": mode_of(policy),
                                          "identity": {"host": API, "route": route, "preflight": False, "signature": None, "token": None},
                                          "reported": [{"check": check, "reason": reason, "status": status, "rule": rule_of(reason, policy, suffix, name)}]}, twin=twin, **more)


NOTES = {
    "expansion": issuer.NOTES["expansion"],
    "secrets": "`secrets` maps the path of every file of the policies to its text, and the name of every secret to its value; a policy gets those it refers to. All are published test keys.",
    "before": issuer.NOTES["before"],
    "answers": "A request's `answers` is what other servers answer while it is judged (contract §14). null, and what is not there, is no answer; a string is the body of a 200 with application/json.",
    "generated": "written by generate/token_source.py, made without a look at the engine; its own second reading of the contract, which keeps keys and answers as a face does, agrees with every case",
    "ambiguous": issuer.NOTES["ambiguous"],
    "allow": issuer.NOTES["allow"],
    "active": "the member active: true, false, or no answer",
    "alternative": "token:a|token:b with a section whose keys are fetched: only a token of its issuer asks",
    "answer": "which answers can be used: status, content type, size, JSON",
    "body-key": "keys of a fetched set that is not pinned: passed over, or the reason to refuse the set",
    "cache": "what is remembered of a token, and what is judged again",
    "claims": "the claims of §12.10 on an introspection answer",
    "clock": "600 s, 30 s, 3,600 s: to the second",
    "cool-down": "one question in 30 s",
    "form": "b64token (RFC 6750 §2.1), at most 16 KiB",
    "identity": issuer.NOTES["identity"],
    "introspection": "a section that asks a server (RFC 7662)",
    "keys": "a section whose keys are fetched",
    "order": "two faults at once: the earlier one decides",
    "pins": "pins are for ever: only keys with these thumbprints count",
    "placement": "where an opaque token is read",
    "poisoning": "what cannot be used changes nothing but that an attempt was made",
    "preflight": issuer.NOTES["preflight"],
    "question": "which requests ask, and which do not",
    "report-mode": issuer.NOTES["report-mode"],
    "rotation": "a token is judged by the keys that are held at that moment",
    "scope": issuer.NOTES["scope"],
    "signature-and-token": issuer.NOTES["signature-and-token"],
    "stale": "keys of less than 3,600 s, while the server does not answer",
    "time": issuer.NOTES["time"],
    "unknown-kid": "a kid that the held keys do not have",
}

UNAVAILABLE, UNKNOWN = "token_keys_unavailable", "token_key_unknown"
LONG = "0123456789" * 30
DEEP = lambda n: Raw("[" * n + "]" * n)  # noqa: E731


def padded(size, **more):
    """A key set of exactly so many bytes."""
    empty = S(K1, pad="", **more)
    return S(K1, pad="x" * (size - len(empty.encode())), **more)


TYPES_GOOD = [("json", "application/json"), ("jwk-set", "application/jwk-set+json"), ("upper", "APPLICATION/JSON"), ("mixed", "Application/Jwk-Set+Json"), ("charset", "application/json; charset=utf-8"),
              ("charset-tight", "application/json;charset=UTF-8"), ("charset-spaces", "application/json ; charset=utf-8"), ("jwk-set-charset", "application/jwk-set+json; charset=utf-8"), ("two-parameters", 'application/json; a=b; c="d;e"')]
TYPES_BAD = [("absent", None), ("empty", ""), ("text", "text/plain"), ("html", "text/html; charset=utf-8"), ("octets", "application/octet-stream"), ("text-json", "text/json"), ("jwk", "application/jwk+json"),
             ("problem", "application/problem+json"), ("jwt", "application/jwt"), ("longer", "application/json5"), ("prefix", "application/jso"), ("suffix", "application/x+json"), ("star", "application/*"),
             ("any", "*/*"), ("list", "text/html, application/json"), ("parameter", "text/html; x=application/json"), ("half", "json"), ("inner-space", "application/ json"), ("seq", "application/json-seq")]
STATUSES = [201, 203, 204, 206, 299, 301, 302, 304, 308, 400, 401, 403, 404, 429, 500, 503]


def key_answers():
    A("url", "keys that are fetched: a right answer as a body", "keys answer identity", "url", Q(keys=G))
    A("url-second", "the other key of the set", "keys", "url", Q(T2, BOTH))
    A("url-answer", "an answer spelled out", "keys answer", "url", Q(keys=reply(G)))
    for slug, type in TYPES_GOOD:
        A("type-" + slug, "content type %s" % type, "keys answer", "url-cache", Q(keys=reply(G, type=type)))
    for slug, type in TYPES_BAD:
        D("type-" + slug, "content type %s" % type, "keys answer", "url", Q(keys=reply(G, type=type)), UNAVAILABLE, "url")
    for status in STATUSES:
        D("status-%d" % status, "status %d, whatever the body is" % status, "keys answer", "url", Q(keys=reply(G, status)), UNAVAILABLE, "url")
    D("no-answer", "no answer", "keys answer", "url", Q(keys=None), UNAVAILABLE, "url")
    D("no-answers", "no `answers`: what is not in there has no answer", "keys answer", "url", Q(), UNAVAILABLE, "url")
    D("answer-elsewhere", "an answer for another section", "keys answer", "url", Q(keys={"other": G}), UNAVAILABLE, "url")
    D("answer-introspection", "a key set where an introspection answer is meant", "keys answer", "url", Q(intro=G), UNAVAILABLE, "url")
    A("size-65536", "64 KiB", "keys answer", "url", Q(keys=padded(65536)))
    D("size-65537", "64 KiB and a byte", "keys answer", "url", Q(keys=padded(65537)), UNAVAILABLE, "size-65536")
    A("size-space-65536", "64 KiB with white space at the end", "keys answer", "url", Q(keys=G + " " * (65536 - len(G))))
    D("size-space-65537", "64 KiB and a space", "keys answer", "url", Q(keys=G + " " * (65537 - len(G))), UNAVAILABLE, "size-space-65536")
    wide = lambda n: S(K1, pad="\u00e9" * n)  # noqa: E731
    room = (65536 - len(S(K1, pad="").encode())) // 2
    A("size-utf-8", "64 KiB at most, counted in bytes", "keys answer", "url", Q(keys=wide(room)))
    D("size-utf-8-over", "a byte or two above 64 KiB, but fewer characters", "keys answer", "url", Q(keys=wide(room + 1)), UNAVAILABLE, "size-utf-8")
    for slug, text, why in [
        ("empty", "", "nothing"), ("space", " ", "white space"), ("html", "<!DOCTYPE html><title>Sign in</title>", "a page to sign in"), ("null", "null", "null"), ("true", "true", "true"), ("number", "1", "a number"),
        ("string", dumps(G), "a key set in a string"), ("list", dumps([K1]), "a list of keys without the object around it"), ("object", "{}", "an empty object"), ("no-keys", S(), "no key at all"),
        ("keys-null", '{"keys":null}', "keys is null"), ("keys-object", dumps({"keys": K1}), "keys is a key"), ("keys-string", dumps({"keys": dumps([K1])}), "keys is a string"), ("keys-nested", dumps({"keys": [[K1]]}), "a list in the list"),
        ("keys-upper", dumps({"Keys": [K1]}), "Keys in upper case"), ("wrapped", dumps({"jwks": {"keys": [K1]}}), "a set in an object"), ("truncated", G[:-1], "a body that was cut off"), ("trailing", G + G, "two sets"),
        ("trailing-comma", G[:-2] + ",]}", "a comma too many"), ("comment", G + "//", "a comment"), ("single-quotes", G.replace('"', "'"), "single quotes"), ("bom", "\ufeff" + G, "a byte order mark"),
        ("pem", issuer.pem("ed1").decode(), "a key in PEM"), ("problem", dumps({"error": "temporarily_unavailable"}), "an error in JSON"), ("jwt", str(T1), "a token"),
    ]:
        D("body-" + slug, "the body is no key set: " + why, "keys answer", "url", Q(keys=text), UNAVAILABLE, "url")
    D("body-keys-twice", "the member keys twice", "keys answer ambiguous", "url", Q(keys='{"keys":[%s],"keys":[%s]}' % (dumps(K2), dumps(K1))), UNAVAILABLE, "url")
    A("body-one-key", "one key without a set around it", "keys answer", "url", Q(keys=dumps(K1)))
    A("body-spaces", "white space around and inside", "keys answer", "url", Q(keys="\r\n\t " + json.dumps({"keys": [K1]}, indent=2) + "\n"))
    A("body-members", "other members of the set are passed over", "keys answer", "url", Q(keys=S(K1, iss="x", keysets=[1], pins="none")))


def random_modulus(seed, bits):
    return int.from_bytes(octets(seed, bits // 8 + 1), "big") >> (8 - bits % 8 if bits % 8 else 8) | 1 << (bits - 1) | 1


def rsa(n, e=65537, kid="bad", **more):
    text = lambda v: v if isinstance(v, str) else b64u(v.to_bytes((v.bit_length() + 7) // 8, "big"))  # noqa: E731
    return {"kty": "RSA", "n": text(n), "e": text(e), "kid": kid, **more}


def roca(bits):
    """A number in the subgroup of 65537 modulo every small prime: the mark of the generator of CVE-2017-15361."""
    m = 1
    for p in [p for p in range(2, 702) if all(p % d for d in range(2, p))]:
        m *= p
    start = random_modulus("roca", bits) // m
    return start * m + pow(65537, 12345, m)


N1 = number(KEYS["rsa1"]["n"])
EC1 = jwk("ec1", "bad")
BAD_KEYS = [
    ("ed-short", {**K2, "kid": "bad", "x": b64u(unb64u(K2["x"])[:31])}, "Ed25519 of 31 bytes"),
    ("ed-long", {**K2, "kid": "bad", "x": b64u(unb64u(K2["x"]) + b"\0")}, "Ed25519 of 33 bytes"),
    ("ed-padded", {**K2, "kid": "bad", "x": K2["x"] + "="}, "padded base64"),
    ("ed-no-x", but({**K2, "kid": "bad"}, x=GONE), "without x"),
    ("ed-private", {**K2, "kid": "bad", "d": KEYS["ed2"]["d"]}, "with its private part"),
    ("ed-no-crv", but({**K2, "kid": "bad"}, crv=GONE), "OKP without crv"),
    ("ec-off-curve", {**EC1, "y": b64u((number(EC1["y"]) ^ 1).to_bytes(32, "big"))}, "a point that is not on its curve"),
    ("ec-short", {**EC1, "x": b64u(unb64u(EC1["x"])[1:])}, "a coordinate of 31 bytes"),
    ("ec-no-y", but(EC1, y=GONE), "without y"),
    ("ec-private", {**EC1, "d": KEYS["ec1"]["d"]}, "with its private part"),
    ("ec-wrong-curve", {**EC1, "crv": "P-384"}, "a point of P-256 under the name P-384"),
    ("rsa-1024", rsa(random_modulus("r", 1024)), "RSA of 1024 bits"),
    ("rsa-2047", rsa(random_modulus("r", 2047)), "RSA of 2047 bits"),
    ("rsa-4097", rsa(random_modulus("r", 4097)), "RSA of 4097 bits"),
    ("rsa-e-1", rsa(N1, 1), "exponent 1"),
    ("rsa-e-3", rsa(N1, 3), "exponent 3"),
    ("rsa-e-65535", rsa(N1, 65535), "exponent 65535"),
    ("rsa-e-even", rsa(N1, 65538), "an even exponent"),
    ("rsa-e-34-bits", rsa(N1, 2**33 + 1), "an exponent of 34 bits"),
    ("rsa-e-zero", rsa(N1, "AAEAAQ"), "an exponent with a leading zero"),
    ("rsa-n-zero", rsa(b64u(b"\0" + unb64u(KEYS["rsa1"]["n"]))), "a modulus with a leading zero"),
    ("rsa-roca", rsa(roca(2048)), "of the defective generator (ROCA)"),
    ("rsa-private", rsa(N1, d=KEYS["rsa1"]["d"]), "with its private exponent"),
    ("rsa-primes", rsa(N1, p=KEYS["rsa1"]["p"], q=KEYS["rsa1"]["q"]), "with its primes"),
    ("key-ops", {**K2, "kid": "bad", "key_ops": ["sign"]}, "key_ops without verify"),
    ("key-ops-empty", {**K2, "kid": "bad", "key_ops": []}, "empty key_ops"),
    ("alg-misfit", {**K2, "kid": "bad", "alg": "ES256"}, "an alg that is verified here and does not fit the key"),
    ("alg-hs", rsa(N1, alg="HS256"), "a public key for HMAC"),
    ("kid-empty", {**K2, "kid": ""}, "an empty kid"),
    ("kid-257", {**K2, "kid": "x" * 257}, "a kid of 257 bytes"),
    ("kid-number", {**K2, "kid": 1}, "a kid that is a number"),
    ("kid-twice", {**K2, "kid": "ed1"}, "a second key of one kid"),
    ("kid-twice-same", K1, "one key twice"),
    ("string", "ed2", "a string where a key is meant"),
    ("null", None, "null where a key is meant"),
    ("empty", {}, "an empty object where a key is meant"),
]
PASSED_OVER = "ed-short ed-padded ed-private ec-off-curve rsa-1024 rsa-e-3 rsa-roca rsa-private key-ops alg-misfit kid-empty kid-257 kid-number kid-twice string null empty".split()
SECRET_KEYS = [("oct", jwk("hs64", "bad"), "a secret"), ("oct-hs256", jwk("hs32", "bad", "HS256"), "a secret with its algorithm")]
OTHERS = [
    ("kty", {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "x"}, "a kty that is not known"),
    ("kty-lower", {"kty": "okp", "crv": "Ed25519", "x": "AAAA", "kid": "x"}, "a kty is compared by case"),
    ("kty-bad", {"kty": "XYZ", "kid": "ed1"}, "of a kid that another key has"),
    ("p521", {"kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA", "kid": "x"}, "P-521"),
    ("k1", {"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA", "kid": "x"}, "secp256k1"),
    ("ed448", {"kty": "OKP", "crv": "Ed448", "x": "AAAA", "kid": "x"}, "Ed448"),
    ("x25519", {"kty": "OKP", "crv": "X25519", "x": K2["x"], "kid": "x"}, "X25519"),
    ("use-enc", {**K2, "kid": "x", "use": "enc"}, "a key for encryption"),
    ("use-enc-kid", {**K2, "kid": "ed1", "use": "enc"}, "a key for encryption with the kid of another"),
    ("use-enc-rsa", rsa(random_modulus("r", 1024), use="enc"), "a weak key for encryption"),
    ("use-other", {**K2, "kid": "x", "use": "tls"}, "a use that is not known"),
    ("use-upper", {**K2, "kid": "x", "use": "SIG"}, "a use is compared by case"),
    ("alg-oaep", rsa(N1, alg="RSA-OAEP"), "a key for RSA-OAEP"),
    ("alg-es256k", {**EC1, "alg": "ES256K"}, "a key for ES256K"),
    ("alg-none", {**K2, "kid": "x", "alg": "none"}, "a key for none"),
    ("alg-ed25519", {**K2, "kid": "x", "alg": "Ed25519"}, "a key for an algorithm by another name"),
    ("alg-weak", rsa(random_modulus("r", 1024), alg="RS1"), "a weak key for an algorithm that is not verified here"),
]
UNUSED = [("p384", jwk("ec3", "x"), "a good key for an algorithm that the policy does not have"), ("rsa", jwk("rsa1", "x"), "a good RSA key"), ("ec", jwk("ec1", "x", "ES256", use="sig"), "a good EC key"),
          ("x5c", jwk("ed2", "x", x5t="AAAA", x5c=["AAAA"], exp=1), "a key with other members"), ("key-ops", jwk("ed2", "x", key_ops=["verify", "sign"]), "key_ops with verify"), ("no-kid", jwk("ed2"), "a key without kid"),
          ("kid-256", jwk("ed2", "x" * 256), "a kid of 256 bytes"), ("kid-case", jwk("ed2", "ED1"), "a kid that differs in case"), ("e-33-bits", rsa(N1, 2**32 + 1, "x"), "an exponent of 33 bits"),
          ("rsa-2048", rsa(random_modulus("r", 2048), kid="x"), "RSA of 2048 bits"), ("rsa-4096", rsa(random_modulus("r", 4096), kid="x"), "RSA of 4096 bits")]


def key_sets():
    A("pinned", "a pin, and the key that has it", "keys pins", "pinned", Q(keys=G))
    for slug, key, why in BAD_KEYS:
        D("bad-" + slug, "a key that may not verify beside a good one: " + why, "keys body-key", "url", Q(keys=S(K1, key)), UNAVAILABLE, "url")
    for slug, key, why in BAD_KEYS:
        if slug in PASSED_OVER:
            A("pinned-beside-" + slug, "with pins what is not pinned is passed over, whatever it is: " + why, "keys pins", "pinned", Q(keys=S(key, K1)))
    D("pinned-beside-itself", "the pinned key twice: a kid occurs once", "keys pins", "pinned", Q(keys=S(K1, K1)), UNAVAILABLE, "pinned")
    for slug, key, why in SECRET_KEYS:
        D("secret-" + slug, "a set with a secret: " + why, "keys body-key", "url", Q(keys=S(K1, key)), UNAVAILABLE, "url")
        A("pinned-beside-" + slug, "with pins what is not pinned is passed over: " + why, "keys pins", "pinned", Q(keys=S(K1, key)))
    D("secret-use-enc", "a secret for encryption: a set with a secret is refused, before any key is passed over", "keys body-key ambiguous", "url", Q(keys=S(K1, jwk("hs64", "x", use="enc"))), UNAVAILABLE, "url")
    D("secret-alone", "a secret and nothing else", "keys body-key", "url", Q(keys=S(jwk("hs64", "ed1"))), UNAVAILABLE, "url")
    D("key-no-kty", "a key without kty says nothing of what it is for", "keys body-key ambiguous", "url", Q(keys=S(K1, but(K2, kty=GONE))), UNAVAILABLE, "url")
    for slug, key, why in OTHERS:
        A("others-" + slug, "a key that says it is for something else is passed over: " + why, "keys body-key", "url", Q(keys=S(key, K1)))
        if slug in ("kty", "p521", "x25519", "use-enc", "use-upper", "alg-es256k", "alg-ed25519"):
            D("others-only-" + slug, "no key is left: " + why, "keys body-key", "url", Q(keys=S({**key, "kid": "ed1"})), UNAVAILABLE, "url")
    A("others-private-enc", "a key for encryption with its private part is passed over like any other for encryption", "keys body-key ambiguous", "url", Q(keys=S(K1, {**K2, "use": "enc", "d": KEYS["ed2"]["d"]})))
    D("others-token", "a token of a key for encryption", "keys body-key", "url", Q(T2, S(K1, {**K2, "use": "enc"})), UNKNOWN, "url-second")
    for slug, key, why in UNUSED:
        A("beside-" + slug, "beside others: " + why, "keys body-key", "url", Q(keys=S(key, K1)))
    for slug, keys, why in [("ec", [jwk("ec1", "ed1")], "EC"), ("rsa", [jwk("rsa1", "ed1"), jwk("rsa2", "r2")], "RSA"), ("several", [jwk("ec1", "ed1"), jwk("ec3", "e3"), jwk("rsa1", "r1")], "several kinds")]:
        D("no-fit-" + slug, "a good set that has no key for any of the algorithms: " + why, "keys body-key", "url", Q(keys=S(*keys)), UNAVAILABLE, "url")
    for alg in ALL:
        key = issuer.NATURAL[alg]
        t = T("k", key, {"alg": alg})
        A("alg-" + alg.lower(), "fetched, " + alg, "keys", "url-mixed", Q(t, S(jwk(key, "k"), jwk("ec2", "other"))))
    t = T("r1", "rsa1", {"alg": "RS256"})
    A("key-alg", "a key with its alg", "keys", "url-mixed", Q(t, S(jwk("rsa1", "r1", "RS256"))))
    D("key-alg-other", "a key with another alg, that the policy has", "keys", "url-mixed", Q(t, S(jwk("rsa1", "r1", "PS256"))), "token_algorithm_not_allowed", "key-alg")
    # A token without kid.
    t = T(GONE)
    A("no-kid", "no kid, and one key", "keys unknown-kid", "url", Q(t, S(jwk("ed1"))))
    A("no-kid-one-fits", "no kid, and one key that fits", "keys unknown-kid", "url", Q(t, S(jwk("ed1", "a"), jwk("rsa1", "b"), jwk("ec1"))))
    D("no-kid-two", "no kid, and two keys", "keys unknown-kid", "url", Q(t, BOTH), UNKNOWN, "no-kid")
    D("no-kid-none", "no kid, and no key that fits", "keys unknown-kid", "url-mixed", Q(T(GONE, "ed1"), S(jwk("ec1", "e"))), UNKNOWN, "no-kid-one")
    A("no-kid-one", "no kid, one key, several algorithms", "keys unknown-kid", "url-mixed", Q(T(GONE, "ed1"), S(jwk("ed1", "e"))))
    A("no-kid-passed-over", "no kid, two keys of which one is for encryption", "keys unknown-kid body-key", "url", Q(t, S(jwk("ed1", "a"), jwk("ed2", "b", use="enc"))))
    D("kid-unknown", "a kid that the new set does not have: it was asked for just now", "keys unknown-kid", "url", Q(NEW, G), UNKNOWN, "kid-known")
    A("kid-known", "a kid of the new set", "keys unknown-kid", "url", Q(NEW, N))
    D("kid-case", "a kid in another case", "keys unknown-kid", "url", Q(T("ED1"), G), UNKNOWN, "kid-case-right")
    A("kid-case-right", "the same case", "keys unknown-kid", "url", Q(T("ED1"), S(jwk("ed1", "ED1"))))
    D("wrong-key", "another key under the kid", "keys", "url", Q(keys=S(jwk("ed2", "ed1"))), "token_signature_mismatch", "url")
    # Pins.
    A("pinned-list", "two pins, one of the keys", "keys pins", "pinned-list", Q(keys=G))
    A("pinned-list-both", "two pins, both keys", "keys pins", "pinned-list", Q(T2, BOTH))
    A("pinned-kids-twice", "a kid twice among keys that are not pinned", "keys pins", "pinned", Q(keys=S(K1, jwk("ec1", "x"), jwk("rsa1", "x"))))
    A("pinned-other-kid", "a pin is of the key, whatever its kid", "keys pins", "pinned", Q(T("k9"), S(jwk("ed1", "k9"))))
    A("pinned-one-key", "one key without a set", "keys pins", "pinned", Q(keys=dumps(K1)))
    A("pinned-no-kid", "no kid: the one pinned key", "keys pins", "pinned", Q(T(GONE), BOTH))
    D("pinned-no-kid-two", "no kid: two pinned keys", "keys pins", "pinned-list", Q(T(GONE), BOTH), UNKNOWN, "pinned-list-no-kid")
    A("pinned-list-no-kid", "no kid, two pins, one of the keys", "keys pins", "pinned-list", Q(T(GONE), G))
    D("pinned-not", "a right token of a key that is not pinned", "keys pins", "pinned", Q(T2, BOTH), UNKNOWN, "pinned-list-both")
    D("pinned-gone", "a set without the pinned key", "keys pins", "pinned", Q(T2, R), UNAVAILABLE, "pinned-list-second")
    A("pinned-list-second", "the second pin", "keys pins", "pinned-list", Q(T2, R))
    D("pinned-none-listed", "a pin that no key has", "keys pins", "pinned-none-listed", Q(keys=G), UNAVAILABLE, "pinned")
    D("pinned-same-kid", "another key under the kid of the pinned one", "keys pins", "pinned", Q(T("ed1", "ed2"), S(jwk("ed2", "ed1"))), UNAVAILABLE, "pinned-list-same-kid")
    A("pinned-list-same-kid", "its own pin is listed", "keys pins", "pinned-list", Q(T("ed1", "ed2"), S(jwk("ed2", "ed1"))))
    for slug, key, why in [("use", {**K1, "use": "enc"}, "for encryption"), ("key-ops", {**K1, "key_ops": ["sign"]}, "key_ops without verify"), ("private", {**K1, "d": KEYS["ed1"]["d"]}, "with its private part"),
                           ("alg", {**K1, "alg": "ES256"}, "an alg that does not fit"), ("kid", {**K1, "kid": ""}, "an empty kid")]:
        D("pinned-bad-" + slug, "a pinned key must be one that may verify: " + why, "keys pins", "pinned", Q(keys=S(key, K2)), UNAVAILABLE, "pinned")
    D("pinned-kid-twice", "two pinned keys of one kid", "keys pins", "pinned-list", Q(keys=S(K1, jwk("ed2", "ed1"))), UNAVAILABLE, "pinned-list")
    t = T("r1", "rsa1", {"alg": "RS256"})
    A("pinned-rsa", "a pinned RSA key", "keys pins", "pinned-mixed", Q(t, S(jwk("rsa1", "r1"), jwk("rsa2", "r2"))))
    D("pinned-rsa-zero", "the pinned RSA key with a leading zero has another thumbprint", "keys pins", "pinned-mixed", Q(t, S({**jwk("rsa1", "r1"), "n": b64u(b"\0" + unb64u(KEYS["rsa1"]["n"]))})), UNAVAILABLE, "pinned-rsa")
    A("pinned-ec", "a pinned EC key", "keys pins", "pinned-mixed", Q(T("e1", "ec1", {"alg": "ES256"}), S(jwk("ec1", "e1"), jwk("ec2", "e2"))))
    D("pinned-ec-other", "an EC key that is not pinned", "keys pins", "pinned-mixed", Q(T("e2", "ec2", {"alg": "ES256"}), S(jwk("ec1", "e1"), jwk("ec2", "e2"))), UNKNOWN, "unpinned-ec")
    A("unpinned-ec", "the same without pins", "keys pins", "url-mixed", Q(T("e2", "ec2", {"alg": "ES256"}), S(jwk("ec1", "e1"), jwk("ec2", "e2"))))
    D("pinned-no-fit", "the pinned key is for none of the algorithms", "keys pins", "pinned", Q(keys=S(jwk("rsa1", "ed1"))), UNAVAILABLE, "pinned")
    # Pins of the destination.
    for name in ("by-ca", "by-tls-pins"):
        A(name, "no pins: the destination has its own trust", "keys pins", name, Q(keys=G))
        A(name + "-others", "keys for something else are passed over there too", "keys pins body-key", name, Q(keys=S(K1, {**K2, "use": "enc"})))
        D(name + "-bad", "a key that may not verify", "keys pins body-key", name, Q(keys=S(K1, BAD_KEYS[0][1])), UNAVAILABLE, name)
        D(name + "-none", "no answer", "keys pins", name, Q(keys=None), UNAVAILABLE, name)


def clocks():
    X = None
    A("cookie", "keys that are fetched, a token in a cookie", "keys", "url-cookie", with_answers(cookie_request(T1), answers(G)))
    # 600 s.
    A("age-1", "keys are held: no answer is needed", "keys clock", "url", Q(at=1), before="url")
    A("age-599", "keys of 599 s are used", "keys clock", "url", Q(at=599), before="url")
    A("age-599-rotated", "keys of 599 s are used: none are asked for, though there are others", "keys clock rotation", "url", Q(keys=R, at=599), before="url")
    D("age-599-new", "a token of the others is not known: but it asks", "keys clock rotation", "url", Q(T2, X, at=599), UNKNOWN, "age-599-new-asks", before="url")
    A("age-599-new-asks", "a token of the others asks", "keys clock rotation", "url", Q(T2, R, at=599), before="url")
    D("age-600-rotated", "keys of 600 s: new ones are asked for, and the old token is of none", "keys clock rotation cache", "url", Q(keys=R, at=600), UNKNOWN, "age-599-rotated", before="url")
    A("age-600-same", "the same keys again", "keys clock", "url", Q(keys=G, at=600), before="url")
    A("age-600-more", "the same key and a new one", "keys clock rotation", "url", Q(keys=BOTH, at=600), before="url")
    A("age-600-new", "a token of the new keys", "keys clock rotation", "url", Q(T2, R, at=600), before="url")
    D("age-600-same-kid", "another key under the kid: what was verified is verified again", "keys clock rotation cache", "url", Q(keys=S(jwk("ed2", "ed1")), at=600), "token_signature_mismatch", "age-599-same-kid", before="url")
    A("age-599-same-kid", "a second before", "keys clock rotation", "url", Q(keys=S(jwk("ed2", "ed1")), at=599), before="url")
    D("age-600-nocache", "the same without a cache", "keys clock rotation cache", "url-nocache", Q(keys=R, at=600), UNKNOWN, "age-599-nocache", before="url")
    A("age-599-nocache", "a second before", "keys clock cache", "url-nocache", Q(keys=R, at=599), before="url")
    A("age-600-gone", "keys of 600 s and no answer: they are used", "keys clock stale", "url", Q(keys=X, at=600), before="url")
    A("age-3599", "keys of 3,599 s and no answer", "keys clock stale", "url", Q(keys=X, at=3599), before="url")
    D("age-3600", "keys of 3,600 s and no answer", "keys clock stale", "url", Q(keys=X, at=3600), UNAVAILABLE, "age-3599", before="url")
    D("age-3600-rotated", "keys of 3,600 s and others", "keys clock rotation", "url", Q(keys=R, at=3600), UNKNOWN, "age-3600-same", before="url")
    A("age-3600-same", "keys of 3,600 s, and again", "keys clock", "url", Q(keys=G, at=3600), before="url")
    A("age-7200", "long after, with an answer", "keys clock", "url", Q(keys=G, at=7200), before="url")
    D("age-7200-gone", "long after, without", "keys clock stale", "url", Q(keys=X, at=7200), UNAVAILABLE, "age-7200", before="url")
    A("age-1199", "fetched again at 600 s: at 1,199 s they are used", "keys clock", "url", Q(keys=R, at=1199), before="url age-600-same")
    D("age-1200", "fetched again at 600 s: at 1,200 s others are asked for", "keys clock rotation", "url", Q(keys=R, at=1200), UNKNOWN, "age-1199", before="url age-600-same")
    A("age-4199", "fetched again at 600 s: stale until 4,200 s", "keys clock stale", "url", Q(keys=X, at=4199), before="url age-600-same")
    D("age-4200", "fetched again at 600 s: too old at 4,200 s", "keys clock stale", "url", Q(keys=X, at=4200), UNAVAILABLE, "age-4199", before="url age-600-same")
    A("age-4199-gone", "a failure does not make the keys older than they are", "keys clock stale", "url", Q(keys=X, at=3599), before="url age-600-gone")
    D("age-3600-after-failure", "nor younger", "keys clock stale", "url", Q(keys=X, at=3600), UNAVAILABLE, "age-4199-gone", before="url age-600-gone")
    D("age-rotated-back", "the old token is refused as long as the new keys are held", "keys rotation", "url", Q(keys=G, at=629), UNKNOWN, "age-rotated-back-asks", before="url age-600-new")
    A("age-rotated-back-asks", "until its kid makes the face ask", "keys rotation cool-down", "url", Q(keys=G, at=630), before="url age-600-new")
    # 30 s without keys.
    D("down-29", "29 s after a failure nothing is asked for", "keys cool-down", "url", Q(keys=G, at=29), UNAVAILABLE, "down-30", before="no-answer")
    A("down-30", "30 s after it", "keys cool-down", "url", Q(keys=G, at=30), before="no-answer")
    D("down-0", "in the same second", "keys cool-down", "url", Q(keys=G), UNAVAILABLE, "url", before="no-answer")
    D("down-0-absent", "no answer at all is a failure too", "keys cool-down", "url", Q(keys=G, at=29), UNAVAILABLE, "down-absent-30", before="no-answers")
    A("down-absent-30", "30 s after it", "keys cool-down", "url", Q(keys=G, at=30), before="no-answers")
    D("down-30-again", "a second failure", "keys cool-down", "url", Q(keys=X, at=30), UNAVAILABLE, "down-30", before="no-answer")
    D("down-59", "29 s after the second failure", "keys cool-down", "url", Q(keys=G, at=59), UNAVAILABLE, "down-60", before="no-answer down-30-again")
    A("down-60", "30 s after the second failure", "keys cool-down", "url", Q(keys=G, at=60), before="no-answer down-30-again")
    A("down-59-not-asked", "a request in the cool-down is no attempt", "keys cool-down", "url", Q(keys=G, at=30), before="no-answer down-29")
    for slug in ("status-500", "type-html", "body-html", "bad-rsa-1024", "no-fit-rsa", "size-65537", "secret-oct"):
        D("down-29-" + slug, "what cannot be used is a failure: %s, 29 s before" % slug, "keys cool-down answer", "url", Q(keys=G, at=29), UNAVAILABLE, "down-30-" + slug, before=slug)
        A("down-30-" + slug, "what cannot be used is a failure: %s, 30 s before" % slug, "keys cool-down answer", "url", Q(keys=G, at=30), before=slug)
    # 30 s with keys that are stale.
    A("stale-cool-29", "29 s after a failure the held keys are used and nothing is asked for", "keys stale cool-down", "url", Q(keys=R, at=629), before="url age-600-gone")
    D("stale-cool-30", "30 s after a failure", "keys stale cool-down rotation", "url", Q(keys=R, at=630), UNKNOWN, "stale-cool-29", before="url age-600-gone")
    D("stale-cool-29-new", "a new token, 29 s after a failure", "keys stale cool-down unknown-kid", "url", Q(T2, R, at=629), UNKNOWN, "stale-cool-30-new", before="url age-600-gone")
    A("stale-cool-30-new", "a new token, 30 s after a failure", "keys stale cool-down unknown-kid", "url", Q(T2, R, at=630), before="url age-600-gone")
    A("stale-3580", "a failure at 3,580 s", "keys stale", "url", Q(keys=X, at=3580), before="url")
    A("stale-3599", "19 s after that failure, in time", "keys stale cool-down", "url", Q(keys=G, at=3599), before="url stale-3580")
    D("stale-3600", "20 s after that failure the keys are too old, and nothing is asked for", "keys stale cool-down", "url", Q(keys=G, at=3600), UNAVAILABLE, "stale-3599", before="url stale-3580")
    D("stale-3609", "29 s after that failure", "keys stale cool-down", "url", Q(keys=G, at=3609), UNAVAILABLE, "stale-3610", before="url stale-3580")
    A("stale-3610", "30 s after that failure", "keys stale cool-down", "url", Q(keys=G, at=3610), before="url stale-3580")
    A("stale-cached", "a token that was verified with stale keys", "keys stale cache", "url", Q(keys=X, at=3599), before="url stale-3580 stale-3599")
    D("stale-cached-3600", "the cache does not outlive the keys: 1 s after a token was verified they are too old", "keys stale cache ambiguous", "url", Q(keys=X, at=3600), UNAVAILABLE, "stale-cached", before="url stale-3580 stale-3599")
    # A kid that is not known.
    D("kid-29", "29 s after the keys came", "keys unknown-kid cool-down", "url", Q(NEW, N, at=29), UNKNOWN, "kid-30", before="url")
    A("kid-30", "30 s after the keys came", "keys unknown-kid cool-down", "url", Q(NEW, N, at=30), before="url")
    D("kid-0", "in the same second", "keys unknown-kid cool-down", "url", Q(NEW, N), UNKNOWN, "kid-known", before="url")
    D("kid-30-gone", "no answer: the held keys are all there is", "keys unknown-kid", "url", Q(NEW, X, at=30), UNKNOWN, "kid-30", before="url")
    D("kid-30-same", "the same keys again", "keys unknown-kid", "url", Q(NEW, G, at=30), UNKNOWN, "kid-30", before="url")
    D("kid-30-bad", "an answer that cannot be used", "keys unknown-kid poisoning", "url", Q(NEW, S(jwk("ed2", "new"), BAD_KEYS[0][1]), at=30), UNKNOWN, "kid-30", before="url")
    D("kid-first-gone", "no keys and no answer", "keys unknown-kid", "url", Q(NEW, X), UNAVAILABLE, "kid-known")
    A("kid-keeps", "a failure over a kid keeps the keys", "keys unknown-kid poisoning", "url", Q(at=31), before="url kid-30-gone")
    A("kid-keeps-bad", "so does an answer that cannot be used", "keys unknown-kid poisoning", "url", Q(at=31), before="url kid-30-bad")
    D("kid-59-gone", "29 s after that failure", "keys unknown-kid cool-down", "url", Q(NEW, N, at=59), UNKNOWN, "kid-60-gone", before="url kid-30-gone")
    A("kid-60-gone", "30 s after that failure", "keys unknown-kid cool-down", "url", Q(NEW, N, at=60), before="url kid-30-gone")
    D("kid-59-same", "29 s after the same keys came again", "keys unknown-kid cool-down", "url", Q(NEW, N, at=59), UNKNOWN, "kid-60-same", before="url kid-30-same")
    A("kid-60-same", "30 s after the same keys came again", "keys unknown-kid cool-down", "url", Q(NEW, N, at=60), before="url kid-30-same")
    A("kid-held", "the token whose kid brought the keys", "keys unknown-kid", "url", Q(NEW, at=31), before="url kid-30")
    A("kid-held-old", "the keys that came over a kid have the old one too", "keys unknown-kid rotation", "url", Q(at=31), before="url kid-30")
    A("kid-30-only", "keys that come over a kid replace the others", "keys unknown-kid rotation", "url", Q(NEW, S(jwk("ed2", "new")), at=30), before="url")
    D("kid-30-old", "the old token, that was verified, 1 s after its key went", "keys unknown-kid rotation cache", "url", Q(at=31), UNKNOWN, "kid-held-old", before="url kid-30-only")
    A("kid-629", "the keys' age counts from when they came over a kid", "keys unknown-kid clock", "url", Q(keys=R, at=629), before="url kid-30")
    D("kid-630", "600 s after that", "keys unknown-kid clock rotation", "url", Q(keys=R, at=630), UNKNOWN, "kid-629", before="url kid-30")
    D("kid-590-gone", "a failure over a kid at 590 s", "keys unknown-kid", "url", Q(NEW, X, at=590), UNKNOWN, "kid-590", before="url")
    A("kid-590", "an answer over a kid at 590 s", "keys unknown-kid", "url", Q(NEW, N, at=590), before="url")
    A("kid-619", "keys of 619 s, 29 s after that failure: they are used", "keys unknown-kid stale cool-down", "url", Q(keys=R, at=619), before="url kid-590-gone")
    D("kid-620", "30 s after that failure others are asked for", "keys unknown-kid cool-down rotation", "url", Q(keys=R, at=620), UNKNOWN, "kid-619", before="url kid-590-gone")
    D("kid-stale", "a kid that is not known, and stale keys: one attempt", "keys unknown-kid stale", "url", Q(NEW, X, at=700), UNKNOWN, "kid-stale-answer", before="url")
    A("kid-stale-answer", "the same with an answer", "keys unknown-kid stale", "url", Q(NEW, N, at=700), before="url")
    D("kid-down", "a kid that is not known, and keys of 3,600 s", "keys unknown-kid stale", "url", Q(NEW, X, at=3600), UNAVAILABLE, "kid-down-answer", before="url")
    A("kid-down-answer", "the same with an answer", "keys unknown-kid", "url", Q(NEW, N, at=3600), before="url")
    previous = "url"
    for n in range(4):
        D("kid-random-%d" % n, "random kids: number %d" % (n + 1), "keys unknown-kid cool-down", "url", Q(T("random-%d" % n, "ed2"), G if n == 0 else S(K1, jwk("ed2", "random-%d" % n)), at=30 + n), UNKNOWN,
          "kid-random-asks-0" if n == 0 else "kid-random-alone-%d" % n, before=previous)
        if n == 0:
            A("kid-random-asks-0", "the same with its key", "keys unknown-kid", "url", Q(T("random-0", "ed2"), S(K1, jwk("ed2", "random-0")), at=30), before="url")
        else:
            A("kid-random-alone-%d" % n, "the same without those before it", "keys unknown-kid", "url", Q(T("random-%d" % n, "ed2"), S(K1, jwk("ed2", "random-%d" % n)), at=30 + n), before="url")
        previous += " kid-random-%d" % n
    A("kid-random-good", "a right token after random kids", "keys unknown-kid", "url", Q(keys=X, at=34), before=previous)
    D("kid-random-59", "29 s after the first of them", "keys unknown-kid cool-down", "url", Q(NEW, N, at=59), UNKNOWN, "kid-random-60", before=previous)
    A("kid-random-60", "30 s after the first of them", "keys unknown-kid cool-down", "url", Q(NEW, N, at=60), before=previous)
    # No kid.
    nokid = T(GONE)
    D("no-kid-29", "no kid and two keys, 29 s after they came", "keys unknown-kid cool-down", "url", Q(nokid, G, at=29), UNKNOWN, "no-kid-30", before="url-second")
    A("no-kid-30", "no kid and two keys: it asks", "keys unknown-kid cool-down", "url", Q(nokid, G, at=30), before="url-second")
    D("no-kid-fits-none-29", "no kid and no key that fits, 29 s after they came", "keys unknown-kid cool-down", "url-mixed", Q(nokid, G, at=29), UNKNOWN, "no-kid-fits-none-30", before="alg-es256")
    A("no-kid-fits-none-30", "no kid and no key that fits: it asks", "keys unknown-kid cool-down", "url-mixed", Q(nokid, G, at=30), before="alg-es256")
    # What does not ask, though other keys would do.
    A("misfit-alone", "without held keys", "keys question", "url-mixed", Q(T("k"), S(jwk("ed1", "k")), at=60))
    D("misfit", "a kid whose key does not fit: nothing is asked for", "keys question", "url-mixed", Q(T("k"), S(jwk("ed1", "k")), at=60), "token_algorithm_not_allowed", "misfit-alone", before="alg-es256")
    A("mismatch-600", "a signature that is not right, 600 s after the keys came", "keys question rotation", "url", Q(T("ed1", "ed2"), S(jwk("ed2", "ed1")), at=600), before="url")
    D("mismatch-599", "a signature that is not right: nothing is asked for", "keys question rotation", "url", Q(T("ed1", "ed2"), S(jwk("ed2", "ed1")), at=599), "token_signature_mismatch", "mismatch-600", before="url")
    # What is not asked for at all.
    silent = [("malformed", Q("a.b.c", X), "token_malformed", ""), ("type", Q(T(header={"typ": "x"}), X), "token_type_not_allowed", None),
              ("algorithm", Q(T("k", "ec1", {"alg": "ES256"}), X), "token_algorithm_not_allowed", None), ("crit", Q(T(header={"crit": ["b64"]}), X), "token_header_not_understood", None),
              ("missing", Q(None, X), "token_missing", None)]
    for slug, req, reason, suffix in silent:
        D("silent-" + slug, "refused before its key is looked for: " + reason, "keys question order", "url", req, reason, "silent-%s-open" % slug, suffix=suffix)
        A("silent-%s-open" % slug, "the open route", "keys question", "url", open_of(req), name=None, route="open")
        A("silent-%s-then" % slug, "it asked for nothing, so a second later keys are asked for", "keys question", "url", Q(keys=G, at=1), before="silent-" + slug)
    A("silent-open", "a route that requires no token asks for nothing", "keys question", "url", Q(keys=X, target="/open"), name=None, route="open")
    A("silent-open-then", "a second later keys are asked for", "keys question", "url", Q(keys=G, at=1), before="silent-open")
    A("preflight", "a preflight asks for nothing", "keys preflight question", "url", with_answers(bearer(method="OPTIONS", extra=PREFLIGHT), answers(X)), name=None, preflight=True)
    A("preflight-then", "a second later keys are asked for", "keys preflight question", "url", Q(keys=G, at=1), before="preflight")
    D("asks-expired", "an expired token asks: keys come before claims", "keys question order", "url", Q(T(exp=NOW - 30), X), UNAVAILABLE, "no-answer-open")
    D("asks-expired-then", "a second later nothing is asked for", "keys question", "url", Q(keys=G, at=1), UNAVAILABLE, "silent-malformed-then", before="asks-expired")
    D("asks-expired-answer", "an expired token and its keys", "keys question order", "url", Q(T(exp=NOW - 30), G), "token_expired", "url")
    A("asks-expired-held", "what an expired token asked for is held", "keys question", "url", Q(keys=X, at=1), before="asks-expired-answer")
    D("asks-forged", "a token that is not signed right asks", "keys question", "url", Q(T("ed1", "ed2"), G), "token_signature_mismatch", "url")
    A("asks-forged-held", "what a forged token asked for is held", "keys question", "url", Q(keys=X, at=1), before="asks-forged")
    A("no-answer-open", "the same token where none is asked for", "keys question", "url", Q(T(exp=NOW - 30), X, target="/open"), name=None, route="open")
    # Poisoning.
    for slug, answer in [("status", reply(R, 500)), ("type", reply(R, type="text/html")), ("html", "<html>"), ("empty-set", S()), ("bad-key", S(K2, BAD_KEYS[11][1])), ("secret", S(K2, jwk("hs64", "h"))), ("no-fit", S(jwk("rsa1", "r1"))),
                         ("private", S({**K2, "d": KEYS["ed2"]["d"]})), ("too-large", padded(65537)), ("kid-twice", S(K2, jwk("ec1", "ed2")))]:
        A("poison-" + slug, "what cannot be used does not replace the keys", "keys poisoning", "url", Q(keys=answer, at=600), before="url")
        D("poison-%s-new" % slug, "nor does it bring any", "keys poisoning", "url", Q(T2, answer, at=600), UNKNOWN, "age-600-new", before="url")
    A("poison-then", "after an answer that cannot be used the held keys are used", "keys poisoning stale", "url", Q(at=601), before="url poison-bad-key")
    A("poison-629", "and nothing is asked for", "keys poisoning cool-down", "url", Q(keys=R, at=629), before="url poison-bad-key")
    D("poison-630", "until 30 s later", "keys poisoning cool-down", "url", Q(keys=R, at=630), UNKNOWN, "poison-629", before="url poison-bad-key")
    D("poison-3600", "an answer that cannot be used does not make the keys younger", "keys poisoning stale", "url", Q(keys=S(), at=3600), UNAVAILABLE, "poison-3599", before="url poison-bad-key")
    A("poison-3599", "a second before", "keys poisoning stale", "url", Q(keys=S(), at=3599), before="url poison-bad-key")
    A("poison-pinned", "pins: a set without them does not replace the keys", "keys poisoning pins", "pinned", Q(keys=R, at=600), before="url")
    A("poison-pinned-599", "pins: a second before", "keys poisoning pins", "pinned", Q(keys=R, at=599), before="url")
    D("poison-pinned-new", "pins: a set with others beside it brings none of them", "keys poisoning pins", "pinned", Q(T2, BOTH, at=600), UNKNOWN, "poison-unpinned-new", before="url")
    A("poison-unpinned-new", "without pins it does", "keys poisoning pins", "url", Q(T2, BOTH, at=600), before="url")
    # A clock that is set back.
    A("back-100", "a clock that was set back by 100 s: keys of less than 600 s", "keys clock ambiguous", "url", Q(at=-100), before="url")
    D("back-kid", "a clock that was set back by 100 s: the last attempt was not 30 s ago", "keys clock ambiguous", "url", Q(NEW, N, at=-100), UNKNOWN, "back-kid-alone", before="url")
    A("back-kid-alone", "without an attempt before", "keys clock", "url", Q(NEW, N, at=-100))
    # Without now.
    D("no-now", "without now a request that needs a token is request_malformed", "keys order", "url", with_answers(bearer(T1, now=None), answers(G)), "request_malformed", "url")


def cookie_request(tok):
    return Req(dict(bearer(extra=[("Cookie", "session=" + tok)])), tok)


def caches():
    short = T(exp=NOW + 100)
    A("hit-1", "a token that was verified", "keys cache", "url", Q(keys=None, at=1), before="url")
    for at in (299, 300, 301):
        A("hit-%d" % at, "%d s after a token was verified" % at, "keys cache", "url", Q(at=at), before="url")
    A("short", "a token with 100 s to live", "keys cache time", "url", Q(short, G))
    A("short-99", "before exp", "keys cache time", "url", Q(short, at=99), before="short")
    A("short-129", "within the tolerance after exp", "keys cache time", "url", Q(short, at=129), before="short")
    D("short-130", "exp and the tolerance: a token that was verified expires", "keys cache time", "url", Q(short, at=130), "token_expired", "short-129", before="short")
    A("short-tight-99", "no tolerance, before exp", "keys cache time", "url-tight", Q(short, at=99), before="short")
    D("short-tight-100", "no tolerance, at exp", "keys cache time", "url-tight", Q(short, at=100), "token_expired", "short-tight-99", before="short")
    soon = T(nbf=NOW - 50, iat=NOW - 50)
    A("soon", "a token from 50 s ago", "keys cache time", "url", Q(soon, G))
    A("soon-80", "a clock that was set back by 80 s, nbf within the tolerance", "keys cache time", "url", Q(soon, G, at=-80), before="soon")
    D("soon-81", "by 81 s: a token that was verified is not valid yet", "keys cache time", "url", Q(soon, G, at=-81), "token_not_yet_valid", "soon-80", before="soon")
    A("caps", "max_lifetime and max_age", "keys cache time", "url-caps", Q(T1, G))
    A("caps-800", "max_age to the second", "keys cache time", "url-caps", Q(T1, None, at=800), before="url")
    D("caps-801", "a token that was verified gets too old", "keys cache time", "url-caps", Q(T1, None, at=801), "token_too_old", "caps-800", before="url")
    aged = T(iat=NOW - 1790)
    A("aged", "a token near its max_age", "keys cache time", "url-caps", Q(aged, G))
    A("aged-10", "max_age to the second", "keys cache time", "url-caps", Q(aged, at=10), before="aged")
    D("aged-11", "a token that was verified 11 s ago is too old", "keys cache time", "url-caps", Q(aged, at=11), "token_too_old", "aged-10", before="aged")
    scoped = T(scope="s t")
    A("scoped", "the scope that the route needs", "keys cache scope", "url", Q(scoped, G, target="/scoped/x"), route="scoped")
    A("scoped-hit", "again, from the cache", "keys cache scope", "url", Q(scoped, target="/scoped/x", at=1), route="scoped", before="scoped")
    D("scope-hit", "a token that was verified on another route: the route's scopes are judged", "keys cache scope", "url", Q(T1, target="/scoped/x", at=1), "scope_insufficient", "age-1", before="url")
    D("scope-miss", "a token without the scope", "keys cache scope", "url", Q(T1, G, target="/scoped/x"), "scope_insufficient", "url")
    A("scope-then", "the same token on another route", "keys cache scope", "url", Q(T1, at=1), before="scope-miss")
    D("scope-again", "and again where the scope is needed", "keys cache scope", "url", Q(T1, target="/scoped/x", at=2), "scope_insufficient", "hit-absent-2", before="url")
    A("hit-absent-2", "the same on the other route", "keys cache scope", "url", Q(T1, at=2), before="url")
    bad = T1.signature(lambda s: s[:-1] + bytes([s[-1] ^ 1]))
    D("tampered-signature", "a token that was verified, with another signature", "keys cache", "url", Q(bad, at=1), "token_signature_mismatch", "age-1", before="url")
    forged = issuer.Token(".".join([T1.split(".")[0], b64u(raw(dumps(but(CLAIMS, sub="admin")))), T1.split(".")[2]]), raw(dumps(but(CLAIMS, sub="admin"))))
    D("tampered-payload", "a token that was verified, with another payload", "keys cache", "url", Q(forged, at=1), "token_signature_mismatch", "age-1", before="url")
    D("tampered-twice", "a forged token again", "keys cache", "url", Q(forged, at=2), "token_signature_mismatch", "hit-absent-2-forged", before="url tampered-payload")
    A("hit-absent-2-forged", "the right token after it", "keys cache", "url", Q(T1, at=2), before="url tampered-payload")
    A("nocache-hit", "without a cache, by the held keys", "keys cache", "url-nocache", Q(at=1), before="url")
    # Sections.
    ta, tb = T(iss=ISS_A), T("ed2", "ed2", iss=ISS_B)
    A("section-a", "a section's keys", "keys", "sections", Q(ta, {"a": G}, target="/a/x"), name="a", route="a")
    D("section-c", "a token that was verified for one section is judged for another", "keys cache", "sections", Q(ta, {"a": G, "c": G}, target="/c/x", at=1), "audience_mismatch", "section-a-again", name="c", before="section-a")
    A("section-a-again", "the same on its own route", "keys cache", "sections", Q(ta, {"a": G, "c": G}, target="/a/x", at=1), name="a", route="a", before="section-a")
    D("section-a-down", "one section's keys are not to be had", "keys cool-down", "sections", Q(ta, {"a": None, "b": R}, target="/a/x"), UNAVAILABLE, "section-a", name="a")
    A("section-b", "another section's are", "keys cool-down", "sections", Q(tb, {"a": None, "b": R}, target="/b/x", at=1), name="b", route="b", before="section-a-down")
    D("section-b-other", "an answer for one section is none for another", "keys answer", "sections", Q(tb, {"a": R}, target="/b/x", at=1), UNAVAILABLE, "section-b", name="b", before="section-a-down")


def alternatives():
    ta, tb = T(iss=ISS_A), T("ed2", "ed2", iss=ISS_B)
    for name in ("either", "either-turned"):
        A(name + "-a", "a token of the issuer whose keys are fetched", "keys alternative", name, Q(ta, {"a": G}), name="a")
        A(name + "-b", "a token of the issuer whose keys are in the policy: nothing is asked for", "keys alternative", name, Q(tb, {"a": None}), name="b")
        A(name + "-b-then", "a second later keys are asked for", "keys alternative question", name, Q(ta, {"a": G}, at=1), name="a", before=name + "-b")
        D(name + "-a-down", "its keys are not to be had: the other section is not tried", "keys alternative", name, Q(ta, {"a": None}), UNAVAILABLE, name + "-a", name="a")
        A(name + "-a-down-b", "the other issuer's tokens are judged as ever", "keys alternative", name, Q(tb, at=1), name="b", before=name + "-a-down")
        D(name + "-neither", "another issuer: nothing is asked for", "keys alternative order", name, Q(T(iss="https://c.example.com"), {"a": None}), "issuer_mismatch", name + "-neither-open", name=first_route_section(name))
        A(name + "-neither-open", "the open route", "keys alternative", name, Q(T(iss="https://c.example.com"), {"a": None}, target="/open"), name=None, route="open")
        A(name + "-neither-then", "a second later keys are asked for", "keys alternative question", name, Q(ta, {"a": G}, at=1), name="a", before=name + "-neither")
        D(name + "-b-key", "the key of the other issuer", "keys alternative", name, Q(T("ed2", "ed2", iss=ISS_A), {"a": G}), UNKNOWN, name + "-b-key-twin", name="a")
        A(name + "-b-key-twin", "its own key", "keys alternative", name, Q(T("ed2", "ed2", iss=ISS_A), {"a": R}), name="a")
        D(name + "-no-iss", "no issuer: no section to ask for", "keys alternative order", name, Q(T(iss=GONE), {"a": None}), "claim_missing", name + "-no-iss-open", name=first_route_section(name))
        A(name + "-no-iss-open", "the open route", "keys alternative", name, Q(T(iss=GONE), {"a": None}, target="/open"), name=None, route="open")
    A("either-url-a", "two issuers, both sets fetched", "keys alternative", "either-url", Q(ta, {"a": G, "b": R}), name="a")
    A("either-url-b", "the other", "keys alternative", "either-url", Q(tb, {"a": G, "b": R}), name="b")
    D("either-url-a-down", "one is down", "keys alternative", "either-url", Q(ta, {"b": R}), UNAVAILABLE, "either-url-a", name="a")
    A("either-url-b-then", "the other is not", "keys alternative cool-down", "either-url", Q(tb, {"b": R}, at=1), name="b", before="either-url-a-down")
    D("either-url-a-29", "29 s after the failure", "keys alternative cool-down", "either-url", Q(ta, {"a": G, "b": R}, at=29), UNAVAILABLE, "either-url-a-30", name="a", before="either-url-a-down either-url-b-then")
    A("either-url-a-30", "30 s after the failure, 29 s after the other's success", "keys alternative cool-down", "either-url", Q(ta, {"a": G, "b": R}, at=30), name="a", before="either-url-a-down either-url-b-then")


def first_route_section(policy):
    return POLICIES[policy]["routes"][-1]["require"][0].split("|")[0].split(":")[1]


def forms():
    A("intro", "an opaque token", "introspection answer identity", "intro", I())
    for slug, tok, why in [("one", "a", "one character"), ("symbols", "-._~+/", "every symbol"), ("equals", "abc=", "one ="), ("equals-many", "abc" + "=" * 9, "many ="), ("digits", "0", "a digit"),
                           ("dots", "a.b.c", "three parts"), ("jwt", str(T1), "a JWT is a b64token"), ("jwt-none", "eyJhbGciOiJub25lIn0.e30.", "a JWT without a signature"),
                           ("uuid", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "a UUID"), ("dot", ".", "a dot"), ("16384", "x" * 16384, "16 KiB"), ("16384-equals", "x" * 16383 + "=", "16 KiB with =")]:
        A("form-" + slug, "the form of a token: " + why, "introspection form", "intro", I(tok=tok))
    for slug, tok, why in [("equals", "=", "= alone"), ("equals-inside", "a=b", "= inside"), ("equals-first", "=a", "= first"), ("16385", "x" * 16385, "16 KiB and a byte"), ("16385-equals", "x" * 16384 + "=", "16 KiB and ="),
                           ("comma", "a,b", "a comma"), ("colon", "a:b", "a colon"), ("percent", "a%20b", "a percent sign"), ("quote", '"abc"', "quotes"), ("ampersand", "a&token=b", "an ampersand"), ("hash", "a#b", "a #"),
                           ("question", "a?b", "a ?"), ("star", "a*b", "a star"), ("exclamation", "a!", "!"), ("at", "a@b", "@"), ("backslash", "a\\b", "a backslash"), ("bar", "a|b", "a bar"), ("braces", "{}", "braces")]:
        D("form-bad-" + slug, "no b64token: " + why, "introspection form", "intro", I(tok=tok), "token_malformed", "intro", suffix="")
    A("form-underscore", "an underscore: RFC 6750 has it", "introspection form", "intro", I(tok="a_b"))
    D("form-bad-space", "white space inside", "introspection form", "intro", I(tok="a b"), "token_malformed", "intro", suffix="")
    D("form-bad-utf-8", "a letter that is not in ASCII", "introspection form", "intro", I(tok=None, value=b"Bearer \xc3\xa9"), "token_malformed", "intro", suffix="")
    D("form-bad-empty", "Bearer with nothing", "introspection form", "intro", I(tok=None, value="Bearer"), "token_malformed", "intro", suffix="")
    D("form-bad-asks", "a token that is none asks for nothing", "introspection form order", "intro", I(NONE, tok="a=b"), "token_malformed", "intro-malformed-open", suffix="")
    A("intro-malformed-open", "the open route", "introspection form", "intro", I(NONE, tok="a=b", target="/open"), name=None, route="open")
    D("intro-missing", "no token", "introspection placement", "intro", I(tok=None), "token_missing", "intro")
    D("intro-basic", "another scheme", "introspection placement", "intro", I(tok=None, value="Basic YTpi"), "token_missing", "intro")
    A("intro-scheme", "the scheme without case", "introspection placement", "intro", I(tok=None, value="bearer  " + OPAQUE))
    A("intro-cookie", "in a cookie", "introspection placement", "intro-cookie", with_answers(cookie_request(OPAQUE), answers(intro=said())))
    D("intro-cookie-missing", "in another cookie", "introspection placement", "intro-cookie", with_answers(bearer(extra=[("Cookie", "other=" + OPAQUE)]), answers(intro=said())), "token_missing", "intro-cookie")
    D("intro-cookie-twice", "twice", "introspection placement", "intro-cookie", with_answers(bearer(extra=[("Cookie", "session=%s; session=b" % OPAQUE)]), answers(intro=said())), "token_malformed", "intro-cookie", suffix="")
    D("intro-cookie-bearer", "a second credential", "introspection placement", "intro-cookie", with_answers(bearer(OPAQUE, extra=[("Cookie", "session=" + OPAQUE)]), answers(intro=said())), "token_malformed", "intro-cookie", suffix="")
    D("intro-cookie-form", "no b64token", "introspection placement form", "intro-cookie", with_answers(bearer(extra=[("Cookie", "session=a=b")]), answers(intro=said())), "token_malformed", "intro-cookie", suffix="")
    D("intro-cookie-inactive", "inactive", "introspection placement active", "intro-cookie", with_answers(cookie_request(OPAQUE), answers(intro=said(active=False))), "token_inactive", "intro-cookie")
    header = lambda value, **more: with_answers(bearer(extra=[("X-Token", value)], **more), answers(intro=said()))  # noqa: E731
    A("intro-header", "in another header, the whole value", "introspection placement", "intro-header", header(OPAQUE))
    D("intro-header-bearer", "with a scheme it is no b64token", "introspection placement form", "intro-header", header("Bearer " + OPAQUE), "token_malformed", "intro-header", suffix="")
    D("intro-header-second", "a second credential", "introspection placement", "intro-header", header(OPAQUE, token=OPAQUE), "token_malformed", "intro-header", suffix="")
    D("intro-header-missing", "only in authorization", "introspection placement", "intro-header", with_answers(bearer(value="Basic YTpi"), answers(intro=said())), "token_missing", "intro-header")


def introspection_answers():
    A("intro-answer", "an answer spelled out", "introspection answer", "intro", I(reply(said())))
    for slug, type in TYPES_GOOD:
        if slug not in ("jwk-set", "mixed", "jwk-set-charset"):
            A("intro-type-" + slug, "content type %s" % type, "introspection answer", "intro-nocache", I(reply(said(), type=type)))
    for slug, type in TYPES_BAD[:9] + [("jwk-set", "application/jwk-set+json"), ("introspection-jwt", "application/token-introspection+jwt"), ("form", "application/x-www-form-urlencoded")]:
        D("intro-type-" + slug, "content type %s" % type, "introspection answer", "intro", I(reply(said(), type=type)), UNAVAILABLE, "intro")
    for status in STATUSES[::2] + [503]:
        D("intro-status-%d" % status, "status %d, whatever the body is" % status, "introspection answer", "intro", I(reply(said(), status)), UNAVAILABLE, "intro")
    D("intro-none", "no answer", "introspection answer", "intro", I(NONE), UNAVAILABLE, "intro")
    D("intro-absent", "no `answers`", "introspection answer", "intro", I(GONE), UNAVAILABLE, "intro")
    D("intro-elsewhere", "an answer where keys are meant", "introspection answer", "intro", Q(OPAQUE, {"main": said()}), UNAVAILABLE, "intro")
    pad = lambda n: said(pad="x" * (n - len(said(pad=""))))  # noqa: E731
    A("intro-size-65536", "64 KiB", "introspection answer", "intro", I(pad(65536)))
    D("intro-size-65537", "64 KiB and a byte", "introspection answer", "intro", I(pad(65537)), UNAVAILABLE, "intro-size-65536")
    A("intro-size-space", "64 KiB with white space", "introspection answer", "intro", I(said() + " " * (65536 - len(said()))))
    D("intro-size-space-over", "64 KiB and a space", "introspection answer", "intro", I(said() + " " * (65537 - len(said()))), UNAVAILABLE, "intro-size-space")
    A("intro-deep-16", "16 levels", "introspection answer", "intro", I(said(deep=DEEP(15))))
    good = said()
    for slug, text, why in [
        ("empty", "", "nothing"), ("html", "<html>", "a page"), ("null", "null", "null"), ("true", "true", "true"), ("list", "[%s]" % good, "a list"), ("string", dumps(good), "a string"), ("truncated", good[:-1], "cut off"),
        ("trailing", good + good, "two objects"), ("bom", "\ufeff" + good, "a byte order mark"), ("twice", good[:-1] + ',"sub":"user-2"}', "a name twice"), ("active-twice", '{"active":false,' + good[1:], "active twice"),
        ("twice-inside", said(a=Raw('{"b":1,"b":1}')), "a name twice inside"), ("escaped-twice", good[:-1] + ',"\\u0073ub":"x"}', "a name twice, in two spellings"), ("deep-17", said(deep=DEEP(16)), "17 levels"),
        ("surrogate", said(a=Raw('"\\ud800"')), "a lone surrogate"), ("comment", good + "//", "a comment"), ("comma", good[:-1] + ",}", "a comma too many"), ("quotes", good.replace('"', "'"), "single quotes"), ("nan", said(a=Raw("NaN")), "NaN"),
        ("form", "active=true", "a form"), ("jwt", str(T1), "a token"), ("object", "{}", "an empty object"),
    ]:
        D("intro-body-" + slug, "an answer that cannot be used: " + why, "introspection answer", "intro", I(text), UNAVAILABLE, "intro")
    for slug, value, why in [("missing", GONE, "no active"), ("null", None, "null"), ("string", "true", "a string"), ("string-false", "false", "a string"), ("number", 1, "a number"), ("zero", 0, "a number"), ("list", [True], "a list"), ("object", {}, "an object")]:
        D("active-" + slug, "active is no boolean, so the answer cannot be used: " + why, "introspection active", "intro", I(said(active=value)), UNAVAILABLE, "intro")
    D("active-upper", "Active is another name", "introspection active", "intro", I(said(active=GONE, Active=True)), UNAVAILABLE, "intro")
    D("inactive", "active is false", "introspection active", "intro", I(said(active=False)), "token_inactive", "intro")
    D("inactive-alone", "active is false, and that is all", "introspection active", "intro", I('{"active":false}'), "token_inactive", "intro")
    D("inactive-spaces", "active is false, as RFC 7662 §2.2 writes it", "introspection active", "intro", I(reply('{\n  "active": false\n}\n', type="application/json;charset=UTF-8")), "token_inactive", "intro")
    D("inactive-order", "inactive and everything else wrong", "introspection active order", "intro", I(said(active=False, token_type=1, iss="x", aud=1, exp=0, cnf={})), "token_inactive", "intro")
    D("inactive-unusable", "inactive with status 401: no answer", "introspection active order", "intro", I(reply(said(active=False), 401)), UNAVAILABLE, "intro")
    for value in ("bearer", "Bearer", "BEARER", "bEARER"):
        A("token-type-%s" % ("".join("u" if c.isupper() else "l" for c in value)), "token_type %s" % value, "introspection claims", "intro", I(said(token_type=value)))
    for slug, value in [("dpop", "DPoP"), ("mac", "mac"), ("empty", ""), ("space", "bearer "), ("access", "access_token"), ("prefix", "bearer2"), ("na", "N_A")]:
        D("token-type-" + slug, "token_type `%s`" % value, "introspection claims ambiguous", "intro", I(said(token_type=value)), "token_type_not_allowed", "intro")
    for slug, value in [("null", None), ("number", 1), ("list", ["bearer"]), ("true", True)]:
        D("token-type-" + slug, "token_type that is no string", "introspection claims", "intro", I(said(token_type=value)), "claim_malformed", "intro", suffix="")
    D("token-type-first", "token_type comes before the claims", "introspection order ambiguous", "intro", I(said(token_type="mac", iss="x", exp=0)), "token_type_not_allowed", "intro")


def introspection_claims():
    def rows(policy, twin, reason, items, suffix=None, base=None):
        for slug, changes, why in items:
            D("%s-%s" % (policy, slug), why, "introspection claims", policy, I(said(**{**(base or {}), **changes})), reason, twin, suffix=suffix)

    rows("intro", "intro", "claim_missing", [("no-iss", {"iss": GONE}, "no iss"), ("no-aud", {"aud": GONE}, "no aud"), ("no-exp", {"exp": GONE}, "no exp"), ("only-active", {n: GONE for n in ("iss", "aud", "exp", "sub", "client_id", "iat")}, "active alone")], "")
    rows("intro", "intro", "claim_malformed", [
        ("iss-null", {"iss": None}, "iss is null"), ("iss-list", {"iss": [ISS]}, "iss is a list"), ("aud-null", {"aud": None}, "aud is null"), ("aud-empty", {"aud": []}, "aud is an empty list"), ("aud-mixed", {"aud": [API, 1]}, "aud has a number"),
        ("exp-string", {"exp": str(NOW + 290)}, "exp is a string"), ("exp-float", {"exp": Raw("%d.0" % (NOW + 290))}, "exp with a fraction"), ("exp-exponent", {"exp": Raw("2e9")}, "exp with an exponent"), ("exp-negative", {"exp": -1}, "exp with a sign"),
        ("exp-null", {"exp": None}, "exp is null"), ("exp-large", {"exp": 253402300800}, "exp after the year 9999"), ("nbf-string", {"nbf": str(NOW)}, "nbf is a string"), ("iat-null", {"iat": None}, "iat is null"), ("sub-number", {"sub": 1}, "sub is a number"),
        ("sub-null", {"sub": None}, "sub is null"), ("jti-list", {"jti": ["j"]}, "jti is a list"), ("client-id-number", {"client_id": 1}, "client_id is a number"), ("azp-null", {"azp": None}, "azp is null"), ("scope-list", {"scope": ["s"]}, "scope is a list"),
        ("scope-spaces", {"scope": "a  b"}, "two spaces in scope"), ("scope-differs", {"scope": "a b", "scp": ["a"]}, "scope and scp differ"),
    ], "")
    rows("intro", "intro", "issuer_mismatch", [("iss-other", {"iss": "https://evil.test/"}, "another issuer"), ("iss-slash", {"iss": ISS.rstrip("/")}, "without the slash"), ("iss-case", {"iss": ISS.upper()}, "in upper case"), ("iss-empty", {"iss": ""}, "an empty issuer")])
    rows("intro", "intro", "audience_mismatch", [("aud-other", {"aud": "other"}, "another audience"), ("aud-list", {"aud": ["other", "more"]}, "other audiences"), ("aud-case", {"aud": API.upper()}, "in upper case"), ("aud-prefix", {"aud": API + "/"}, "with a slash")])
    A("intro-aud-in-list", "one of several audiences", "introspection claims", "intro", I(said(aud=["other", API])))
    A("intro-audiences", "one of the policy's audiences", "introspection claims", "intro-audiences", I(said(aud="other")))
    A("intro-exp-max", "exp in the year 9999", "introspection claims", "intro", I(said(exp=253402300799)))
    A("intro-no-sub", "no sub", "introspection claims identity", "intro", I(said(sub=GONE, client_id=GONE, iat=GONE)))
    A("intro-scopes", "scopes in their order, without repetition", "introspection claims identity", "intro", I(said(scope="z a z", scp=["a", "z"])))
    A("intro-members", "members that are nobody's business", "introspection claims identity", "intro", I(said(username="j", token_type="Bearer", nested={"a": [1, None, {"b": "\u00e9"}]}, nbf=NOW)))
    # Times.
    A("intro-exp-29", "within the tolerance after exp", "introspection time", "intro", I(said(exp=NOW - 29)))
    D("intro-exp-30", "exp and the tolerance", "introspection time", "intro", I(said(exp=NOW - 30)), "token_expired", "intro-exp-29")
    D("intro-exp-0", "exp is 0", "introspection time", "intro", I(said(exp=0)), "token_expired", "intro")
    A("intro-tight-exp-1", "no tolerance, a second left", "introspection time", "intro-tight", I(said(exp=NOW + 1)))
    D("intro-tight-exp", "no tolerance, at exp", "introspection time", "intro-tight", I(said(exp=NOW)), "token_expired", "intro-tight-exp-1")
    A("intro-nbf-30", "nbf within the tolerance", "introspection time", "intro", I(said(nbf=NOW + 30)))
    D("intro-nbf-31", "nbf above it", "introspection time", "intro", I(said(nbf=NOW + 31)), "token_not_yet_valid", "intro-nbf-30")
    A("intro-iat-30", "iat within the tolerance", "introspection time", "intro", I(said(iat=NOW + 30)))
    D("intro-iat-31", "iat above it", "introspection time", "intro", I(said(iat=NOW + 31)), "token_not_yet_valid", "intro-iat-30")
    A("intro-life", "max_lifetime to the second", "introspection time", "intro-life", I())
    D("intro-life-301", "a second above max_lifetime", "introspection time", "intro-life", I(said(exp=NOW + 291)), "token_lifetime_too_long", "intro-life")
    D("intro-life-no-iat", "max_lifetime needs iat", "introspection time", "intro-life", I(said(iat=GONE)), "claim_missing", "intro-life", suffix="")
    D("intro-life-equal", "exp is iat", "introspection time", "intro-life", I(said(iat=NOW + 5, exp=NOW + 5)), "claim_malformed", "intro-life", suffix="")
    A("intro-age", "max_age to the second", "introspection time", "intro-age", I(said(iat=NOW - 600)))
    D("intro-age-601", "a second above max_age", "introspection time", "intro-age", I(said(iat=NOW - 601)), "token_too_old", "intro-age")
    D("intro-age-no-iat", "max_age needs iat", "introspection time", "intro-age", I(said(iat=GONE)), "claim_missing", "intro-age", suffix="")
    # Lists.
    tenant = {"jti": "j-1", "tenant": 7}
    A("intro-required", "required claims", "introspection claims", "intro-required", I(said(**tenant)))
    rows("intro-required", "intro-required", "claim_missing", [("no-jti", {"jti": GONE}, "one of two is missing"), ("tenant-null", {"tenant": None}, "one is null"), ("no-tenant", {"tenant": GONE}, "the other is missing")], ".required_claims", tenant)
    A("intro-expect", "an expected value", "introspection claims", "intro-expect", I())
    A("intro-expect-second", "the other expected value", "introspection claims", "intro-expect", I(said(client_id="app-2")))
    rows("intro-expect", "intro-expect", "claim_mismatch", [("other", {"client_id": "app-3"}, "another value"), ("empty", {"client_id": ""}, "an empty value")])
    rows("intro-expect", "intro-expect", "claim_missing", [("missing", {"client_id": GONE}, "an expected claim is missing")], ".expect")
    for slug, value in [("object", {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}), ("empty", {}), ("null", None), ("string", "x")]:
        D("intro-cnf-" + slug, "cnf: nothing here checks the binding", "introspection claims", "intro", I(said(cnf=value)), "token_binding_missing", "intro")
    D("intro-cnf-scope", "cnf comes before the scopes", "introspection claims order", "intro", I(said(cnf={"jkt": "x"}), target="/scoped/x"), "token_binding_missing", "intro-scoped")
    A("intro-scp", "the scope in scp", "introspection scope", "intro", I(said(scp=["r", "s"]), target="/scoped/x"), route="scoped")
    D("intro-scope-none", "no scope", "introspection scope", "intro", I(target="/scoped/x"), "scope_insufficient", "intro-scp")
    D("intro-scope-other", "another scope", "introspection scope", "intro", I(said(scope="S s2"), target="/scoped/x"), "scope_insufficient", "intro-scp")
    strict = {"jti": "j-1"}
    A("intro-strict", "every rule", "introspection claims", "intro-strict", I(said(**strict)))
    faults = [("issuer_mismatch", {"iss": "x"}, None), ("audience_mismatch", {"aud": "x"}, None), ("token_expired", {"exp": NOW - 300, "iat": NOW - 310}, None), ("token_not_yet_valid", {"nbf": NOW + 60}, None),
              ("token_lifetime_too_long", {"exp": NOW + 10000}, None), ("claim_missing", {"jti": GONE}, ".required_claims"), ("claim_malformed", {"sub": 1}, ""), ("claim_mismatch", {"client_id": "x"}, None), ("token_binding_missing", {"cnf": {}}, None)]
    for (reason, first, suffix), (_, second, _) in zip(faults, faults[1:]):
        if reason == "token_expired":
            continue
        D("intro-strict-%s" % reason.replace("_", "-"), "two faults: %s is the earlier one" % reason, "introspection claims order", "intro-strict", I(said(**{**strict, **second, **first})), reason, "intro-strict", suffix=suffix)


def introspection_cache():
    other = "another-token"
    A("intro-hit-0", "an answer counts at once", "introspection cache", "intro", I(GONE), claims=ACTIVE, before="intro")
    A("intro-hit-29", "for 29 s no one is asked", "introspection cache", "intro", I(GONE, at=29), claims=ACTIVE, before="intro")
    D("intro-hit-30", "after 30 s the server is asked", "introspection cache", "intro", I(GONE, at=30), UNAVAILABLE, "intro-hit-29", before="intro")
    A("intro-hit-30-answer", "and answers", "introspection cache", "intro", I(at=30), before="intro")
    A("intro-hit-29-null", "null is no answer either, and none is needed", "introspection cache", "intro", I(NONE, at=29), claims=ACTIVE, before="intro")
    A("intro-hit-29-inactive", "a token that was revoked is taken for 29 s", "introspection cache", "intro", I(said(active=False), at=29), claims=ACTIVE, before="intro")
    D("intro-hit-30-inactive", "a token that was revoked is refused after 30 s", "introspection cache", "intro", I(said(active=False), at=30), "token_inactive", "intro-hit-29-inactive", before="intro")
    A("intro-hit-29-bad", "an answer that cannot be used is not asked for", "introspection cache", "intro", I("<html>", at=29), claims=ACTIVE, before="intro")
    A("intro-hit-30-other", "a new answer counts as it is", "introspection cache identity", "intro", I(said(sub="user-2"), at=30), before="intro")
    D("intro-hit-30-after-hit", "a hit does not make the answer younger", "introspection cache", "intro", I(NONE, at=30), UNAVAILABLE, "intro-hit-29-after-hit", before="intro intro-hit-29")
    A("intro-hit-29-after-hit", "a second hit", "introspection cache", "intro", I(NONE, at=29), claims=ACTIVE, before="intro intro-hit-29")
    A("intro-hit-59", "asked again at 30 s: until 59 s", "introspection cache", "intro", I(NONE, at=59), claims=ACTIVE, before="intro intro-hit-30-answer")
    D("intro-hit-60", "asked again at 30 s: not at 60 s", "introspection cache", "intro", I(NONE, at=60), UNAVAILABLE, "intro-hit-59", before="intro intro-hit-30-answer")
    D("intro-other", "another token is asked about", "introspection cache", "intro", I(NONE, tok=other, at=1), UNAVAILABLE, "intro-hit-1", before="intro")
    A("intro-hit-1", "the same token is not", "introspection cache", "intro", I(NONE, at=1), claims=ACTIVE, before="intro")
    D("intro-other-case", "a token in another case is another", "introspection cache", "intro", I(NONE, tok=OPAQUE.lower(), at=1), UNAVAILABLE, "intro-hit-1", before="intro")
    D("intro-other-equals", "a token with = at its end is another", "introspection cache", "intro", I(NONE, tok=OPAQUE + "=", at=1), UNAVAILABLE, "intro-hit-1", before="intro")
    A("intro-prefix", "a token of 16 KiB", "introspection cache", "intro", I(tok="x" * 16383 + "a"))
    D("intro-other-tail", "a token that differs in its last byte is another", "introspection cache", "intro", I(NONE, tok="x" * 16383 + "b", at=1), UNAVAILABLE, "intro-other-tail-same", before="intro-prefix")
    A("intro-other-tail-same", "the same token", "introspection cache", "intro", I(NONE, tok="x" * 16383 + "a", at=1), claims=ACTIVE, before="intro-prefix")
    D("intro-nocache-hit", "cache = false: asked each time", "introspection cache", "intro-nocache", I(NONE, at=1), UNAVAILABLE, "intro-hit-1", before="intro")
    A("intro-nocache-again", "cache = false: and answered", "introspection cache", "intro-nocache", I(at=1), before="intro")
    D("intro-nocache-inactive", "cache = false: a token that was revoked is refused at once", "introspection cache", "intro-nocache", I(said(active=False), at=1), "token_inactive", "intro-nocache-again", before="intro")
    # Not remembered.
    A("inactive-then", "an inactive token is not remembered", "introspection cache active", "intro", I(at=1), before="inactive")
    D("inactive-then-none", "not even as inactive", "introspection cache active", "intro", I(NONE, at=1), UNAVAILABLE, "inactive-then", before="inactive")
    D("inactive-again", "and again inactive", "introspection cache active", "intro", I(said(active=False), at=1), "token_inactive", "inactive-then", before="inactive")
    A("none-then", "a failure is not remembered: there is no cool-down", "introspection cache", "intro", I(), before="intro-none")
    A("none-then-1", "a failure is not remembered, a second later", "introspection cache", "intro", I(at=1), before="intro-status-500")
    D("none-then-none", "a failure, and another", "introspection cache", "intro", I(NONE, at=1), UNAVAILABLE, "none-then-1", before="intro-status-500")
    for slug in ("intro-aud-other", "intro-exp-30", "intro-iss-other", "token-type-mac", "intro-cnf-empty", "intro-body-twice"):
        D("refused-" + slug, "what did not pass is not remembered: " + slug, "introspection cache", "intro", I(NONE, at=1), UNAVAILABLE, "refused-%s-then" % slug, before=slug)
        A("refused-%s-then" % slug, "what did not pass is asked for again: " + slug, "introspection cache", "intro", I(at=1), before=slug)
    D("revoked-30-none", "revoked, and no answer after that", "introspection cache active", "intro", I(NONE, at=31), UNAVAILABLE, "revoked-31-answer", before="intro intro-hit-30-inactive")
    A("revoked-31-answer", "and active again", "introspection cache active", "intro", I(at=31), before="intro intro-hit-30-inactive")
    # Never past exp.
    brief = but(ACTIVE, exp=NOW + 10)
    for name, prefix in [("intro", "brief"), ("intro-tight", "brief-tight")]:
        A(prefix, "an answer with 10 s to live", "introspection cache time", name, I(dumps(brief)))
        A(prefix + "-9", "a second before exp, from the cache", "introspection cache time", name, I(NONE, at=9), claims=brief, before="brief")
        D(prefix + "-10", "at exp the server is asked", "introspection cache time", name, I(NONE, at=10), UNAVAILABLE, prefix + "-9", before="brief")
    A("brief-10-answer", "at exp, with an answer, within the tolerance", "introspection cache time", "intro", I(dumps(brief), at=10), before="brief")
    D("brief-tight-10-answer", "at exp, with an answer, without tolerance", "introspection cache time", "intro-tight", I(dumps(brief), at=10), "token_expired", "brief-10-answer", before="brief")
    A("brief-39-answer", "the last second of the tolerance", "introspection cache time", "intro", I(dumps(brief), at=39), before="brief")
    D("brief-40-answer", "and the one after it", "introspection cache time", "intro", I(dumps(brief), at=40), "token_expired", "brief-39-answer", before="brief")
    A("late", "an answer that is past its exp, within the tolerance", "introspection cache time", "intro", I(said(exp=NOW - 10)))
    D("late-1", "is not remembered", "introspection cache time", "intro", I(NONE, at=1), UNAVAILABLE, "late-1-answer", before="late")
    A("late-1-answer", "it is asked for again", "introspection cache time", "intro", I(said(exp=NOW - 10), at=1), before="late")
    D("late-0", "is not remembered in the same second either", "introspection cache time", "intro", I(NONE), UNAVAILABLE, "late-0-answer", before="late")
    A("late-0-answer", "it is asked for again", "introspection cache time", "intro", I(said(exp=NOW - 10)), before="late")
    half = but(ACTIVE, exp=NOW + 30)
    A("half", "an answer with 30 s to live", "introspection cache time", "intro", I(dumps(half)))
    A("half-29", "29 s later", "introspection cache time", "intro", I(NONE, at=29), claims=half, before="half")
    D("half-30", "30 s later", "introspection cache time", "intro", I(NONE, at=30), UNAVAILABLE, "half-29", before="half")
    # Judged again.
    aged = but(ACTIVE, iat=NOW - 590)
    A("intro-aged", "an answer near its max_age", "introspection cache time", "intro-age", I(dumps(aged)))
    A("intro-aged-10", "max_age to the second, from the cache", "introspection cache time", "intro-age", I(NONE, at=10), claims=aged, before="intro-aged")
    D("intro-aged-11", "from the cache, too old", "introspection cache time", "intro-age", I(NONE, at=11), "token_too_old", "intro-aged-10", before="intro-aged")
    both = but(ACTIVE, scope="s")
    A("intro-scoped", "the scope that the route needs", "introspection cache scope", "intro", I(dumps(both), target="/scoped/x"), route="scoped")
    A("intro-scoped-hit", "again, from the cache", "introspection cache scope", "intro", I(NONE, at=1, target="/scoped/x"), route="scoped", claims=both, before="intro-scoped")
    D("intro-scope-hit", "an answer from another route: the route's scopes are judged", "introspection cache scope", "intro", I(NONE, at=1, target="/scoped/x"), "scope_insufficient", "intro-hit-1", before="intro")
    A("intro-scope-hit-any", "the same on the other route", "introspection cache scope", "intro", I(NONE, at=1), claims=ACTIVE, before="intro intro-hit-1")
    A("intro-scope-then", "an answer that lacked only a scope is remembered", "introspection cache scope", "intro", I(NONE, at=1), claims=ACTIVE, before="intro-scope-none")
    D("intro-scope-again", "and again where the scope is needed, without an answer", "introspection cache scope", "intro", I(NONE, at=1, target="/scoped/x"), "scope_insufficient", "intro-scope-then", before="intro-scope-none")
    D("intro-back", "a clock that was set back: iat is judged again", "introspection cache time", "intro", I(at=-41), "token_not_yet_valid", "intro-back-40", before="intro")
    A("intro-back-40", "within the tolerance", "introspection cache time", "intro", I(at=-40), before="intro")
    # Sections.
    forb = but(ACTIVE, aud=[API, "b"])
    A("intro-section-a", "one section", "introspection cache", "intro-sections", I(dumps(forb), target="/a/x"), name="a", route="a")
    A("intro-section-a-hit", "again", "introspection cache", "intro-sections", I(NONE, target="/a/x", at=1), name="a", route="a", claims=forb, before="intro-section-a")
    D("intro-section-b", "the cache of one section is not another's", "introspection cache", "intro-sections", I(NONE, target="/b/x", at=1), UNAVAILABLE, "intro-section-a-hit", name="b", before="intro-section-a")
    A("intro-section-b-answer", "the other section asks for itself", "introspection cache", "intro-sections", I(dumps(forb), target="/b/x", at=1), name="b", route="b", before="intro-section-a")
    A("intro-section-k", "a section with keys beside sections that ask", "introspection keys", "intro-sections", Q(keys={"k": G}, intro=None, target="/k/x"), name="k", route="k")
    D("intro-section-k-opaque", "an opaque token where a JWT is meant", "introspection keys", "intro-sections", Q(OPAQUE, {"k": G}, intro=said(), target="/k/x"), "token_malformed", "intro-section-opaque", suffix="", name="k")
    A("intro-section-opaque", "where one is asked about", "introspection keys", "intro-sections", Q(OPAQUE, {"k": G}, intro=said(), target="/a/x"), name="a", route="a")
    # What does not ask.
    A("intro-preflight", "a preflight asks for nothing", "introspection preflight question", "intro", with_answers(bearer(method="OPTIONS", extra=PREFLIGHT), answers(intro=None)), name=None, preflight=True)
    A("intro-open", "a route that requires no token", "introspection question", "intro", I(NONE, target="/open"), name=None, route="open")
    D("intro-no-now", "without now a request that needs a token is request_malformed", "introspection order", "intro", with_answers(bearer(OPAQUE, now=None), answers(intro=said())), "request_malformed", "intro")


def reports():
    A("report-keys", "report mode, a right token", "report-mode keys", "report", Q(keys=G))
    W("report-keys-down", "report mode: no answer", "report-mode keys", "report", Q(keys=None), UNAVAILABLE, "report-keys")
    W("report-keys-status", "report mode: an answer that cannot be used", "report-mode keys", "report", Q(keys=reply(G, 503)), UNAVAILABLE, "report-keys")
    W("report-keys-29", "report mode: an attempt counts", "report-mode keys cool-down", "report", Q(keys=G, at=29), UNAVAILABLE, "report-keys-30", before="no-answer")
    A("report-keys-30", "report mode: 30 s after it", "report-mode keys cool-down", "report", Q(keys=G, at=30), before="no-answer")
    W("report-kid", "report mode: a kid that is not known", "report-mode keys unknown-kid", "report", Q(NEW, G), UNKNOWN, "report-kid-known")
    A("report-kid-known", "report mode: a kid that is", "report-mode keys unknown-kid", "report", Q(NEW, N))
    W("report-rotated", "report mode: keys that went", "report-mode keys rotation", "report", Q(keys=R, at=600), UNKNOWN, "report-rotated-599", before="url")
    A("report-rotated-599", "report mode: a second before", "report-mode keys rotation", "report", Q(keys=R, at=599), before="url")
    W("report-route-down", "report mode of the route: no answer", "report-mode keys", "route-report", Q(keys=None, target="/watch/x"), UNAVAILABLE, "report-route", route="watch")
    A("report-route", "report mode of the route: a right token", "report-mode keys", "route-report", Q(keys=G, target="/watch/x"), route="watch", silent=True)
    D("report-route-other", "another route enforces", "report-mode keys", "route-report", Q(keys=None), UNAVAILABLE, "report-route-other-answer")
    A("report-route-other-answer", "another route, with an answer", "report-mode keys", "route-report", Q(keys=G))
    A("report-either", "report mode, alternatives", "report-mode keys alternative", "either-report", Q(T(iss=ISS_A), {"a": G}), name="a")
    W("report-either-down", "report mode, alternatives: no answer", "report-mode keys alternative", "either-report", Q(T(iss=ISS_A), {"a": None}), UNAVAILABLE, "report-either", name="a")
    A("report-intro", "report mode, an opaque token", "report-mode introspection", "intro-report", I())
    W("report-inactive", "report mode: inactive", "report-mode introspection active", "intro-report", I(said(active=False)), "token_inactive", "report-intro")
    W("report-intro-down", "report mode: no answer", "report-mode introspection", "intro-report", I(NONE), UNAVAILABLE, "report-intro")
    W("report-intro-form", "report mode: no b64token", "report-mode introspection form", "intro-report", I(tok="a=b"), "token_malformed", "report-intro", suffix="")
    W("report-intro-type", "report mode: another type of token", "report-mode introspection ambiguous", "intro-report", I(said(token_type="mac")), "token_type_not_allowed", "report-intro")
    W("report-intro-aud", "report mode: another audience", "report-mode introspection claims", "intro-report", I(said(aud="x")), "audience_mismatch", "report-intro")
    A("report-intro-29", "report mode: an answer is remembered", "report-mode introspection cache", "intro-report", I(NONE, at=29), before="intro")
    W("report-intro-30", "report mode: for 30 s", "report-mode introspection cache", "intro-report", I(NONE, at=30), UNAVAILABLE, "report-intro-29", before="intro")
    W("report-intro-route", "report mode of the route: inactive", "report-mode introspection active", "intro-route-report", I(said(active=False), target="/watch/x"), "token_inactive", "report-intro-route-active", route="watch")
    A("report-intro-route-active", "report mode of the route: active", "report-mode introspection", "intro-route-report", I(said(scope="s"), target="/watch/x"), route="watch", silent=True)
    W("report-intro-route-scope", "report mode of the route: no scope", "report-mode introspection scope", "intro-route-report", I(target="/watch/x"), "scope_insufficient", "report-intro-route-active", route="watch")
    A("report-intro-route-then", "an answer from a route in report mode is remembered for the others", "report-mode introspection cache", "intro-route-report", I(NONE, at=1), claims=but(ACTIVE, scope="s"), before="report-intro-route-active")
    D("report-intro-route-other", "another route enforces", "report-mode introspection active", "intro-route-report", I(said(active=False)), "token_inactive", "report-intro-route-other-active")
    A("report-intro-route-other-active", "another route, active", "report-mode introspection", "intro-route-report", I())


def both():
    proof = {"name": "api", "key_id": "k1", "nonce": issuer.NONCE}
    A("both", "a signature and a token whose keys are fetched", "signature-and-token keys", "both", QS(keys=G), signature=proof)
    D("both-down", "no keys: before the MAC", "signature-and-token keys order", "both", QS(keys=None), UNAVAILABLE, "both")
    D("both-down-mac", "no keys, and a wrong MAC: the keys come first", "signature-and-token keys order", "both", QS(keys=None, key="x" * 40), UNAVAILABLE, "both-down-mac-open")
    A("both-down-mac-open", "the open route", "signature-and-token keys", "both", open_of(QS(keys=None, key="x" * 40)), name=None, route="open")
    D("both-mac", "keys, and a wrong MAC", "signature-and-token keys order", "both", QS(keys=G, key="x" * 40), "signature_mismatch", "both")
    D("both-head", "no signature and no keys: the head of the signature comes first", "signature-and-token keys order", "both", Q(keys=None, method="POST", body='{"a":1}'), "signature_missing", "both-head-open")
    A("both-head-open", "the open route", "signature-and-token keys", "both", open_of(Q(keys=None, method="POST", body='{"a":1}')), name=None, route="open")
    D("both-expired", "a signature that is too old, and no keys: nothing is asked for", "signature-and-token keys order question", "both", QS(keys=None, at=121), "signature_expired", "both-open-121")
    A("both-open-121", "the open route", "signature-and-token keys", "both", open_of(QS(keys=None, at=121)), name=None, route="open")
    A("both-after-head", "a signature that is missing asks for no keys", "signature-and-token keys question", "both", QS(keys=G, at=1), signature=proof, before="both-head")
    A("both-after-down", "no nonce was used up when the keys were not to be had", "signature-and-token keys cool-down", "both", QS(keys=G, at=30), signature=proof, before="both-down")
    D("both-after-down-29", "a second before that", "signature-and-token keys cool-down", "both", QS(keys=G, at=29), UNAVAILABLE, "both-after-down", before="both-down")
    D("both-replay", "a nonce twice, with a token from the cache", "signature-and-token keys cache", "both", QS(keys=G, at=1), "nonce_replayed", "both-after-head", before="both")
    A("signed-only", "a route with a signature alone asks for nothing", "signature-and-token keys question", "one-signed", QS(None, None, target="/signed/x"), name=None, route="signed", signature=proof)
    A("signed-only-then", "a second later keys are asked for", "signature-and-token keys question", "one-signed", Q(keys=G, at=1), before="signed-only")
    A("signed-both", "a route with both", "signature-and-token keys", "one-signed", QS(keys=G, target="/both/x"), route="both", signature=proof)
    D("signed-both-down", "a route with both, no keys", "signature-and-token keys", "one-signed", QS(keys=None, target="/both/x"), UNAVAILABLE, "signed-both")
    A("signed-token", "a route with a token alone", "signature-and-token keys", "one-signed", Q(keys=G))
    D("signed-token-down", "a route with a token alone, no keys", "signature-and-token keys", "one-signed", Q(keys=None), UNAVAILABLE, "signed-token")
    A("intro-both", "a signature and an opaque token", "signature-and-token introspection", "intro-both", QS(OPAQUE, intro=said()), signature=proof)
    D("intro-both-inactive", "inactive: before the MAC", "signature-and-token introspection order", "intro-both", QS(OPAQUE, intro=said(active=False)), "token_inactive", "intro-both")
    D("intro-both-inactive-mac", "inactive, and a wrong MAC", "signature-and-token introspection order", "intro-both", QS(OPAQUE, intro=said(active=False), key="x" * 40), "token_inactive", "intro-both-mac-open")
    A("intro-both-mac-open", "the open route", "signature-and-token introspection", "intro-both", open_of(QS(OPAQUE, intro=said(active=False), key="x" * 40)), name=None, route="open")
    D("intro-both-mac", "active, and a wrong MAC", "signature-and-token introspection order", "intro-both", QS(OPAQUE, intro=said(), key="x" * 40), "signature_mismatch", "intro-both")
    D("intro-both-down", "no answer", "signature-and-token introspection", "intro-both", QS(OPAQUE, intro=None), UNAVAILABLE, "intro-both")
    A("intro-both-after", "no nonce was used up, and no failure is remembered", "signature-and-token introspection", "intro-both", QS(OPAQUE, intro=said(), at=1), signature=proof, before="intro-both-down")
    A("intro-both-after-mac", "an answer is remembered though the MAC was wrong", "signature-and-token introspection cache", "intro-both", QS(OPAQUE, at=1), signature=proof, claims=ACTIVE, before="intro-both-mac")
    A("intro-signed-only", "a route with a signature alone", "signature-and-token introspection", "intro-one-signed", QS(None, intro=None, target="/signed/x"), name=None, route="signed", signature=proof)
    A("intro-signed-token", "a route with a token alone", "signature-and-token introspection", "intro-one-signed", I())
    D("intro-signed-token-down", "a route with a token alone, no answer", "signature-and-token introspection", "intro-one-signed", I(NONE), UNAVAILABLE, "intro-signed-token")


def open_of(req):
    """The same request to the open route."""
    out = Req({**req, "target": "/open"}, req.token)
    return out


# ---------------------------------------------------------------------------------------------------------------- a second reading


class Refused(Exception):
    pass


def no(reason, suffix=None):
    raise Refused(reason, SUFFIX.get(reason, "") if suffix is None else suffix)


def canonical(text, length=None):
    """Bytes of unpadded canonical base64url, or None."""
    if not isinstance(text, str) or set(text) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") or len(text) % 4 == 1 or b64u(unb64u(text)) != text:
        return None
    return unb64u(text) if length in (None, len(unb64u(text))) else None


CURVES = {"P-256": (2**256 - 2**224 + 2**192 + 2**96 - 1, 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B, 32),
          "P-384": (2**384 - 2**128 - 2**96 + 2**32 - 1, 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF, 48)}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth"}


def is_weak(n):
    """ROCA: n is a power of 65537 modulo every small prime."""
    for p in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157):
        powers, x = set(), 1
        while x not in powers:
            powers.add(x)
            x = x * 65537 % p
        if n % p not in powers:
            return False
    return True


def may_verify(key):
    """§13, of one public key."""
    if not isinstance(key, dict) or set(key) & PRIVATE:
        return False
    if "use" in key and key["use"] != "sig" or "key_ops" in key and (not isinstance(key["key_ops"], list) or "verify" not in key["key_ops"]):
        return False
    if "kid" in key and not (isinstance(key["kid"], str) and 1 <= len(key["kid"].encode()) <= 256):
        return False
    if key.get("kty") == "RSA":
        n, e = (canonical(key.get(f)) for f in ("n", "e"))
        if not n or not e or n[0] == 0 or e[0] == 0:
            return False
        n, e = int.from_bytes(n, "big"), int.from_bytes(e, "big")
        if not 2048 <= n.bit_length() <= 4096 or n % 2 == 0 or e < 65537 or e % 2 == 0 or e.bit_length() > 33 or is_weak(n):
            return False
    elif key.get("kty") == "EC" and key.get("crv") in CURVES:
        p, b, size = CURVES[key["crv"]]
        x, y = (canonical(key.get(f), size) for f in ("x", "y"))
        if x is None or y is None:
            return False
        x, y = int.from_bytes(x, "big"), int.from_bytes(y, "big")
        if max(x, y) >= p or (y * y - x * x * x + 3 * x - b) % p:
            return False
    elif not (key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and canonical(key.get("x"), 32)):
        return False
    return "alg" not in key or any(key["alg"] == a and fits(key, a) for a in ALL)


def is_for_others(key):
    if not isinstance(key, dict):
        return False
    verified = {"EC": ("P-256", "P-384"), "OKP": ("Ed25519",)}.get(key.get("kty"))
    return ("kty" in key and key["kty"] not in ("RSA", "EC", "OKP", "oct") or verified is not None and "crv" in key and key["crv"] not in verified
            or "use" in key and key["use"] != "sig" or "alg" in key and key["alg"] not in issuer.ALGORITHMS)


def is_pinned(key, pins):
    try:
        return thumbprint(key) in pins
    except (KeyError, TypeError, AttributeError):
        return False


def body_of(answer, types):
    """The body of an answer that can be used so far, in bytes."""
    answer = reply(answer) if isinstance(answer, str) else answer
    if answer is None or answer["status"] != 200 or (answer["type"] or "").partition(";")[0].strip().lower() not in types:
        return None
    body = answer["body"].encode()
    return body if len(body) <= 65536 else None


def usable_keys(answer, section):
    """The keys of an answer, or None."""
    body = body_of(answer, ("application/json", "application/jwk-set+json"))
    try:
        found = issuer.strict_json(body) if body is not None else None
    except issuer.Refused:
        found = None
    if found is None:
        return None
    keys = found.get("keys", []) if "keys" in found else [found]
    if not isinstance(keys, list):
        return None
    pins = section["keys"].get("pins", "none")
    if pins != "none":
        keys = [k for k in keys if is_pinned(k, [pins] if isinstance(pins, str) else pins)]
    elif any(isinstance(k, dict) and k.get("kty") == "oct" for k in keys):
        return None
    else:
        keys = [k for k in keys if not is_for_others(k)]
    kids = [k.get("kid") for k in keys if isinstance(k, dict) and "kid" in k]
    if not keys or not all(may_verify(k) for k in keys) or len({str(k) for k in kids}) != len(kids):
        return None
    return keys if any(fits(k, a) for k in keys for a in section["algorithms"]) else None


class World:
    """A guard of a policy, and what it keeps."""

    def __init__(self, policy):
        self.document = POLICIES[policy]
        self.held, self.tried, self.cache = {}, {}, {}  # by section: (keys, at), (at, succeeded); by section and token: (answer, end)

    def ask(self, name, section, request):
        keys = usable_keys(request.get("answers", {}).get("keys", {}).get(name), section)
        self.tried[name] = (request["now"], keys is not None)
        if keys is not None:
            self.held[name] = (keys, request["now"])

    def keys(self, name, section, request, matching):
        """§14: the keys by which a token is judged."""
        if "jwks" in section["keys"]:
            return section["keys"]["jwks"]["keys"]
        now = request["now"]
        may_ask = lambda: name not in self.tried or now - self.tried[name][0] >= 30  # noqa: E731
        age = lambda: now - self.held[name][1] if name in self.held else 10**9  # noqa: E731
        if age() >= 600 and may_ask():
            self.ask(name, section, request)
        if age() >= 600 and (self.tried[name][1] or age() >= 3600):
            no(UNAVAILABLE)
        if len(matching(self.held[name][0])) != 1 and may_ask():
            self.ask(name, section, request)
        return self.held[name][0]

    def answer(self, name, section, text, request):
        """The answer of the introspection endpoint, or what is left of one."""
        now, key = request["now"], (name, text)
        if key in self.cache and now < self.cache[key][1]:
            return self.cache[key][0]
        body = body_of(request.get("answers", {}).get("introspection"), ("application/json",))
        try:
            found = issuer.strict_json(body) if body is not None else {}
        except issuer.Refused:
            found = {}
        if not isinstance(found.get("active"), bool):
            no(UNAVAILABLE)
        if not found["active"]:
            no("token_inactive")
        kind = found.get("token_type", "bearer")
        if not isinstance(kind, str):
            no("claim_malformed")
        if kind.lower() != "bearer":
            no("token_type_not_allowed")
        return found

    def token(self, section_of, names, request, scopes):
        """(reason, rule) or None."""
        name = names[0]
        try:
            s = section_of[name]
            try:
                text = issuer.present(request, s.get("from", {"header": "authorization"}))
            except issuer.Refused as refused:
                no(*refused.args)
            if "introspection" in s:
                stem = text.rstrip("=")
                if not stem or len(text) > 16384 or set(stem) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"):
                    no("token_malformed")
                claims = self.answer(name, s, text, request)
                self.claims(s, claims, request["now"], [])
                key, now = (name, text), request["now"]
                if s.get("cache", True) and not (key in self.cache and now < self.cache[key][1]):
                    self.cache[key] = (claims, min(now + 30, claims["exp"]))
                self.claims(s, claims, now, scopes)
                return None
            parts = text.split(".")
            if len(text) > 16384 or len(parts) != 3 or any(not p or canonical(p) is None for p in parts):
                no("token_malformed")
            try:
                header, claims = (issuer.strict_json(unb64u(p)) for p in parts[:2])
            except issuer.Refused:
                no("token_malformed")
            if set(header) & {"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"}:
                no("token_header_not_understood")
            if len(names) > 1:
                if "iss" not in claims:
                    no("claim_missing")
                found = [n for n in names if section_of[n]["issuer"] == claims["iss"]]
                if not found:
                    no("issuer_mismatch")
                name, s = found[0], section_of[found[0]]
            if header["typ"].lower().removeprefix("application/") not in ("at+jwt", "jwt"):
                no("token_type_not_allowed")
            alg = header["alg"]
            if alg not in s["algorithms"]:
                no("token_algorithm_not_allowed")
            matching = lambda keys: [k for k in keys if (k.get("kid") == header["kid"] if "kid" in header else fits(k, alg))]  # noqa: E731
            fit = matching(self.keys(name, s, request, matching))
            if len(fit) != 1:
                no(UNKNOWN)
            if not fits(fit[0], alg):
                no("token_algorithm_not_allowed")
            if not right(alg, fit[0], ".".join(parts[:2]).encode(), unb64u(parts[2])):
                no("token_signature_mismatch")
            self.claims(s, claims, request["now"], scopes)
        except Refused as refused:
            reason, suffix = refused.args
            if reason == "scope_insufficient":
                return reason, "routes"
            if "introspection" in s:
                suffix = {".keys": ".introspection", ".types": ".introspection"}.get(suffix, suffix)
            return reason, "tokens.%s%s" % (name, suffix)
        return None

    @staticmethod
    def claims(s, claims, now, scopes):
        """§12.10."""
        tolerance = seconds(s.get("clock_tolerance", "30s"))
        if "iss" not in claims:
            no("claim_missing")
        if not isinstance(claims["iss"], str):
            no("claim_malformed")
        if claims["iss"] != s["issuer"]:
            no("issuer_mismatch")
        if "aud" not in claims:
            no("claim_missing")
        aud = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
        if not isinstance(aud, list) or not aud or any(not isinstance(a, str) for a in aud):
            no("claim_malformed")
        if not set(aud) & set(s["audience"]):
            no("audience_mismatch")
        for claim in ("exp", "nbf", "iat"):
            if claim not in claims:
                if claim == "exp" or claim == "iat" and {"max_lifetime", "max_age"} & set(s):
                    no("claim_missing")
                continue
            if not issuer.is_date(claims[claim]):
                no("claim_malformed")
            if claim == "exp" and now >= claims[claim] + tolerance:
                no("token_expired")
            if claim != "exp" and claims[claim] > now + tolerance:
                no("token_not_yet_valid")
        if "max_lifetime" in s and claims["exp"] <= claims["iat"]:
            no("claim_malformed")
        if "max_lifetime" in s and claims["exp"] - claims["iat"] > seconds(s["max_lifetime"]):
            no("token_lifetime_too_long")
        if "max_age" in s and now - claims["iat"] > seconds(s["max_age"]):
            no("token_too_old")
        if any(claims.get(n) is None for n in s.get("required_claims", [])):
            no("claim_missing", ".required_claims")
        if any(not isinstance(claims[n], str) for n in ("sub", "jti", "client_id", "azp") if n in claims):
            no("claim_malformed")
        for n, values in s.get("expect", {}).items():
            if n not in claims:
                no("claim_missing", ".expect")
            if claims[n] not in values:
                no("claim_mismatch")
        if "cnf" in claims:
            no("token_binding_missing")
        try:
            both = [issuer.names_of(claims[n], n == "scp") for n in ("scope", "scp") if n in claims]
        except issuer.Refused:
            no("claim_malformed")
        if len(both) == 2 and set(both[0]) != set(both[1]):
            no("claim_malformed")
        if set(scopes) - set(both[0] if both else []):
            no("scope_insufficient")

    def judge(self, request):
        """(reason, rule) of token and claims, None for neither, "other" where they are not reached."""
        path = request["target"].partition("?")[0]
        route = next(r for r in self.document["routes"] if r["path"] == path or r["path"].endswith("/**") and (path + "/").startswith(r["path"][:-2]))
        headers = {n.lower(): v for n, v in request["headers"]}
        entries = route["require"]
        if not entries or "access-control-request-method" in headers or "now" not in request:
            return "other"
        if "signature:api" in entries and ("x-api-signature" not in headers or request["now"] - int(headers["x-timestamp"]) > 120):
            return "other"
        entry = next((e for e in entries if e.startswith("token:")), None)
        if entry is None:
            return "other"
        return self.token(self.document["tokens"], [e.split(":")[1] for e in entry.split("|")], request, route.get("scopes", []))


def reread():
    """Every case against the second reading."""
    problems = []
    for case in CASES:
        world = World(case["policy"])
        for id in case.get("before", []):
            world.judge(BY_ID[id]["request"])
        verdict = world.judge(case["request"])
        want = case["want"]
        found = want["reported"][0] if want["reported"] else want if want["reason"] else None
        if found and found["check"] not in ("token", "claims") or verdict == "other" and not found:
            if verdict not in (None, "other"):
                problems.append("%s: read %s" % (case["id"], verdict))
            continue
        if verdict != (found and (found["reason"], found["rule"])):
            problems.append("%s: %s, read %s" % (case["id"], found and (found["reason"], found["rule"]), verdict))
    assert not problems, "\n".join(problems)


# ---------------------------------------------------------------------------------------------------------------- the file


def differences(case, twin):
    one, other = case["request"], twin["request"]
    return [f for f in {*one, *other} if one.get(f) != other.get(f)] + [f for f in ("policy", "before") if case.get(f) != twin.get(f)]


def check():
    """What every reader of the file may rely on."""
    documentation = {"expansion", "secrets", "before", "answers", "generated"}
    used = {f for c in CASES for f in c["flags"]}
    problems = ["flag %s" % f for f in used - set(NOTES) | set(NOTES) - used - documentation]
    problems += ["policy %s" % p for p in set(POLICIES) - {c["policy"] for c in CASES}]
    seen = {}
    for case in CASES:
        reported = case["want"]["reported"]
        plainly_allowed = case["want"]["decision"] == "allow" and not reported
        key = json.dumps([case[f] if f in case else None for f in ("policy", "request", "before")])
        if key in seen:
            problems.append("%s: the same as %s" % (case["id"], seen[key]))
        seen[key] = case["id"]
        if len(case["flags"]) != len(set(case["flags"])):
            problems.append("%s: a flag twice" % case["id"])
        if plainly_allowed:
            assert "allow" in case["flags"] and "twin" not in case, case["id"]
            continue
        twin = BY_ID.get(case.get("twin"))
        if twin is None or twin["want"]["decision"] != "allow" or twin["want"]["reported"] or len(differences(case, twin)) != 1:
            plain = [c["id"] for c in CASES if c["want"]["decision"] == "allow" and not c["want"]["reported"] and len(differences(case, c)) == 1]
            problems.append("%s: its twin is %s, which differs in %s; others: %s" % (case["id"], case.get("twin"), twin and differences(case, twin), plain[:4]))
    denied = [c["want"]["reason"] for c in CASES]
    told = [r["reason"] for c in CASES for r in c["want"]["reported"]]
    problems += ["%s: denied %d times" % (r, denied.count(r)) for r in ("token_keys_unavailable", "token_inactive") if denied.count(r) < 3 or r not in told]
    assert not problems, "\n".join(problems)


def document():
    dump = lambda value: json.dumps(shorten(value), ensure_ascii=True)  # noqa: E731
    order = ["id", "comment", "flags", "policy", "before", "request", "want", "twin"]
    table = lambda name, rows: '"%s": {\n' % name + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in rows.items()) + "\n},\n"  # noqa: E731
    out = '{"schema": "hostbound-vectors-1",\n' + table("notes", NOTES) + table("policies", POLICIES) + table("secrets", SECRETS)
    return out + '"cases": [\n' + ",\n".join(dump({f: c[f] for f in order if f in c}) for c in CASES) + "\n]}\n"


def main():
    for make in (key_answers, key_sets, clocks, caches, alternatives, forms, introspection_answers, introspection_claims, introspection_cache, reports, both):
        make()
    check()
    reread()
    path = pathlib.Path(FOLDER).resolve().parent / "token_source.json"
    text = document()
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text() != text:
            sys.exit("%s is not what generate/token_source.py writes: run it again" % path)
    elif sys.argv[1:]:
        sys.exit("usage: token_source.py [--check]")
    else:
        path.write_text(text)


if __name__ == "__main__":
    main()
