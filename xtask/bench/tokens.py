"""A worker of `cargo xtask bench`: tokens of about 600 bytes, verified and their claims validated by PyJWT.

The protocol is that of peers.py. With `--write` it makes tokens.json anew, which every worker reads, from the published test keys of the vectors.
"""

import json
import pathlib
import runpy
import sys
import time

import jwt

HERE = pathlib.Path(__file__).parent
WORKLOAD = HERE / "tokens.json"
BATCH = 100

CLAIMS = {
    "iss": "https://auth.example.com/",
    "aud": "https://api.example.com",
    "sub": "user-1042",
    "exp": 4102444800,
    "iat": 1767225600,
    "scope": "orders:read",
}
# What fills the tokens whose signature is short.
MORE = {
    "nbf": 1767225600,
    "jti": "6f1d2c9e-5b1e-4b0c-9a54-0d3f6c1b7e21",
    "client_id": "web-shop-0123456789abcdef",
    "azp": "web-shop-0123456789abcdef",
    "roles": ["customer", "beta"],
    "email": "jos\u00e9@example.com",
}
KEYS = {"RS256": ("rsa1", CLAIMS), "ES256": ("ec1", CLAIMS | MORE), "EdDSA": ("ed1", CLAIMS | MORE)}


def write() -> None:
    keys = runpy.run_path(str(HERE / "../../tests/vectors/generate/token.py"))["KEYS"]
    public, tokens = [], {}
    for algorithm, (name, claims) in KEYS.items():
        public.append({"kid": name} | {member: keys[name][member] for member in ("kty", "crv", "x", "y", "n", "e") if member in keys[name]})
        key = jwt.PyJWK(keys[name], algorithm).key
        tokens[algorithm] = jwt.encode(claims, key, algorithm, {"kid": name, "typ": "at+jwt"})
    workload = {"now": CLAIMS["iat"] + 60, "issuer": CLAIMS["iss"], "audience": CLAIMS["aud"], "jwks": {"keys": public}, "tokens": tokens}
    WORKLOAD.write_text(json.dumps(workload, indent=2) + "\n")


def main() -> None:
    workload = json.loads(WORKLOAD.read_text())
    keys = {key["kid"]: jwt.PyJWK(key, algorithm).key for algorithm, key in zip(KEYS, workload["jwks"]["keys"])}

    def verify(algorithm: str) -> None:
        token = workload["tokens"][algorithm]
        key = keys[jwt.get_unverified_header(token)["kid"]]
        jwt.decode(token, key, [algorithm], issuer=workload["issuer"], audience=workload["audience"], options={"require": ["exp"]})

    for line in sys.stdin:
        if line.strip() == "go":
            figures = {}
            for algorithm in KEYS:
                start = time.perf_counter_ns()
                for _ in range(BATCH):
                    verify(algorithm)
                figures[f"python/pyjwt-{algorithm.lower()}"] = (time.perf_counter_ns() - start) / BATCH
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    write() if sys.argv[1:] == ["--write"] else main()
