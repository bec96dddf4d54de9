#!/usr/bin/env python3
"""Writes ../signature.json: an independent signer for docs/contract.md §9-11, made without a look at the engine.

Only the standard library. Deterministic: the same text at every run. `signature.py --check` compares with the file.
"""

import base64
import hashlib
import hmac
import itertools
import json
import pathlib
import sys

NOW = 1767225600
NONCE = "n-0123456789abcdef"
NONCE2 = "n-fedcba9876543210"
API = "api.example.com"
OTHER = "other.example.com"
TARGET = "/v1/items?x=1&y=2"
BODY = b'{"a":1}'
SW_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"

# ---------------------------------------------------------------------------------------------------------------- secrets

SECRETS = {}  # reference (env name or `name`) -> text
KEYS = {}  # reference -> bytes


def secret(name, text, key=None):
    SECRETS[name] = text
    KEYS[name] = text.encode() if key is None else key


def octets(seed, length):
    """Published bytes: SHAKE-256 of the seed."""
    return hashlib.shake_256(("hostbound vectors: " + seed).encode()).digest(length)


def b64(data):
    return base64.b64encode(data).decode()


for _name in ["HN_K1", "HN_K2", "HN_K3", "HN_K4", "HN_STRANGER", "SS_K1", "SS_K2", "SS_K3", "SS_K4", "MS_K1", "MS_K2", "MS_K3", "MS_STRANGER"]:
    secret(_name, "published-test-key-%s-%s" % (_name, octets(_name, 16).hex()))
secret("HN_32", "0123456789abcdefghijklmnopqrstuv")
secret("HN_LONG", "longer-than-one-block-" + octets("HN_LONG", 64).hex())
secret("HN_UTF8", "ключ, опубликован для проб: ☃☃☃☃")
secret("HN_B64", b64(octets("HN_B64", 48)), octets("HN_B64", 48))
secret("HN_HEX", octets("HN_HEX", 32).hex(), octets("HN_HEX", 32))
secret("HN_WHSEC", "whsec_" + b64(octets("HN_WHSEC", 33)), octets("HN_WHSEC", 33))
secret("given-by-the-caller", "published-test-key-by-name-" + octets("by name", 16).hex())
secret("SEED", "hostbound-test-key-0123456789abcdef")
for _name, _length in [("SW_K1", 32), ("SW_K2", 32), ("SW_24", 24), ("SW_64", 64), ("SW_STRANGER", 32)]:
    secret(_name, "whsec_" + b64(octets(_name, _length)), octets(_name, _length))
secret("SW_PLAIN", "no-prefix-here-but-32-bytes-long")
for _name, _text in [("SW_KNOWN_1", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), ("SW_KNOWN_2", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]:
    secret(_name, "whsec_" + _text, base64.b64decode(_text))
_text = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
secret("RFC9421_SHARED", _text, base64.b64decode(_text))


def env(name, encoding=None):
    return {"env": name} if encoding is None else {"env": name, "encoding": encoding}


def mac(key, message):
    return hmac.new(KEYS[key], message, hashlib.sha256).digest()


def raw(text):
    """Bytes of a text: latin-1, as on the wire."""
    return text if isinstance(text, bytes) else text.encode("latin-1")


# ---------------------------------------------------------------------------------------------------------------- requests


class Req(dict):
    """A request, and what its signer knows."""

    def __init__(self, fields, host, nonce, key):
        super().__init__(fields)
        self.host, self.nonce, self.key = host, nonce, key

    def but(self, **fields):
        """The same request with other fields; None removes one."""
        copy = {**self, **fields}
        order = ["now", "method", "scheme", "version", "target", "headers", "peer", "body"]
        return Req({k: copy[k] for k in order if copy.get(k) is not None}, self.host, self.nonce, self.key)

    def headers(self, replace=None, extra=()):
        """Other headers: by lower-case name, a value, None (removed) or a list of values."""
        out, replace = [], dict(replace or {})
        for name, value in self["headers"]:
            new = replace.get(name.lower(), value)
            for one in new if isinstance(new, list) else [new]:
                if one is not None:
                    out.append([name, field_value(one)])
        assert set(replace) <= {n.lower() for n, _ in self["headers"]}, replace
        return self.but(headers=out + [[n, field_value(v)] for n, v in extra])


def field_value(value):
    if isinstance(value, bytes):
        return {"base64": b64(value)}
    return str(value) if isinstance(value, int) else value


def body_value(body):
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": b64(body)}


def request(method, scheme, version, target, headers, body, now, peer):
    fields = {"now": now, "method": method, "scheme": scheme}
    if version != "1.1":
        fields["version"] = version
    fields["target"] = target
    fields["headers"] = [[n, field_value(v)] for n, v in headers if v is not None]
    if peer:
        fields["peer"] = peer
    if body:
        fields["body"] = body_value(body)
    return fields


def wire_host(version, wire):
    return [":authority" if version in "23" else "Host", wire]


def hn(key="HN_K1", method="POST", target=TARGET, host=API, wire=None, scheme="https", version="1.1", ts=NOW, nonce=NONCE, body=BODY, now=NOW,
       peer=None, names=("X-API-Signature", "X-Timestamp", "X-Nonce"), s=None, extra=(), kid=None):
    """host-nonce. `s` holds what the signer signed where it is not what is sent."""
    s = s or {}
    parts = [s.get("method", method), s.get("host", host), s.get("target", target), s.get("ts", ts), s.get("nonce", nonce)]
    base = b"".join(raw(str(p) if isinstance(p, int) else p) + b"\n" for p in parts) + s.get("body", body)
    headers = [wire_host(version, wire or host), [names[0], mac(key, base).hex()], [names[1], ts], [names[2], nonce]]
    if kid is not None:
        headers.append(["X-Key-Id", kid])
    return Req(request(method, scheme, version, target, headers + [list(e) for e in extra], body, now, peer), host, nonce if isinstance(nonce, str) else None, key)


def ss(key="SS_K1", method="POST", service="billing", target=TARGET, host=API, wire=None, scheme="https", version="1.1", ts=NOW, body=BODY, now=NOW,
       peer=None, names=("X-Signature", "X-Timestamp", "X-Service-ID"), s=None, extra=(), kid=None):
    """service-scoped."""
    s = s or {}
    parts = [s.get("method", method), s.get("service", service), s.get("target", target), s.get("ts", ts)]
    base = b"".join(raw(str(p) if isinstance(p, int) else p) + b"|" for p in parts) + s.get("body", body)
    headers = [wire_host(version, wire or host), [names[0], mac(key, base).hex()], [names[1], ts], [names[2], service]]
    if kid is not None:
        headers.append(["X-Key-Id", kid])
    return Req(request(method, scheme, version, target, headers + [list(e) for e in extra], body, now, peer), host, None, key)


def sw_mac(key, id, ts, body):
    return b64(mac(key, raw(id) + b"." + raw(str(ts)) + b"." + body))


def sw(key="SW_K1", method="POST", target="/hooks/in", host=API, wire=None, scheme="https", version="1.1", ts=NOW, id=SW_ID, body=BODY, now=NOW,
       peer=None, names=("webhook-signature", "webhook-timestamp", "webhook-id"), s=None, extra=(), before="", after=""):
    """standard-webhooks."""
    s = s or {}
    tag = "v1," + sw_mac(key, s.get("id", id), s.get("ts", ts), s.get("body", body))
    headers = [wire_host(version, wire or host), [names[2], id], [names[1], ts], [names[0], before + tag + after]]
    return Req(request(method, scheme, version, target, headers + [list(e) for e in extra], body, now, peer), host, id if isinstance(id, str) else None, key)


# RFC 9421

COVER = ["@method", "@authority", "@path", "@query", "content-digest"]
COVER_EMPTY = COVER[:4]


def digest(body, name="sha-256"):
    return "%s=:%s:" % (name, b64(hashlib.new(name.replace("-", ""), body).digest()))


def percent(data):
    """The application/x-www-form-urlencoded percent-encode set, space as %20 (RFC 9421 §2.2.8)."""
    return "".join(chr(b) if chr(b).isascii() and (chr(b).isalnum() or chr(b) in "*-._") else "%%%02X" % b for b in data)


def form_decode(text):
    data, out, at = raw(text).replace(b"+", b" "), b"", 0
    while at < len(data):
        if data[at:at + 1] == b"%" and len(data) >= at + 3 and all(c in b"0123456789abcdefABCDEF" for c in data[at + 1:at + 3]):
            out, at = out + bytes([int(data[at + 1:at + 3], 16)]), at + 3
        else:
            out, at = out + data[at:at + 1], at + 1
    return out


def component(name, method, scheme, host, target, headers):
    path, mark, query = target.partition("?")
    if name.startswith("@query-param;name="):
        wanted = name[len("@query-param;name="):].strip('"')
        pairs = [p.partition("=") for p in query.split("&") if p]
        found = [percent(form_decode(v)) for n, _, v in pairs if percent(form_decode(n)) == wanted]
        return raw(found[0]) if len(found) == 1 else None
    derived = {"@method": method, "@authority": host, "@scheme": scheme, "@target-uri": scheme + "://" + host + target, "@request-target": target,
               "@path": path, "@query": "?" + query}
    if name in derived:
        return raw(derived[name])
    values = [raw(str(v)) if not isinstance(v, bytes) else v for n, v in headers if n.lower() == name]
    return b", ".join(v.strip(b" \t") for v in values) if values else None


def identifier(name):
    """`@query-param;name="x"` is an item with a parameter; the rest are strings."""
    head, semicolon, params = name.partition(";")
    return '"%s"%s%s' % (head, semicolon, params)


PARAMS = ["created", "expires", "nonce", "keyid", "alg", "tag"]


def ms(key="MS_K1", method="POST", target=TARGET, host=API, wire=None, scheme="https", version="1.1", body=BODY, now=NOW, peer=None, cover=None,
       created=NOW, expires="+60", nonce=NONCE, keyid="m1", alg="hmac-sha256", tag="partner-api", label="sig1", order=PARAMS, more="", dig="sha-256", fields=(),
       s=None, wire_params=None, signed_params=None, signed_cover=None, ids=None, extra=(), sig=None):
    """http-message-signatures. None leaves a parameter out; one starting with `!` is written without quotes; `ids` writes the inner list by hand."""
    s = s or {}
    if cover is None:
        cover = COVER if body else COVER_EMPTY
    if expires == "+60":
        expires = created + 60 if isinstance(created, int) else NOW + 60
    headers = [wire_host(version, wire or host)]
    if dig in ("sha-256", "sha-512"):
        if body or "content-digest" in cover:
            headers.append(["Content-Digest", digest(body, dig)])
    elif dig is not None:
        headers.append(["Content-Digest", dig])
    headers += [list(f) for f in fields]
    values = {"created": created, "expires": expires, "nonce": nonce, "keyid": keyid, "alg": alg, "tag": tag}
    text = "(" + (ids if ids is not None else " ".join(identifier(c) for c in cover)) + ")"
    for name in order:
        value = values[name]
        if value is None:
            continue
        if isinstance(value, str):
            value = value[1:] if value.startswith("!") else '"%s"' % value
        text += ";%s=%s" % (name, value) if value != "" else ";" + name
    text += more
    lines = []
    for name in signed_cover or cover:
        value = s[name] if name in s else component(name, method, scheme, host, target, headers)
        if value is None:
            value = b""
        lines.append(raw(identifier(name)) + b": " + raw(value))
    lines.append(b'"@signature-params": ' + raw(signed_params if signed_params is not None else text))
    value = b64(mac(key, b"\n".join(lines)))
    headers.append(["Signature-Input", "%s=%s" % (label, wire_params if wire_params is not None else text)])
    headers.append(["Signature", "%s=:%s:" % (label, value) if sig is None else sig])
    out = Req(request(method, scheme, version, target, headers + [list(e) for e in extra], body, now, peer), host, nonce, key)
    out.text, out.value = text, value
    return out


# ---------------------------------------------------------------------------------------------------------------- policies

POLICIES = {}
HOSTS = [API, OTHER, "third.example.com"]
KEY_IDS = {}  # policy -> {secret reference: key id}


def reference(secret):
    return secret.get("env") or secret.get("name")


def policy(name, sections, routes=None, hosts=None, mode=None, **more):
    """A policy; `sections` is one section (named after the profile) or {name: section}."""
    out = {"version": 1, "name": name}
    if mode:
        out["mode"] = mode
    out["hosts"] = hosts or {"allow": HOSTS}
    out.update(more)
    if sections:
        if "profile" in sections:
            sections = {{"host-nonce": "api", "service-scoped": "svc", "standard-webhooks": "hook", "http-message-signatures": "partner"}[sections["profile"]]: sections}
        out["signatures"] = sections
        KEY_IDS[name] = {reference(k["secret"]): k["id"] for s in sections.values() for k in s["keys"]}
    first = next(iter(sections or {"": 0}))
    out["routes"] = routes or [{"path": "/open", "name": "open", "require": []}, {"path": "/**", "name": "any", "require": ["signature:" + first]}]
    assert name not in POLICIES, name
    POLICIES[name] = out


def k(id, secret, hosts=None, service=None):
    out = {"id": id, "secret": env(secret) if isinstance(secret, str) else secret}
    if hosts:
        out["hosts"] = hosts
    if service:
        out["service_id"] = service
    return out


EVERYWHERE = HOSTS + ["[2001:db8::1]", "[::ffff:192.0.2.1]", "192.0.2.1", "example.com"]
policy("open", None, routes=[{"path": "/**", "name": "any", "require": []}], hosts={"allow": EVERYWHERE})


def hn_section(keys=None, **more):
    return {"profile": "host-nonce", **more, "keys": keys or [k("k1", "HN_K1")]}


policy("hn", hn_section())
policy("hn-full", hn_section(algorithm="hmac-sha256", max_age="120s", clock_tolerance="5s", max_body="1MiB", replay="process", replay_capacity=100000,
                             headers={"signature": "x-api-signature", "timestamp": "x-timestamp", "nonce": "x-nonce"}))
policy("hn-hosts", hn_section(), hosts={"allow": EVERYWHERE})
policy("hn-tls", hn_section(), hosts={"allow": [API], "scheme": "https"})
policy("hn-bound", hn_section([k("k1", "HN_K1", [API]), k("k2", "HN_K2", [OTHER + ":8443"])]))
policy("hn-ports", hn_section([k("k1", "HN_K1", [API + ":443"])]))
policy("hn-many", hn_section([k("k1", "HN_K1"), k("k2", "HN_K2"), k("k3", "HN_K3"), k("k4", "HN_K4", [API])]))
policy("hn-keyid", hn_section([k("2026-11", "HN_K1"), k("2026-12", "HN_K2", [API]), k("Mixed.Case:/@+=-_9", "HN_K3")], headers={"key_id": "x-key-id"}))
policy("hn-renamed", hn_section(headers={"signature": "x-sig", "timestamp": "x-time", "nonce": "x-once"}))
policy("hn-tight", hn_section(max_age="1s", clock_tolerance="0s", max_body="8B"))
policy("hn-wide", hn_section(max_age="24h", clock_tolerance="10m", max_body="2KiB"))
policy("hn-ct", hn_section(content_types=["application/json", "text/plain"]))
policy("hn-encodings", hn_section([k("b64", env("HN_B64", "base64")), k("hex", env("HN_HEX", "hex")), k("whsec", env("HN_WHSEC", "hex")),
                                   k("name", {"name": "given-by-the-caller"})]))
policy("hn-encodings-2", hn_section([k("short", "HN_32"), k("long", "HN_LONG"), k("utf8", env("HN_UTF8", "utf8"))]))
policy("hn-seed", hn_section([k("seed", "SEED")]))
policy("hn-fwd", hn_section([k("k1", "HN_K1", [API])]), hosts={"allow": [API], "trusted_proxies": ["10.0.0.0/8"], "forwarded": "x-forwarded-host", "proxy_hosts": ["api.internal"]})
policy("hn-checks", hn_section(), peers={"allow": ["10.0.0.0/8"]}, origins={"allow": ["self", "https://app.example.com"]},
       routes=[{"path": "/v1/**", "name": "any", "methods": ["GET", "POST", "PUT"], "require": ["signature:api"]}])
policy("checks-open", None, peers={"allow": ["10.0.0.0/8"]}, origins={"allow": ["self", "https://app.example.com"]},
       routes=[{"path": "/v1/**", "name": "any", "methods": ["GET", "POST", "PUT"], "require": []}])
policy("hn-report", hn_section([k("k1", "HN_K1", [API, OTHER])], max_body="1KiB"), mode="report")
policy("hn-routes", {"api": hn_section(max_body="1KiB"), "second": hn_section([k("r2", "HN_K2")])},
       routes=[{"path": "/watch/**", "name": "watch", "require": ["signature:api"], "mode": "report"},
               {"path": "/second/**", "name": "second", "require": ["signature:second"]}, {"path": "/**", "name": "any", "require": ["signature:api"]}])
policy("hn-full-1", hn_section(replay_capacity=1))
policy("hn-share", hn_section([k("k1", "HN_K1"), k("k2", "HN_K2")], replay_capacity=5))
policy("hn-share-least", hn_section([k("k1", "HN_K1"), k("k2", "HN_K2")], replay_capacity=1))


def ss_section(keys=None, **more):
    keys = keys or [k("b1", "SS_K1", [API], "billing"), k("o1", "SS_K2", [OTHER], "orders")]
    return {"profile": "service-scoped", **more, "keys": keys}


policy("ss", ss_section())
policy("ss-two-hosts", ss_section([k("b1", "SS_K1", [API, OTHER], "billing")]))
policy("ss-rotate", ss_section([k("b1", "SS_K1", [API], "billing"), k("b2", "SS_K3", [API], "billing"), k("o2", "SS_K4", [API], "orders")]))
policy("ss-keyid", ss_section([k("b1", "SS_K1", [API], "billing"), k("b2", "SS_K3", [API], "billing"), k("o1", "SS_K2", [OTHER], "orders")], headers={"key_id": "x-key-id"}))
policy("ss-ids", ss_section([k("one", "SS_K1", [API], "b"), k("long", "SS_K3", [API], "b" + "0._-" * 15 + "xyz")]))
policy("ss-unsigned", ss_section(query="unsigned"))
policy("ss-mac", ss_section(nonce="mac"))
policy("ss-none", ss_section(nonce="none"))
policy("ss-renamed", ss_section(headers={"signature": "x-sig", "timestamp": "x-time", "service_id": "x-service"}))
policy("ss-tight", ss_section(max_age="1s", clock_tolerance="0s", max_body="8B"))
policy("ss-ct", ss_section(content_types=["application/json"]))
policy("ss-seed", ss_section([k("seed", "SEED", [API], "billing")]))
policy("ss-report", ss_section(max_body="1KiB"), mode="report")


def sw_section(keys=None, **more):
    return {"profile": "standard-webhooks", **more, "keys": keys or [k("w1", "SW_K1", [API])]}


policy("sw", sw_section())
policy("sw-rotate", sw_section([k("w1", "SW_K1", [API, OTHER]), k("w2", "SW_K2", [API])]))
policy("sw-known", sw_section([k("known-1", "SW_KNOWN_1", [API]), k("known-2", "SW_KNOWN_2", [API])]))
policy("sw-lengths", sw_section([k("w24", "SW_24", [API]), k("w64", "SW_64", [API]), k("plain", "SW_PLAIN", [API])]))
policy("sw-renamed", sw_section(headers={"signature": "svix-signature", "timestamp": "svix-timestamp", "id": "svix-id"}))
policy("sw-tight", sw_section(max_age="1s", clock_tolerance="0s", max_body="8B"))
policy("sw-ct", sw_section(content_types=["application/json"]))
policy("sw-report", sw_section(max_body="1KiB"), mode="report")
policy("sw-two", {"hook": sw_section(), "second": sw_section([k("s1", "SW_K2", [API])])},
       routes=[{"path": "/second/**", "name": "second", "require": ["signature:second"]}, {"path": "/**", "name": "any", "require": ["signature:hook"]}])


def ms_section(keys=None, **more):
    if "label" not in more:
        more = {"tag": "partner-api", **more}
    return {"profile": "http-message-signatures", **more, "keys": keys or [k("m1", "MS_K1")]}


policy("ms", ms_section())
policy("ms-full", ms_section(algorithm="hmac-sha256", components=COVER, parameters=PARAMS[:5], max_age="120s", clock_tolerance="5s", max_body="1MiB", replay="process"))
policy("ms-label", ms_section(label="sig1"))
policy("ms-nx", ms_section(parameters=["created", "keyid", "nonce"]))
policy("ms-min", ms_section(label="sig1", components=["@method"], parameters=["created", "keyid"]))
policy("ms-uri", ms_section(components=["@method", "@target-uri", "content-digest", "content-type"]))
policy("ms-bound", ms_section([k("m1", "MS_K1", [API]), k("m2", "MS_K2", [OTHER]), k("M1", "MS_K3", [API])]))
policy("ms-tight", ms_section(max_age="10s", clock_tolerance="0s", max_body="8B"))
policy("ms-ct", ms_section(content_types=["application/json"]))
policy("ms-b25", ms_section([k("test-shared-secret", env("RFC9421_SHARED", "base64"))], label="sig-b25", components=["date", "@authority", "content-type"],
                            parameters=["created", "keyid"]), hosts={"allow": ["example.com"]})
policy("ms-hosts", ms_section(), hosts={"allow": EVERYWHERE})
policy("ms-fwd", ms_section(), hosts={"allow": [API], "trusted_proxies": ["10.0.0.0/8"], "forwarded": "x-forwarded-host", "proxy_hosts": ["api.internal"]})
policy("ms-report", ms_section(max_body="1KiB"), mode="report")
policy("ms-two", {"partner": ms_section(), "second": ms_section([k("m1", "MS_K2")], tag="second")},
       routes=[{"path": "/second/**", "name": "second", "require": ["signature:second"]}, {"path": "/**", "name": "any", "require": ["signature:partner"]}])
policy("ms-full-1", ms_section(replay_capacity=1))

# ---------------------------------------------------------------------------------------------------------------- cases

CHECK = {}
for _check, _status, _public, _reasons in [
    ("request", 400, None, "request_malformed header_duplicate"),
    ("request", 413, None, "body_too_large"),
    ("host", 400, None, "host_missing host_malformed host_duplicate authority_mismatch"),
    ("host", 421, None, "host_not_allowed"),
    ("peer", 403, None, "peer_not_allowed"),
    ("origin", 403, None, "origin_malformed origin_not_allowed fetch_site_not_allowed"),
    ("route", 403, None, "route_not_allowed"),
    ("signature", 401, None, "signature_missing"),
    ("signature", 401, "signature_invalid", "signature_malformed signature_component_missing signature_algorithm_not_allowed signature_key_unknown "
     "signature_service_mismatch signature_mismatch signature_expired signature_not_yet_valid signature_window_too_long content_digest_missing content_digest_mismatch"),
    ("nonce", 401, "signature_invalid", "nonce_missing nonce_malformed nonce_replayed"),
    ("nonce", 503, "unavailable", "replay_store_unavailable"),
]:
    for _reason in _reasons.split():
        CHECK[_reason] = (_check, _status, _public or _reason)
SUFFIX = {"signature_expired": ".max_age", "signature_window_too_long": ".max_age", "signature_not_yet_valid": ".clock_tolerance", "signature_key_unknown": ".keys",
          "signature_service_mismatch": ".keys", "nonce_replayed": ".replay", "replay_store_unavailable": ".replay", "body_too_large": ".max_body"}
RULES = {"host_not_allowed": "hosts.allow", "peer_not_allowed": "peers.allow", "origin_not_allowed": "origins.allow", "fetch_site_not_allowed": "origins.fetch_site",
         "route_not_allowed": "routes"}

CASES, BY_ID, OPEN = [], {}, {}


def full_id(slug):
    return "signature-" + slug


def add(id, comment, flags, policy, req, want, twin=None, before=None, epoch=0):
    if twin == "open":
        twin = open_twin(id, req)
    id = full_id(id)
    case = {"id": id, "comment": comment, "flags": flags.split(), "policy": policy, "request": dict(req), "want": want}
    if before:
        case["before"] = [full_id(b) for b in before]
    if epoch:
        case["epoch"] = epoch
    if twin:
        case["twin"] = full_id(twin)
    assert id not in BY_ID, id
    CASES.append(case)
    BY_ID[id] = case


def open_twin(id, req):
    """The same request under a policy that asks for no signature: the twin of a request that cannot be signed rightly."""
    request = json.dumps(dict(req))
    if request not in OPEN:
        OPEN[request] = id + "-open"
        A(id + "-open", "the same request where no signature is asked for", "allow", "open", req)
    return OPEN[request]


def mode_of(policy):
    return POLICIES[policy].get("mode", "enforce")


def section_of(policy):
    return next(iter(POLICIES[policy].get("signatures", {"": 0})))


def A(id, comment, flags, policy, req, key=None, nonce="", host=None, route="any", sig=True, preflight=False, **more):
    """An allowed case."""
    section = more.pop("section", section_of(policy))
    signature = None
    if sig and section and mode_of(policy) == "enforce":
        signature = {"name": section, "key_id": key or KEY_IDS[policy][req.key], "nonce": req.nonce if nonce == "" else nonce}
    identity = {"host": host or req.host, "route": route, "preflight": preflight, "signature": signature, "token": None}
    add(id, comment, flags, policy, req, {"decision": "allow", "status": 200, "check": None, "reason": None, "public_reason": None, "rule": None, "mode": mode_of(policy),
                                          "identity": identity, "reported": []}, **more)


def rule_of(reason, policy, suffix, section):
    if CHECK[reason][0] in ("signature", "nonce") or reason == "body_too_large":
        return "signatures.%s%s" % (section or section_of(policy), SUFFIX.get(reason, "") if suffix is None else suffix)
    return RULES.get(reason)


def D(id, comment, flags, policy, req, reason, twin, suffix=None, section=None, **more):
    """A denied case."""
    check, status, public = CHECK[reason]
    add(id, comment, flags, policy, req, {"decision": "deny", "status": status, "check": check, "reason": reason, "public_reason": public,
                                          "rule": rule_of(reason, policy, suffix, section), "mode": mode_of(policy), "identity": None, "reported": []}, twin=twin, **more)


def R(id, comment, flags, policy, req, reason, twin, suffix=None, section=None, host="", route="any", **more):
    """A reported case."""
    check, status, _ = CHECK[reason]
    identity = {"host": req.host if host == "" else host, "route": route, "preflight": False, "signature": None, "token": None}
    add(id, comment, flags, policy, req, {"decision": "allow", "status": 200, "check": None, "reason": None, "public_reason": None, "rule": None, "mode": mode_of(policy),
                                          "identity": identity, "reported": [{"check": check, "reason": reason, "status": status, "rule": rule_of(reason, policy, suffix, section)}]},
        twin=twin, **more)


NOTES = {
    "expansion": "Generator forms, allowed in place of any string value: {\"repeat\":[text,N]} is text N times; {\"concat\":[a,b,...]} joins strings and generator forms in order. As an element of headers, {\"repeat_header\":[name,value,N]} stands for N fields named name-0 ... name-(N-1) with that value. Expand before judging.",
    "secrets": "`secrets` maps the env name or the `name` of every secret of the policies to its value; a policy gets those it refers to. All are published test keys.",
    "before": "`before` lists cases whose requests this case's guard (not theirs) judges first, in order, with one replay store; their verdicts are not looked at. `epoch` is the store's epoch, default 0. A twin differs in one field of the request, in the policy, in `before` or in `epoch`.",
    "generated": "written by generate/signature.py, an independent signer that was made without a look at the engine",
    "ambiguous": "the contract can be read in more than one way; this is the stricter reading, or the literal one, as the comment says",
    "no-twin": "fails in two fields on purpose, so no allowed request differs in one field",
    "allow": "what must be let through",
    "alias": "a name with _ that becomes a named header when _ is read as - is header_duplicate at once",
    "body": "the raw bytes are signed",
    "body-length": "content-length says how long the body is",
    "body-limit": "max_body, by content-length and by the bytes",
    "components": "RFC 9421 covered components",
    "content-types": "content_types: a type that is not listed, an encoding, a body without a type",
    "delimiter": "the seeds' delimiter shifts: two requests with one signature base",
    "digest": "RFC 9530 Content-Digest",
    "epoch": "signatures created before the store's epoch + clock_tolerance",
    "header-duplicate": "every header that a section names or its profile reads may occur once, on every request",
    "host": "HOST and @authority are the normalized effective authority",
    "identity": "what identity.signature holds",
    "key": "which keys are tried: key ids, hosts, service ids, rotation",
    "known-answer": "third-party known answers and the seeds of shared/vectors/hmac-profile-seeds",
    "label": "RFC 9421: which member is selected; the others are ignored",
    "lists": "standard-webhooks: the list of signatures",
    "mac": "a correct MAC is needed, over what was received",
    "method": "METHOD as received; override headers",
    "nonce": "nonces and ids: presence and grammar",
    "now": "without now a request that needs a signature is request_malformed",
    "order": "two faults at once: the earlier one decides",
    "params": "RFC 9421 signature parameters",
    "preflight": "a preflight is not asked for a signature",
    "replay": "claims: made last, once, and what they are made of",
    "report-mode": "signature and nonce reasons are reported, identity.signature is null, no nonce is claimed",
    "secret": "encodings of secrets",
    "signature-text": "the signature's own spelling",
    "signed-anyway": "the signature is right over what was sent: only the rule itself refuses",
    "target": "TARGET is the raw request target",
    "timestamp": "the timestamp's spelling",
    "uncovered": "what a signature of this profile does not cover",
    "websocket": "METHOD is CONNECT for an extended CONNECT",
    "window": "max_age, clock_tolerance, expires, to the second",
}

FWD = [("X-Forwarded-Host", API)]
GET = {"method": "GET", "body": b""}
OVERRIDES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
# Spelled otherwise than [1-9][0-9]{0,11}: what parseInt, int(), Number(), atoi and strtol accept.
BAD_TIMES = [
    ("zero", "0", "zero"), ("leading-zero", "0%d" % NOW, "a leading zero (seed ts-leading-zero)"), ("plus", "+%d" % NOW, "a sign (seed ts-plus)"), ("minus", "-%d" % NOW, "negative"),
    ("ms", "%d000" % NOW, "milliseconds: 13 digits (seed ts-ms)"), ("float", "%d.0" % NOW, "a fraction (seed ts-float)"), ("exponent", "1.7672256e9", "an exponent"),
    ("underscore", "1_767_225_600", "Python's int() takes underscores (seed ts-underscore)"), ("hex", "0x69559a80", "hexadecimal"), ("nan", "NaN", "not a number"),
    ("trailing", "%dabc" % NOW, "parseInt stops at the first letter"), ("space-before", " %d" % NOW, "white space before"), ("space-after", "%d " % NOW, "white space after"),
    ("list", "%d, %d" % (NOW, NOW), "two values in one field"), ("empty", "", "an empty value"),
    ("arabic", "".join(chr(0x660 + int(c)) for c in str(NOW)).encode(), "Arabic-Indic digits in UTF-8 (seed ts-arabic-digits)"),
    ("date", "Thu, 01 Jan 2026 00:00:00 GMT", "an HTTP-date"),
]


def plain(target="/open", extra=(), method="GET", version="1.1", now=NOW, host=API):
    """A request without a signature."""
    return Req(request(method, "https", version, target, [wire_host(version, host)] + [list(e) for e in extra], b"", now, None), host, None, None)


def flip(text):
    """The first hex digit changed."""
    return ("0" if text[0] != "0" else "1") + text[1:]


def value_of(req, name):
    return next(v for n, v in req["headers"] if n.lower() == name)


PREFLIGHT = [("Origin", "https://" + API), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-api-signature,x-timestamp,x-nonce")]
UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
EXTENDED = [(":protocol", "websocket"), ("Sec-WebSocket-Version", "13")]


def host_nonce():
    # --- right signatures, and what they hold
    A("hn-post", "a signed POST with a body", "allow identity", "hn", hn())
    A("hn-get", "a signed GET without a body: the base ends with the LF after the nonce", "allow identity", "hn", hn(**GET))
    A("hn-head", "METHOD is HEAD", "allow method", "hn", hn(method="HEAD", body=b""))
    A("hn-put", "another method", "allow method", "hn", hn(method="PUT"))
    A("hn-patch-x", "a method of the application's own", "allow method", "hn", hn(method="X-PURGE_2"))
    A("hn-full", "every default spelled out", "allow", "hn-full", hn())
    A("hn-http-1-0", "HTTP/1.0 with Host: the version is not signed", "allow uncovered", "hn", hn(version="1.0"))
    A("hn-http-2", "HTTP/2: HOST from :authority", "allow host", "hn", hn(version="2"))
    A("hn-http-3", "HTTP/3", "allow host", "hn", hn(version="3"))
    A("hn-root", "the target /", "allow target", "hn", hn(target="/"))
    A("hn-name-case", "header names without case", "allow", "hn", hn(names=("x-api-signature", "X-TIMESTAMP", "x-NONCE")))
    A("hn-open", "a route that asks for nothing", "allow", "hn", plain(), route="open", sig=False)
    A("hn-open-junk", "a route that asks for nothing does not read the headers", "allow", "hn",
      plain(extra=[("X-API-Signature", "junk"), ("X-Timestamp", "junk"), ("X-Nonce", "junk")]), route="open", sig=False)

    # --- presence
    D("hn-missing", "no signature header", "mac", "hn", hn().headers({"x-api-signature": None}), "signature_missing", "hn-post")
    D("hn-missing-all", "none of the three", "mac", "hn", hn().headers({"x-api-signature": None, "x-timestamp": None, "x-nonce": None}), "signature_missing", "hn-post")
    D("hn-missing-get", "a GET needs one too", "mac", "hn", hn(**GET).headers({"x-api-signature": None}), "signature_missing", "hn-get")
    D("hn-missing-other-name", "another profile's header is not this one's", "mac", "hn", hn(names=("X-Signature", "X-Timestamp", "X-Nonce")), "signature_missing", "hn-post")
    D("hn-missing-authorization", "a signature in Authorization is not read", "mac", "hn",
      hn().headers({"x-api-signature": None}, [("Authorization", "HMAC " + value_of(hn(), "x-api-signature"))]), "signature_missing", "hn-post")
    D("hn-missing-query", "a signature in the query is not read", "mac", "hn",
      hn().headers({"x-api-signature": None}).but(target="/v1/items?x-api-signature=" + value_of(hn(), "x-api-signature")), "signature_missing", "open")
    D("hn-missing-bad-target", "absent, and the target ends in a lone ?: presence comes first", "order", "hn", hn(target="/a?").headers({"x-api-signature": None}), "signature_missing", "open")
    D("hn-missing-nonce-too", "absent, and so is the nonce: presence comes first", "order", "hn", hn().headers({"x-api-signature": None, "x-nonce": None}), "signature_missing", "hn-post")
    D("hn-missing-expired", "absent, and the timestamp is old", "order", "hn", hn(ts=NOW - 900).headers({"x-api-signature": None}), "signature_missing", "hn-post")

    # --- now
    D("hn-no-now", "no clock, no verdict", "now", "hn", hn().but(now=None), "request_malformed", "hn-post")
    D("hn-no-now-get", "no clock, no verdict", "now", "hn", hn(**GET).but(now=None), "request_malformed", "hn-get")
    D("hn-no-now-missing", "nor is the lack of a signature looked at", "now order", "hn", plain("/v1/items", now=None), "request_malformed", "open")
    A("hn-no-now-open", "a route that asks for nothing needs no clock", "allow now", "hn", plain(now=None), route="open", sig=False)
    A("hn-no-now-preflight", "a preflight needs no clock", "allow now preflight", "hn", plain("/v1/items", PREFLIGHT, "OPTIONS", now=None), sig=False, preflight=True)

    # --- target
    for slug, target, why in [
        ("encoded-slash", "/a%2Fb", "an escaped slash is signed as it is sent"), ("encoded-letter", "/v1/%69tems", "an escape is signed as it is sent"),
        ("lower-escape", "/caf%c3%a9", "lower-case escapes stay"), ("two-slashes", "//v1//items", "empty segments stay"), ("semicolon", "/v1/items;v=1", "path parameters"),
        ("bar", "/a|b?c|d", "| is no delimiter of this profile"), ("two-marks", "/v1/items??", "two question marks: the query is ?"), ("mark-at-end", "/v1/items?a?", "a ? that is not the only one"),
        ("only-marks", "/??", "a query of one ?"), ("empty-pair", "/v1/items?&", "a query of one &"), ("url-in-query", "/v1/items?u=http://x/?y", "a URL in the query"),
        ("latin", "/caf\u00e9?q=\u00ff", "bytes above 0x7f are signed as they are"), ("lf-in-query", "/v1/items?x=%0A1", "an escaped LF is three characters"),
        ("dot-segment-in-query", "/v1/items?../x", "dots in the query"), ("plus", "/v1/items?q=a+b", "+ stays +"),
    ]:
        A("hn-target-" + slug, why, "allow target", "hn", hn(target=target, **GET))
    for slug, sent, signed, why in [
        ("slash-decoded", "/a%2Fb", "/a/b", "the signer decoded the path (seed path-decoded)"), ("letter-decoded", "/v1/%69tems", "/v1/items", "the signer decoded an unreserved letter"),
        ("escape-upper", "/caf%c3%a9", "/caf%C3%A9", "the signer wrote the escapes in upper case"), ("slashes-merged", "//v1//items", "/v1/items", "the signer merged the slashes"),
        ("bar-encoded", "/a|b?c|d", "/a%7Cb?c%7Cd", "the signer escaped the bars (requests)"), ("mark-dropped", "/v1/items??", "/v1/items?", "the signer dropped a ?"),
        ("query-omitted", "/v1/items?q=a+b", "/v1/items", "the signer left the query out (seed query-omitted)"), ("plus-decoded", "/v1/items?q=a+b", "/v1/items?q=a%20b", "+ is not %20"),
        ("full-url", "/v1/items?q=a+b", "https://api.example.com/v1/items?q=a+b", "the signer signed the URL"), ("latin-escaped", "/caf\u00e9?q=\u00ff", "/caf%C3%A9?q=%FF", "the signer escaped, the client did not"),
        ("lf-decoded", "/v1/items?x=%0A1", "/v1/items?x=\n1", "the signer decoded an LF"), ("param-dropped", "/v1/items;v=1", "/v1/items", "the signer cut the path parameter"),
    ]:
        slugs = {"/a%2Fb": "encoded-slash", "/v1/%69tems": "encoded-letter", "/caf%c3%a9": "lower-escape", "//v1//items": "two-slashes", "/a|b?c|d": "bar", "/v1/items??": "two-marks",
                 "/v1/items?q=a+b": "plus", "/caf\u00e9?q=\u00ff": "latin", "/v1/items?x=%0A1": "lf-in-query", "/v1/items;v=1": "semicolon"}
        D("hn-target-" + slug, why, "target mac", "hn", hn(target=sent, s={"target": signed}, **GET), "signature_mismatch", "hn-target-" + slugs[sent])
    for slug, target, why in [
        ("reordered", "/v1/items?y=2&x=1", "the query reordered"), ("appended", TARGET + "&admin=1", "a parameter appended"), ("removed", "/v1/items", "the query removed"),
        ("value", "/v1/items?x=1&y=3", "a value changed"), ("case", "/v1/Items?x=1&y=2", "a letter's case changed"), ("slash", "/v1/items/?x=1&y=2", "a slash added"),
        ("escaped", "/v1/items?x=%31&y=2", "a digit escaped"), ("semicolons", "/v1/items?x=1;y=2", "another separator"), ("mark", "/v1/items?x=1&y=2?", "a ? added"),
    ]:
        D("hn-target-changed-" + slug, why, "target mac", "hn", hn().but(target=target), "signature_mismatch", "hn-post")
    for slug, target, why in [("lone-mark", "/v1/items?", "a lone ? at the end: some servers drop it"), ("lone-mark-root", "/?", "a lone ? after /"), ("lone-mark-escape", "/v1/a%3F?", "%3F is no ?")]:
        D("hn-target-" + slug, why, "target signed-anyway", "hn", hn(target=target, **GET), "signature_malformed", "open")
    D("hn-target-absolute", "absolute-form, signed as it is sent", "target signed-anyway", "hn", hn(target="https://api.example.com/v1/items", **GET), "signature_malformed", "open")
    D("hn-target-absolute-path", "absolute-form, signed as its path", "target signed-anyway", "hn", hn(target="https://api.example.com/v1/items", s={"target": "/v1/items"}, **GET),
      "signature_malformed", "open")
    D("hn-target-absolute-upper", "absolute-form, upper-case scheme and host", "target signed-anyway", "hn", hn(target="HTTPS://API.example.com/v1/items", **GET), "signature_malformed", "open")
    D("hn-target-absolute-empty", "absolute-form without a path", "target signed-anyway", "hn", hn(target="https://api.example.com", **GET), "signature_malformed", "open")
    D("hn-target-absolute-other", "absolute-form of another host: the host check comes first", "target order", "hn", hn(**GET).but(target="https://other.example.com/v1/items"), "authority_mismatch", "hn-get")
    D("hn-target-star", "OPTIONS *", "target signed-anyway", "hn", hn(method="OPTIONS", target="*", body=b""), "signature_malformed", "open")
    D("hn-target-bad-nonce", "a lone ?, and no nonce: the target comes first", "target order", "hn", hn(target="/v1/items?", nonce=None, s={"nonce": ""}, **GET), "signature_malformed", "open")
    D("hn-target-dots", "a dot segment: the route check comes first", "target order", "hn", hn(**GET).but(target="/v1/%2e%2e/items"), "route_not_allowed", "hn-get")
    D("hn-target-lf", "an escaped LF in the path: the route check comes first", "target delimiter order", "hn", hn(**GET).but(target="/v1/%0Aitems"), "route_not_allowed", "hn-get")

    # --- delimiter shifts
    shift = b"%d\n%s\n" % (NOW + 1, NONCE.encode())
    A("hn-shift-legit", "a body that looks like the rest of a base (seed collide-1-legit)", "allow delimiter", "hn", hn(target="/a", body=shift + BODY))
    legit = value_of(hn(target="/a", body=shift + BODY), "x-api-signature")
    D("hn-shift-target", "its MAC with the fields moved into the target: an LF there is no request (seed collide-1-shifted)", "delimiter no-twin", "hn",
      hn(target="/a\n%d\n%s" % (NOW, NONCE), ts=NOW + 1), "request_malformed", None)
    assert value_of(hn(target="/a\n%d\n%s" % (NOW, NONCE), ts=NOW + 1), "x-api-signature") == legit
    D("hn-shift-escaped", "the same, the LFs escaped, in the query: TARGET is not decoded", "delimiter", "hn",
      hn(target="/a?%%0A%d%%0A%s" % (NOW, NONCE), ts=NOW + 1, s={"target": "/a?\n%d\n%s" % (NOW, NONCE)}), "signature_mismatch", "open")
    A("hn-shift-body-x", "what follows is one LF away from this", "allow delimiter", "hn", hn(body=b"X"))
    D("hn-shift-nonce", "an LF in the nonce (seed collide-2-nonce-body)", "delimiter", "hn", hn(nonce=NONCE + "\n" + NONCE2, body=b"X"), "request_malformed", "hn-shift-body-x")
    D("hn-shift-timestamp", "an LF in the timestamp", "delimiter", "hn", hn(ts="%d\n%s" % (NOW, NONCE), body=b"X"), "request_malformed", "hn-shift-body-x")
    D("hn-shift-timestamp-cr", "a CR in the timestamp", "delimiter", "hn", hn(ts="%d\r" % NOW, body=b"X"), "request_malformed", "hn-shift-body-x")
    D("hn-shift-nonce-nul", "a NUL in the nonce", "delimiter", "hn", hn(nonce=NONCE + "\0", body=b"X"), "request_malformed", "hn-shift-body-x")
    D("hn-shift-nonce-to-body", "the nonce's end moved into the body", "delimiter mac", "hn", hn(nonce=NONCE, s={"nonce": NONCE + "\nY", "body": b"X"}, body=b"X"), "signature_mismatch", "hn-shift-body-x")
    D("hn-shift-no-lf", "a signer that joins without the last LF when there is no body", "delimiter mac", "hn",
      hn(**GET).headers({"x-api-signature": mac("HN_K1", raw("GET\n%s\n%s\n%d\n%s" % (API, TARGET, NOW, NONCE))).hex()}), "signature_mismatch", "hn-get")
    D("hn-shift-crlf", "a signer that joins with CR LF", "delimiter mac", "hn",
      hn(**GET).headers({"x-api-signature": mac("HN_K1", raw("GET\r\n%s\r\n%s\r\n%d\r\n%s\r\n" % (API, TARGET, NOW, NONCE))).hex()}), "signature_mismatch", "hn-get")
    D("hn-shift-order", "a signer that puts the nonce before the timestamp", "delimiter mac", "hn",
      hn(**GET).headers({"x-api-signature": mac("HN_K1", raw("GET\n%s\n%s\n%s\n%d\n" % (API, TARGET, NONCE, NOW))).hex()}), "signature_mismatch", "hn-get")
    D("hn-shift-bars", "service-scoped's base under this profile", "delimiter mac", "hn",
      hn(**GET).headers({"x-api-signature": mac("HN_K1", raw("GET|%s|%s|%d|" % (API, TARGET, NOW))).hex()}), "signature_mismatch", "hn-get")
    A("hn-shift-body-lf", "the body is last: it may begin with LF", "allow delimiter body", "hn", hn(body=b"\n\n" + BODY))

    # --- host
    for slug, wire, host, scheme, policy, version, why in [
        ("upper", "API.Example.COM", API, "https", "hn", "1.1", "HOST is lower-case"), ("dot", "api.example.com.", API, "https", "hn", "1.1", "one trailing dot is dropped"),
        ("port-443", "api.example.com:443", API, "https", "hn", "1.1", "the default port is dropped"), ("port-80", "api.example.com:80", API, "http", "hn", "1.1", "the default port of http"),
        ("http-443", "api.example.com:443", "api.example.com:443", "http", "hn", "1.1", "443 is not the default of http"),
        ("port-8443", "api.example.com:8443", "api.example.com:8443", "https", "hn", "1.1", "another port stays"), ("https-80", "api.example.com:80", "api.example.com:80", "https", "hn", "1.1", "80 is not the default of https"),
        ("all", "API.example.com.:443", API, "https", "hn", "1.1", "case, dot and port at once"), ("tls", "api.example.com:443", API, "http", "hn-tls", "1.1", "hosts.scheme says which port is the default"),
        ("tls-80", "api.example.com:80", "api.example.com:80", "http", "hn-tls", "1.1", "hosts.scheme says which port is the default"),
        ("v6", "[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]", "https", "hn-hosts", "1.1", "IPv6 in canonical form"), ("v6-port", "[2001:db8::1]:443", "[2001:db8::1]", "https", "hn-hosts", "1.1", "IPv6, default port"),
        ("v6-other-port", "[2001:db8::0001]:8443", "[2001:db8::1]:8443", "https", "hn-hosts", "1.1", "IPv6, another port"),
        ("mapped", "[::FFFF:C000:0201]", "[::ffff:192.0.2.1]", "https", "hn-hosts", "1.1", "IPv4-mapped in mixed notation"), ("v4", "192.0.2.1", "192.0.2.1", "https", "hn-hosts", "1.1", "IPv4"),
        ("h2-upper", "API.Example.COM:443", API, "https", "hn", "2", ":authority is normalized too"),
    ]:
        A("hn-host-" + slug, why, "allow host", policy, hn(wire=wire, host=host, scheme=scheme, version=version, **GET))
    for slug, wire, host, scheme, policy, twin, signed, why in [
        ("upper", "API.Example.COM", API, "https", "hn", "upper", "API.Example.COM", "signed over the spelling (seed host-upper)"),
        ("dot", "api.example.com.", API, "https", "hn", "dot", "api.example.com.", "signed with the dot (seed host-trailing-dot)"),
        ("port-443", "api.example.com:443", API, "https", "hn", "port-443", "api.example.com:443", "signed with the default port (seed host-default-port)"),
        ("port-8443", "api.example.com:8443", "api.example.com:8443", "https", "hn", "port-8443", API, "signed without the port"),
        ("http-443", "api.example.com:443", "api.example.com:443", "http", "hn", "http-443", API, "a plain connection: 443 is no default"),
        ("tls", "api.example.com:443", API, "http", "hn-tls", "tls", "api.example.com:443", "under hosts.scheme https 443 is the default"),
        ("v6", "[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]", "https", "hn-hosts", "v6", "[2001:DB8:0:0:0:0:0:1]", "signed over the spelling"),
        ("v6-bare", "[2001:db8::1]:443", "[2001:db8::1]", "https", "hn-hosts", "v6-port", "2001:db8::1", "signed without brackets"),
        ("mapped", "[::FFFF:C000:0201]", "[::ffff:192.0.2.1]", "https", "hn-hosts", "mapped", "[::ffff:c000:201]", "signed in hex notation"),
        ("mapped-v4", "[::FFFF:C000:0201]", "[::ffff:192.0.2.1]", "https", "hn-hosts", "mapped", "192.0.2.1", "IPv4-mapped is not IPv4"),
    ]:
        D("hn-host-signed-" + slug, why, "host mac", policy, hn(wire=wire, host=host, scheme=scheme, s={"host": signed}, **GET), "signature_mismatch", "hn-host-" + twin)
    D("hn-host-other", "signed for another host of the policy", "host mac", "hn", hn(s={"host": OTHER}), "signature_mismatch", "hn-post")
    D("hn-host-empty", "a signer that leaves HOST empty", "host mac", "hn", hn(s={"host": ""}), "signature_mismatch", "hn-post")
    D("hn-host-moved", "signed for this host, sent to another", "host mac", "hn", hn(wire=OTHER), "signature_mismatch", "hn-post")
    D("hn-host-evil", "signed rightly for a host that is not allowed: the host check comes first", "host order", "hn", hn(host="evil.test"), "host_not_allowed", "hn-post")
    D("hn-host-evil-missing", "not allowed and not signed", "host order", "hn", plain(TARGET, host="evil.test"), "host_not_allowed", "hn-get")
    D("hn-host-missing", "no Host", "host order", "hn", hn().headers({"host": None}), "host_missing", "hn-post")
    D("hn-host-twice", "two Hosts", "host order", "hn", hn().headers({"host": [API, API]}), "host_duplicate", "hn-post")
    D("hn-host-comma", "two hosts in one field", "host order", "hn", hn(wire="api.example.com, api.example.com", host=API), "host_duplicate", "hn-post")
    A("hn-host-h2-both", "HTTP/2 with :authority and an agreeing Host", "allow host", "hn", hn(version="2", extra=[("host", "API.example.com:443")]))
    D("hn-host-h2-differ", "HTTP/2 with :authority and another Host", "host order", "hn", hn(version="2", extra=[("host", OTHER)]), "authority_mismatch", "hn-host-h2-both")
    A("hn-host-xfh-ignored", "X-Forwarded-Host where none is configured", "allow host", "hn", hn(extra=[("X-Forwarded-Host", OTHER)]))
    D("hn-host-xfh-signed", "signed for X-Forwarded-Host where none is configured", "host mac", "hn", hn(s={"host": OTHER}, extra=[("X-Forwarded-Host", OTHER)]), "signature_mismatch", "hn-host-xfh-ignored")
    A("hn-fwd", "a trusted proxy says which host: HOST is the forwarded one", "allow host", "hn-fwd", hn(wire="api.internal", peer="10.0.0.1", extra=FWD))
    A("hn-fwd-port", "the forwarded host with case and port", "allow host", "hn-fwd", hn(wire="api.internal", host="api.example.com:8443", peer="10.0.0.1", extra=[("X-Forwarded-Host", "API.example.com:8443")]))
    A("hn-fwd-direct", "an untrusted peer's X-Forwarded-Host is ignored", "allow host", "hn-fwd", hn(peer="192.0.2.9", extra=[("X-Forwarded-Host", "evil.test")]))
    D("hn-fwd-internal", "signed for the internal name", "host mac", "hn-fwd", hn(wire="api.internal", peer="10.0.0.1", extra=FWD, s={"host": "api.internal"}), "signature_mismatch", "hn-fwd")
    D("hn-fwd-untrusted", "the internal name from elsewhere", "host order", "hn-fwd", hn(wire="api.internal", peer="192.0.2.9", extra=FWD), "host_not_allowed", "hn-fwd")
    D("hn-fwd-unknown", "the internal name from an unknown peer", "host order", "hn-fwd", hn(wire="api.internal", extra=FWD), "host_not_allowed", "hn-fwd")
    D("hn-fwd-twice", "the forwarded host twice", "header-duplicate", "hn-fwd", hn(wire="api.internal", peer="10.0.0.1", extra=FWD + FWD), "header_duplicate", "hn-fwd")

    # --- timestamps
    for slug, ts, why in BAD_TIMES:
        D("hn-ts-" + slug, why, "timestamp signed-anyway", "hn", hn(ts=ts), "signature_malformed", "hn-post")
    D("hn-ts-absent", "no timestamp", "timestamp signed-anyway", "hn", hn(ts=None, s={"ts": ""}), "signature_malformed", "hn-post")
    D("hn-ts-absent-nonce", "neither timestamp nor nonce: the timestamp is read first", "timestamp order", "hn", hn(ts=None, nonce=None, s={"ts": "", "nonce": ""}), "signature_malformed", "hn-post")
    D("hn-ts-unsigned", "the timestamp renewed after signing", "timestamp mac", "hn", hn(s={"ts": NOW - 100}), "signature_mismatch", "hn-post")
    A("hn-ts-12-digits", "twelve digits", "allow timestamp", "hn", hn(ts=999999999999, now=999999999999))
    D("hn-ts-13-digits", "thirteen digits, and the clock says the same", "timestamp signed-anyway", "hn", hn(ts=1000000000000, now=1000000000000), "signature_malformed", "open")
    A("hn-ts-one-digit", "one digit, at the epoch's edge", "allow timestamp epoch", "hn", hn(ts=5, now=5))
    D("hn-ts-before-edge", "before epoch 0 + clock_tolerance", "timestamp epoch", "hn", hn(ts=4, now=5), "replay_store_unavailable", "hn-ts-one-digit")
    D("hn-ts-nothing-at-zero", "a clock that stands at 0", "timestamp epoch", "hn", hn(ts=1, now=0), "replay_store_unavailable", "open")

    # --- window, to the second
    window("hn", "hn", hn, 120, 5, "hn-post")
    window("hn-full", "hn-full", hn, 120, 5, "hn-full")
    A("hn-tight-base", "max_age 1s, clock_tolerance 0s", "allow window", "hn-tight", hn(**GET))
    window("hn-tight", "hn-tight", lambda **f: hn(**{**GET, **f}), 1, 0, "hn-tight-base")
    A("hn-wide-base", "max_age 24h, clock_tolerance 10m", "allow window", "hn-wide", hn())
    window("hn-wide", "hn-wide", hn, 86400, 600, "hn-wide-base")
    D("hn-window-zero", "a clock at 0", "window", "hn", hn(now=0), "signature_not_yet_valid", "hn-post")
    D("hn-window-end", "a clock at 2^53 - 1", "window", "hn", hn(now=2**53 - 1), "signature_expired", "hn-post")
    D("hn-window-far", "a timestamp of twelve nines", "window signed-anyway", "hn", hn(ts=999999999999), "signature_not_yet_valid", "hn-post")
    D("hn-window-1970", "a timestamp of 1970", "window signed-anyway", "hn", hn(ts=1), "signature_expired", "hn-post")
    D("hn-window-nonce", "old, and a bad nonce: the grammar comes first", "window order", "hn", hn(ts=NOW - 900, nonce="short"), "nonce_malformed", "hn-post")
    D("hn-window-mac", "old, and a wrong MAC: the window comes first", "window order", "hn", hn(ts=NOW - 900, key="HN_STRANGER"), "signature_expired", "hn-post")
    D("hn-window-mac-early", "early, and a wrong MAC: the window comes first", "window order", "hn", hn(ts=NOW + 900, key="HN_STRANGER"), "signature_not_yet_valid", "hn-post")
    D("hn-window-override", "old, and an override header: the window comes first", "window order", "hn", hn(ts=NOW - 900, extra=[("X-HTTP-Method", "PUT")]), "signature_expired", "hn-post")

    # --- nonce
    for slug, nonce, why in [("16", "a" * 16, "16 characters"), ("128", "Z9" * 64, "128 characters"), ("marks", "._~-._~-._~-._~-", "every mark that is allowed"), ("digits", "0" * 16, "digits alone"),
                             ("uuid", "6f1b5a0e-3c57-4d7e-9a58-0a8d2c1f4b7e", "a UUID")]:
        A("hn-nonce-" + slug, why, "allow nonce", "hn", hn(nonce=nonce))
    for slug, nonce, why in [
        ("15", "a" * 15, "15 characters (seed nonce-short)"), ("129", "a" * 129, "129 characters (seed nonce-long)"), ("empty", "", "an empty value (seed nonce-empty)"),
        ("base64", "n+0123456789abc/", "+ and /"), ("padding", "n012345678abcdef==", "="), ("space", "n 0123456789abcdef", "a space inside"), ("space-before", " " + NONCE, "white space before"),
        ("space-after", NONCE + " ", "white space after"), ("tab", NONCE + "\t", "a tab"), ("comma", NONCE + "," + NONCE, "two values in one field"), ("quoted", '"%s"' % NONCE, "quotes"), ("percent", "n%2D0123456789abcdef", "an escape"),
        ("colon", "n:0123456789abcdef", "a colon"), ("bar", "n|0123456789abcdef", "a bar"), ("latin", "n-0123456789abcde\u00e9", "a byte above 0x7f"), ("utf8", "\u043f-0123456789abcdef".encode(), "UTF-8"),
        ("backslash", "n\\0123456789abcdef", "a backslash"), ("star", "n*0123456789abcdef", "an asterisk"), ("del", "n-0123456789abcde\x7f", "a delete character"),
    ]:
        D("hn-nonce-" + slug, why, "nonce signed-anyway", "hn", hn(nonce=nonce), "nonce_malformed", "hn-post")
    D("hn-nonce-absent", "no nonce", "nonce signed-anyway", "hn", hn(nonce=None, s={"nonce": ""}), "nonce_missing", "hn-post")
    D("hn-nonce-absent-get", "a GET needs one too", "nonce signed-anyway", "hn", hn(nonce=None, s={"nonce": ""}, **GET), "nonce_missing", "hn-get")
    D("hn-nonce-removed", "the nonce was removed on the way", "nonce", "hn", hn().headers({"x-nonce": None}), "nonce_missing", "hn-post")
    D("hn-nonce-other-name", "a nonce under another name", "nonce signed-anyway", "hn", hn(names=("X-API-Signature", "X-Timestamp", "Nonce")), "nonce_missing", "hn-post")
    D("hn-nonce-absent-expired", "no nonce, and old: the grammar comes first", "nonce order", "hn", hn(ts=NOW - 900, nonce=None, s={"nonce": ""}), "nonce_missing", "hn-post")
    D("hn-nonce-unsigned", "the nonce renewed after signing", "nonce mac", "hn", hn(s={"nonce": NONCE2}), "signature_mismatch", "hn-post")
    D("hn-nonce-case", "a letter's case changed after signing", "nonce mac", "hn", hn(s={"nonce": NONCE.upper()}), "signature_mismatch", "hn-post")

    # --- the signature's spelling
    good = value_of(hn(), "x-api-signature")
    for slug, text, why in [
        ("upper", good.upper(), "upper case"), ("mixed", good[:32] + good[32:].upper(), "half of it in upper case"), ("63", good[:63], "63 digits"), ("65", good + "0", "65 digits"), ("half", good[:32], "half of it"),
        ("twice", good + good, "128 digits"), ("empty", "", "an empty value"), ("space-before", " " + good, "white space before"), ("space-after", good + " ", "white space after"), ("space-inside", good[:32] + " " + good[32:], "white space inside"),
        ("prefix", "sha256=" + good, "a prefix"), ("0x", "0x" + good[2:], "0x"), ("base64", b64(bytes.fromhex(good)), "base64"), ("letter", good[:63] + "g", "a letter that is no digit"), ("list", good + ", " + good, "two in one field"),
        ("list-wrong", flip(good) + "," + good, "a wrong one and the right one"), ("quoted", '"%s"' % good, "quotes"), ("latin", good[:63] + "\u00e9", "a byte above 0x7f"), ("colons", ":".join(good[i:i + 2] for i in range(0, 64, 2)), "colons between the bytes"),
    ]:
        D("hn-hex-" + slug, why, "signature-text signed-anyway", "hn", hn().headers({"x-api-signature": text}), "signature_malformed", "hn-post")
    D("hn-hex-bad-timestamp", "a bad signature, an early timestamp: the grammar comes first", "signature-text order", "hn", hn(ts=NOW + 900).headers({"x-api-signature": "no"}), "signature_malformed", "hn-post")
    D("hn-hex-bad-nonce", "a bad signature and a bad nonce: the signature is read first", "signature-text order", "hn", hn(nonce="short").headers({"x-api-signature": "no"}), "signature_malformed", "hn-post")

    # --- the MAC
    base = raw("POST\n%s\n%s\n%d\n%s\n" % (API, TARGET, NOW, NONCE)) + BODY
    key = KEYS["HN_K1"]
    for slug, text, why in [
        ("flip-first", flip(good), "the first digit changed"), ("flip-last", good[:63] + ("0" if good[63] != "0" else "1"), "the last digit changed"), ("zeros", "0" * 64, "zeros"), ("half-zeros", good[:32] + "0" * 32, "the right first half"),
        ("no-key", hmac.new(b"", base, hashlib.sha256).hexdigest(), "an empty key"), ("hash", hashlib.sha256(base).hexdigest(), "a hash without a key"), ("prefix-hash", hashlib.sha256(key + base).hexdigest(), "a hash of key and base"),
        ("sha512", hmac.new(key, base, hashlib.sha512).hexdigest()[:64], "HMAC-SHA512, cut"), ("sha3", hmac.new(key, base, hashlib.sha3_256).hexdigest(), "HMAC-SHA3-256"), ("hashed-key", hmac.new(hashlib.sha256(key).digest(), base, hashlib.sha256).hexdigest(), "the key's hash as key"),
        ("hex-key", hmac.new(key.hex().encode(), base, hashlib.sha256).hexdigest(), "the key's hex as key"), ("newline-key", hmac.new(key + b"\n", base, hashlib.sha256).hexdigest(), "the key with a newline"),
        ("twice", hmac.new(key, hashlib.sha256(base).digest(), hashlib.sha256).hexdigest(), "over the base's hash"), ("body-hash", hmac.new(key, base[:-len(BODY)] + hashlib.sha256(BODY).hexdigest().encode(), hashlib.sha256).hexdigest(), "over the body's hash"),
        ("get", value_of(hn(method="GET"), "x-api-signature"), "another method's"), ("stranger", value_of(hn(key="HN_STRANGER"), "x-api-signature"), "a stranger's"), ("lower", value_of(hn(s={"method": "post"}), "x-api-signature"), "over the method in lower case (seed method-lower)"),
    ]:
        D("hn-mac-" + slug, why, "mac", "hn", hn().headers({"x-api-signature": text}), "signature_mismatch", "hn-post")

    # --- method
    D("hn-method-changed", "the method changed after signing", "method mac", "hn", hn().but(method="PUT"), "signature_mismatch", "hn-post")
    D("hn-method-head", "HEAD with GET's signature: METHOD as received", "method mac", "hn", hn(**GET).but(method="HEAD"), "signature_mismatch", "hn-get")
    D("hn-method-get", "GET with HEAD's signature", "method mac", "hn", hn(method="HEAD", body=b"").but(method="GET"), "signature_mismatch", "hn-head")
    D("hn-method-lower", "a method in lower case is no request", "method order", "hn", hn().but(method="post"), "request_malformed", "hn-post")
    for name in OVERRIDES:
        D("hn-override-" + name.lower(), "an override header is never covered", "method signed-anyway", "hn", hn(extra=[(name, "DELETE")]), "signature_component_missing", "hn-post")
    D("hn-override-same", "not even with the same method", "method signed-anyway", "hn", hn(extra=[("X-HTTP-Method-Override", "POST")]), "signature_component_missing", "hn-post")
    D("hn-override-empty", "empty: it selects no route", "method signed-anyway", "hn", hn(extra=[("x-http-method-override", "")]), "route_not_allowed", "hn-post")
    D("hn-override-twice", "twice: it selects no route", "method signed-anyway", "hn", hn(extra=[("X-HTTP-Method-Override", "PUT"), ("X-HTTP-Method-Override", "DELETE")]), "route_not_allowed", "hn-post")
    D("hn-override-signed", "signed as the method that it names", "method", "hn", hn(s={"method": "DELETE"}, extra=[("X-HTTP-Method-Override", "DELETE")]), "signature_component_missing", "hn-post")
    D("hn-override-mac", "and a wrong MAC: the head comes first", "method order", "hn", hn(key="HN_STRANGER", extra=[("X-HTTP-Method-Override", "DELETE")]), "signature_component_missing", "hn-post")
    D("hn-override-alias", "with _", "method alias", "hn", hn(extra=[("X_HTTP_Method_Override", "DELETE")]), "header_duplicate", "hn-post")
    D("hn-override-alias-2", "with one _", "method alias", "hn", hn(extra=[("x-http_method", "DELETE")]), "header_duplicate", "hn-post")
    A("hn-override-open", "a route that asks for nothing does not look", "allow method", "hn", plain(extra=[("X-HTTP-Method-Override", "DELETE")]), route="open", sig=False)
    D("hn-override-alias-open", "but _ is refused on every route", "method alias", "hn", plain(extra=[("X_HTTP_Method_Override", "DELETE")]), "header_duplicate", "hn-override-open")

    # --- WebSocket upgrades
    A("hn-upgrade", "HTTP/1.1 upgrade: METHOD is GET", "allow websocket", "hn", hn(extra=UPGRADE, **GET))
    D("hn-upgrade-missing", "an upgrade needs a signature", "websocket", "hn", hn(extra=UPGRADE, **GET).headers({"x-api-signature": None}), "signature_missing", "hn-upgrade")
    A("hn-connect", "extended CONNECT: METHOD is CONNECT", "allow websocket", "hn", hn(method="CONNECT", version="2", extra=EXTENDED, body=b""))
    A("hn-connect-3", "extended CONNECT on HTTP/3", "allow websocket", "hn", hn(method="CONNECT", version="3", extra=EXTENDED, body=b""))
    D("hn-connect-get", "extended CONNECT, signed as GET", "websocket mac", "hn", hn(method="CONNECT", version="2", extra=EXTENDED, body=b"", s={"method": "GET"}), "signature_mismatch", "hn-connect")
    D("hn-connect-missing", "an extended CONNECT needs a signature", "websocket", "hn", hn(method="CONNECT", version="2", extra=EXTENDED, body=b"").headers({"x-api-signature": None}), "signature_missing", "hn-connect")
    D("hn-connect-plain", "a CONNECT without :protocol is no request", "websocket order", "hn", hn(method="CONNECT", version="2", body=b""), "request_malformed", "hn-connect")

    # --- preflights
    A("hn-preflight", "a preflight is not asked", "allow preflight", "hn", plain("/v1/items", PREFLIGHT, "OPTIONS"), sig=False, preflight=True)
    A("hn-preflight-junk", "nor are its headers read", "allow preflight", "hn", plain("/v1/items", PREFLIGHT + [("X-API-Signature", "junk")], "OPTIONS"), sig=False, preflight=True)
    D("hn-preflight-no-method", "OPTIONS with Origin alone is no preflight", "preflight", "hn", plain("/v1/items", PREFLIGHT[:1], "OPTIONS"), "signature_missing", "hn-preflight")
    D("hn-preflight-no-origin", "OPTIONS without Origin is no preflight", "preflight", "hn", plain("/v1/items", PREFLIGHT[1:], "OPTIONS"), "signature_missing", "hn-preflight")
    D("hn-preflight-two-methods", "two requested methods: no preflight", "preflight", "hn", plain("/v1/items", PREFLIGHT + PREFLIGHT[1:2], "OPTIONS"), "signature_missing", "hn-preflight")
    D("hn-preflight-connect", "a requested method CONNECT: no preflight", "preflight", "hn", plain("/v1/items", PREFLIGHT[:1] + [("Access-Control-Request-Method", "CONNECT")], "OPTIONS"), "signature_missing", "hn-preflight")
    D("hn-preflight-get", "a GET with a preflight's headers", "preflight", "hn", plain("/v1/items", PREFLIGHT), "signature_missing", "hn-preflight")
    D("hn-preflight-override", "a preflight with an override header", "preflight order", "hn", plain("/v1/items", PREFLIGHT + [("X-HTTP-Method", "PUT")], "OPTIONS"), "route_not_allowed", "hn-preflight")
    D("hn-preflight-duplicate", "a preflight with a named header twice", "preflight header-duplicate", "hn", plain("/v1/items", PREFLIGHT + [("X-Nonce", "a"), ("X-Nonce", "b")], "OPTIONS"), "header_duplicate", "hn-preflight")
    A("hn-options", "OPTIONS that is no preflight, signed", "allow preflight", "hn", hn(method="OPTIONS", body=b""))

    # --- header_duplicate, on every request
    for n, name in enumerate(["X-API-Signature", "X-Timestamp", "X-Nonce"]):
        value = value_of(hn(), name.lower())
        D("hn-dup-%d" % n, name + " twice, the same value", "header-duplicate signed-anyway", "hn", hn(extra=[(name, value)]), "header_duplicate", "hn-post")
        D("hn-dup-%d-differs" % n, name + " twice, another value, another case", "header-duplicate", "hn", hn(extra=[(name.lower(), "other")]), "header_duplicate", "hn-post")
        D("hn-alias-%d" % n, name + " once more with _", "alias header-duplicate", "hn", hn(extra=[(name.replace("-", "_"), value)]), "header_duplicate", "hn-post")
        D("hn-alias-%d-alone" % n, name + " with _ in its stead", "alias", "hn", hn().headers({name.lower(): None}, [(name.replace("-", "_"), value)]), "header_duplicate", "hn-post")
        D("hn-open-dup-%d" % n, name + " twice on a route that asks for nothing", "header-duplicate", "hn", plain(extra=[(name, "a"), (name, "a")]), "header_duplicate", "open")
        D("hn-open-alias-%d" % n, name + " with _ on a route that asks for nothing", "alias", "hn", plain(extra=[(name.replace("-", "_").lower(), "a")]), "header_duplicate", "open")
    D("hn-alias-mixed", "one - and one _", "alias", "hn", hn(extra=[("x-api_signature", "a")]), "header_duplicate", "hn-post")
    D("hn-dup-host", "a header twice, and a host that is not allowed: check request comes first", "header-duplicate order", "hn", plain(host="evil.test", extra=[("X-Nonce", "a"), ("X-Nonce", "a")]), "header_duplicate", "hn-open")
    D("hn-dup-signature", "Signature twice, though this profile does not read it", "header-duplicate", "hn", hn(extra=[("Signature", "a"), ("Signature", "b")]), "header_duplicate", "hn-post")
    A("hn-other-profile-twice", "another profile's headers are just headers", "allow header-duplicate", "hn", hn(extra=[("X-Signature", "a"), ("X-Signature", "b"), ("X_Service_ID", "c"), ("webhook-id", "d"), ("webhook-id", "d")]))
    A("hn-signature-once", "Signature and Signature-Input once each are just headers", "allow header-duplicate", "hn", hn(extra=[("Signature", "a"), ("Signature-Input", "b")]))
    A("hn-content-type-twice", "Content-Type twice, where content_types is absent", "allow header-duplicate", "hn", hn(extra=[("Content-Type", "text/plain"), ("Content-Type", "text/html")]))
    D("hn-content-length-twice", "Content-Length twice", "header-duplicate order", "hn", hn(extra=[("Content-Length", "7"), ("Content-Length", "7")]), "header_duplicate", "hn-post")

    # --- renamed headers
    new = {"names": ("X-Sig", "X-Time", "X-Once")}
    A("hn-renamed", "renamed headers", "allow", "hn-renamed", hn(**new))
    A("hn-renamed-old", "the default names are then just headers", "allow header-duplicate", "hn-renamed", hn(extra=[("X-API-Signature", "a"), ("X-API-Signature", "b"), ("X_Timestamp", "c"), ("X-Nonce", "d"), ("X-Nonce", "d")], **new))
    D("hn-renamed-missing", "signed under the default names", "mac", "hn-renamed", hn(), "signature_missing", "hn-post")
    D("hn-renamed-nonce-missing", "the nonce under its default name", "nonce", "hn-renamed", hn(names=("X-Sig", "X-Time", "X-Nonce")), "nonce_missing", "hn-renamed")
    D("hn-renamed-time-missing", "the timestamp under its default name", "timestamp", "hn-renamed", hn(names=("X-Sig", "X-Timestamp", "X-Once")), "signature_malformed", "hn-renamed")
    D("hn-renamed-dup", "a renamed header twice", "header-duplicate", "hn-renamed", hn(extra=[("x-once", NONCE)], **new), "header_duplicate", "hn-renamed")
    D("hn-renamed-alias", "a renamed header with _", "alias", "hn-renamed", hn(extra=[("X_Sig", "a")], **new), "header_duplicate", "hn-renamed")
    D("hn-renamed-alias-time", "a renamed header with _", "alias", "hn-renamed", hn(extra=[("x_time", "a")], **new), "header_duplicate", "hn-renamed")

    # --- bodies
    for slug, body, why in [("lf", b"line1\nline2\n", "LF in the body (seed body-with-lf)"), ("binary", b"\xff\xfe\x00", "no UTF-8 (seed body-not-utf8)"), ("replacement", "\ufffd\ufffd\0".encode(), "replacement characters (seed body-replacement-char)"),
                            ("nul", b"\0", "one NUL"), ("bom", b"\xef\xbb\xbf{}", "a byte order mark"), ("crlf", b"a\r\nb\r\n", "CR LF"), ("all", bytes(range(256)), "every byte")]:
        A("hn-body-" + slug, why, "allow body", "hn", hn(body=body))
    A("hn-body-get", "a GET with a body", "allow body", "hn", hn(method="GET"))
    A("hn-body-length", "a Content-Length that is right", "allow body", "hn", hn(extra=[("Content-Length", len(BODY))]))
    for slug, body, why, twin in [("space", b'{"a": 1}', "JSON written anew", "hn-post"), ("bit", b'{"a":0}', "one bit", "hn-post"), ("more", BODY + b"\n", "a newline added", "hn-post"), ("upper", BODY.upper(), "another case", "hn-post"), ("none", b"", "the body removed", "hn-post"),
                                  ("added", BODY, "a body added", "hn-get"), ("lossy", "\ufffd\ufffd\0".encode(), "replacement characters in place of FF FE", "hn-body-binary"), ("cut", b"\xff\xfe", "cut at the NUL", "hn-body-binary"),
                                  ("bom", b"{}", "the byte order mark removed", "hn-body-bom"), ("crlf", b"a\nb\n", "CR LF to LF", "hn-body-crlf")]:
        source = {"hn-post": hn(), "hn-get": hn(**GET), "hn-body-binary": hn(body=b"\xff\xfe\x00"), "hn-body-bom": hn(body=b"\xef\xbb\xbf{}"), "hn-body-crlf": hn(body=b"a\r\nb\r\n")}[twin]
        D("hn-body-changed-" + slug, why, "body mac", "hn", source.but(body=body_value(body) if body else None), "signature_mismatch", twin)

    # --- max_body
    limits("hn", hn, "hn-tight", "hn-tight-base")
    A("hn-limit-2k", "2 KiB, at the limit", "allow body-limit", "hn-wide", hn(body=b"a" * 2048))
    D("hn-limit-2k-more", "one byte more", "body-limit signed-anyway", "hn-wide", hn(body=b"a" * 2049), "body_too_large", "open")
    D("hn-limit-default", "Content-Length at the default limit, and less body: not too large, but cut off", "body-limit", "hn", hn(extra=[("Content-Length", 1048576)]), "request_malformed", "hn-post")
    D("hn-limit-default-more", "Content-Length above the default limit", "body-limit signed-anyway", "hn", hn(extra=[("Content-Length", 1048577)]), "body_too_large", "hn-post")
    D("hn-limit-huge", "a Content-Length that no integer holds", "body-limit signed-anyway", "hn", hn(extra=[("Content-Length", "9" * 40)]), "body_too_large", "hn-post")
    D("hn-limit-wraps", "a Content-Length of 2^64", "body-limit signed-anyway", "hn", hn(extra=[("Content-Length", 2**64)]), "body_too_large", "hn-post")
    D("hn-limit-wraps-32", "a Content-Length of 2^32", "body-limit signed-anyway", "hn", hn(extra=[("Content-Length", 2**32)]), "body_too_large", "hn-post")
    D("hn-limit-mac", "too large, and a wrong MAC: the size comes first", "body-limit order", "hn-tight", hn(key="HN_STRANGER", body=b"123456789"), "body_too_large", "open")
    D("hn-limit-key", "too large, and no key: the head comes first", "body-limit order", "hn-bound", hn(key="HN_K1", host="third.example.com", extra=[("Content-Length", 2**40)]), "signature_key_unknown", "open")
    D("hn-limit-missing", "too large, and no signature: the head comes first", "body-limit order", "hn-tight", hn(body=b"123456789").headers({"x-api-signature": None}), "signature_missing", "open")
    A("hn-limit-open", "a route that asks for nothing has no limit", "allow body-limit", "hn-tight", plain(extra=[("Content-Length", 2**40)]), route="open", sig=False)

    # --- content types
    content_types("hn", hn, "hn-ct", "hn")
    A("hn-ct-second", "the second of the list", "allow content-types", "hn-ct", hn(extra=[("Content-Type", "text/plain")]))

    # --- keys
    A("hn-bound-1", "the key of this host", "allow key", "hn-bound", hn())
    A("hn-bound-2", "the key of that host and port", "allow key", "hn-bound", hn(key="HN_K2", host="other.example.com:8443"))
    A("hn-bound-port", "a key's host without a port matches any", "allow key", "hn-bound", hn(host="api.example.com:9999"))
    A("hn-bound-upper", "a key's host is compared without case", "allow key", "hn-bound", hn(wire="API.EXAMPLE.COM."))
    D("hn-bound-other-key", "another host's key", "key", "hn-bound", hn(key="HN_K2"), "signature_mismatch", "hn-bound-1")
    D("hn-bound-other-host", "this host's key at that host", "key", "hn-bound", hn(key="HN_K1", host="other.example.com:8443"), "signature_mismatch", "hn-bound-2")
    D("hn-bound-no-port", "that host without its port", "key signed-anyway", "hn-bound", hn(key="HN_K2", host=OTHER), "signature_key_unknown", "hn-bound-2")
    D("hn-bound-wrong-port", "that host with another port", "key signed-anyway", "hn-bound", hn(key="HN_K2", host="other.example.com:8444"), "signature_key_unknown", "hn-bound-2")
    D("hn-bound-third", "a host that has no key", "key signed-anyway", "hn-bound", hn(host="third.example.com"), "signature_key_unknown", "hn-bound-1")
    D("hn-bound-third-mac", "a host that has no key, and a wrong MAC: the head comes first", "key order", "hn-bound", hn(host="third.example.com", key="HN_STRANGER"), "signature_key_unknown", "hn-bound-1")
    A("hn-ports-default", "port 443 matches no port under https", "allow key", "hn-ports", hn())
    A("hn-ports-explicit", "port 443, explicit", "allow key", "hn-ports", hn(wire="api.example.com:443"))
    A("hn-ports-http", "port 443, explicit, under http", "allow key", "hn-ports", hn(host="api.example.com:443", scheme="http"))
    D("hn-ports-other", "another port", "key signed-anyway", "hn-ports", hn(host="api.example.com:8443"), "signature_key_unknown", "hn-ports-default")
    D("hn-ports-scheme", "no port under http is 80", "key signed-anyway", "hn-ports", hn(scheme="http"), "signature_key_unknown", "hn-ports-default")
    for n in "1234":
        A("hn-many-" + n, "key %s of four" % n, "allow key", "hn-many", hn(key="HN_K" + n))
    A("hn-many-elsewhere", "a key without hosts at another host", "allow key", "hn-many", hn(key="HN_K3", host=OTHER))
    D("hn-many-bound", "the fourth key at another host", "key", "hn-many", hn(key="HN_K4", host=OTHER), "signature_mismatch", "hn-many-elsewhere")
    D("hn-many-none", "none of four", "key", "hn-many", hn(key="HN_STRANGER"), "signature_mismatch", "hn-many-1")
    A("hn-keyid", "a key id", "allow key", "hn-keyid", hn(kid="2026-11"))
    A("hn-keyid-2", "another key id", "allow key", "hn-keyid", hn(key="HN_K2", kid="2026-12"))
    A("hn-keyid-marks", "a key id with every mark", "allow key", "hn-keyid", hn(key="HN_K3", kid="Mixed.Case:/@+=-_9"))
    D("hn-keyid-absent", "no key id, though the policy names its header", "key signed-anyway", "hn-keyid", hn(), "signature_malformed", "hn-keyid")
    D("hn-keyid-absent-hex", "no signature either", "key order", "hn-keyid", hn().headers({"x-api-signature": None}), "signature_missing", "hn-keyid")
    D("hn-keyid-unknown", "an unknown key id", "key signed-anyway", "hn-keyid", hn(kid="2026-13"), "signature_key_unknown", "hn-keyid")
    D("hn-keyid-case", "key ids are compared exactly", "key signed-anyway", "hn-keyid", hn(key="HN_K3", kid="mixed.case:/@+=-_9"), "signature_key_unknown", "hn-keyid-marks")
    D("hn-keyid-prefix", "a key id's beginning", "key signed-anyway", "hn-keyid", hn(kid="2026-1"), "signature_key_unknown", "hn-keyid")
    D("hn-keyid-path", "a key id that looks like a path", "key signed-anyway", "hn-keyid", hn(kid="x/../../dev/null"), "signature_key_unknown", "hn-keyid")
    D("hn-keyid-secret", "the secret's reference is no key id", "key signed-anyway", "hn-keyid", hn(kid="HN_K1"), "signature_key_unknown", "hn-keyid")
    D("hn-keyid-swapped", "one key's MAC under another's id", "key", "hn-keyid", hn(key="HN_K1", kid="2026-12"), "signature_mismatch", "hn-keyid")
    D("hn-keyid-swapped-2", "no other key is tried", "key", "hn-keyid", hn(key="HN_K3", kid="2026-11"), "signature_mismatch", "hn-keyid")
    D("hn-keyid-host", "a key id of another host", "key signed-anyway", "hn-keyid", hn(key="HN_K2", kid="2026-12", host=OTHER), "signature_key_unknown", "hn-keyid-2")
    D("hn-keyid-dup", "the key id twice", "header-duplicate", "hn-keyid", hn(kid="2026-11", extra=[("x-key-id", "2026-11")]), "header_duplicate", "hn-keyid")
    D("hn-keyid-alias", "the key id with _", "alias", "hn-keyid", hn(extra=[("X_Key_Id", "2026-11")]), "header_duplicate", "hn-keyid")
    # Ambiguous: §9 gives a grammar of key ids in the policy, none of the header's value; read here as the same grammar.
    D("hn-keyid-empty", "an empty key id (read by the policy's grammar of key ids)", "key ambiguous", "hn-keyid", hn(kid=""), "signature_malformed", "hn-keyid")
    D("hn-keyid-space", "a key id with a space (read by the policy's grammar of key ids)", "key ambiguous", "hn-keyid", hn(kid="2026 11"), "signature_malformed", "hn-keyid")
    D("hn-keyid-129", "a key id of 129 characters (read by the policy's grammar of key ids)", "key ambiguous", "hn-keyid", hn(kid="k" * 129), "signature_malformed", "hn-keyid")
    A("hn-keyid-unnamed", "a key id that the policy does not name is just a header", "allow key", "hn", hn(kid="nobody", extra=[("X-Key-Id", "twice")]))

    # --- secrets
    for slug, policy, key, why in [
        ("b64", "hn-encodings", "HN_B64", "base64"), ("hex", "hn-encodings", "HN_HEX", "hex"), ("whsec", "hn-encodings", "HN_WHSEC", "whsec_ decodes whatever the encoding says"), ("name", "hn-encodings", "given-by-the-caller", "a secret given by name"),
        ("short", "hn-encodings-2", "HN_32", "32 bytes"), ("long", "hn-encodings-2", "HN_LONG", "longer than HMAC's block"), ("utf8", "hn-encodings-2", "HN_UTF8", "UTF-8 text"),
    ]:
        A("hn-secret-" + slug, why, "allow secret", policy, hn(key=key))
    for slug, policy, name, why in [("b64", "hn-encodings", "HN_B64", "base64, signed with its text"), ("hex", "hn-encodings", "HN_HEX", "hex, signed with its text"), ("whsec", "hn-encodings", "HN_WHSEC", "whsec_, signed with its text")]:
        text = hmac.new(SECRETS[name].encode(), base, hashlib.sha256).hexdigest()
        D("hn-secret-%s-text" % slug, why, "secret mac", policy, hn(key=name).headers({"x-api-signature": text}), "signature_mismatch", "hn-secret-" + slug)

    # --- known answers: the MACs of shared/vectors/hmac-profile-seeds
    seeds("hn", [
        ("get-empty-body", "GET", "/v1/items?x=1", b"", "5350267155e5479a0218f5d53eec0f18bce4c438ed55162a85b8cf7362b657dc"),
        ("post-json", "POST", "/v1/items", BODY, "336abb824e964e7d60e1a30a03157703cc2cd866d2ecf6f3bbf905d0fbb2e5d3"),
        ("body-with-lf", "POST", "/v1/items", b"line1\nline2\n", "d78cb678a0a7727f8fa07d48a698d32f2928d0868ef8a4d1384fab650cd05a8f"),
        ("body-not-utf8", "POST", "/v1/items", b"\xff\xfe\x00", "a84a3d2f32fc799122d4ddb6eaed5490cecfe1880abc71ca99cb4b008869cf67"),
        ("collide-1-legit", "POST", "/a", b"1700000001\n9f86d081884c7d659a2feaa0c55ad015\n{\"admin\":true}", "36f2e79b6f24c8adb3fb4951041bb8b507d6e46e602273f2988eba397c4460b1"),
    ])

    # --- what is not covered
    A("hn-uncovered-scheme", "the scheme is not signed", "allow uncovered", "hn", hn().but(scheme="http"))
    A("hn-uncovered-header", "nor other headers", "allow uncovered", "hn", hn(extra=[("Content-Type", "application/xml"), ("Content-Encoding", "gzip"), ("Cookie", "admin=1"), ("X-Original-URL", "/admin")]))
    A("hn-uncovered-digest", "nor a Content-Digest, right or wrong", "allow uncovered", "hn", hn(extra=[("Content-Digest", "md5=:AAAA:")]))

    # --- earlier checks come first
    A("hn-checks", "every check passes", "allow order", "hn-checks", hn(peer="10.1.2.3", extra=[("Origin", "https://app.example.com")]))
    checks = {"peer": "10.1.2.3", "extra": [("Origin", "https://app.example.com")]}
    D("hn-checks-peer", "another peer", "order", "hn-checks", hn(**checks).but(peer="192.0.2.1"), "peer_not_allowed", "hn-checks")
    D("hn-checks-origin", "another origin", "order", "hn-checks", hn(peer="10.1.2.3", extra=[("Origin", "https://evil.test")]), "origin_not_allowed", "hn-checks")
    D("hn-checks-origin-missing", "another origin, and no signature", "order", "hn-checks", hn(peer="10.1.2.3", extra=[("Origin", "https://evil.test")]).headers({"x-api-signature": None}), "origin_not_allowed", "hn-checks")
    D("hn-checks-missing", "no signature", "order", "hn-checks", hn(**checks).headers({"x-api-signature": None}), "signature_missing", "hn-checks")
    D("hn-checks-fetch-site", "a page of another site", "order", "hn-checks", hn(peer="10.1.2.3", extra=[("Sec-Fetch-Site", "cross-site")]), "fetch_site_not_allowed", "hn-checks")
    A("hn-checks-open", "another method than was signed, where no signature is asked for", "allow order", "checks-open", hn(method="DELETE", **checks).but(method="PUT"))
    D("hn-checks-route", "a method of no route, signed", "order", "hn-checks", hn(method="DELETE", peer="10.1.2.3"), "route_not_allowed", "open")
    D("hn-checks-mac", "a signature of another method", "order", "hn-checks", hn(method="DELETE", **checks).but(method="PUT"), "signature_mismatch", "hn-checks-open")

    # --- replay
    replay_hn()


# --- what the profiles have in common


def window(slug, policy, make, max_age, tolerance, twin):
    A(slug + "-window-old", "max_age to the second", "allow window", policy, make(now=NOW + max_age))
    D(slug + "-window-expired", "one second more", "window", policy, make(now=NOW + max_age + 1), "signature_expired", slug + "-window-old")
    if tolerance:
        A(slug + "-window-early", "clock_tolerance to the second", "allow window", policy, make(now=NOW - tolerance))
    D(slug + "-window-too-early", "one second more", "window", policy, make(now=NOW - tolerance - 1), "signature_not_yet_valid", slug + "-window-early" if tolerance else twin)
    D(slug + "-window-long-ago", "long ago", "window", policy, make(now=NOW + 10**7), "signature_expired", twin)


def limits(slug, make, policy, empty=None):
    """A policy with max_body 8B; `empty` is its case without a body, if there is one."""
    eight, nine = b"12345678", b"123456789"
    A(slug + "-limit-8", "8 bytes, at the limit", "allow body-limit", policy, make(body=eight))
    D(slug + "-limit-9", "9 bytes", "body-limit signed-anyway", policy, make(body=nine), "body_too_large", "open")
    A(slug + "-limit-length-8", "Content-Length at the limit", "allow body-limit", policy, make(body=eight, extra=[("Content-Length", 8)]))
    D(slug + "-limit-length-9", "Content-Length above it, 8 bytes", "body-limit signed-anyway", policy, make(body=eight, extra=[("Content-Length", 9)]), "body_too_large", slug + "-limit-8")
    D(slug + "-length-more", "8 bytes of body, and Content-Length 7", "body-length", policy, make(body=eight, extra=[("Content-Length", 7)]), "request_malformed", slug + "-limit-length-8")
    D(slug + "-length-none", "8 bytes of body, and Content-Length 0", "body-length", policy, make(body=eight, extra=[("Content-Length", 0)]), "request_malformed", slug + "-limit-length-8")
    D(slug + "-length-less", "7 bytes of body, and Content-Length 8", "body-length", policy, make(body=b"1234567", extra=[("Content-Length", 8)]), "request_malformed", "open")
    A(slug + "-length-upgrade", "a request to upgrade", "allow body-length", policy, make(body=eight, extra=[("Upgrade", "x"), ("Content-Length", 8)]))
    A(slug + "-length-chunked", "a body in chunks", "allow body-length", policy, make(body=eight, extra=[("Transfer-Encoding", "chunked")]))
    D(slug + "-length-upgrade-chunked", "a request to upgrade, whose body nobody reads before the protocol changes", "body-length signed-anyway", policy, make(body=eight, extra=[("Upgrade", "x"), ("Transfer-Encoding", "chunked")]), "signature_malformed", slug + "-length-chunked")
    D(slug + "-limit-length-lies", "Content-Length below it, 9 bytes", "body-limit signed-anyway", policy, make(body=nine, extra=[("Content-Length", 3)]), "body_too_large", "open")
    if not empty:
        empty = slug + "-limit-empty"
        A(empty, "no body", "allow body-limit", policy, make(**GET))
    D(slug + "-limit-length-empty", "Content-Length above it, no body", "body-limit signed-anyway", policy, make(extra=[("Content-Length", 9)], **GET), "body_too_large", empty)


def content_types(slug, make, policy, kind):
    def ct(value, **more):
        return make(extra=[("Content-Type", value)], **more)

    json_type = slug + "-ct"
    A(json_type, "a listed type", "allow content-types", policy, ct("application/json"))
    A(slug + "-ct-parameters", "any case, parameters, white space", "allow content-types", policy, ct("Application/JSON ; charset=utf-8"))
    A(slug + "-ct-spaces", "white space around", "allow content-types", policy, ct(" application/json\t"))
    A(slug + "-ct-no-body", "no body, no type", "allow content-types", policy, make(**GET))
    A(slug + "-ct-no-body-typed", "no body, a listed type", "allow content-types", policy, ct("application/json", **GET))
    for name, value, why in [("xml", "application/xml", "another type"), ("form", "application/x-www-form-urlencoded", "a form"), ("prefix", "application/jsonp", "a longer name"), ("suffix", "application/problem+json", "a suffix"),
                             ("list", "application/json, text/html", "two types in one field"), ("empty", "", "an empty value"), ("wildcard", "*/*", "a wildcard"), ("half", "application", "no subtype"),
                             ("parameter", "text/html; x=application/json", "the listed type in a parameter"), ("comment", "application/json(x)", "a comment"), ("inner-space", "application/ json", "a space inside"), ("latin", "application/json\u00e9", "a byte above 0x7f")]:
        D(slug + "-ct-" + name, why, "content-types signed-anyway", policy, ct(value), "signature_malformed", json_type, suffix=".content_types")
    D(slug + "-ct-get", "another type, no body", "content-types signed-anyway", policy, ct("application/xml", **GET), "signature_malformed", slug + "-ct-no-body", suffix=".content_types")
    for name, value in [("gzip", "gzip"), ("identity", "identity"), ("empty", "")]:
        D(slug + "-ct-encoding-" + name, "a Content-Encoding, %s" % name, "content-types signed-anyway", policy, make(extra=[("Content-Type", "application/json"), ("Content-Encoding", value)]), "signature_malformed", json_type,
          suffix=".content_types")
    D(slug + "-ct-encoding-get", "a Content-Encoding, no body", "content-types signed-anyway", policy, make(extra=[("Content-Encoding", "gzip")], **GET), "signature_malformed", slug + "-ct-no-body", suffix=".content_types")
    D(slug + "-ct-absent", "a body without a type", "content-types signed-anyway", policy, make(), "signature_malformed", json_type, suffix=".content_types")
    D(slug + "-ct-twice", "Content-Type twice: the section reads it", "content-types header-duplicate", policy, make(extra=[("Content-Type", "application/json"), ("content-type", "application/json")]), "header_duplicate", json_type)
    D(slug + "-ct-alias", "Content_Type", "content-types alias", policy, make(extra=[("Content-Type", "application/json"), ("Content_Type", "text/html")]), "header_duplicate", json_type)
    D(slug + "-ct-open-twice", "Content-Type twice on a route that asks for nothing", "content-types header-duplicate", policy, plain(extra=[("Content-Type", "application/json"), ("Content-Type", "application/json")]), "header_duplicate",
      "open")
    D(slug + "-ct-mac", "another type, and a wrong MAC: the head comes first", "content-types order", policy, ct("application/xml", key=STRANGER[kind]), "signature_malformed", json_type, suffix=".content_types")
    D(slug + "-ct-absent-mac", "a body without a type, and a wrong MAC: the MAC comes first", "content-types order", policy, make(key=STRANGER[kind]), "signature_mismatch", json_type)
    D(slug + "-ct-expired", "another type, and old: the window comes first", "content-types order", policy, ct("application/xml", now=NOW + 1000), "signature_expired", "open")


STRANGER = {"hn": "HN_STRANGER", "ss": "SS_K4", "sw": "SW_STRANGER", "ms": "MS_STRANGER"}


def seeds(kind, rows):
    """Known answers: the MACs are those of shared/vectors/hmac-profile-seeds, not ours."""
    for name, method, target, body, known in rows:
        fields = dict(key="SEED", method=method, target=target, ts=1700000000, now=1700000000, body=body)
        req = hn(nonce="9f86d081884c7d659a2feaa0c55ad015", **fields) if kind == "hn" else ss(**fields)
        assert req["headers"][1][1] == known, name
        A("%s-seed-%s" % (kind, name), "seed " + name, "allow known-answer", kind + "-seed", req)


def duplicates(slug, policy, make, names, twin):
    for n, name in enumerate(names):
        value = value_of(make(), name.lower())
        D("%s-dup-%d" % (slug, n), name + " twice, the same value", "header-duplicate signed-anyway", policy, make(extra=[(name, value)]), "header_duplicate", twin)
        D("%s-alias-%d" % (slug, n), name + " once more with _", "alias header-duplicate", policy, make(extra=[(name.replace("-", "_"), value)]), "header_duplicate", twin)
        D("%s-alias-%d-alone" % (slug, n), name + " with _ in its stead", "alias", policy, make().headers({name.lower(): None}, [(name.replace("-", "_").lower(), value)]), "header_duplicate", twin)
        D("%s-open-dup-%d" % (slug, n), name + " twice on a route that asks for nothing", "header-duplicate", policy, plain(extra=[(name, "a"), (name.lower(), "b")]), "header_duplicate", slug + "-open")
        D("%s-open-alias-%d" % (slug, n), name + " with _ on a route that asks for nothing", "alias", policy, plain(extra=[(name.replace("-", "_"), "a")]), "header_duplicate", slug + "-open")


def overrides(slug, policy, make, twin, stranger):
    for name in OVERRIDES:
        D("%s-override-%s" % (slug, name.lower()), "an override header that is not covered", "method signed-anyway", policy, make(extra=[(name, "DELETE")]), "signature_component_missing", twin)
    D(slug + "-override-mac", "and a wrong MAC: the head comes first", "method order", policy, make(key=stranger, extra=[("X-HTTP-Method-Override", "DELETE")]), "signature_component_missing", twin)
    D(slug + "-override-alias", "with _", "method alias", policy, make(extra=[("X_METHOD_OVERRIDE", "DELETE")]), "header_duplicate", twin)
    A(slug + "-override-open", "a route that asks for nothing does not look", "allow method", policy, plain(extra=[("X-HTTP-Method-Override", "DELETE")]), route="open", sig=False)


# --- replay of host-nonce


def replay_hn():
    def at(seconds, **more):
        """A request that was signed and sent so many seconds later."""
        return hn(ts=NOW + seconds, now=NOW + seconds, **more)

    D("hn-replay", "the same request again", "replay", "hn", hn(), "nonce_replayed", "hn-post", before=["hn-post"])
    D("hn-replay-get", "a GET again", "replay", "hn", hn(**GET), "nonce_replayed", "hn-get", before=["hn-get"])
    D("hn-replay-third", "a third time", "replay", "hn", hn(), "nonce_replayed", "hn-post", before=["hn-post", "hn-post"])
    D("hn-replay-last-second", "again in the last second of its window", "replay", "hn", hn(now=NOW + 120), "nonce_replayed", "hn-window-old", before=["hn-post"])
    D("hn-replay-put", "its nonce on another request", "replay", "hn", hn(method="PUT"), "nonce_replayed", "hn-put", before=["hn-post"])
    A("hn-replay-second-later-alone", "the twin of the next", "allow replay", "hn", at(1))
    D("hn-replay-second-later", "its nonce, signed again a second later", "replay", "hn", at(1), "nonce_replayed", "hn-replay-second-later-alone", before=["hn-post"])
    D("hn-replay-upper", "its nonce, the host spelled otherwise", "replay host", "hn", hn(wire="API.Example.COM", **GET), "nonce_replayed", "hn-host-upper", before=["hn-get"])
    D("hn-replay-port", "its nonce, the default port spelled out", "replay host", "hn", hn(wire="api.example.com:443", **GET), "nonce_replayed", "hn-host-port-443", before=["hn-get"])
    D("hn-replay-http-2", "its nonce on HTTP/2", "replay", "hn", hn(version="2"), "nonce_replayed", "hn-http-2", before=["hn-post"])
    D("hn-replay-scheme", "the same request on a plain connection", "replay", "hn", hn().but(scheme="http"), "nonce_replayed", "hn-uncovered-scheme", before=["hn-post"])
    D("hn-replay-header", "the same request with one header more", "replay", "hn", hn(extra=[("Content-Length", len(BODY))]), "nonce_replayed", "hn-body-length", before=["hn-post"])
    D("hn-replay-keyid", "with a key id", "replay", "hn-keyid", hn(kid="2026-11"), "nonce_replayed", "hn-keyid", before=["hn-keyid"])
    D("hn-replay-between", "other requests between", "replay", "hn", hn(), "nonce_replayed", "hn-post", before=["hn-post", "hn-nonce-16", "hn-nonce-128"])
    A("hn-replay-nonce", "another nonce", "allow replay", "hn", hn(nonce=NONCE2), before=["hn-post"])
    A("hn-replay-nonce-case", "a nonce in another case is another nonce", "allow replay", "hn", hn(nonce=NONCE.upper()), before=["hn-post"])
    A("hn-replay-host", "the nonce at another host", "allow replay", "hn", hn(host=OTHER), before=["hn-post"])
    A("hn-replay-other-port", "the nonce at another port", "allow replay host", "hn", hn(host="api.example.com:8443"), before=["hn-post"])
    A("hn-replay-key", "the nonce with another key", "allow replay", "hn-many", hn(key="HN_K2"), before=["hn-many-1"])
    A("hn-replay-key-id", "the nonce with another key id", "allow replay", "hn-keyid", hn(key="HN_K2", kid="2026-12"), before=["hn-keyid"])
    for slug, before, why in [("mac", "hn-mac-zeros", "a wrong MAC"), ("stranger", "hn-mac-stranger", "a stranger's MAC"), ("text", "hn-hex-upper", "a MAC in upper case"), ("body", "hn-body-changed-bit", "another body"), ("size", "hn-limit-default-more", "too large a body"),
                              ("override", "hn-override-x-http-method", "an override header"), ("expired", "hn-window-expired", "a clock that was late"), ("early", "hn-window-too-early", "a clock that was early"), ("target", "hn-target-changed-value", "another target"),
                              ("duplicate", "hn-dup-2", "a duplicate header"), ("host", "hn-host-moved", "another host"), ("open", "hn-open-junk", "a route that asks for nothing"), ("now", "hn-no-now", "no clock")]:
        A("hn-burn-" + slug, "a refused request claims no nonce: " + why, "allow replay", "hn", hn(), before=[before])
    A("hn-burn-flood", "a hundred refused requests", "allow replay", "hn-full-1", hn(), before=["hn-mac-zeros"] * 100)

    # An entry lives until created + 120 + 5 + 60.
    A("hn-life-184-alone", "the twin of the next", "allow replay", "hn", at(184))
    D("hn-life-184", "the nonce again, 184 s after it was created", "replay", "hn", at(184), "nonce_replayed", "hn-life-184-alone", before=["hn-post"])
    A("hn-life-186", "the nonce again, 186 s after: its entry is gone", "allow replay", "hn", at(186), before=["hn-post"])
    A("hn-life-late-claim", "claimed in the last second of its window: the entry's life counts from created", "allow replay", "hn", at(186), before=["hn-window-old"])
    A("hn-life-future", "created 5 s ahead of the clock", "allow replay window", "hn", hn(ts=NOW + 5))
    A("hn-life-future-189-alone", "the twin of the next", "allow replay", "hn", at(189))
    D("hn-life-future-189", "the life of an entry counts from created", "replay", "hn", at(189), "nonce_replayed", "hn-life-future-189-alone", before=["hn-life-future"])
    A("hn-life-future-191", "and ends 185 s after that", "allow replay", "hn", at(191), before=["hn-life-future"])
    A("hn-life-again", "claimed, gone, claimed again", "allow replay", "hn", at(186), before=["hn-post", "hn-replay"])
    A("hn-life-tight-alone", "the twin of the next", "allow replay", "hn-tight", at(60, **GET))
    D("hn-life-tight", "max_age 1s, clock_tolerance 0s: 61 s", "replay", "hn-tight", at(60, **GET), "nonce_replayed", "hn-life-tight-alone", before=["hn-tight-base"])
    A("hn-life-tight-62", "and gone after it", "allow replay", "hn-tight", at(62, **GET), before=["hn-tight-base"])

    # Capacity.
    A("hn-cap-first", "a store for one entry", "allow replay", "hn-full-1", hn())
    A("hn-cap-second-alone", "the twin of the next", "allow replay", "hn-full-1", hn(nonce=NONCE2))
    D("hn-cap-second", "full: refused, and nothing is pushed out", "replay", "hn-full-1", hn(nonce=NONCE2), "replay_store_unavailable", "hn-cap-second-alone", before=["hn-cap-first"])
    D("hn-cap-same", "full, but it is there: a replay", "replay order", "hn-full-1", hn(), "nonce_replayed", "hn-cap-first", before=["hn-cap-first"])
    D("hn-cap-same-after", "still there after a refusal", "replay", "hn-full-1", hn(), "nonce_replayed", "hn-cap-first", before=["hn-cap-first", "hn-cap-second-alone"])
    A("hn-cap-other-alone", "the twin of the next", "allow replay", "hn-full-1", hn(host=OTHER))
    D("hn-cap-other", "full for every host", "replay", "hn-full-1", hn(host=OTHER), "replay_store_unavailable", "hn-cap-other-alone", before=["hn-cap-first"])
    A("hn-cap-184-alone", "the twin of the next", "allow replay", "hn-full-1", at(184, nonce=NONCE2))
    D("hn-cap-184", "full as long as the entry lives", "replay", "hn-full-1", at(184, nonce=NONCE2), "replay_store_unavailable", "hn-cap-184-alone", before=["hn-cap-first"])
    A("hn-cap-186", "free when it is gone", "allow replay", "hn-full-1", at(186, nonce=NONCE2), before=["hn-cap-first"])
    A("hn-cap-186-after", "a refused claim leaves nothing behind", "allow replay", "hn-full-1", at(186, nonce=NONCE2), before=["hn-cap-first", "hn-cap-184-alone"])
    A("hn-cap-open", "a full store does not matter to a route that asks for nothing", "allow replay", "hn-full-1", plain(), route="open", sig=False, before=["hn-cap-first"])
    # A share: five entries, two keys: two each.
    first, second, third = (dict(nonce="share-%d-0123456789" % n) for n in (1, 2, 3))
    A("hn-share-1", "the key's first of two", "allow replay", "hn-share", hn(**first))
    A("hn-share-2", "its second", "allow replay", "hn-share", hn(**second), before=["hn-share-1"])
    A("hn-share-3-alone", "the twin of the next", "allow replay", "hn-share", hn(**third))
    D("hn-share-3", "its share is used up, though the store has room", "replay", "hn-share", hn(**third), "replay_store_unavailable", "hn-share-3-alone", before=["hn-share-1", "hn-share-2"])
    D("hn-share-same", "its share is used up, but it is there: a replay", "replay order", "hn-share", hn(**first), "nonce_replayed", "hn-share-1", before=["hn-share-1", "hn-share-2"])
    A("hn-share-other", "the other key has its own share", "allow replay", "hn-share", hn(key="HN_K2", **first), before=["hn-share-1", "hn-share-2", "hn-share-3-alone"])
    A("hn-share-other-2", "the share is its own to the end", "allow replay", "hn-share", hn(key="HN_K2", **second), before=["hn-share-1", "hn-share-2", "hn-share-other"])
    A("hn-share-other-3-alone", "the twin of the next", "allow replay", "hn-share", hn(key="HN_K2", **third))
    D("hn-share-other-3", "the rest of the division is nobody's", "replay", "hn-share", hn(key="HN_K2", **third), "replay_store_unavailable", "hn-share-other-3-alone", before=["hn-share-other", "hn-share-other-2"])
    A("hn-share-least", "a share is one at least: the first key's", "allow replay", "hn-share-least", hn(**first))
    A("hn-share-least-other", "and the second's", "allow replay", "hn-share-least", hn(key="HN_K2", **first), before=["hn-share-least"])
    A("hn-share-least-2-alone", "the twin of the next", "allow replay", "hn-share-least", hn(**second))
    D("hn-share-least-2", "and no more", "replay", "hn-share-least", hn(**second), "replay_store_unavailable", "hn-share-least-2-alone", before=["hn-share-least"])
    A("hn-share-186", "free when the entries are gone", "allow replay", "hn-share", at(186, **third), before=["hn-share-1", "hn-share-2"])

    # Epochs: created < epoch + clock_tolerance is refused.
    A("hn-epoch-edge", "created = epoch + clock_tolerance", "allow epoch", "hn", hn(), epoch=NOW - 5)
    D("hn-epoch-inside", "one second less", "epoch", "hn", hn(), "replay_store_unavailable", "hn-epoch-edge", epoch=NOW - 4)
    D("hn-epoch-now", "a store that was found empty just now", "epoch", "hn", hn(), "replay_store_unavailable", "hn-post", epoch=NOW)
    D("hn-epoch-future", "an epoch ahead of the clock", "epoch", "hn", hn(), "replay_store_unavailable", "hn-post", epoch=NOW + 100)
    D("hn-epoch-late", "received late: created counts, not the clock", "epoch", "hn", hn(now=NOW + 120), "replay_store_unavailable", "hn-window-old", epoch=NOW + 60)
    A("hn-epoch-future-created", "created 5 s ahead of the clock", "allow epoch", "hn", hn(ts=NOW + 5), epoch=NOW)
    D("hn-epoch-future-created-4", "created 4 s ahead of it", "epoch", "hn", hn(ts=NOW + 4), "replay_store_unavailable", "hn-epoch-future-created", epoch=NOW)
    A("hn-epoch-tight", "no tolerance: created = epoch", "allow epoch", "hn-tight", hn(**GET), epoch=NOW)
    D("hn-epoch-tight-1", "no tolerance: one second less", "epoch", "hn-tight", hn(**GET), "replay_store_unavailable", "hn-epoch-tight", epoch=NOW + 1)
    A("hn-epoch-there-twin", "the twin of the next: created late enough, another nonce", "allow epoch", "hn", hn(ts=NOW + 5, nonce=NONCE2), before=["hn-life-future"], epoch=NOW)
    D("hn-epoch-there", "refused for the epoch, whether or not the entry was there", "epoch order", "hn", hn(ts=NOW + 4), "replay_store_unavailable", "hn-epoch-there-twin", before=["hn-life-future"], epoch=NOW)
    A("hn-epoch-open", "a route that asks for nothing needs no store", "allow epoch", "hn", plain(), route="open", sig=False, epoch=NOW)

    # Sections, and routes in report mode.
    A("hn-routes-api", "the first section", "allow replay", "hn-routes", hn(), section="api")
    A("hn-routes-second", "the second section, its own key", "allow replay", "hn-routes", hn(key="HN_K2", target="/second/x"), section="second", key="r2", route="second")
    A("hn-routes-second-after", "the nonce in another section", "allow replay", "hn-routes", hn(key="HN_K2", target="/second/x"), section="second", key="r2", route="second", before=["hn-routes-api"])
    D("hn-routes-second-replay", "the nonce in the same section", "replay", "hn-routes", hn(key="HN_K2", target="/second/x"), "nonce_replayed", "hn-routes-second", section="second", before=["hn-routes-second"])
    D("hn-routes-crossed", "the first section's key on the second's route", "key", "hn-routes", hn(target="/second/x"), "signature_mismatch", "open", section="second")
    D("hn-routes-crossed-back", "the second section's key on the first's route", "key", "hn-routes", hn(key="HN_K2"), "signature_mismatch", "hn-routes-api", section="api")


def report_mode(slug, make, stranger):
    """Every reason of the profile but the replay's, in report mode: reported, allowed, nothing proved."""
    policy, ok = slug + "-report", slug + "-report-ok"
    sig = {"hn": "x-api-signature", "ss": "x-signature", "sw": "webhook-signature", "ms": "signature"}[slug]
    A(ok, "a right signature: identity.signature is null all the same", "allow report-mode identity", policy, make())
    R(slug + "-report-missing", "reported", "report-mode", policy, make().headers({sig: None}), "signature_missing", ok)
    R(slug + "-report-malformed", "reported", "report-mode", policy, make().headers({sig: "!"}), "signature_malformed", ok)
    R(slug + "-report-override", "reported", "report-mode", policy, make(extra=[("X-HTTP-Method", "PUT")]), "signature_component_missing", ok)
    R(slug + "-report-mismatch", "reported", "report-mode", policy, make(key=stranger), "signature_mismatch", ok)
    R(slug + "-report-expired", "reported", "report-mode", policy, make(now=NOW + 1000), "signature_expired", ok)
    R(slug + "-report-early", "reported", "report-mode", policy, make(now=NOW - 1000), "signature_not_yet_valid", ok)
    R(slug + "-report-target", "reported", "report-mode target", policy, make(target="/v1/x?"), "signature_malformed", "open")
    R(slug + "-report-order", "only the first failure is reported", "report-mode order", policy, make(key=stranger, now=NOW + 1000), "signature_expired", "open")
    A(slug + "-report-replay", "no nonce is claimed, so a replay is not seen", "allow report-mode replay", policy, make(), before=[ok])
    A(slug + "-report-epoch", "nor is the epoch", "allow report-mode epoch", policy, make(), epoch=NOW)
    A(slug + "-report-open", "a route that asks for nothing", "allow report-mode", policy, plain(), route="open", sig=False)
    A(slug + "-report-preflight", "a preflight", "allow report-mode preflight", policy, plain("/v1/items", PREFLIGHT, "OPTIONS"), sig=False, preflight=True)
    R(slug + "-report-host", "the host check fails first", "report-mode order", policy, make(host="evil.test", key=stranger), "host_not_allowed", ok, host=None, route=None)
    D(slug + "-report-duplicate", "check request denies as ever", "report-mode header-duplicate", policy, make(extra=[(sig, "a")]), "header_duplicate", ok)
    D(slug + "-report-no-now", "so does a request without a clock", "report-mode now", policy, make().but(now=None), "request_malformed", ok)
    D(slug + "-report-no-host", "so do the 400s of host", "report-mode order", policy, make().headers({"host": None}), "host_missing", ok)
    A(slug + "-report-limit", "1 KiB, at the limit", "allow report-mode body-limit", policy, make(body=b"a" * 1024))
    D(slug + "-report-limit-more", "body_too_large denies as ever", "report-mode body-limit", policy, make(body=b"a" * 1025), "body_too_large", "open")
    D(slug + "-report-limit-length", "by Content-Length too", "report-mode body-limit", policy, make(extra=[("Content-Length", 1025)]), "body_too_large", ok)
    # Ambiguous: §6 "Another failing check is reported and the request allowed; later checks are not run" against §9 "body_too_large denies as ever". Read by the letter: the head failed, the size is not asked for.
    R(slug + "-report-limit-missing", "no signature, and too large: the head's failure is reported, later checks are not run", "report-mode body-limit ambiguous", policy,
      make(extra=[("Content-Length", 1025)]).headers({sig: None}), "signature_missing", ok)
    if slug != "ms":
        D(slug + "-report-limit-mac", "the size comes before the MAC", "report-mode body-limit order", policy, make(key=stranger, extra=[("Content-Length", 1025)]), "body_too_large", ok)


def report_hn():
    report_mode("hn", hn, "HN_STRANGER")
    R("hn-report-key", "reported", "report-mode", "hn-report", hn(host="third.example.com"), "signature_key_unknown", "hn-report-ok")
    R("hn-report-nonce-missing", "reported", "report-mode", "hn-report", hn(nonce=None, s={"nonce": ""}), "nonce_missing", "hn-report-ok")
    R("hn-report-nonce-malformed", "reported", "report-mode", "hn-report", hn(nonce="short"), "nonce_malformed", "hn-report-ok")
    # A route in report mode: want.mode is the policy's.
    watch = {"target": "/watch/x"}
    on = {"route": "watch", "section": "api"}
    A("hn-watch", "a right signature on a route in report mode: identity.signature is null", "allow report-mode identity", "hn-routes", hn(**watch), route="watch", sig=False)
    R("hn-watch-missing", "no signature on a route in report mode (the verdict's mode is the policy's)", "report-mode ambiguous", "hn-routes", hn(**watch).headers({"x-api-signature": None}), "signature_missing", "hn-watch", **on)
    R("hn-watch-malformed", "reported", "report-mode", "hn-routes", hn(ts="0", **watch), "signature_malformed", "hn-watch", **on)
    R("hn-watch-mismatch", "reported", "report-mode", "hn-routes", hn(key="HN_STRANGER", **watch), "signature_mismatch", "hn-watch", **on)
    R("hn-watch-other-key", "another section's key", "report-mode", "hn-routes", hn(key="HN_K2", **watch), "signature_mismatch", "hn-watch", **on)
    R("hn-watch-expired", "reported", "report-mode", "hn-routes", hn(now=NOW + 121, **watch), "signature_expired", "hn-watch", **on)
    R("hn-watch-early", "reported", "report-mode", "hn-routes", hn(now=NOW - 6, **watch), "signature_not_yet_valid", "hn-watch", **on)
    R("hn-watch-override", "reported", "report-mode", "hn-routes", hn(extra=[("X-HTTP-Method", "PUT")], **watch), "signature_component_missing", "hn-watch", **on)
    R("hn-watch-nonce-missing", "reported", "report-mode", "hn-routes", hn(nonce=None, s={"nonce": ""}, **watch), "nonce_missing", "hn-watch", **on)
    R("hn-watch-nonce-malformed", "reported", "report-mode", "hn-routes", hn(nonce=NONCE + "/", **watch), "nonce_malformed", "hn-watch", **on)
    D("hn-watch-limit", "body_too_large denies as ever", "report-mode body-limit", "hn-routes", hn(extra=[("Content-Length", 1025)], **watch), "body_too_large", "hn-watch", section="api")
    D("hn-watch-duplicate", "so does check request", "report-mode header-duplicate", "hn-routes", hn(extra=[("X-Nonce", NONCE)], **watch), "header_duplicate", "hn-watch")
    D("hn-watch-no-now", "and a request without a clock", "report-mode now", "hn-routes", hn(**watch).but(now=None), "request_malformed", "hn-watch")
    D("hn-watch-evil", "the policy's other checks are not in report mode", "report-mode order", "hn-routes", hn(host="evil.test", **watch), "host_not_allowed", "hn-watch")
    A("hn-watch-replay", "no nonce is claimed on that route", "allow report-mode replay", "hn-routes", hn(**watch), route="watch", sig=False, before=["hn-watch"])
    A("hn-watch-then-api", "so it is free for the section's other route", "allow report-mode replay", "hn-routes", hn(), section="api", before=["hn-watch"])
    A("hn-watch-after-api", "and a claim there is not seen here", "allow report-mode replay", "hn-routes", hn(**watch), route="watch", sig=False, before=["hn-routes-api"])
    A("hn-watch-epoch", "nor is the epoch", "allow report-mode epoch", "hn-routes", hn(**watch), route="watch", sig=False, epoch=NOW)
    D("hn-watch-enforced", "the other routes enforce", "report-mode", "hn-routes", hn().headers({"x-api-signature": None}), "signature_missing", "hn-routes-api", section="api")


def service_scoped():
    # --- right signatures, and what they hold
    A("ss-post", "a signed POST with a body: the nonce is null", "allow identity", "ss", ss())
    A("ss-get", "a signed GET without a body: the base ends with the | after the timestamp", "allow identity", "ss", ss(**GET))
    A("ss-head", "METHOD is HEAD", "allow method", "ss", ss(method="HEAD", body=b""))
    A("ss-put", "another method", "allow method", "ss", ss(method="PUT"))
    A("ss-orders", "another service at its own host", "allow identity key", "ss", ss(key="SS_K2", service="orders", host=OTHER))
    A("ss-http-2", "HTTP/2", "allow", "ss", ss(version="2"))
    A("ss-open", "a route that asks for nothing", "allow", "ss", plain(), route="open", sig=False)

    # --- presence and now
    D("ss-missing", "no signature header", "mac", "ss", ss().headers({"x-signature": None}), "signature_missing", "ss-post")
    D("ss-missing-other-name", "another profile's header is not this one's", "mac", "ss", ss(names=("X-API-Signature", "X-Timestamp", "X-Service-ID")), "signature_missing", "ss-post")
    D("ss-missing-service-too", "absent, and so is the service id: presence comes first", "order", "ss", ss().headers({"x-signature": None, "x-service-id": None}), "signature_missing", "ss-post")
    D("ss-missing-bar", "absent, and a | in the target: presence comes first", "order", "ss", ss(target="/a|b").headers({"x-signature": None}), "signature_missing", "open")
    D("ss-no-now", "no clock, no verdict", "now", "ss", ss().but(now=None), "request_malformed", "ss-post")

    # --- target and delimiters
    for slug, target, why in [("encoded-bar", "/a%7Cb?c%7Cd", "an escaped | is three characters"), ("encoded-slash", "/a%2Fb", "an escaped slash is signed as it is sent"), ("two-marks", "/v1/items??", "the query is ?"), ("latin", "/caf\u00e9?q=\u00ff", "bytes above 0x7f")]:
        A("ss-target-" + slug, why, "allow target", "ss", ss(target=target, **GET))
    for slug, target, why in [("bar", "/a|b", "a | in the path"), ("bar-query", "/a?b|c", "a | in the query"), ("bar-last", "/a|", "a | at the end"), ("bar-mark", "/a?|", "a | alone in the query"), ("lone-mark", "/v1/items?", "a lone ? at the end"),
                              ("absolute", "https://api.example.com/v1/items", "absolute-form")]:
        D("ss-target-" + slug, why, "target signed-anyway", "ss", ss(target=target, **GET), "signature_malformed", "open")
    D("ss-target-star", "OPTIONS *", "target signed-anyway", "ss", ss(method="OPTIONS", target="*", body=b""), "signature_malformed", "open")
    D("ss-target-bar-grammar", "a | in the target and a bad signature", "target order", "ss", ss(target="/a|b", ts="0", **GET), "signature_malformed", "open")
    D("ss-target-bar-expired", "a | in the target, and old: the target comes first", "target order", "ss", ss(target="/a|b", ts=NOW - 900, **GET), "signature_malformed", "open")
    D("ss-target-decoded", "the signer decoded the path (a Flask service that signs request.path)", "target mac", "ss", ss(target="/a%2Fb", s={"target": "/a/b"}, **GET), "signature_mismatch", "ss-target-encoded-slash")
    D("ss-target-bar-decoded", "the signer decoded a |", "target delimiter mac", "ss", ss(target="/a%7Cb?c%7Cd", s={"target": "/a|b?c|d"}, **GET), "signature_mismatch", "ss-target-encoded-bar")
    D("ss-target-query", "the signer left the query out", "target mac", "ss", ss(s={"target": "/v1/items"}, **GET), "signature_mismatch", "ss-get")
    D("ss-target-changed", "a value changed", "target mac", "ss", ss().but(target="/v1/items?x=1&y=3"), "signature_mismatch", "ss-post")
    D("ss-target-removed", "the query removed", "target mac", "ss", ss().but(target="/v1/items"), "signature_mismatch", "ss-post")
    shifted = b"%d|" % (NOW + 1) + BODY
    A("ss-shift-legit", "a body that looks like the rest of a base (seed collide-legit)", "allow delimiter", "ss", ss(target="/a", body=shifted))
    assert value_of(ss(target="/a", body=shifted), "x-signature") == value_of(ss(target="/a|%d" % NOW, ts=NOW + 1), "x-signature")
    D("ss-shift-target", "its MAC with the fields moved into the target (seed collide-shifted)", "delimiter signed-anyway", "ss", ss(target="/a|%d" % NOW, ts=NOW + 1), "signature_malformed", "open")
    D("ss-shift-query", "the same in the query", "delimiter signed-anyway", "ss", ss(target="/a?x=|%d" % NOW, ts=NOW + 1), "signature_malformed", "open")
    D("ss-shift-service", "the target moved into the service id (seed collide-service)", "delimiter signed-anyway", "ss", ss(service="billing|/a", target=TARGET), "signature_malformed", "ss-post")
    D("ss-shift-service-end", "a service id that ends in |", "delimiter signed-anyway", "ss", ss(service="billing|"), "signature_malformed", "ss-post")
    D("ss-shift-timestamp", "a | in the timestamp", "delimiter signed-anyway", "ss", ss(ts="%d|x" % NOW), "signature_malformed", "ss-post")
    D("ss-shift-method", "a | in the method is no request", "delimiter order", "ss", ss().but(method="POST|BILLING"), "request_malformed", "ss-post")
    A("ss-shift-body", "the body is last: it may hold | (seed body-pipe)", "allow delimiter body", "ss", ss(body=b"|a|b|c"))
    D("ss-shift-no-bar", "a signer that joins without the last | when there is no body", "delimiter mac", "ss", ss(**GET).headers({"x-signature": mac("SS_K1", raw("GET|billing|%s|%d" % (TARGET, NOW))).hex()}), "signature_mismatch", "ss-get")
    D("ss-shift-spaces", "a signer that joins with spaces around the |", "delimiter mac", "ss", ss(**GET).headers({"x-signature": mac("SS_K1", raw("GET | billing | %s | %d | " % (TARGET, NOW))).hex()}), "signature_mismatch", "ss-get")
    D("ss-shift-lf", "host-nonce's base under this profile", "delimiter mac", "ss", ss(**GET).headers({"x-signature": mac("SS_K1", raw("GET\nbilling\n%s\n%d\n" % (TARGET, NOW))).hex()}), "signature_mismatch", "ss-get")

    # --- query = "unsigned"
    A("ss-unsigned", "TARGET is the path alone", "allow target uncovered", "ss-unsigned", ss(s={"target": "/v1/items"}))
    A("ss-unsigned-changed", "so the query is not covered", "allow target uncovered", "ss-unsigned", ss(s={"target": "/v1/items"}).but(target="/v1/items?admin=1"))
    A("ss-unsigned-removed", "nor its absence", "allow target uncovered", "ss-unsigned", ss(target="/v1/items"))
    A("ss-unsigned-marks", "two question marks", "allow target uncovered", "ss-unsigned", ss(target="/v1/items??", s={"target": "/v1/items"}))
    D("ss-unsigned-query", "signed with the query", "target mac", "ss-unsigned", ss(), "signature_mismatch", "ss-unsigned")
    D("ss-unsigned-mark", "signed with the ?", "target mac", "ss-unsigned", ss(s={"target": "/v1/items?"}), "signature_mismatch", "ss-unsigned")
    D("ss-unsigned-path", "the path is covered", "target mac", "ss-unsigned", ss(target="/v1/items").but(target="/v1/item"), "signature_mismatch", "ss-unsigned-removed")
    D("ss-unsigned-bar", "a | after the ? all the same", "target signed-anyway", "ss-unsigned", ss(target="/v1/items?a|b", s={"target": "/v1/items"}), "signature_malformed", "open")
    D("ss-unsigned-lone", "a lone ? all the same", "target signed-anyway", "ss-unsigned", ss(target="/v1/items?", s={"target": "/v1/items"}), "signature_malformed", "open")
    D("ss-unsigned-escape", "signed over the decoded path", "target mac", "ss-unsigned", ss(target="/a%2Fb?x", s={"target": "/a/b"}), "signature_mismatch", "open")

    # --- timestamps, window
    for slug, ts, why in BAD_TIMES[:8] + BAD_TIMES[10:14]:
        D("ss-ts-" + slug, why, "timestamp signed-anyway", "ss", ss(ts=ts), "signature_malformed", "ss-post")
    D("ss-ts-absent", "no timestamp", "timestamp signed-anyway", "ss", ss(ts=None, s={"ts": ""}), "signature_malformed", "ss-post")
    A("ss-ts-before-edge", "a GET is not claimed: no epoch is asked", "allow timestamp epoch", "ss", ss(ts=1, now=0, **GET))
    window("ss", "ss", ss, 120, 5, "ss-post")
    A("ss-tight-base", "max_age 1s, clock_tolerance 0s", "allow window", "ss-tight", ss(**GET))
    window("ss-tight", "ss-tight", lambda **f: ss(**{**GET, **f}), 1, 0, "ss-tight-base")
    D("ss-window-service", "old, and an unknown service: the window comes first", "window order", "ss", ss(ts=NOW - 900, service="nobody"), "signature_expired", "ss-post")
    D("ss-window-future", "early, and another host's service: the window comes first", "window order", "ss", ss(ts=NOW + 900, service="orders"), "signature_not_yet_valid", "ss-post")

    # --- the service id's grammar
    A("ss-id-one", "one character", "allow key", "ss-ids", ss(service="b"))
    A("ss-id-64", "64 characters, every mark", "allow key", "ss-ids", ss(key="SS_K3", service="b" + "0._-" * 15 + "xyz"))
    for slug, service, why in [("empty", "", "an empty value"), ("65", "b" * 65, "65 characters"), ("dash", "-billing", "a - first"), ("dot", ".billing", "a . first"), ("underscore", "_billing", "a _ first"), ("slash", "bill/ing", "a slash"), ("colon", "bill:ing", "a colon"),
                               ("space", "bill ing", "a space inside"), ("space-before", " billing", "white space before"), ("space-after", "billing ", "white space after"), ("comma", "billing, billing", "two in one field"), ("latin", "billing\u00e9", "a byte above 0x7f"),
                               ("quote", '"billing"', "quotes"), ("tab", "billing\t", "a tab")]:
        D("ss-id-" + slug, why, "key signed-anyway", "ss", ss(service=service), "signature_malformed", "ss-post")
    D("ss-id-absent", "no service id", "key signed-anyway", "ss", ss(service=None, s={"service": ""}), "signature_malformed", "ss-post")
    D("ss-id-absent-signed", "no service id, signed with it", "key", "ss", ss().headers({"x-service-id": None}), "signature_malformed", "ss-post")

    # --- the signature's spelling, the MAC
    good = value_of(ss(), "x-signature")
    for slug, text, why in [("upper", good.upper(), "upper case"), ("63", good[:63], "63 digits"), ("65", good + "0", "65 digits"), ("empty", "", "an empty value"), ("space-before", " " + good, "white space before"), ("prefix", "sha256=" + good, "a prefix"),
                            ("base64", b64(bytes.fromhex(good)), "base64"), ("list", good + "," + good, "two in one field")]:
        D("ss-hex-" + slug, why, "signature-text signed-anyway", "ss", ss().headers({"x-signature": text}), "signature_malformed", "ss-post")
    base = raw("POST|billing|%s|%d|" % (TARGET, NOW)) + BODY
    for slug, text, why in [("flip-first", flip(good), "the first digit changed"), ("zeros", "0" * 64, "zeros"), ("half-zeros", good[:32] + "0" * 32, "the right first half"), ("no-key", hmac.new(b"", base, hashlib.sha256).hexdigest(), "an empty key"),
                            ("lower", value_of(ss(s={"method": "post"}), "x-signature"), "over the method in lower case"), ("get", value_of(ss(method="GET"), "x-signature"), "another method's"), ("orders", value_of(ss(s={"service": "orders"}), "x-signature"), "another service id's"),
                            ("ts", value_of(ss(ts=NOW - 1), "x-signature"), "another second's"), ("host", mac("SS_K1", raw("POST|billing|%s|%s|%d|" % (API, TARGET, NOW)) + BODY).hex(), "with the host in the base")]:
        D("ss-mac-" + slug, why, "mac", "ss", ss().headers({"x-signature": text}), "signature_mismatch", "ss-post")
    D("ss-method-changed", "the method changed after signing", "method mac", "ss", ss().but(method="PUT"), "signature_mismatch", "ss-post")
    D("ss-method-head", "HEAD with GET's signature", "method mac", "ss", ss(**GET).but(method="HEAD"), "signature_mismatch", "ss-get")
    overrides("ss", "ss", ss, "ss-post", "SS_K4")
    A("ss-upgrade", "HTTP/1.1 upgrade: METHOD is GET", "allow websocket", "ss", ss(extra=UPGRADE, **GET))
    A("ss-connect", "extended CONNECT: METHOD is CONNECT", "allow websocket", "ss", ss(method="CONNECT", version="2", extra=EXTENDED, body=b""))
    D("ss-connect-get", "extended CONNECT, signed as GET", "websocket mac", "ss", ss(method="CONNECT", version="2", extra=EXTENDED, body=b"", s={"method": "GET"}), "signature_mismatch", "ss-connect")
    A("ss-preflight", "a preflight is not asked", "allow preflight", "ss", plain("/v1/items", PREFLIGHT, "OPTIONS"), sig=False, preflight=True)
    D("ss-preflight-no-origin", "OPTIONS without Origin is no preflight", "preflight", "ss", plain("/v1/items", PREFLIGHT[1:], "OPTIONS"), "signature_missing", "ss-preflight")

    # --- header_duplicate
    duplicates("ss", "ss", ss, ["X-Signature", "X-Timestamp", "X-Service-ID"], "ss-post")
    A("ss-other-profile-twice", "another profile's headers are just headers", "allow header-duplicate", "ss", ss(extra=[("X-Nonce", "a"), ("X-Nonce", "b"), ("X-API-Signature", "c"), ("X_API_Signature", "d")]))
    new = {"names": ("X-Sig", "X-Time", "X-Service")}
    A("ss-renamed", "renamed headers; the default names are then just headers", "allow", "ss-renamed", ss(extra=[("X-Signature", "a"), ("X-Signature", "b"), ("X_Service_ID", "orders")], **new))
    A("ss-renamed-plain", "renamed headers", "allow", "ss-renamed", ss(**new))
    D("ss-renamed-missing", "signed under the default names", "mac", "ss-renamed", ss(), "signature_missing", "ss-post")
    D("ss-renamed-service", "the service id under its default name", "key", "ss-renamed", ss(names=("X-Sig", "X-Time", "X-Service-ID")), "signature_malformed", "ss-renamed-plain")
    D("ss-renamed-alias", "a renamed header with _", "alias", "ss-renamed", ss(extra=[("X_Service", "billing")], **new), "header_duplicate", "ss-renamed-plain")

    # --- bodies, limits, content types
    A("ss-body-binary", "no UTF-8", "allow body", "ss", ss(body=b"\xff\xfe\x00"))
    D("ss-body-lossy", "replacement characters in its place", "body mac", "ss", ss(body=b"\xff\xfe\x00").but(body="\ufffd\ufffd\0"), "signature_mismatch", "ss-body-binary")
    D("ss-body-space", "JSON written anew", "body mac", "ss", ss().but(body='{"a": 1}'), "signature_mismatch", "ss-post")
    D("ss-body-none", "the body removed", "body mac", "ss", ss().but(body=None), "signature_mismatch", "ss-post")
    D("ss-body-added", "a body added", "body mac", "ss", ss(**GET).but(body="x"), "signature_mismatch", "ss-get")
    limits("ss", ss, "ss-tight", "ss-tight-base")
    D("ss-limit-mac", "too large, and a wrong MAC: the size comes first", "body-limit order", "ss-tight", ss(key="SS_K4", body=b"123456789"), "body_too_large", "open")
    D("ss-limit-service", "too large, and another host's service: the head comes first", "body-limit order", "ss-tight", ss(service="orders", body=b"123456789"), "signature_service_mismatch", "open")
    content_types("ss", ss, "ss-ct", "ss")

    # --- keys
    D("ss-key-orders-here", "another host's service, signed rightly", "key signed-anyway", "ss", ss(key="SS_K2", service="orders"), "signature_service_mismatch", "ss-post")
    D("ss-key-billing-there", "this host's service at another host", "key signed-anyway", "ss", ss(host=OTHER), "signature_service_mismatch", "ss-post")
    D("ss-key-billing-third", "a service at a host without any", "key signed-anyway", "ss", ss(host="third.example.com"), "signature_service_mismatch", "ss-post")
    D("ss-key-nobody", "an unknown service", "key signed-anyway", "ss", ss(service="nobody"), "signature_key_unknown", "ss-post")
    D("ss-key-upper", "service ids are compared exactly (seed service-case)", "key signed-anyway", "ss", ss(service="Billing"), "signature_key_unknown", "ss-post")
    D("ss-key-prefix", "a service id's beginning", "key signed-anyway", "ss", ss(service="bill"), "signature_key_unknown", "ss-post")
    D("ss-key-longer", "a longer service id", "key signed-anyway", "ss", ss(service="billing2"), "signature_key_unknown", "ss-post")
    D("ss-key-id-as-service", "a key id is no service id", "key signed-anyway", "ss", ss(service="b1"), "signature_key_unknown", "ss-post")
    D("ss-key-other", "another service's key", "key", "ss", ss(key="SS_K2"), "signature_mismatch", "ss-post")
    D("ss-key-mismatch-mac", "another host's service, and a wrong MAC: the head comes first", "key order", "ss", ss(key="SS_K4", service="orders"), "signature_service_mismatch", "ss-post")
    D("ss-key-nobody-there", "an unknown service at another host", "key signed-anyway", "ss", ss(service="nobody", host=OTHER), "signature_key_unknown", "ss-post")
    A("ss-key-port", "a key's host without a port matches any", "allow key host", "ss", ss(host="api.example.com:8443"))
    A("ss-rotate-1", "the first of two keys", "allow key", "ss-rotate", ss())
    A("ss-rotate-2", "the second of two keys", "allow key", "ss-rotate", ss(key="SS_K3"))
    A("ss-rotate-orders", "another service at the same host", "allow key", "ss-rotate", ss(key="SS_K4", service="orders"))
    D("ss-rotate-crossed", "another service's key at the same host", "key", "ss-rotate", ss(key="SS_K4"), "signature_mismatch", "ss-rotate-1")
    D("ss-rotate-crossed-back", "and the other way round", "key", "ss-rotate", ss(key="SS_K3", service="orders"), "signature_mismatch", "ss-rotate-orders")
    D("ss-rotate-host", "neither at another host", "key signed-anyway", "ss-rotate", ss(host=OTHER), "signature_service_mismatch", "ss-rotate-1")
    A("ss-keyid", "a key id", "allow key", "ss-keyid", ss(kid="b1"))
    A("ss-keyid-2", "the other key of that service", "allow key", "ss-keyid", ss(key="SS_K3", kid="b2"))
    A("ss-keyid-orders", "another service's key at its host", "allow key", "ss-keyid", ss(key="SS_K2", service="orders", host=OTHER, kid="o1"))
    D("ss-keyid-absent", "no key id, though the policy names its header", "key signed-anyway", "ss-keyid", ss(), "signature_malformed", "ss-keyid")
    D("ss-keyid-unknown", "an unknown key id", "key signed-anyway", "ss-keyid", ss(kid="b3"), "signature_key_unknown", "ss-keyid")
    D("ss-keyid-swapped", "one key's MAC under the other's id", "key", "ss-keyid", ss(kid="b2"), "signature_mismatch", "ss-keyid")
    D("ss-keyid-service", "a key id of another service id than the one sent", "key signed-anyway", "ss-keyid", ss(kid="b1", service="orders"), "signature_service_mismatch", "ss-keyid")
    D("ss-keyid-nobody", "a known key id, an unknown service", "key signed-anyway", "ss-keyid", ss(kid="b1", service="nobody"), "signature_service_mismatch", "ss-keyid")
    D("ss-keyid-host", "a key id of another host, with its service", "key signed-anyway", "ss-keyid", ss(key="SS_K2", kid="o1", service="orders"), "signature_key_unknown", "ss-keyid")
    D("ss-keyid-host-service", "a key id of another host, with this host's service: the key comes first", "key order", "ss-keyid", ss(key="SS_K2", kid="o1"), "signature_key_unknown", "ss-keyid")
    D("ss-keyid-unknown-service", "an unknown key id with another host's service", "key order", "ss-keyid", ss(kid="b3", service="orders"), "signature_key_unknown", "ss-keyid")
    D("ss-keyid-dup", "the key id twice", "header-duplicate", "ss-keyid", ss(kid="b1", extra=[("X-Key-Id", "b1")]), "header_duplicate", "ss-keyid")

    # --- known answers: the MACs of shared/vectors/hmac-profile-seeds
    seeds("ss", [("get", "GET", "/v1/x", b"", "242fb3a697dee1f14baf54642ee122fe02a519b0db29261bf26f692f49a46e57"), ("post", "POST", "/v1/x", BODY, "b10b34ddc1e219cb420b36bc66a370e727af51288e88a38371d9228e01a45b40"),
                 ("body-pipe", "POST", "/v1/x", b"a|b|c", "3608bc5f65a525e1b7c9fe89cc3cb7ec31cf95f92b45d1f597ea2bce339d82c0"), ("collide-legit", "POST", "/a", b'1700000001|{"admin":true}', "f76c4eaf823f37bc230d796e215da3e90bc56dad9e70ff9baf4e40077bac0fb9")])

    # --- what is not covered
    A("ss-uncovered-host", "the host is not signed, only bound: a signature goes to every host of its key", "allow uncovered", "ss-two-hosts", ss(host=OTHER))
    A("ss-uncovered-host-first", "the same signature at the first host", "allow uncovered", "ss-two-hosts", ss())
    A("ss-uncovered-host-spelled", "nor the host's spelling", "allow uncovered host", "ss", ss(wire="API.example.com.:443"))
    A("ss-uncovered-scheme", "nor the scheme", "allow uncovered", "ss", ss().but(scheme="http"))
    A("ss-uncovered-header", "nor other headers", "allow uncovered", "ss", ss(extra=[("Content-Type", "application/xml"), ("Content-Encoding", "gzip"), ("Cookie", "admin=1")]))

    # --- replay: the nonce is the MAC in hex
    D("ss-replay", "the same POST again", "replay", "ss", ss(), "nonce_replayed", "ss-post", before=["ss-post"])
    D("ss-replay-put", "the same PUT again", "replay", "ss", ss(method="PUT"), "nonce_replayed", "ss-put", before=["ss-put"])
    A("ss-replay-delete-alone", "the twin of the next", "allow replay", "ss", ss(method="DELETE", body=b""))
    D("ss-replay-delete", "the same DELETE again", "replay", "ss", ss(method="DELETE", body=b""), "nonce_replayed", "ss-replay-delete-alone", before=["ss-replay-delete-alone"])
    A("ss-replay-patch-x-alone", "the twin of the next", "allow replay", "ss", ss(method="X-PURGE", body=b""))
    D("ss-replay-patch-x", "the same of a method of the application's own", "replay", "ss", ss(method="X-PURGE", body=b""), "nonce_replayed", "ss-replay-patch-x-alone", before=["ss-replay-patch-x-alone"])
    # Ambiguous: CONNECT is METHOD as received, and not among GET, HEAD, OPTIONS; but the request is judged as GET. Read by the letter: claimed.
    D("ss-replay-connect", "the same extended CONNECT again (claimed: CONNECT is neither GET, HEAD nor OPTIONS)", "replay websocket ambiguous", "ss", ss(method="CONNECT", version="2", extra=EXTENDED, body=b""), "nonce_replayed", "ss-connect", before=["ss-connect"])
    A("ss-replay-get", "a GET again: not claimed", "allow replay", "ss", ss(**GET), before=["ss-get"])
    A("ss-replay-get-body-first", "a GET with a body", "allow replay body", "ss", ss(method="GET"))
    A("ss-replay-get-body", "nor with a body", "allow replay", "ss", ss(method="GET"), before=["ss-replay-get-body-first"])
    A("ss-replay-head", "a HEAD again: not claimed", "allow replay", "ss", ss(method="HEAD", body=b""), before=["ss-head"])
    A("ss-replay-options-first", "OPTIONS that is no preflight", "allow replay", "ss", ss(method="OPTIONS", body=b""))
    A("ss-replay-options", "OPTIONS again: not claimed", "allow replay", "ss", ss(method="OPTIONS", body=b""), before=["ss-replay-options-first"])
    A("ss-replay-mac-first", "nonce = mac", "allow replay", "ss-mac", ss(**GET))
    D("ss-replay-mac", "nonce = mac: a GET again", "replay", "ss-mac", ss(**GET), "nonce_replayed", "ss-replay-mac-first", before=["ss-replay-mac-first"])
    A("ss-replay-mac-head-first", "nonce = mac, HEAD", "allow replay", "ss-mac", ss(method="HEAD", body=b""))
    D("ss-replay-mac-head", "nonce = mac: a HEAD again", "replay", "ss-mac", ss(method="HEAD", body=b""), "nonce_replayed", "ss-replay-mac-head-first", before=["ss-replay-mac-head-first"])
    A("ss-replay-none-first", "nonce = none", "allow replay", "ss-none", ss())
    A("ss-replay-none", "nonce = none: a POST again", "allow replay", "ss-none", ss(), before=["ss-replay-none-first"])
    A("ss-replay-second", "the same a second later is another MAC", "allow replay", "ss", ss(ts=NOW + 1, now=NOW + 1), before=["ss-post"])
    A("ss-replay-body", "another body is another MAC", "allow replay", "ss", ss(body=b"x"), before=["ss-post"])
    A("ss-replay-host", "the same signature at another host of its key is another claim", "allow replay uncovered", "ss-two-hosts", ss(host=OTHER), before=["ss-uncovered-host-first"])
    A("ss-replay-key", "the same request by another key is another MAC", "allow replay", "ss-rotate", ss(key="SS_K3"), before=["ss-rotate-1"])
    D("ss-replay-spelled", "the host spelled otherwise is the same claim", "replay host", "ss", ss(wire="API.example.com.:443"), "nonce_replayed", "ss-uncovered-host-spelled", before=["ss-post"])
    D("ss-replay-header", "other headers are the same claim", "replay", "ss", ss(extra=[("Content-Type", "application/xml"), ("Content-Encoding", "gzip"), ("Cookie", "admin=1")]), "nonce_replayed", "ss-uncovered-header", before=["ss-post"])
    D("ss-replay-unsigned", "another query, unsigned, is the same claim", "replay uncovered", "ss-unsigned", ss(s={"target": "/v1/items"}).but(target="/v1/items?admin=1"), "nonce_replayed", "ss-unsigned-changed", before=["ss-unsigned"])
    A("ss-burn", "a refused request claims nothing", "allow replay", "ss", ss(), before=["ss-mac-zeros", "ss-hex-upper", "ss-body-space", "ss-key-other"])
    A("ss-epoch-edge", "created = epoch + clock_tolerance", "allow epoch", "ss", ss(), epoch=NOW - 5)
    D("ss-epoch-inside", "one second less", "epoch", "ss", ss(), "replay_store_unavailable", "ss-epoch-edge", epoch=NOW - 4)
    D("ss-epoch-put", "another method", "epoch", "ss", ss(method="PUT"), "replay_store_unavailable", "ss-put", epoch=NOW)
    A("ss-epoch-get", "a GET is not claimed, so no epoch is asked", "allow epoch", "ss", ss(**GET), epoch=NOW)
    D("ss-epoch-mac", "nonce = mac: a GET is claimed", "epoch", "ss-mac", ss(**GET), "replay_store_unavailable", "ss-epoch-get", epoch=NOW)
    A("ss-epoch-none", "nonce = none: a POST is not", "allow epoch", "ss-none", ss(), epoch=NOW)

    report_mode("ss", ss, "SS_K4")
    R("ss-report-key", "reported", "report-mode", "ss-report", ss(service="nobody"), "signature_key_unknown", "ss-report-ok")
    R("ss-report-service", "reported", "report-mode", "ss-report", ss(key="SS_K2", service="orders"), "signature_service_mismatch", "ss-report-ok")
    R("ss-report-service-host", "reported", "report-mode", "ss-report", ss(host=OTHER), "signature_service_mismatch", "ss-report-ok")


def standard_webhooks():
    # --- right signatures, and what they hold
    A("sw-post", "a signed webhook: the nonce is the id", "allow identity", "sw", sw())
    A("sw-empty", "an empty body: the base ends with the . after the timestamp", "allow identity", "sw", sw(body=b""))
    A("sw-get", "another method", "allow uncovered", "sw", sw(**GET))
    A("sw-http-2", "HTTP/2", "allow", "sw", sw(version="2"))
    A("sw-open", "a route that asks for nothing", "allow", "sw", plain(), route="open", sig=False)

    # --- presence and now
    D("sw-missing", "no signature header", "mac", "sw", sw().headers({"webhook-signature": None}), "signature_missing", "sw-post")
    D("sw-missing-other-name", "Svix's names are not these", "mac", "sw", sw(names=("svix-signature", "svix-timestamp", "svix-id")), "signature_missing", "sw-post")
    D("sw-missing-id-too", "absent, and so is the id: presence comes first", "order", "sw", sw().headers({"webhook-signature": None, "webhook-id": None}), "signature_missing", "sw-post")
    D("sw-no-now", "no clock, no verdict", "now", "sw", sw().but(now=None), "request_malformed", "sw-post")
    D("sw-target-lone-mark", "a lone ? at the end: the target is looked at in every profile", "target signed-anyway", "sw", sw(target="/hooks/in?"), "signature_malformed", "open")
    D("sw-target-absolute", "absolute-form", "target signed-anyway", "sw", sw(target="https://api.example.com/hooks/in"), "signature_malformed", "open")
    D("sw-target-star", "OPTIONS *", "target signed-anyway", "sw", sw(method="OPTIONS", target="*"), "signature_malformed", "open")
    A("sw-target-bar", "| is no delimiter of this profile", "allow target", "sw", sw(target="/hooks/in|x"))

    # --- the id
    for slug, id, why in [("one", "a", "one character"), ("256", "Az09_-xy" * 32, "256 characters"), ("dashes", "-_-", "marks alone")]:
        A("sw-id-" + slug, why, "allow nonce", "sw", sw(id=id))
    for slug, id, why in [("257", "a" * 257, "257 characters"), ("empty", "", "an empty value"), ("dot", "msg.1", "a dot"), ("space", "msg 1", "a space"), ("space-after", "msg1 ", "white space after"), ("tilde", "msg~1", "a tilde"), ("slash", "msg/1", "a slash"), ("comma", "msg1,msg2", "two in one field"),
                          ("latin", "msg\u00e9", "a byte above 0x7f"), ("bar", "msg|1", "a bar"), ("colon", "msg:1", "a colon"), ("plus", "msg+1", "a plus")]:
        D("sw-id-" + slug, why, "nonce signed-anyway", "sw", sw(id=id), "nonce_malformed", "sw-post")
    D("sw-id-absent", "no id", "nonce signed-anyway", "sw", sw(id=None, s={"id": ""}), "nonce_missing", "sw-post")
    D("sw-id-removed", "the id was removed on the way", "nonce", "sw", sw().headers({"webhook-id": None}), "nonce_missing", "sw-post")
    D("sw-id-other-name", "the id under another name", "nonce signed-anyway", "sw", sw(names=("webhook-signature", "webhook-timestamp", "svix-id")), "nonce_missing", "sw-post")
    D("sw-id-order", "a bad id, a bad timestamp and a bad signature: the id is read first", "nonce order", "sw", sw(id="a.b", ts="0").headers({"webhook-signature": "v1"}), "nonce_malformed", "sw-post")
    D("sw-id-absent-order", "no id and no timestamp: the id is read first", "nonce order", "sw", sw().headers({"webhook-id": None, "webhook-timestamp": None}), "nonce_missing", "sw-post")
    D("sw-id-unsigned", "the id renewed after signing", "nonce mac", "sw", sw(s={"id": "msg_other"}), "signature_mismatch", "sw-post")
    # The dot shift: id x, body T.{…} and id x.T.
    A("sw-shift-legit", "a body that looks like the rest of a base", "allow delimiter", "sw", sw(id="x", body=b"%d." % NOW + BODY))
    D("sw-shift-id", "its signature with the timestamp moved into the id", "delimiter signed-anyway", "sw", sw(id="x.%d" % NOW), "nonce_malformed", "sw-post")
    assert value_of(sw(id="x", body=b"%d." % NOW + BODY), "webhook-signature") == value_of(sw(id="x.%d" % NOW), "webhook-signature")
    D("sw-shift-timestamp", "a dot in the timestamp", "delimiter signed-anyway", "sw", sw(ts="%d.0" % NOW), "signature_malformed", "sw-post")
    D("sw-shift-no-dot", "a signer that joins without the last dot when there is no body", "delimiter mac", "sw",
      sw(body=b"").headers({"webhook-signature": "v1," + b64(mac("SW_K1", raw("%s.%d" % (SW_ID, NOW))))}), "signature_mismatch", "sw-empty")

    # --- timestamps, window
    for slug, ts, why in BAD_TIMES[:5] + BAD_TIMES[6:8] + BAD_TIMES[10:16]:
        D("sw-ts-" + slug, why, "timestamp signed-anyway", "sw", sw(ts=ts), "signature_malformed", "sw-post")
    D("sw-ts-absent", "no timestamp", "timestamp signed-anyway", "sw", sw(ts=None, s={"ts": ""}), "signature_malformed", "sw-post")
    D("sw-ts-unsigned", "the timestamp renewed after signing", "timestamp mac", "sw", sw(s={"ts": NOW - 100}), "signature_mismatch", "sw-post")
    D("sw-ts-order", "a bad timestamp, and no v1: the timestamp is read first", "timestamp order", "sw", sw(ts="0").headers({"webhook-signature": "v2,x"}), "signature_malformed", "sw-post")
    window("sw", "sw", sw, 120, 5, "sw-post")
    A("sw-tight-base", "max_age 1s, clock_tolerance 0s", "allow window", "sw-tight", sw(body=b""))
    window("sw-tight", "sw-tight", lambda **f: sw(**{"body": b"", **f}), 1, 0, "sw-tight-base")
    D("sw-window-mac", "old, and a wrong MAC: the window comes first", "window order", "sw", sw(ts=NOW - 900, key="SW_STRANGER"), "signature_expired", "sw-post")
    D("sw-window-mac-early", "early, and a wrong MAC: the window comes first", "window order", "sw", sw(ts=NOW + 900, key="SW_STRANGER"), "signature_not_yet_valid", "sw-post")
    D("sw-window-key", "old, and another host: the window comes first", "window order", "sw", sw(ts=NOW - 900, host=OTHER), "signature_expired", "sw-post")

    # --- the list of signatures
    good = value_of(sw(), "webhook-signature")
    wrong = "v1," + sw_mac("SW_STRANGER", SW_ID, NOW, BODY)
    def listed(text, **more):
        return sw(**more).headers({"webhook-signature": text})
    for slug, text, why in [
        ("second", wrong + " " + good, "the second is right"), ("16", (wrong + " ") * 15 + good, "16 entries, the last is right"), ("first-of-16", good + (" " + wrong) * 15, "16 entries, the first is right"), ("v1a", "v1a,AAAA " + good, "an asymmetric one is passed over"),
        ("v2", "v2,%s %s" % (good[3:], good), "a later version is passed over"), ("v2-junk", good + " v2,!!", "whatever it holds"), ("v10", "v10,x " + good, "v10 is not v1"), ("0", "0,x " + good, "a version of one digit"), ("same", good + " " + good, "the same twice"), ("v2-comma", good + " v2,a,b", "a comma in its rest"),
    ]:
        A("sw-list-" + slug, why, "allow lists", "sw", listed(text))
    # Ambiguous: "version , rest" does not say whether the rest may be empty. By the letter it may.
    A("sw-list-v2-empty", "an empty rest of another version (the letter sets no least length)", "allow lists ambiguous", "sw", listed(good + " v2,"))
    tag = good[3:]
    unpadded = tag.rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    trailing = unpadded[:-1] + alphabet[alphabet.index(unpadded[-1]) + 1] + "="
    assert base64.b64decode(trailing) == base64.b64decode(tag) and trailing != tag
    digest32 = base64.b64decode(tag)
    for slug, text, why in [
        ("17", (wrong + " ") * 16 + good, "17 entries"), ("17-v2", good + " v2,x" * 16, "17 entries of any version"), ("two-spaces", wrong + "  " + good, "two spaces between"), ("space-before", " " + good, "a space before"), ("space-after", good + " ", "a space after"), ("tab", wrong + "\t" + good, "a tab between"),
        ("commas", wrong + "," + good, "commas between"), ("comma-space", wrong + ", " + good, "comma and space between"), ("empty", "", "an empty value"), ("space", " ", "a space alone"), ("no-comma", tag, "no version"), ("version-alone", "v1", "a version alone"), ("no-comma-beside", good + " v2", "no comma in another entry"),
        ("empty-tag", "v1,", "an empty tag (RUSTSEC-2024-0010)"), ("short-tag", "v1,tZ1I4", "a short tag (RUSTSEC-2024-0010)"), ("empty-version", "," + tag, "an empty version"), ("upper-version", "V1," + tag, "V1"), ("dash-version", good + " v-2,x", "a version with a dash"), ("equals", "v1=" + tag, "= in place of the comma"),
        ("unpadded", "v1," + unpadded, "no padding"), ("padding-twice", "v1," + tag + "=", "too much padding"), ("url", "v1," + sw_mac("SW_K1", SW_ID, NOW, b"3").replace("+", "-").replace("/", "_"), "base64url"), ("bits", "v1," + trailing, "bits after the end that are not zero"),
        ("31", "v1," + b64(digest32[:31]), "31 bytes"), ("33", "v1," + b64(digest32 + b"\0"), "33 bytes"), ("64", "v1," + b64(digest32 * 2), "64 bytes"), ("16-bytes", "v1," + b64(digest32[:16]), "half of it"), ("hex", "v1," + digest32.hex(), "hex"), ("foreign", "v1," + tag[:4] + "!" + tag[4:], "a foreign character"),
        ("bad-beside", "v1,AAAA " + good, "a bad entry beside the right one"), ("bad-behind", good + " v1,", "a bad entry behind the right one"), ("version-space", "v1, " + tag, "a space after the comma"), ("latin", good + "\u00e9", "a byte above 0x7f"), ("quoted", '"%s"' % good, "quotes"), ("v2-space", good + " v2,a b", "a space in another version's rest"),
    ]:
        if slug == "url":
            body = next(b"%d" % n for n in range(1000) if set("+/") & set(sw_mac("SW_K1", SW_ID, NOW, b"%d" % n)))
            text = "v1," + sw_mac("SW_K1", SW_ID, NOW, body).replace("+", "-").replace("/", "_")
            D("sw-list-url", why, "lists signature-text signed-anyway", "sw", listed(text, body=body), "signature_malformed", "open")
            continue
        D("sw-list-" + slug, why, "lists signature-text signed-anyway", "sw", listed(text), "signature_malformed", "sw-post")
    for slug, text, why in [("v2", "v2," + tag, "v2 alone"), ("v1a", "v1a,AAAA", "v1a alone"), ("v0", "v0," + tag + " v2," + tag, "v0 and v2"), ("v11", "v11," + tag, "v11"), ("hs256", "hs256," + tag, "another name"), ("v01", "v01," + tag, "v01")]:
        D("sw-version-" + slug, "no v1: " + why, "lists signed-anyway", "sw", listed(text), "signature_algorithm_not_allowed", "sw-post")
    D("sw-version-expired", "no v1, and old: the grammar comes first", "lists order", "sw", listed("v2," + tag, now=NOW + 900), "signature_algorithm_not_allowed", "open")

    # --- the MAC
    base = raw("%s.%d." % (SW_ID, NOW)) + BODY
    for slug, text, why in [("stranger", wrong, "a stranger's"), ("zeros", "v1," + b64(bytes(32)), "zeros"), ("half-zeros", "v1," + b64(digest32[:16] + bytes(16)), "the right first half"), ("none", (wrong + " ") * 15 + wrong, "none of 16"), ("no-key", "v1," + b64(hmac.new(b"", base, hashlib.sha256).digest()), "an empty key"),
                            ("text-key", "v1," + b64(hmac.new(SECRETS["SW_K1"].encode(), base, hashlib.sha256).digest()), "the secret's text as key"), ("base64-key", "v1," + b64(hmac.new(SECRETS["SW_K1"][6:].encode(), base, hashlib.sha256).digest()), "the secret's base64 as key"),
                            ("v2-right", "v2,%s %s" % (tag, wrong), "the right one under v2, a wrong one under v1"), ("body-alone", "v1," + b64(mac("SW_K1", BODY)), "over the body alone (GitHub)"), ("stripe", "v1," + b64(mac("SW_K1", b"%d." % NOW + BODY)), "over time and body (Stripe)")]:
        D("sw-mac-" + slug, why, "mac", "sw", listed(text), "signature_mismatch", "sw-post")
    D("sw-body-space", "JSON written anew", "body mac", "sw", sw().but(body='{"a": 1}'), "signature_mismatch", "sw-post")
    D("sw-body-none", "the body removed", "body mac", "sw", sw().but(body=None), "signature_mismatch", "sw-post")
    A("sw-body-binary", "no UTF-8", "allow body", "sw", sw(body=b"\xff\xfe\x00"))
    D("sw-body-lossy", "replacement characters in its place (the libraries in JavaScript)", "body mac", "sw", sw(body=b"\xff\xfe\x00").but(body="\ufffd\ufffd\0"), "signature_mismatch", "sw-body-binary")
    A("sw-body-replacement", "replacement characters", "allow body", "sw", sw(body="\ufffd\ufffd\0".encode()))
    D("sw-body-lossless", "and back", "body mac", "sw", sw(body="\ufffd\ufffd\0".encode()).but(body={"base64": b64(b"\xff\xfe\x00")}), "signature_mismatch", "sw-body-replacement")
    overrides("sw", "sw", sw, "sw-post", "SW_STRANGER")
    A("sw-preflight", "a preflight is not asked", "allow preflight", "sw", plain("/hooks/in", PREFLIGHT, "OPTIONS"), sig=False, preflight=True)
    A("sw-connect", "an extended CONNECT: the method is not signed", "allow websocket uncovered", "sw", sw(method="CONNECT", version="2", extra=EXTENDED, body=b""))

    # --- header_duplicate
    duplicates("sw", "sw", sw, ["webhook-signature", "webhook-timestamp", "webhook-id"], "sw-post")
    new = {"names": ("svix-signature", "svix-timestamp", "svix-id")}
    A("sw-renamed", "renamed headers", "allow", "sw-renamed", sw(**new))
    A("sw-renamed-old", "the default names are then just headers", "allow header-duplicate", "sw-renamed", sw(extra=[("webhook-id", "a"), ("webhook-id", "b"), ("webhook_signature", "c")], **new))
    D("sw-renamed-missing", "signed under the default names", "mac", "sw-renamed", sw(), "signature_missing", "sw-post")
    D("sw-renamed-id", "the id under its default name", "nonce", "sw-renamed", sw(names=("svix-signature", "svix-timestamp", "webhook-id")), "nonce_missing", "sw-renamed")
    D("sw-renamed-alias", "a renamed header with _", "alias", "sw-renamed", sw(extra=[("Svix_Id", "a")], **new), "header_duplicate", "sw-renamed")
    D("sw-renamed-dup", "a renamed header twice", "header-duplicate", "sw-renamed", sw(extra=[("Svix-Id", SW_ID)], **new), "header_duplicate", "sw-renamed")

    # --- limits, content types
    limits("sw", sw, "sw-tight")
    D("sw-limit-mac", "too large, and a wrong MAC: the size comes first", "body-limit order", "sw-tight", sw(key="SW_STRANGER", body=b"123456789"), "body_too_large", "open")
    content_types("sw", sw, "sw-ct", "sw")

    # --- keys
    A("sw-rotate-1", "the first of two keys", "allow key", "sw-rotate", sw())
    A("sw-rotate-2", "the second of two keys", "allow key", "sw-rotate", sw(key="SW_K2"))
    A("sw-rotate-both", "both, as a sender that rotates sends them, the old one first", "allow key", "sw-rotate", sw(key="SW_K2", before=wrong + " "))
    A("sw-rotate-elsewhere", "the first key at another host", "allow key", "sw-rotate", sw(host=OTHER))
    D("sw-rotate-bound", "the second key at another host", "key", "sw-rotate", sw(key="SW_K2", host=OTHER), "signature_mismatch", "sw-rotate-elsewhere")
    # Ambiguous: two entries, each right by another key. Read here: the policy's first key that gives one of the MACs.
    A("sw-rotate-two-right", "two right entries: the policy's first key is named (§9 does not say which)", "allow key ambiguous", "sw-rotate", sw(key="SW_K1", before="v1," + sw_mac("SW_K2", SW_ID, NOW, BODY) + " "))
    D("sw-key-host", "a host that has no key", "key signed-anyway", "sw", sw(host=OTHER), "signature_key_unknown", "sw-post")
    D("sw-key-third", "another host that has no key", "key signed-anyway", "sw", sw(host="third.example.com"), "signature_key_unknown", "sw-post")
    D("sw-key-host-mac", "a host that has no key, and a wrong MAC: the head comes first", "key order", "sw", sw(host=OTHER, key="SW_STRANGER"), "signature_key_unknown", "sw-post")
    A("sw-key-port", "a key's host without a port matches any", "allow key host", "sw", sw(host="api.example.com:8443"))
    A("sw-secret-24", "a secret of 24 bytes", "allow secret", "sw-lengths", sw(key="SW_24"))
    A("sw-secret-64", "a secret of 64 bytes", "allow secret", "sw-lengths", sw(key="SW_64"))
    A("sw-secret-plain", "a secret without whsec_ is its text", "allow secret", "sw-lengths", sw(key="SW_PLAIN"))

    # --- known answers of shared/vectors/standard-webhooks (their MACs, not ours)
    one = dict(key="SW_KNOWN_1", id="msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", ts=1649367553, now=1649367553, body=b'{"email":"test@example.com","username":"test_user"}')
    known = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    assert value_of(sw(**one), "webhook-signature") == known
    A("sw-known-1", "sign-1 (Rust library)", "allow known-answer", "sw-known", sw(**one))
    two = dict(key="SW_KNOWN_2", id="msg_p5jXN8AQM9LWM0D4loKWxJek", ts=1614265330, now=1614265330, body=b'{"test": 2432232314}')
    assert value_of(sw(**two), "webhook-signature") == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    A("sw-known-2", "sign-2 (JavaScript, Python and Go libraries)", "allow known-answer", "sw-known", sw(**two))
    others = ["v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ=", "v1,Mm7xgUVICxZfQ3bgf0h0Dof65L/IFx+PnZvnDWPCX6Q=", "v1,9DfC1c3eeOrXB6w/5dIDydLNQaEyww5KalE5jLBZucE="]
    A("sw-known-rotation", "rotation-one-good-of-four", "allow known-answer lists", "sw-known", sw(before=" ".join(others[:2]) + " ", after=" " + others[2], **one))
    D("sw-known-rotation-none", "rotation-none-good", "known-answer lists", "sw-known", listed(" ".join(others), **one), "signature_mismatch", "sw-known-1")
    D("sw-known-wrong", "wrong-signature", "known-answer", "sw-known", listed("v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=", **one), "signature_mismatch", "sw-known-1")

    # --- what is not covered
    A("sw-uncovered-path", "the path is not signed, only bound by the route", "allow uncovered", "sw", sw().but(target="/hooks/other?admin=1"))
    A("sw-uncovered-method", "nor the method", "allow uncovered", "sw", sw().but(method="DELETE"))
    A("sw-uncovered-host", "nor the host, only bound by the key", "allow uncovered", "sw-rotate", sw(host=OTHER, wire="OTHER.example.com."))
    A("sw-uncovered-scheme", "nor the scheme", "allow uncovered", "sw", sw().but(scheme="http"))
    A("sw-uncovered-header", "nor other headers", "allow uncovered", "sw", sw(extra=[("Content-Type", "application/xml"), ("Content-Encoding", "gzip")]))

    # --- replay: host, id and timestamp, no key id
    D("sw-replay", "the same webhook again", "replay", "sw", sw(), "nonce_replayed", "sw-post", before=["sw-post"])
    D("sw-replay-path", "to another path", "replay uncovered", "sw", sw().but(target="/hooks/other?admin=1"), "nonce_replayed", "sw-uncovered-path", before=["sw-post"])
    D("sw-replay-method", "by another method", "replay uncovered", "sw", sw().but(method="DELETE"), "nonce_replayed", "sw-uncovered-method", before=["sw-post"])
    D("sw-replay-body", "its id and timestamp with another body", "replay", "sw", sw(body=b""), "nonce_replayed", "sw-empty", before=["sw-post"])
    D("sw-replay-key", "its id and timestamp by another key: the claim holds no key id", "replay", "sw-rotate", sw(key="SW_K2"), "nonce_replayed", "sw-rotate-2", before=["sw-rotate-1"])
    A("sw-replay-time", "an honest retry: the id again, a new timestamp", "allow replay", "sw", sw(ts=NOW + 5, now=NOW + 5), before=["sw-post"])
    A("sw-replay-older-alone", "the twin of the one after the next", "allow replay", "sw", sw(ts=NOW - 5))
    A("sw-replay-older", "the id again, an older timestamp", "allow replay", "sw", sw(ts=NOW - 5), before=["sw-post"])
    D("sw-replay-retry", "the retry again", "replay", "sw", sw(ts=NOW - 5), "nonce_replayed", "sw-replay-older-alone", before=["sw-post", "sw-replay-older-alone"])
    A("sw-replay-id", "another id", "allow replay", "sw", sw(id="msg_other"), before=["sw-post"])
    A("sw-replay-case", "an id in another case is another id", "allow replay", "sw", sw(id=SW_ID.upper()), before=["sw-post"])
    A("sw-replay-host", "at another host", "allow replay", "sw-rotate", sw(host=OTHER), before=["sw-rotate-1"])
    A("sw-two-hook", "the first section", "allow replay", "sw-two", sw(), section="hook")
    A("sw-two-second", "the id and timestamp in another section", "allow replay", "sw-two", sw(key="SW_K2", target="/second/in"), section="second", key="s1", route="second", before=["sw-two-hook"])
    A("sw-two-second-alone", "the second section", "allow replay", "sw-two", sw(key="SW_K2", target="/second/in"), section="second", key="s1", route="second")
    D("sw-two-replay", "and in the same section", "replay", "sw-two", sw(key="SW_K2", target="/second/in"), "nonce_replayed", "sw-two-second-alone", section="second", before=["sw-two-second-alone"])
    D("sw-two-crossed", "the first section's key on the second's route", "key", "sw-two", sw().but(target="/second/in"), "signature_mismatch", "sw-two-hook", section="second")
    A("sw-burn", "a refused request claims nothing", "allow replay", "sw", sw(), before=["sw-mac-zeros", "sw-list-bad-beside", "sw-body-space", "sw-override-x-http-method"])
    A("sw-epoch-edge", "created = epoch + clock_tolerance", "allow epoch", "sw", sw(), epoch=NOW - 5)
    D("sw-epoch-inside", "one second less", "epoch", "sw", sw(), "replay_store_unavailable", "sw-epoch-edge", epoch=NOW - 4)
    D("sw-epoch-now", "a store that was found empty just now", "epoch", "sw", sw(), "replay_store_unavailable", "sw-post", epoch=NOW)
    D("sw-epoch-late", "received late: created counts, not the clock", "epoch", "sw", sw(now=NOW + 120), "replay_store_unavailable", "sw-window-old", epoch=NOW + 60)

    report_mode("sw", sw, "SW_STRANGER")
    R("sw-report-key", "reported", "report-mode", "sw-report", sw(host=OTHER), "signature_key_unknown", "sw-report-ok")
    R("sw-report-id-missing", "reported", "report-mode", "sw-report", sw(id=None, s={"id": ""}), "nonce_missing", "sw-report-ok")
    R("sw-report-id-malformed", "reported", "report-mode", "sw-report", sw(id="a.b"), "nonce_malformed", "sw-report-ok")
    R("sw-report-version", "reported", "report-mode", "sw-report", sw().headers({"webhook-signature": "v2,x"}), "signature_algorithm_not_allowed", "sw-report-ok")


def http_message_signatures():
    def two(inputs, signatures, **more):
        """Both dictionaries by hand; {i} and {s} are the good member's."""
        req = ms(**more)
        return req.headers({"signature-input": inputs.replace("{i}", req.text), "signature": signatures.replace("{s}", ":%s:" % req.value)})

    # --- right signatures, and what they hold
    A("ms-post", "a signed POST with a body", "allow identity", "ms", ms())
    A("ms-get", "a signed GET without a body: content-digest need not be covered", "allow identity digest", "ms", ms(**GET))
    A("ms-full", "every default spelled out", "allow", "ms-full", ms())
    A("ms-head", "@method is HEAD", "allow method", "ms", ms(method="HEAD", body=b""))
    A("ms-put", "another method", "allow method", "ms", ms(method="PUT"))
    A("ms-http-2", "HTTP/2: @authority from :authority", "allow host", "ms", ms(version="2"))
    A("ms-open", "a route that asks for nothing", "allow", "ms", plain(), route="open", sig=False)
    A("ms-open-junk", "a route that asks for nothing does not read the headers", "allow", "ms", plain(extra=[("Signature-Input", "junk("), ("Signature", "junk"), ("Content-Digest", "junk")]), route="open", sig=False)
    A("ms-no-nonce", "no nonce where none is required: it is null", "allow identity", "ms-min", ms(nonce=None, expires=None))
    A("ms-nonce-not-required", "a nonce where none is required is held all the same", "allow identity", "ms-min", ms())
    A("ms-parameters-few", "created, keyid, nonce", "allow params", "ms-nx", ms(expires=None, alg=None))

    # --- presence
    D("ms-missing", "neither header", "mac", "ms", ms().headers({"signature": None, "signature-input": None}), "signature_missing", "ms-post")
    D("ms-missing-signature", "no Signature", "mac", "ms", ms().headers({"signature": None}), "signature_missing", "ms-post")
    D("ms-missing-input", "no Signature-Input", "mac", "ms", ms().headers({"signature-input": None}), "signature_missing", "ms-post")
    D("ms-missing-target", "neither, and a lone ?: presence comes first", "order", "ms", ms(target="/a?").headers({"signature": None}), "signature_missing", "open")
    # Ambiguous: an empty field is an empty dictionary (RFC 9651 §4.2), so no member is selected.
    D("ms-missing-empty-input", "an empty Signature-Input: an empty dictionary holds no member", "label ambiguous", "ms", two("", "sig1={s}"), "signature_missing", "ms-post")
    D("ms-missing-other-profile", "another profile's header is not this one's", "mac", "ms", ms().headers({"signature": None, "signature-input": None}, [("X-API-Signature", "0" * 64)]), "signature_missing", "ms-post")
    D("ms-no-now", "no clock, no verdict", "now", "ms", ms().but(now=None), "request_malformed", "ms-post")

    # --- which member is selected
    A("ms-label-any", "with a tag the label is free", "allow label", "ms", ms(label="*a_1-2.x*"))
    A("ms-label", "by label: the tag is free", "allow label", "ms-label", ms(tag="whatever"))
    A("ms-label-no-tag", "by label: no tag", "allow label", "ms-label", ms(tag=None))
    D("ms-label-other", "by label: another label", "label", "ms-label", ms(label="sig2"), "signature_missing", "ms-label-no-tag")
    D("ms-label-longer", "by label: a longer label", "label", "ms-label", ms(label="sig11"), "signature_missing", "ms-label-no-tag")
    D("ms-tag-other", "by tag: another tag", "label signed-anyway", "ms", ms(tag="partner"), "signature_missing", "ms-post")
    D("ms-tag-case", "tags are compared exactly", "label signed-anyway", "ms", ms(tag="Partner-API"), "signature_missing", "ms-post")
    D("ms-tag-absent", "by tag: no tag", "label signed-anyway", "ms", ms(tag=None), "signature_missing", "ms-post")
    D("ms-tag-empty", "by tag: an empty tag", "label signed-anyway", "ms", ms(tag='!""'), "signature_missing", "ms-post")
    # Ambiguous: a tag of another type selects nothing (missing), or is a parameter of another type (malformed). Read by the order: what is not selected is ignored.
    D("ms-tag-token", "a tag that is a token is not that tag: nothing is selected", "label params ambiguous", "ms", ms(tag="!partner-api"), "signature_missing", "ms-post")
    other = '("@status" "x";sf);alg="rsa-pss-sha512";foo;created=1'
    for slug, inputs, signatures, why in [
        ("before", "other=%s, sig1={i}" % other, "other=:AAAA:, sig1={s}", "another signature before"), ("after", "sig1={i},other=%s" % other, "sig1={s},other=:%s:" % b64(bytes(256)), "another signature after"),
        ("no-signature", "other=%s, sig1={i}" % other, "sig1={s}", "another one that is missing in Signature"), ("no-input", "sig1={i}", "sig1={s}, other=:AAAA:", "another one that is missing in Signature-Input"),
        ("order", "other=(), sig1={i}", "sig1={s}, other=:AAAA:", "another order in the two"), ("8", "sig1={i}" + "".join(", o%d=()" % n for n in range(7)), "sig1={s}" + "".join(", o%d=::" % n for n in range(7)), "8 members"),
        ("spaces", "other=() \t, \t sig1={i}", "other=:AAAA:  ,  sig1={s}", "white space around the comma"), ("other-tag", 'other=();tag="other", sig1={i}', "sig1={s}", "another one with another tag"),
    ]:
        A("ms-others-" + slug, why + " is ignored", "allow label", "ms", two(inputs, signatures))
    for slug, inputs, signatures, why in [
        ("two-of-tag", 'sig1={i}, sig2=("@method");created=%d;keyid="m1";tag="partner-api"' % NOW, "sig1={s}, sig2=:AAAA:", "two of one tag"), ("two-of-tag-same", "sig1={i}, sig2={i}", "sig1={s}, sig2={s}", "the same twice under two labels"), ("two-of-tag-unsigned", 'sig1={i}, sig2=();tag="partner-api"', "sig1={s}", "two of one tag, one without a signature"),
        ("not-in-signature", "sig1={i}", "sig2={s}", "the selected one is missing in Signature"), ("empty-signature", "sig1={i}", "", "an empty Signature"), ("key-twice", "sig1={i}, sig1={i}", "sig1={s}", "a label twice in Signature-Input"), ("key-twice-other", "sig1={i}, o=(), o=()", "sig1={s}", "another label twice"),
        ("signature-twice", "sig1={i}", "sig1={s}, sig1={s}", "a label twice in Signature"), ("9", "sig1={i}" + "".join(", o%d=()" % n for n in range(8)), "sig1={s}", "9 members in Signature-Input"), ("9-signatures", "sig1={i}", "sig1={s}" + "".join(", o%d=:AAAA:" % n for n in range(8)), "9 members in Signature"),
        ("input-item", "sig1={i}, o=1", "sig1={s}", "a member of Signature-Input that is no inner list"), ("input-bare", "sig1={i}, o", "sig1={s}", "a member without a value"), ("signature-string", "sig1={i}", 'sig1={s}, o="AAAA"', "a member of Signature that is no byte sequence"), ("signature-list", "sig1={i}", "sig1={s}, o=(:AAAA:)", "an inner list in Signature"),
        ("comma-end", "sig1={i},", "sig1={s}", "a comma at the end"), ("comma-end-signature", "sig1={i}", "sig1={s},", "a comma at the end of Signature"), ("commas", "o=(),, sig1={i}", "sig1={s}", "two commas"), ("semicolon", "o=(); sig1={i}", "sig1={s}", "a semicolon between"), ("upper", "Sig1={i}", "Sig1={s}", "a label in upper case"),
        ("digit", "1sig={i}", "1sig={s}", "a label that begins with a digit"), ("space", "sig1 ={i}", "sig1={s}", "a space before ="), ("unclosed", "sig1={i}, o=(", "sig1={s}", "an inner list that does not end"), ("junk", "sig1={i} junk", "sig1={s}", "junk behind"), ("param-twice-other", "sig1={i}, o=();a=1;a=2", "sig1={s}", "a parameter twice in another member"),
        ("latin", "sig1={i}, o=();a=\u00e9", "sig1={s}", "a byte above 0x7f"), ("swapped", "sig1={s}", "sig1={i}", "the two fields swapped"), ("nested", "sig1={i}, o=(())", "sig1={s}", "a nested list"),
    ]:
        D("ms-dict-" + slug, why, "label signed-anyway", "ms", two(inputs, signatures), "signature_malformed", "ms-post")
    A("ms-label-tagged", "by label: with the usual tag", "allow label", "ms-label", ms())
    D("ms-not-tried", "by label: the other one is right, but it is not tried", "label", "ms-label", two("sig2={i}, sig1={i}", "sig2={s}, sig1=:%s:" % b64(bytes(32))), "signature_mismatch", "ms-label-tagged")
    base = ms()
    room = 8192 - len("sig1=%s, pad=();a=\"\"" % base.text)
    A("ms-size-input", "a Signature-Input of 8 KiB", "allow label", "ms", two('sig1={i}, pad=();a="%s"' % ("x" * room), "sig1={s}"))
    D("ms-size-input-more", "one byte more", "label signed-anyway", "ms", two('sig1={i}, pad=();a="%s"' % ("x" * (room + 1)), "sig1={s}"), "signature_malformed", "ms-size-input")
    room = 8192 - len("sig1=:%s:, p=::" % base.value)
    label = "p" * (1 + room % 4)
    A("ms-size-signature", "a Signature of 8 KiB", "allow label", "ms", two("sig1={i}", "sig1={s}, %s=:%s:" % (label, "A" * (room - room % 4))))
    assert len(value_of(ms().headers({"signature": "sig1=:%s:, %s=:%s:" % (base.value, label, "A" * (room - room % 4))}), "signature")) == 8192
    D("ms-size-signature-more", "one byte more", "label signed-anyway", "ms", two("sig1={i}", "sig1={s}, %sp=:%s:" % (label, "A" * (room - room % 4))), "signature_malformed", "ms-size-signature")

    # --- the signature's spelling
    value = base.value
    unpadded = value.rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    trailing = unpadded[:-1] + alphabet[alphabet.index(unpadded[-1]) + 1] + "="
    assert trailing != value and base64.b64decode(trailing) == base64.b64decode(value)
    tag = base64.b64decode(value)
    for slug, text, why in [
        ("unpadded", ":%s:" % unpadded, "no padding"), ("bits", ":%s:" % trailing, "bits after the end that are not zero"), ("31", ":%s:" % b64(tag[:31]), "31 bytes"), ("33", ":%s:" % b64(tag + b"\0"), "33 bytes"), ("16", ":%s:" % b64(tag[:16]), "half of it"), ("empty", "::", "no bytes"), ("parameter", "{s};a=1", "a parameter"),
        ("parameter-bare", "{s};a", "a parameter without a value"), ("string", '"%s"' % value, "a string"), ("token", "a" + tag.hex(), "a token"), ("unclosed", ":" + value, "no colon at the end"), ("space", ": %s:" % value, "a space inside"), ("url", ":-_%s:" % value[2:], "base64url"), ("list", "({s})", "an inner list"), ("bare", "?1", "a boolean"),
    ]:
        D("ms-text-" + slug, why, "signature-text signed-anyway", "ms", two("sig1={i}", "sig1=" + text), "signature_malformed", "ms-post")

    # --- parameters
    for slug, more, why in [("reversed", dict(order=PARAMS[::-1]), "another order is signed as it is sent"), ("shuffled", dict(order=["keyid", "tag", "created", "alg", "nonce", "expires"]), "another order"), ("expires-1", dict(expires=NOW + 1), "the shortest window")]:
        A("ms-params-" + slug, why, "allow params", "ms", ms(**more))
    D("ms-params-reordered", "the parameters reordered after signing", "params mac", "ms", ms(order=PARAMS[::-1], wire_params=base.text), "signature_mismatch", "ms-post")
    D("ms-params-renewed", "created and expires renewed after signing", "params mac", "ms", ms(created=NOW - 60, wire_params=base.text), "signature_mismatch", "ms-post")
    D("ms-params-nonce-renewed", "the nonce renewed after signing", "params mac nonce", "ms", ms(nonce=NONCE2, wire_params=base.text), "signature_mismatch", "ms-post")
    for name in ["created", "expires", "keyid", "alg"]:
        D("ms-params-no-" + name, "no %s, though it is required" % name, "params signed-anyway", "ms", ms(**{name: None}), "signature_malformed", "ms-post")
    D("ms-params-none", "tag alone", "params signed-anyway", "ms", ms(created=None, expires=None, nonce=None, keyid=None, alg=None), "signature_malformed", "ms-post")
    D("ms-params-min-no-created", "created is always required", "params signed-anyway", "ms-min", ms(created=None), "signature_malformed", "ms-nonce-not-required")
    for slug, more, why in [
        ("unknown", dict(more=";foo=1"), "an unknown parameter"), ("unknown-bare", dict(more=";foo"), "an unknown parameter without a value"), ("created-twice", dict(more=";created=%d" % NOW), "created twice"), ("nonce-twice", dict(more=';nonce="%s"' % NONCE), "nonce twice"), ("keyid-twice", dict(more=';keyid="m1"'), "keyid twice"),
        ("created-string", dict(created='"%d"' % NOW), "created is a string"), ("created-decimal", dict(created="!%d.0" % NOW), "created is a decimal"), ("created-boolean", dict(created="!?1"), "created is a boolean"), ("created-bare", dict(created=""), "created without a value"), ("created-bytes", dict(created="!:AAAA:"), "created is a byte sequence"),
        ("created-date", dict(created="!@%d" % NOW), "created is a date (RFC 9651)"), ("created-zero", dict(created="!0"), "created is 0"), ("created-negative", dict(created="!-%d" % NOW), "created is negative"), ("created-13", dict(created="!1000000000000"), "created has 13 digits"), ("created-16", dict(created="!1000000000000000"), "created has 16 digits"),
        ("created-plus", dict(created="!+%d" % NOW), "created has a sign"), ("expires-string", dict(expires="%d" % (NOW + 60)), "expires is a string"), ("expires-decimal", dict(expires="!%d.5" % (NOW + 60)), "expires is a decimal"), ("expires-zero", dict(expires="!0"), "expires is 0"), ("expires-13", dict(expires="!1000000000000"), "expires has 13 digits"),
        ("expires-equal", dict(expires=NOW), "expires = created"), ("expires-before", dict(expires=NOW - 1), "expires < created"), ("nonce-token", dict(nonce="!n0123456789abcdef0"), "nonce is a token"), ("nonce-integer", dict(nonce="!123456789012345"), "nonce is an integer"), ("nonce-bytes", dict(nonce="!:%s:" % b64(bytes(18))), "nonce is a byte sequence"),
        ("keyid-token", dict(keyid="!m1"), "keyid is a token"), ("keyid-integer", dict(keyid="!1"), "keyid is an integer"), ("keyid-escape", dict(keyid='!"\\m1"'), "an escape that is none"), ("keyid-unclosed", dict(keyid='!"m1', order=["created", "expires", "nonce", "alg", "tag", "keyid"]), "a string that does not end"), ("keyid-display", dict(keyid='!%"m1"'), "a display string (RFC 9651)"),
        ("alg-token", dict(alg="!hmac-sha256"), "alg is a token"), ("upper", dict(more=";Foo=1"), "a name in upper case"), ("created-upper", dict(created=None, more=";CREATED=%d" % NOW), "created in upper case"), ("space", dict(more="; "), "a semicolon and nothing"),
    ]:
        D("ms-params-" + slug, why, "params signed-anyway", "ms", ms(**({"expires": NOW + 60} | more if "created" in more else more)), "signature_malformed", "ms-post")
    for slug, nonce in [("16", "a" * 16), ("128", "Z9" * 64), ("marks", "._~-._~-._~-._~-")]:
        A("ms-nonce-" + slug, "a nonce at the edge of its grammar", "allow nonce", "ms", ms(nonce=nonce))
    for slug, nonce, why in [("15", "a" * 15, "15 characters"), ("129", "a" * 129, "129 characters"), ("empty", '!""', "an empty string"), ("base64", "n+0123456789abc/", "+ and /"), ("space", "n 0123456789abcdef", "a space"), ("quote", '!"n\\"0123456789abcdef"', "an escaped quote"), ("equals", "n012345678abcdef==", "=")]:
        D("ms-nonce-" + slug, why, "nonce signed-anyway", "ms", ms(nonce=nonce), "nonce_malformed", "ms-post")
    D("ms-nonce-absent", "no nonce, though it is required", "nonce signed-anyway", "ms", ms(nonce=None), "nonce_missing", "ms-post")
    D("ms-nonce-absent-get", "a GET needs one too", "nonce signed-anyway", "ms", ms(nonce=None, **GET), "nonce_missing", "ms-get")
    D("ms-nonce-absent-few", "with few parameters", "nonce signed-anyway", "ms-nx", ms(nonce=None, expires=None, alg=None), "nonce_missing", "ms-parameters-few")
    D("ms-nonce-header", "X-Nonce is no nonce", "nonce signed-anyway", "ms", ms(nonce=None, extra=[("X-Nonce", NONCE)]), "nonce_missing", "ms-post")
    D("ms-nonce-not-required-short", "a bad nonce where none is required", "nonce signed-anyway", "ms-min", ms(nonce="short"), "nonce_malformed", "ms-nonce-not-required")
    for slug, alg in [("sha512", "hmac-sha512"), ("upper", "HMAC-SHA256"), ("rsa", "rsa-v1_5-sha256"), ("ed25519", "ed25519"), ("none", "none"), ("hs256", "HS256")]:
        D("ms-alg-" + slug, "another algorithm: " + alg, "params signed-anyway", "ms", ms(alg=alg), "signature_algorithm_not_allowed", "ms-post")
    D("ms-alg-empty", "an empty alg", "params signed-anyway", "ms", ms(alg='!""'), "signature_algorithm_not_allowed", "ms-post")
    D("ms-alg-not-required", "another algorithm where none is required", "params signed-anyway", "ms-nx", ms(expires=None, alg="hmac-sha1"), "signature_algorithm_not_allowed", "ms-parameters-few")
    D("ms-alg-nonce", "another algorithm and a bad nonce: the nonce comes first", "params order", "ms", ms(alg="none", nonce="short"), "nonce_malformed", "ms-post")
    D("ms-alg-window", "another algorithm, and old: the grammar comes first", "params order", "ms", ms(alg="none", created=NOW - 900), "signature_algorithm_not_allowed", "ms-post")

    # --- target
    for slug, target, why in [("encoded-slash", "/a%2Fb?c", "@path is not decoded"), ("two-marks", "/v1/items??", "@query is ??"), ("no-query", "/v1/items", "@query without one is ?"), ("root", "/", "@path is /"), ("two-slashes", "//v1//items", "empty segments stay"), ("bar", "/a|b?c|d", "| is no delimiter")]:
        A("ms-target-" + slug, why, "allow target", "ms", ms(target=target))
    D("ms-target-decoded", "the signer decoded the path", "target mac", "ms", ms(target="/a%2Fb?c", s={"@path": "/a/b"}), "signature_mismatch", "ms-target-encoded-slash")
    D("ms-target-empty-query", "the signer left @query empty", "target mac", "ms", ms(target="/v1/items", s={"@query": ""}), "signature_mismatch", "ms-target-no-query")
    D("ms-target-no-mark", "the signer left the ? out of @query", "target mac", "ms", ms(s={"@query": "x=1&y=2"}), "signature_mismatch", "ms-post")
    D("ms-target-whole", "the signer put the query into @path", "target mac", "ms", ms(s={"@path": TARGET}), "signature_mismatch", "ms-post")
    D("ms-target-changed", "a value changed", "target mac", "ms", ms().but(target="/v1/items?x=1&y=3"), "signature_mismatch", "ms-post")
    D("ms-target-moved", "the path changed", "target mac", "ms", ms().but(target="/v1/other?x=1&y=2"), "signature_mismatch", "ms-post")
    for slug, target, why in [("lone-mark", "/v1/items?", "a lone ? at the end"), ("absolute", "https://api.example.com/v1/items?x=1", "absolute-form")]:
        D("ms-target-" + slug, why, "target signed-anyway", "ms", ms(target=target), "signature_malformed", "open")
    D("ms-target-star", "OPTIONS *", "target signed-anyway", "ms", ms(method="OPTIONS", target="*", body=b"", s={"@path": "*"}), "signature_malformed", "open")
    D("ms-target-latin", "a byte above 0x7f in @path", "target components signed-anyway", "ms", ms(target="/caf\u00e9", **GET), "signature_malformed", "open")
    D("ms-target-latin-query", "a byte above 0x7f in @query", "target components signed-anyway", "ms", ms(target="/v1?x=\u00ff", **GET), "signature_malformed", "open")
    A("ms-target-latin-uncovered", "a byte above 0x7f in a query that is not covered", "allow target uncovered", "ms-min", ms(target="/v1?x=\u00ff", cover=["@method"], **GET))

    # --- host
    for slug, wire, host, scheme, version, why in [("upper", "API.Example.COM", API, "https", "1.1", "@authority is lower-case"), ("dot", "api.example.com.", API, "https", "1.1", "one trailing dot is dropped"), ("port-443", "api.example.com:443", API, "https", "1.1", "the default port is dropped"),
                                                   ("port-8443", "api.example.com:8443", "api.example.com:8443", "https", "1.1", "another port stays"), ("http-443", "api.example.com:443", "api.example.com:443", "http", "1.1", "443 is not the default of http"), ("http-80", "api.example.com:80", API, "http", "1.1", "the default port of http"),
                                                   ("v6", "[2001:DB8:0::1]", "[2001:db8::1]", "https", "1.1", "IPv6 in canonical form"), ("mapped", "[::ffff:c000:201]", "[::ffff:192.0.2.1]", "https", "1.1", "IPv4-mapped in mixed notation"), ("h2", "API.example.com:443", API, "https", "2", ":authority is normalized too")]:
        A("ms-host-" + slug, why, "allow host", "ms-hosts", ms(wire=wire, host=host, scheme=scheme, version=version))
    for slug, twin, wire, host, scheme, signed, why in [("upper", "upper", "API.Example.COM", API, "https", "API.Example.COM", "signed over the spelling"), ("port", "port-443", "api.example.com:443", API, "https", "api.example.com:443", "signed with the default port"), ("no-port", "port-8443", "api.example.com:8443", "api.example.com:8443", "https", API, "signed without the port"),
                                                        ("dot", "dot", "api.example.com.", API, "https", "api.example.com.", "signed with the dot"), ("v6", "v6", "[2001:DB8:0::1]", "[2001:db8::1]", "https", "[2001:DB8:0::1]", "signed over the spelling"), ("empty", "upper", "API.Example.COM", API, "https", "", "signed over nothing (origin-form in httpsig-hyper)")]:
        D("ms-host-signed-" + slug, why, "host mac", "ms-hosts", ms(wire=wire, host=host, scheme=scheme, s={"@authority": signed}), "signature_mismatch", "ms-host-" + twin)
    D("ms-host-moved", "signed for this host, sent to another", "host mac", "ms", ms(s={"@authority": API}, host=OTHER), "signature_mismatch", "ms-post")
    D("ms-host-evil", "a host that is not allowed: the host check comes first", "host order", "ms", ms(host="evil.test"), "host_not_allowed", "ms-post")
    A("ms-fwd", "a trusted proxy says which host: @authority is the forwarded one", "allow host", "ms-fwd", ms(wire="api.internal", peer="10.0.0.1", extra=FWD))
    D("ms-fwd-internal", "signed for the internal name", "host mac", "ms-fwd", ms(wire="api.internal", peer="10.0.0.1", extra=FWD, s={"@authority": "api.internal"}), "signature_mismatch", "ms-fwd")
    D("ms-fwd-untrusted", "the internal name from elsewhere", "host order", "ms-fwd", ms(wire="api.internal", peer="192.0.2.9", extra=FWD), "host_not_allowed", "ms-fwd")

    # --- window
    A("ms-window-old", "one second before expires", "allow window", "ms", ms(now=NOW + 59))
    D("ms-window-expires", "expires itself is over", "window", "ms", ms(now=NOW + 60), "signature_expired", "ms-window-old")
    A("ms-window-early", "clock_tolerance to the second", "allow window", "ms", ms(now=NOW - 5))
    D("ms-window-too-early", "one second more", "window", "ms", ms(now=NOW - 6), "signature_not_yet_valid", "ms-window-early")
    A("ms-window-whole", "expires - created = max_age", "allow window", "ms", ms(expires=NOW + 120))
    D("ms-window-too-long", "one second more", "window signed-anyway", "ms", ms(expires=NOW + 121), "signature_window_too_long", "ms-window-whole")
    D("ms-window-day", "a day", "window signed-anyway", "ms", ms(expires=NOW + 86400), "signature_window_too_long", "ms-window-whole")
    D("ms-window-for-ever", "twelve nines", "window signed-anyway", "ms", ms(expires=999999999999), "signature_window_too_long", "ms-window-whole")
    A("ms-window-whole-old", "its last second", "allow window", "ms", ms(expires=NOW + 120, now=NOW + 119))
    D("ms-window-whole-expired", "and the next", "window", "ms", ms(expires=NOW + 120, now=NOW + 120), "signature_expired", "ms-window-whole-old")
    D("ms-window-no-tolerance", "no tolerance for expires", "window", "ms", ms(now=NOW + 64), "signature_expired", "ms-window-old")
    window("ms-nx", "ms-nx", lambda **f: ms(expires=None, alg=None, **f), 120, 5, "ms-parameters-few")
    A("ms-nx-expires", "a second before an expires that is not required", "allow window", "ms-nx", ms(expires=NOW + 10, alg=None, now=NOW + 9))
    D("ms-nx-window-expires", "an expires that is not required counts all the same", "window", "ms-nx", ms(expires=NOW + 10, alg=None, now=NOW + 10), "signature_expired", "ms-nx-expires")
    D("ms-nx-window-too-long", "so does its window", "window signed-anyway", "ms-nx", ms(expires=NOW + 121, alg=None), "signature_window_too_long", "ms-parameters-few")
    D("ms-window-1970", "created in 1970", "window signed-anyway", "ms", ms(created=1), "signature_expired", "ms-post")
    D("ms-window-far", "created far ahead", "window signed-anyway", "ms", ms(created=999999999000), "signature_not_yet_valid", "ms-post")
    D("ms-window-order-1", "too long, and created ahead: the window's length comes first", "window order", "ms", ms(created=NOW + 900, expires=NOW + 1800), "signature_window_too_long", "ms-post")
    D("ms-window-order-2", "too long, and old: the window's length comes first", "window order", "ms", ms(created=NOW - 900, expires=NOW + 900), "signature_window_too_long", "ms-post")
    D("ms-window-order-3", "old, and not covering: the window comes first", "window order components", "ms", ms(created=NOW - 900, cover=["@method"]), "signature_expired", "ms-post")
    D("ms-window-order-4", "old, and an unknown key: the window comes first", "window order", "ms", ms(created=NOW - 900, keyid="m9"), "signature_expired", "ms-post")

    # --- components: grammar
    note = [("X-Note", "a")]
    A("ms-cover-note", "a field that the policy does not ask for", "allow components", "ms", ms(cover=COVER + ["x-note"], fields=note))
    for slug, name, value, why in [("sf", "x-note;sf", "a", ";sf"), ("bs", "x-note;bs", ":YQ==:", ";bs"), ("key", 'x-note;key="a"', "1", ";key"), ("req", "x-note;req", "a", ";req"), ("tr", "x-note;tr", "a", ";tr"), ("unknown-parameter", "x-note;foo", "a", "an unknown parameter"), ("req-method", "@method;req", "POST", ";req on @method"),
                                   ("status", "@status", "200", "@status"), ("signature-params", "@signature-params", "", "@signature-params"), ("unknown", "@foo", "", "an unknown derived component"), ("upper", "X-Note", "a", "a field name in upper case"), ("method-upper", "@METHOD", "POST", "@METHOD"), ("space", "x note", "a", "a field name with a space"),
                                   ("empty", "", "", "an empty name"), ("colon", ":authority", API, "a pseudo-header"), ("query-param-bare", "@query-param", "1", "@query-param without a name"), ("query-param-token", "@query-param;name=x", "1", "a name that is a token"), ("query-param-req", '@query-param;name="x";req', "1", "another parameter beside name"),
                                   ("query-param-twice", '@query-param;name="x";name="x"', "1", "name twice"), ("method-name", '@method;name="x"', "POST", "name on another component"), ("field-name", 'x-note;name="x"', "a", "name on a field")]:
        D("ms-cover-" + slug, why, "components signed-anyway", "ms", ms(cover=COVER + [name], s={name: value}, fields=note), "signature_malformed", "ms-cover-note")
    ids = " ".join(identifier(c) for c in COVER)
    for slug, text, why in [("token", ids + " x-note", "a token"), ("integer", ids + " 1", "an integer"), ("twice", ids + ' "@method"', "a component twice"), ("field-twice", ids + ' "x-note" "x-note"', "a field twice"), ("bytes", ids + " :AAAA:", "a byte sequence"), ("no-space", ids.replace('" "', '""', 1), "no space between"), ("commas", ids.replace(" ", ", "), "commas between"),
                            ("tab", ids.replace(" ", "\t", 1), "a tab between"), ("latin", ids + ' "x-\u00e9"', "a byte above 0x7f")]:
        D("ms-cover-" + slug, why, "components signed-anyway", "ms", ms(ids=text, fields=note, cover=COVER + (["x-note"] if "x-note" in text else [])), "signature_malformed", "ms-cover-note")
    many = [("X-C%d" % n, "v%d" % n) for n in range(28)]
    A("ms-cover-32", "32 components", "allow components", "ms", ms(cover=COVER + [n.lower() for n, _ in many[:27]], fields=many))
    D("ms-cover-33", "33 components", "components signed-anyway", "ms", ms(cover=COVER + [n.lower() for n, _ in many], fields=many), "signature_malformed", "ms-cover-32")
    # Ambiguous: RFC 9421 §2.5 signs the serialization of the parameters (RFC 9651), not the text. Read by the RFC: white space inside of the parentheses is not kept.
    A("ms-cover-spaces", "two spaces between components: the base holds the serialization (RFC 9421 §2.5)", "allow components ambiguous", "ms", ms(ids=" " + ids.replace(" ", "  ") + " ", signed_params=base.text))
    D("ms-cover-spaces-raw", "two spaces between components, signed as they are written", "components mac ambiguous", "ms", ms(ids=" " + ids.replace(" ", "  ") + " "), "signature_mismatch", "ms-cover-spaces")

    # --- components: what must be covered
    for name in COVER[:4]:
        D("ms-uncovered-" + name[1:], name + " is not covered", "components signed-anyway", "ms", ms(cover=[c for c in COVER if c != name]), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-all", "nothing is covered", "components signed-anyway", "ms", ms(cover=[], **GET), "signature_component_missing", "ms-get", suffix=".components")
    D("ms-uncovered-all-digest", "the digest alone is covered", "components signed-anyway", "ms", ms(cover=["content-digest"]), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-other-names", "@target-uri does not stand for @authority, @path and @query", "components signed-anyway", "ms", ms(cover=["@method", "@target-uri", "content-digest"]), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-request-target", "nor does @request-target for @path and @query", "components signed-anyway", "ms", ms(cover=["@method", "@authority", "@request-target", "content-digest"]), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-host-field", "nor the field host for @authority", "components signed-anyway", "ms", ms(cover=["@method", "host", "@path", "@query", "content-digest"]), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-query-param", "nor @query-param for @query", "components signed-anyway", "ms", ms(cover=["@method", "@authority", "@path", '@query-param;name="x"', '@query-param;name="y"', "content-digest"]), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-key", "not covering, and an unknown key: the components come first", "components order", "ms", ms(cover=["@method"], keyid="m9"), "signature_component_missing", "ms-post", suffix=".components")
    D("ms-uncovered-mac", "not covering, and a wrong MAC: the head comes first", "components order", "ms", ms(cover=["@method"], key="MS_STRANGER"), "signature_component_missing", "ms-post", suffix=".components")
    A("ms-cover-order", "another order of components", "allow components", "ms", ms(cover=COVER[::-1]))
    A("ms-cover-derived", "every derived component", "allow components", "ms", ms(cover=COVER + ["@scheme", "@target-uri", "@request-target"]))
    A("ms-cover-derived-http", "the same on a plain connection with a port", "allow components", "ms", ms(host="api.example.com:8080", scheme="http", cover=COVER + ["@scheme", "@target-uri", "@request-target"]))
    A("ms-cover-scheme-ok", "@scheme", "allow components", "ms", ms(cover=COVER + ["@scheme"]))
    D("ms-cover-scheme", "@scheme covers the scheme", "components mac", "ms", ms(cover=COVER + ["@scheme"]).but(scheme="http"), "signature_mismatch", "ms-cover-scheme-ok")
    D("ms-cover-scheme-upper", "@scheme is lower-case", "components mac", "ms", ms(cover=COVER + ["@scheme"], s={"@scheme": "HTTPS"}), "signature_mismatch", "ms-cover-scheme-ok")
    D("ms-cover-target-uri", "@target-uri without the default port", "components mac", "ms", ms(cover=COVER + ["@target-uri"], s={"@target-uri": "https://api.example.com:443" + TARGET}), "signature_mismatch", "ms-post")
    A("ms-cover-host-field", "the field host is the field as it was sent", "allow components host", "ms", ms(wire="API.example.com", cover=COVER + ["host"]))
    D("ms-cover-host-field-h2", "HTTP/2 without Host has no such field", "components signed-anyway", "ms", ms(version="2", cover=COVER + ["host"]), "signature_component_missing", "ms-http-2")
    for slug, cover in [("absent", ["x-absent"]), ("absent-date", ["date"]), ("absent-type", ["content-type"])]:
        D("ms-cover-" + slug, "a covered field that the request does not have: " + cover[0], "components signed-anyway", "ms", ms(cover=COVER + cover), "signature_component_missing", "ms-post")
    D("ms-cover-removed", "a covered field was removed on the way", "components", "ms", ms(cover=COVER + ["x-note"], fields=note).headers({"x-note": None}), "signature_component_missing", "ms-cover-note")
    D("ms-cover-changed", "a covered field was changed on the way", "components mac", "ms", ms(cover=COVER + ["x-note"], fields=note).headers({"x-note": "b"}), "signature_mismatch", "ms-cover-note")
    D("ms-cover-added", "a covered field was sent once more", "components mac", "ms", ms(cover=COVER + ["x-note"], fields=note, extra=note), "signature_mismatch", "ms-cover-note")
    A("ms-cover-no-value", "a covered field without a value", "allow components", "ms", ms(cover=COVER + ["x-note"], fields=[("X-Note", "")]))
    A("ms-cover-joined", "a field that occurs twice is joined, each trimmed", "allow components", "ms", ms(cover=COVER + ["x-note"], fields=[("X-Note", " a\t"), ("x-NOTE", "b, c ")]))
    A("ms-cover-joined-empty", "one of them empty", "allow components", "ms", ms(cover=COVER + ["x-note"], fields=[("X-Note", "a"), ("X-Note", "")]))
    for slug, value, why in [("first", "a", "signed over the first alone"), ("last", "b, c", "signed over the last alone"), ("comma", "a,b, c", "joined without a space"), ("untrimmed", " a\t, b, c ", "joined without a trim")]:
        D("ms-cover-joined-" + slug, why, "components mac", "ms", ms(cover=COVER + ["x-note"], fields=[("X-Note", " a\t"), ("x-NOTE", "b, c ")], s={"x-note": value}), "signature_mismatch", "ms-cover-joined")
    A("ms-cover-type-twice", "Content-Type twice, covered by the signer, not named by the section: joined", "allow components", "ms", ms(cover=COVER + ["content-type"], fields=[("Content-Type", "text/plain"), ("Content-Type", "text/html")]))
    A("ms-cover-inner-spaces", "spaces inside of a value stay", "allow components", "ms", ms(cover=COVER + ["x-note"], fields=[("X-Note", "a   b")]))
    for slug, value, why in [("latin", b"caf\xe9", "a byte above 0x7f"), ("utf8", "caf\u00e9".encode(), "UTF-8"), ("tab", "a\tb", "a tab inside"), ("del", "a\x7f", "a delete character"), ("control", "a\x01b", "a control character")]:
        D("ms-cover-value-" + slug, why + " in a covered value", "components signed-anyway", "ms", ms(cover=COVER + ["x-note"], fields=[("X-Note", value)]), "signature_malformed", "ms-cover-note")
    A("ms-cover-value-uncovered", "such bytes in a field that is not covered", "allow components uncovered", "ms", ms(fields=[("X-Note", b"caf\xe9\t\x7f")]))
    D("ms-cover-at-header", "a header named @method is no request (RFC 9421 §7.5.1)", "components order", "ms", ms(extra=[("@method", "GET")]), "request_malformed", "ms-post")
    # The example of RFC 9421 §2.2.8.
    example = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something"
    three = ['@query-param;name="var"', '@query-param;name="bar"', '@query-param;name="fa%C3%A7ade%22%3A%20"']
    known = ["this%20is%20a%20big%0Amultiline%20value", "with%20plus%20whitespace", "something"]
    assert [component(n, "GET", "https", API, example, []) for n in three] == [raw(v) for v in known]
    A("ms-query-param", "the example of RFC 9421 §2.2.8", "allow components known-answer", "ms", ms(target=example, cover=COVER + three))
    A("ms-query-param-one", "one of two", "allow components", "ms", ms(cover=COVER + ['@query-param;name="y"']))
    A("ms-query-param-empty", "a parameter without a value", "allow components", "ms", ms(target="/v1?x&y=", cover=COVER + ['@query-param;name="x"', '@query-param;name="y"']))
    A("ms-query-param-lower", "an escape in lower case is written anew", "allow components", "ms", ms(target="/v1?x=%c3%a9%7e", cover=COVER + ['@query-param;name="x"']))
    D("ms-query-param-raw", "signed as it was sent", "components mac", "ms", ms(target="/v1?x=%c3%a9%7e", cover=COVER + ['@query-param;name="x"'], s={'@query-param;name="x"': "%c3%a9%7e"}), "signature_mismatch", "ms-query-param-lower")
    D("ms-query-param-decoded", "signed over the decoded value", "components mac", "ms", ms(target=example, cover=COVER + three, s={three[1]: "with plus whitespace"}), "signature_mismatch", "ms-query-param")
    D("ms-query-param-plus", "signed with + for spaces", "components mac", "ms", ms(target=example, cover=COVER + three, s={three[1]: "with+plus+whitespace"}), "signature_mismatch", "ms-query-param")
    D("ms-query-param-absent", "a parameter that the query does not have", "components signed-anyway", "ms", ms(cover=COVER + ['@query-param;name="z"']), "signature_component_missing", "ms-query-param-one")
    D("ms-query-param-case", "names are compared exactly", "components signed-anyway", "ms", ms(cover=COVER + ['@query-param;name="Y"']), "signature_component_missing", "ms-query-param-one")
    D("ms-query-param-two", "a parameter that occurs twice", "components signed-anyway", "ms", ms(target="/v1?x=1&x=2", cover=COVER + ['@query-param;name="x"'], s={'@query-param;name="x"': "1"}), "signature_component_missing", "open")
    D("ms-query-param-two-same", "twice with one value", "components signed-anyway", "ms", ms(target="/v1?x=1&x=1", cover=COVER + ['@query-param;name="x"'], s={'@query-param;name="x"': "1"}), "signature_component_missing", "open")
    D("ms-query-param-two-escaped", "once plain, once escaped", "components signed-anyway", "ms", ms(target="/v1?x=1&%78=2", cover=COVER + ['@query-param;name="x"'], s={'@query-param;name="x"': "1"}), "signature_component_missing", "open")
    A("ms-query-param-beside-bytes", "a parameter that is not covered need not be UTF-8", "allow components", "ms", ms(target="/v1?x=1&y=%FF", cover=COVER + ['@query-param;name="x"']))
    for slug, value in [("ff", "%FF"), ("fe", "%FE"), ("cut", "%C3"), ("surrogate", "%ED%A0%80"), ("overlong", "%C0%AF")]:
        D("ms-query-param-bytes-" + slug, "a value that is not UTF-8: another would be encoded alike", "components signed-anyway", "ms", ms(target="/v1?x=" + value, cover=COVER + ['@query-param;name="x"']), "signature_malformed", "open")
    D("ms-query-param-bytes-name", "a name that is not UTF-8", "components signed-anyway", "ms", ms(target="/v1?x=1&%FF=2", cover=COVER + ['@query-param;name="x"']), "signature_malformed", "open")
    D("ms-query-param-no-query", "no query at all", "components signed-anyway", "ms", ms(target="/v1", cover=COVER + ['@query-param;name="x"'], s={'@query-param;name="x"': ""}), "signature_component_missing", "open")
    # Ambiguous: a name in the identifier that is not in its percent-encoded form. Read by the letter of §2.2.8: the encoded name is compared.
    D("ms-query-param-name-raw", "a name that is not percent-encoded", "components signed-anyway ambiguous", "ms", ms(target="/v1?a%20b=1", cover=COVER + ['@query-param;name="a b"'], s={'@query-param;name="a b"': "1"}), "signature_component_missing", "open")

    # --- other component lists
    typed = [("Content-Type", "application/json")]
    uri = ["@method", "@target-uri", "content-digest", "content-type"]
    A("ms-uri", "@target-uri and a field", "allow components", "ms-uri", ms(cover=uri, fields=typed))
    A("ms-uri-port", "with a port", "allow components host", "ms-uri", ms(cover=uri, fields=typed, host="api.example.com:8443"))
    D("ms-uri-no-type", "the field is not covered", "components signed-anyway", "ms-uri", ms(cover=uri[:3], fields=typed), "signature_component_missing", "ms-uri", suffix=".components")
    D("ms-uri-absent-type", "the field is covered and absent", "components signed-anyway", "ms-uri", ms(cover=uri, s={"content-type": ""}), "signature_component_missing", "ms-uri")
    D("ms-uri-other-names", "@authority, @path and @query do not stand for @target-uri", "components signed-anyway", "ms-uri", ms(cover=COVER + ["content-type"], fields=typed), "signature_component_missing", "ms-uri", suffix=".components")
    D("ms-uri-changed", "the query changed", "components mac", "ms-uri", ms(cover=uri, fields=typed).but(target=TARGET + "&z"), "signature_mismatch", "ms-uri")
    D("ms-uri-twice", "a field that the section names, twice", "header-duplicate components", "ms-uri", ms(cover=uri, fields=typed + typed), "header_duplicate", "ms-uri")
    D("ms-uri-alias", "with _", "alias components", "ms-uri", ms(cover=uri, fields=typed, extra=[("Content_Type", "text/html")]), "header_duplicate", "ms-uri")
    D("ms-uri-open-twice", "twice on a route that asks for nothing", "header-duplicate components", "ms-uri", plain(extra=typed + typed), "header_duplicate", "open")
    D("ms-uri-open-alias", "with _ on a route that asks for nothing", "alias components", "ms-uri", plain(extra=[("content_type", "text/html")]), "header_duplicate", "open")
    # RFC 9421 B.2.5 (shared/vectors/rfc9421/appendix_b.json), without the body, which that signature does not cover.
    b25 = dict(key="RFC9421_SHARED", host="example.com", target="/foo?param=Value&Pet=dog", created=1618884473, now=1618884473, expires=None, nonce=None, alg=None, tag=None, keyid="test-shared-secret", label="sig-b25", body=b"",
               cover=["date", "@authority", "content-type"], fields=[("Date", "Tue, 20 Apr 2021 02:07:55 GMT")] + typed)
    assert ms(**b25).value == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
    A("ms-b25", "RFC 9421 B.2.5, without a body", "allow known-answer", "ms-b25", ms(**b25))
    hello = b'{"hello": "world"}'
    D("ms-b25-body", "with the body of B.1.1, which it does not cover", "known-answer digest", "ms-b25", ms(**b25).but(body=body_value(hello)), "content_digest_missing", "ms-b25")
    A("ms-b25-digest", "a Content-Digest that is not covered is not read", "allow known-answer digest", "ms-b25", ms(**b25, extra=[("Content-Digest", digest(hello, "sha-512"))]))
    D("ms-b25-late", "two minutes and a second later", "known-answer window", "ms-b25", ms(**{**b25, "now": 1618884473 + 121}), "signature_expired", "ms-b25")
    A("ms-b25-target", "it does not cover the target", "allow known-answer uncovered", "ms-b25", ms(**b25).but(target="/other"))
    D("ms-b25-date-twice", "a field that the section names, twice", "known-answer header-duplicate", "ms-b25", ms(**b25, extra=[("Date", "Tue, 20 Apr 2021 02:07:55 GMT")]), "header_duplicate", "ms-b25")
    A("ms-date-twice", "elsewhere Date may occur twice", "allow header-duplicate", "ms", ms(extra=[("Date", "a"), ("Date", "b")]))

    # --- Content-Digest
    A("ms-digest-512", "sha-512", "allow digest", "ms", ms(dig="sha-512"))
    A("ms-digest-empty", "the digest of an empty body, covered", "allow digest", "ms", ms(body=b"", cover=COVER))
    A("ms-digest-uncovered-empty", "an empty body: a Content-Digest that is not covered is not read", "allow digest uncovered", "ms", ms(extra=[("Content-Digest", "md5=:AAAA:, junk")], **GET))
    A("ms-digest-binary", "no UTF-8", "allow digest body", "ms", ms(body=b"\xff\xfe\x00"))
    good, good512 = digest(BODY), digest(BODY, "sha-512")
    for slug, text, why in [
        ("md5", "md5=:%s:" % b64(hashlib.md5(BODY).digest()), "md5"), ("sha", "sha=:%s:" % b64(hashlib.sha1(BODY).digest()), "sha"), ("sha-384", "sha-384=:%s:" % b64(hashlib.sha384(BODY).digest()), "sha-384"), ("two", good + ", " + good512, "two members, both right"), ("two-md5", good + ", md5=:AAAA:", "an old one beside"), ("two-wrong", good + ", " + digest(b"x", "sha-512"), "two members, one wrong"),
        ("twice", good + ", " + good, "a key twice"), ("short", "sha-256=:%s:" % b64(hashlib.sha256(BODY).digest()[:31]), "31 bytes"), ("lengths", good.replace("256", "512"), "32 bytes for sha-512"), ("lengths-2", good512.replace("512", "256"), "64 bytes for sha-256"), ("string", 'sha-256="%s"' % b64(hashlib.sha256(BODY).digest()), "a string"), ("token", "sha-256=a" + hashlib.sha256(BODY).hexdigest(), "a token"),
        ("list", "sha-256=(%s)" % good[8:], "an inner list"), ("upper", good.replace("sha", "SHA"), "a key in upper case"), ("old", "SHA-256=" + b64(hashlib.sha256(BODY).digest()), "RFC 3230's form"), ("empty-field", "", "an empty field"), ("no-bytes", "sha-256=::", "no bytes"), ("bare", "sha-256 ", "a key without a value"), ("comma", good + ",", "a comma at the end"), ("junk", good + " x", "junk behind"),
    ]:
        D("ms-digest-" + slug, why, "digest signed-anyway", "ms", ms(dig=text), "signature_malformed", "ms-post")
    # Ambiguous: §9 asks for canonical base64 of the signature, not of the digest; RFC 9651 lets a parser take both. Read strictly.
    D("ms-digest-unpadded", "no padding (the stricter reading)", "digest signed-anyway ambiguous", "ms", ms(dig=good.replace("=:", ":").replace("sha-256:", "sha-256=:")), "signature_malformed", "ms-post")
    D("ms-digest-wrong", "another body's digest", "digest signed-anyway", "ms", ms(dig=digest(b"x")), "content_digest_mismatch", "ms-post")
    D("ms-digest-wrong-512", "another body's digest, sha-512", "digest signed-anyway", "ms", ms(dig=digest(b"x", "sha-512")), "content_digest_mismatch", "ms-post")
    D("ms-digest-wrong-empty", "the empty body's digest on a body", "digest signed-anyway", "ms", ms(dig=digest(b"")), "content_digest_mismatch", "ms-post")
    D("ms-digest-body-changed", "the body changed after signing", "digest", "ms", ms().but(body='{"a":2}'), "content_digest_mismatch", "ms-post")
    D("ms-digest-body-removed", "the body removed after signing", "digest", "ms", ms().but(body=None), "content_digest_mismatch", "ms-post")
    D("ms-digest-body-lossy", "replacement characters in place of FF FE", "digest body", "ms", ms(body=b"\xff\xfe\x00").but(body="\ufffd\ufffd\0"), "content_digest_mismatch", "ms-digest-binary")
    D("ms-digest-empty-wrong", "no body, and a body's digest, covered", "digest signed-anyway", "ms", ms(body=b"", cover=COVER, dig=digest(b"\0")), "content_digest_mismatch", "ms-digest-empty")
    D("ms-digest-uncovered", "a body, and a right digest that is not covered", "digest signed-anyway", "ms", ms(cover=COVER_EMPTY), "content_digest_missing", "ms-post")
    D("ms-digest-absent", "a body, and no digest", "digest signed-anyway", "ms", ms(cover=COVER_EMPTY, dig=None), "content_digest_missing", "ms-post")
    D("ms-digest-added", "a body added to a signature without digest", "digest", "ms", ms(**GET).but(body="x"), "content_digest_missing", "ms-get")
    A("ms-digest-added-twin", "the digest of a body that is not there, not covered", "allow digest uncovered", "ms", ms(cover=COVER_EMPTY, method="GET", body=b"x").but(body=None))
    D("ms-digest-added-both", "a body and its digest added", "digest", "ms", ms(cover=COVER_EMPTY, method="GET", body=b"x"), "content_digest_missing", "ms-digest-added-twin")
    D("ms-digest-min", "a body where the policy does not ask for a digest", "digest signed-anyway", "ms-min", ms(cover=["@method"]), "content_digest_missing", "ms-nonce-not-required")
    D("ms-digest-covered-absent", "covered, and absent", "digest signed-anyway", "ms", ms(dig=None, s={"content-digest": good}), "content_digest_missing", "ms-post")
    D("ms-digest-covered-absent-empty", "covered, and absent, without a body", "digest signed-anyway", "ms", ms(dig=None, cover=COVER, s={"content-digest": digest(b"")}, **GET), "content_digest_missing", "ms-get")
    D("ms-digest-repr", "Repr-Digest is no Content-Digest", "digest signed-anyway", "ms", ms(dig=None, cover=COVER_EMPTY + ["repr-digest"], fields=[("Repr-Digest", good)]), "content_digest_missing", "ms-post")
    D("ms-digest-length", "a Content-Length of 0, and a body", "digest", "ms", ms(cover=COVER_EMPTY, dig=None, extra=[("Content-Length", 0)]), "request_malformed", "ms-post")
    D("ms-digest-mac", "a wrong digest, and a wrong MAC: the MAC comes first", "digest order", "ms", ms(dig=digest(b"x"), key="MS_STRANGER"), "signature_mismatch", "ms-post")
    D("ms-digest-uncovered-mac", "no digest, and a wrong MAC: the MAC comes first", "digest order", "ms", ms(cover=COVER_EMPTY, key="MS_STRANGER"), "signature_mismatch", "ms-post")
    D("ms-digest-malformed-mac", "a malformed digest, and a wrong MAC: the head comes first", "digest order", "ms", ms(dig="md5=:AAAA:", key="MS_STRANGER"), "signature_malformed", "ms-post")
    D("ms-digest-absent-key", "covered and absent, and an unknown key: the components come first", "digest order", "ms", ms(dig=None, s={"content-digest": good}, keyid="m9"), "content_digest_missing", "ms-post")

    # --- the MAC
    for slug, more, why in [("stranger", dict(key="MS_STRANGER"), "a stranger's"), ("method", dict(s={"@method": "PUT"}), "another method's"), ("method-lower", dict(s={"@method": "post"}), "over the method in lower case"), ("params", dict(signed_params=""), "over no parameters"), ("cover", dict(signed_cover=COVER[1:]), "over fewer components than listed"),
                            ("cover-order", dict(signed_cover=COVER[::-1]), "over another order than listed")]:
        D("ms-mac-" + slug, why, "mac", "ms", ms(**more), "signature_mismatch", "ms-post")
    D("ms-mac-zeros", "zeros", "mac", "ms", two("sig1={i}", "sig1=:%s:" % b64(bytes(32))), "signature_mismatch", "ms-post")
    D("ms-mac-half", "the right first half", "mac", "ms", two("sig1={i}", "sig1=:%s:" % b64(tag[:16] + bytes(16))), "signature_mismatch", "ms-post")
    D("ms-mac-added", "a component added to the list after signing", "mac components", "ms", ms(fields=note, wire_params=base.text.replace(')', ' "x-note")', 1)), "signature_mismatch", "ms-cover-note")
    lines = "\n".join(['"@method": GET', '"@authority": ' + API, '"@path": /v1/items', '"@query": ?x=1&y=2', '"@signature-params": ' + ms(**GET).text])
    assert b64(mac("MS_K1", lines.encode())) == ms(**GET).value
    D("ms-mac-lf", "a last LF in the base", "mac delimiter", "ms", ms(**GET).headers({"signature": "sig1=:%s:" % b64(mac("MS_K1", lines.encode() + b"\n"))}), "signature_mismatch", "ms-get")
    D("ms-method-changed", "the method changed after signing", "method mac", "ms", ms().but(method="PUT"), "signature_mismatch", "ms-post")
    D("ms-method-head", "HEAD with GET's signature", "method mac", "ms", ms(**GET).but(method="HEAD"), "signature_mismatch", "ms-get")
    overrides("ms", "ms", ms, "ms-post", "MS_STRANGER")
    put = [("X-HTTP-Method-Override", "PUT")]
    A("ms-override-covered", "an override header that is covered", "allow method components", "ms", ms(cover=COVER + ["x-http-method-override"], fields=put))
    D("ms-override-changed", "changed after signing", "method mac", "ms", ms(cover=COVER + ["x-http-method-override"], fields=put).headers({"x-http-method-override": "DELETE"}), "signature_mismatch", "ms-override-covered")
    D("ms-override-second", "covered, and another one that is not", "method signed-anyway", "ms", ms(cover=COVER + ["x-http-method-override"], fields=put, extra=[("X-HTTP-Method", "DELETE")]), "signature_component_missing", "ms-override-covered")
    A("ms-connect", "extended CONNECT: @method is CONNECT", "allow websocket", "ms", ms(method="CONNECT", version="2", extra=EXTENDED, body=b""))
    D("ms-connect-get", "extended CONNECT, signed as GET", "websocket mac", "ms", ms(method="CONNECT", version="2", extra=EXTENDED, body=b"", s={"@method": "GET"}), "signature_mismatch", "ms-connect")
    A("ms-upgrade", "HTTP/1.1 upgrade: @method is GET", "allow websocket", "ms", ms(extra=UPGRADE, **GET))
    A("ms-preflight", "a preflight is not asked", "allow preflight", "ms", plain("/v1/items", PREFLIGHT, "OPTIONS"), sig=False, preflight=True)
    D("ms-preflight-no-origin", "OPTIONS without Origin is no preflight", "preflight", "ms", plain("/v1/items", PREFLIGHT[1:], "OPTIONS"), "signature_missing", "ms-preflight")

    # --- header_duplicate
    for n, name in enumerate(["Signature", "Signature-Input", "Content-Digest"]):
        value = value_of(ms(), name.lower())
        D("ms-dup-%d" % n, name + " twice, the same value", "header-duplicate signed-anyway", "ms", ms(extra=[(name, value)]), "header_duplicate", "ms-post")
        D("ms-dup-%d-split" % n, name + " in two fields that would join", "header-duplicate", "ms", ms(extra=[(name.lower(), "other=:AAAA:" if n != 1 else "other=()")]), "header_duplicate", "ms-post")
        if "-" in name:
            D("ms-alias-%d" % n, name + " once more with _", "alias header-duplicate", "ms", ms(extra=[(name.replace("-", "_"), value)]), "header_duplicate", "ms-post")
            D("ms-open-alias-%d" % n, name + " with _ on a route that asks for nothing", "alias", "ms", plain(extra=[(name.replace("-", "_"), "a")]), "header_duplicate", "ms-open")
        D("ms-open-dup-%d" % n, name + " twice on a route that asks for nothing", "header-duplicate", "ms", plain(extra=[(name, "a"), (name.lower(), "b")]), "header_duplicate", "ms-open")
    A("ms-other-profile-twice", "another profile's headers are just headers", "allow header-duplicate", "ms", ms(extra=[("X-Nonce", "a"), ("X-Nonce", "b"), ("X_API_Signature", "d")]))

    # --- limits, content types
    limits("ms", lambda **f: ms(expires=NOW + 10, **f), "ms-tight")
    tight = dict(expires=NOW + 10, body=b"123456789")
    D("ms-limit-mac", "too large, and a wrong MAC: the MAC comes first", "body-limit order", "ms-tight", ms(key="MS_STRANGER", **tight), "signature_mismatch", "open")
    D("ms-limit-digest", "too large, and a wrong digest: the size comes first", "body-limit order", "ms-tight", ms(dig=digest(b"x"), **tight), "body_too_large", "open")
    D("ms-limit-uncovered", "too large, and no digest: the size comes first", "body-limit order", "ms-tight", ms(cover=COVER_EMPTY, **tight), "body_too_large", "open")
    D("ms-limit-key", "too large, and an unknown key: the head comes first", "body-limit order", "ms-tight", ms(keyid="m9", **tight), "signature_key_unknown", "open")
    A("ms-tight-whole", "max_age 10s", "allow window", "ms-tight", ms(expires=NOW + 10))
    D("ms-tight-expires", "11s", "window signed-anyway", "ms-tight", ms(expires=NOW + 11), "signature_window_too_long", "ms-tight-whole")
    content_types("ms", ms, "ms-ct", "ms")
    D("ms-ct-digest", "a body without a type, and a wrong digest: the digest comes first", "content-types order", "ms-ct", ms(dig=digest(b"x")), "content_digest_mismatch", "ms-ct")

    # --- keys
    A("ms-bound-1", "the key of this host", "allow key", "ms-bound", ms())
    A("ms-bound-2", "the key of that host", "allow key", "ms-bound", ms(key="MS_K2", keyid="m2", host=OTHER))
    A("ms-bound-upper", "key ids are compared exactly: M1 is not m1", "allow key identity", "ms-bound", ms(key="MS_K3", keyid="M1"))
    D("ms-bound-upper-swapped", "m1's MAC under M1", "key", "ms-bound", ms(keyid="M1"), "signature_mismatch", "ms-bound-1")
    D("ms-bound-other-host", "a key id of another host", "key signed-anyway", "ms-bound", ms(key="MS_K2", keyid="m2"), "signature_key_unknown", "ms-bound-1")
    D("ms-bound-host", "this host's key id at another host", "key signed-anyway", "ms-bound", ms(host=OTHER), "signature_key_unknown", "ms-bound-2")
    D("ms-bound-other-key", "another key's MAC: no other key is tried", "key", "ms-bound", ms(key="MS_K3"), "signature_mismatch", "ms-bound-1")
    for slug, keyid, why in [("unknown", "m9", "an unknown key id"), ("empty", '!""', "an empty key id"), ("space", "m1 ", "a key id with a space"), ("path", "../../dev/null", "a key id that looks like a path"), ("secret", "MS_K1", "the secret's reference is no key id"), ("quote", '!"m\\"1"', "an escaped quote in a key id"), ("long", "m" * 500, "a long key id")]:
        D("ms-key-" + slug, why, "key signed-anyway", "ms", ms(keyid=keyid), "signature_key_unknown", "ms-post")
    D("ms-key-mac", "an unknown key id, and a wrong MAC: the head comes first", "key order", "ms", ms(keyid="m9", key="MS_STRANGER"), "signature_key_unknown", "ms-post")
    second = dict(key="MS_K2", target="/second/x", tag="second")
    on = {"section": "second"}
    A("ms-two-partner", "the first section", "allow label", "ms-two", ms(), section="partner", key="m1")
    A("ms-two-second", "the second section: its own tag, its own m1", "allow label", "ms-two", ms(**second), route="second", key="m1", **on)
    D("ms-two-crossed", "the first section's tag on the second's route", "label", "ms-two", ms(target="/second/x"), "signature_missing", "open", **on)
    D("ms-two-crossed-key", "the first section's m1 with the second's tag", "key", "ms-two", ms(**{**second, "key": "MS_K1"}), "signature_mismatch", "ms-two-second", **on)
    A("ms-two-after", "the nonce, host and key id in another section", "allow replay", "ms-two", ms(**second), route="second", key="m1", before=["ms-two-partner"], **on)

    # --- what is not covered
    A("ms-uncovered-ok-header", "other headers", "allow uncovered", "ms", ms(extra=[("Content-Type", "application/xml"), ("Content-Encoding", "gzip"), ("Cookie", "admin=1")]))
    A("ms-uncovered-ok-scheme", "the scheme, where neither the policy nor the signer lists it", "allow uncovered", "ms", ms().but(scheme="http"))
    A("ms-uncovered-ok-min", "a policy that lists @method alone: the target", "allow uncovered", "ms-min", ms(cover=["@method"], **GET).but(target="/v1/other?admin=1"))
    A("ms-uncovered-ok-host", "and the host", "allow uncovered", "ms-min", ms(cover=["@method"], host=OTHER, **GET))

    # --- replay
    D("ms-replay", "the same request again", "replay", "ms", ms(), "nonce_replayed", "ms-post", before=["ms-post"])
    D("ms-replay-get", "a GET again", "replay", "ms", ms(**GET), "nonce_replayed", "ms-get", before=["ms-get"])
    D("ms-replay-put", "its nonce on another request", "replay", "ms", ms(method="PUT"), "nonce_replayed", "ms-put", before=["ms-post"])
    D("ms-replay-label", "its nonce under another label", "replay label", "ms", ms(label="*a_1-2.x*"), "nonce_replayed", "ms-label-any", before=["ms-post"])
    D("ms-replay-upper", "its nonce, the host spelled otherwise", "replay host", "ms-hosts", ms(wire="API.Example.COM"), "nonce_replayed", "ms-host-upper", before=["ms-host-dot"])
    D("ms-replay-not-required", "a nonce that is not required is claimed all the same", "replay", "ms-min", ms(), "nonce_replayed", "ms-nonce-not-required", before=["ms-nonce-not-required"])
    A("ms-replay-no-nonce", "without a nonce nothing is claimed", "allow replay", "ms-min", ms(nonce=None, expires=None), before=["ms-no-nonce"])
    A("ms-replay-nonce", "another nonce", "allow replay", "ms", ms(nonce=NONCE2), before=["ms-post"])
    A("ms-replay-host", "the nonce at another host", "allow replay", "ms", ms(host=OTHER), before=["ms-post"])
    A("ms-replay-key", "the nonce with another key id", "allow replay", "ms-bound", ms(key="MS_K3", keyid="M1"), before=["ms-bound-1"])
    A("ms-burn", "a refused request claims no nonce", "allow replay", "ms", ms(), before=["ms-mac-zeros", "ms-digest-wrong", "ms-digest-uncovered", "ms-uncovered-query", "ms-alg-none", "ms-key-unknown", "ms-window-too-long"])
    A("ms-life-186", "186 s after the nonce was created its entry is gone", "allow replay", "ms", ms(created=NOW + 186, now=NOW + 186), before=["ms-post"])
    A("ms-life-184-alone", "the twin of the next", "allow replay", "ms", ms(created=NOW + 184, now=NOW + 184))
    D("ms-life-184", "the life of an entry counts from created and max_age, not from expires", "replay", "ms", ms(created=NOW + 184, now=NOW + 184), "nonce_replayed", "ms-life-184-alone", before=["ms-post"])
    A("ms-cap-first", "a store for one entry", "allow replay", "ms-full-1", ms())
    A("ms-cap-second-alone", "the twin of the next", "allow replay", "ms-full-1", ms(nonce=NONCE2))
    D("ms-cap-second", "full", "replay", "ms-full-1", ms(nonce=NONCE2), "replay_store_unavailable", "ms-cap-second-alone", before=["ms-cap-first"])
    A("ms-epoch-edge", "created = epoch + clock_tolerance", "allow epoch", "ms", ms(), epoch=NOW - 5)
    D("ms-epoch-inside", "one second less", "epoch", "ms", ms(), "replay_store_unavailable", "ms-epoch-edge", epoch=NOW - 4)
    D("ms-epoch-now", "a store that was found empty just now", "epoch", "ms", ms(), "replay_store_unavailable", "ms-post", epoch=NOW)
    A("ms-epoch-no-nonce", "without a nonce no epoch is asked", "allow epoch", "ms-min", ms(nonce=None, expires=None), epoch=NOW)

    report_mode("ms", ms, "MS_STRANGER")
    ok = "ms-report-ok"
    R("ms-report-key", "reported", "report-mode", "ms-report", ms(keyid="m9"), "signature_key_unknown", ok)
    R("ms-report-cover", "reported", "report-mode", "ms-report", ms(cover=["@method"]), "signature_component_missing", ok, suffix=".components")
    R("ms-report-tag", "no member is selected", "report-mode", "ms-report", ms(tag="other"), "signature_missing", ok)
    R("ms-report-nonce-missing", "reported", "report-mode", "ms-report", ms(nonce=None), "nonce_missing", ok)
    R("ms-report-nonce-malformed", "reported", "report-mode", "ms-report", ms(nonce="short"), "nonce_malformed", ok)
    R("ms-report-alg", "reported", "report-mode", "ms-report", ms(alg="none"), "signature_algorithm_not_allowed", ok)
    R("ms-report-window", "reported", "report-mode", "ms-report", ms(expires=NOW + 121), "signature_window_too_long", ok)
    R("ms-report-digest-missing", "reported", "report-mode", "ms-report", ms(cover=COVER_EMPTY), "content_digest_missing", ok)
    R("ms-report-digest-wrong", "reported", "report-mode", "ms-report", ms(dig=digest(b"x")), "content_digest_mismatch", ok)
    D("ms-report-limit-digest", "too large, and a wrong digest: the size denies", "report-mode body-limit order", "ms-report", ms(dig=digest(b"x"), body=b"a" * 1025), "body_too_large", "open")
    # Ambiguous, as above: the MAC comes before the size in this profile.
    R("ms-report-limit-mac", "a wrong MAC, and too large: the MAC's failure is reported, later checks are not run", "report-mode body-limit ambiguous", "ms-report", ms(key="MS_STRANGER", extra=[("Content-Length", 1025)]), "signature_mismatch", ok)


# ---------------------------------------------------------------------------------------------------------------- the file


def shorten(value):
    """A string with a long run of one character, in the generator form of the notes."""
    if isinstance(value, list):
        return [shorten(v) for v in value]
    if isinstance(value, dict):
        return {k: v if k == "base64" else shorten(v) for k, v in value.items()}
    if not isinstance(value, str) or len(value) < 400:
        return value
    parts, plain_text = [], ""
    for run, letters in itertools.groupby(value):
        count = len(list(letters))
        if count < 100:
            plain_text += run * count
            continue
        parts += [plain_text] * bool(plain_text) + [{"repeat": [run, count]}]
        plain_text = ""
    parts += [plain_text] * bool(plain_text)
    return parts[0] if len(parts) == 1 else {"concat": parts}


def check():
    """What every reader of the file may rely on."""
    documentation = {"expansion", "secrets", "before", "generated"}
    used = {f for c in CASES for f in c["flags"]}
    assert used <= set(NOTES), used - set(NOTES)
    assert set(NOTES) <= used | documentation, set(NOTES) - used - documentation
    assert {c["policy"] for c in CASES} == set(POLICIES), set(POLICIES) - {c["policy"] for c in CASES}
    assert len(BY_ID) == len(CASES)
    problems, seen = [], {}
    for n, case in enumerate(CASES):
        reported = case["want"]["reported"]
        plainly_allowed = case["want"]["decision"] == "allow" and not reported
        key = json.dumps([case[f] if f in case else None for f in ("policy", "request", "before", "epoch")])
        if key in seen:
            problems.append("%s: the same as %s" % (case["id"], seen[key]))
        seen[key] = case["id"]
        problems += ["%s: before %s" % (case["id"], b) for b in case.get("before", []) if b not in BY_ID]
        if len(case["flags"]) != len(set(case["flags"])):
            problems.append("%s: a flag twice" % case["id"])
        if plainly_allowed != ("allow" in case["flags"]):
            problems.append("%s: the flag allow" % case["id"])
        if "twin" not in case:
            if not plainly_allowed and "no-twin" not in case["flags"]:
                problems.append("%s: no twin" % case["id"])
            continue
        twin = BY_ID.get(case["twin"])
        if twin is None:
            problems.append("%s: no such twin %s" % (case["id"], case["twin"]))
            continue
        if plainly_allowed or twin["want"]["decision"] != "allow" or twin["want"]["reported"]:
            problems.append("%s: its twin is not allowed" % case["id"])
        differs = [f for f in {*case["request"], *twin["request"]} if case["request"].get(f) != twin["request"].get(f)]
        differs += [f for f in ("policy", "before", "epoch") if case.get(f) != twin.get(f)]
        if len(differs) != 1:
            problems.append("%s: differs from %s in %s" % (case["id"], case["twin"], differs))
    # Every reason of every profile: denied three times, reported once.
    denied, told = {}, {}
    for case in CASES:
        sections = POLICIES[case["policy"]].get("signatures")
        profile = next(iter(sections.values()))["profile"] if sections else None
        want = case["want"]
        if want["check"] in ("signature", "nonce"):
            denied.setdefault((profile, want["reason"]), []).append(case["id"])
        for r in want["reported"]:
            told.setdefault((profile, r["reason"]), []).append(case["id"])
    common = "signature_missing signature_malformed signature_component_missing signature_key_unknown signature_mismatch signature_expired signature_not_yet_valid nonce_replayed replay_store_unavailable".split()
    for profile, own in [("host-nonce", "nonce_missing nonce_malformed"), ("service-scoped", "signature_service_mismatch"), ("standard-webhooks", "nonce_missing nonce_malformed signature_algorithm_not_allowed"),
                         ("http-message-signatures", "nonce_missing nonce_malformed signature_algorithm_not_allowed signature_window_too_long content_digest_missing content_digest_mismatch")]:
        for reason in common + own.split():
            if len(denied.get((profile, reason), [])) < 3:
                problems.append("%s %s: denied %d times" % (profile, reason, len(denied.get((profile, reason), []))))
            if (reason not in ("nonce_replayed", "replay_store_unavailable")) != ((profile, reason) in told):
                problems.append("%s %s: reported %s" % (profile, reason, told.get((profile, reason))))
        extra = {r for p, r in denied if p == profile} - set(common + own.split())
        if extra:
            problems.append("%s: %s" % (profile, extra))
    assert not problems, "\n".join(problems)


def document():
    dump = lambda value: json.dumps(shorten(value), ensure_ascii=True)
    order = ["id", "comment", "flags", "policy", "before", "epoch", "request", "want", "twin"]
    out = '{"schema": "hostbound-vectors-1",\n"notes": {\n' + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in NOTES.items())
    out += '\n},\n"policies": {\n' + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in POLICIES.items())
    out += '\n},\n"secrets": {\n' + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in SECRETS.items())
    return out + '\n},\n"cases": [\n' + ",\n".join(dump({f: c[f] for f in order if f in c}) for c in CASES) + "\n]}\n"


def main():
    host_nonce()
    report_hn()
    service_scoped()
    standard_webhooks()
    http_message_signatures()
    check()
    path = pathlib.Path(__file__).resolve().parent.parent / "signature.json"
    text = document()
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text() != text:
            sys.exit("%s is not what generate/signature.py writes: run it again" % path)
    elif sys.argv[1:]:
        sys.exit("usage: signature.py [--check]")
    else:
        path.write_text(text)


if __name__ == "__main__":
    main()
