#!/usr/bin/env python3
"""Writes ../token.json: an independent issuer of bearer tokens for docs/contract.md §12-13, made without a look at the engine.

Needs the package `cryptography` (pip install cryptography) for RSA PKCS #1 v1.5, ECDSA (deterministic, RFC 6979) and Ed25519; PSS is made here, with a
fixed salt. Deterministic: the same text at every run. `token.py --check` compares with the file.
"""

import sys

del sys.path[0]  # this folder: the file has the name of a module of the standard library, which `cryptography` needs

import base64
import hashlib
import hmac
import itertools
import json
import pathlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

NOW = 1767225600
API = "api.example.com"
ISS = "https://auth.example.com/"
ISS_A, ISS_B = "https://a.example.com", "https://b.example.com"
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
ED25519_L = 2**252 + 27742317777372353535851937790883648493

# ---------------------------------------------------------------------------------------------------------------- keys

# Published test keys, made once for this file. Never use them for anything else.
KEYS = {
    "rsa1": {"kty": "RSA", "n": "tUBV_4mkDm0SaeY5p56_YZ11PqXFlWcEubHZFJnPA5wKZ5XNX4rsAnsLLss_Y-SIHhEEqJT5GVu4vzp-7EuTaD-Nroo0lDTjNSVVeLA0OProSt5r6mLj3u01cQO9Ch0KG4bPrTnZcYz1H1akd9QXAnnQ0WkN-2b60UYt6ZiKKpoSUk27-m3s60ZyS8mzJ9-Tn_op-sR3WIBWHAAC60tyFdPMjRPNWhMtC8bERzGsxAHN1O02gtpxqcehQEDetbxXtkFkVMdsZMDSQTeV54V1uRz5LQBAkQ8hlUaH_FabyvX-S5qke94s424GVJryAPqqQLJbtwU0SVHf3cHGZZxvtQ", "e": "AQAB", "d": "KOFVZDjpsT1FmXANUfKarMwkXRhrm5psNOvZj-1vBRvlNt7RPvro51hUOd4qsn-hedKRz-ol0uPeo_bwGKClIy6uaI8Qc9sH4f1FLV7ksHNbAEPxaCCcz7OFybMzqHvLQ1EhNytkkVlfEg3rM4G5HNxXzluZBTqBWMEw6s52X0wWoinUn8F0FDJgQN23_WQfUehHuB3g14ly1Hdx3DUZFScekRfZuPUvYL3eRCm7qzD_Jh0Jnp8uuGuGuz6-f2IjSWjcRkqC5KKaJNegMxLwFH2PAbIIVhoVBWWA2upaQd0KtFu49mZcNTORQ5vhtUU4N6L7OUDR1hhBfmbpK5CGYQ", "p": "3K-6uczSp5qRr2QLwFpCFe_-zTnGsDiJW3AQss2mdugIBI4gwdqlKx5JcFZElwwuJXG32DYmrT0KQRRuyv_kW5KyAKgVnF5POPUw2iCGX8oAf7esKDq5VcpR9OgPYqINBpsQXDtrBdOhZZCKn1b3z2dMEpmNzpg30MKocyZm5GU", "q": "0kEsUcq2yObqAmI2oR3ROkgVc3ydS3FtlOX3QbZjvoyxElVzRw-aVpV_E7RhC_gEP7OFmCaanT9eVdgpcC7A6cM_NUZGJ6Ohbc0pDN6tflNBcRj3Q9TZ-N2f8O6WrfsjuIvlAIGC8hLF_tSnHQz5DXUpp4Z4bRjd3Y_xXn75YRE", "dp": "2FpHm4PcOYhlrydMBgX2p_8jNBuiWHz03HnfRQwsWIJd6elU3_f02XLV2JYapGLCkt8Lt6JPBKPE-8yGWenI_KWycMZYeXZUAKkQfahJVHt7RbrRwpbfv-Wbt5gSDUaFsqYuwd1WrN2vaxzrag8e32yLvehgh9vfTICqGEnbsak", "dq": "tu1jHOpsq1BUSqyecQEbN0Td_PNveuL9_y0xOWfxUijgKl5UBIBrvGcm_8LRKHOpZq7PTbhQjv1CGxgNvX-_8eIgjT5N7VDtMzXrQDpA4gaXikm5X7fByUcxT5KVYFt_EaINJKqJfgmdYAAuQRU3XmEQU6OoBOs8pPcGfjukxrE", "qi": "TWeMMpI-G8tssbExnE2kAWHdtc5pjfVzdcemN0ZdI335qDeCLddmVK86iCE7E5Kmiofha2BiagpRfDr9HUgzJgfk1ZFvLFKJZFwHD8EovOnS0dVV2KA7xmBYvqUfAqO1oHPoz0-Cs5BDDyNWSBPoGt5pCtnk3FMJym-i2ZXljdc"},
    "rsa2": {"kty": "RSA", "n": "pU1_4BWWxJooCSZXVy0B2iWdgreYgMYRcu1DDrEBeJOWaYhZ5gtvJ3omDgUFHwYSKCp_VjRdmqJP0Hb8YCVZRClNZO_hOGdYLVvDBLNVsO_cyw4h8MsRilIpgzsvAiJmVLBFUyFzPWTtd6rtBv3tat6BqffpQKFt4WAca3ikL28i9ykm5pfCD20ey-xjIQjk71eAZQJi_iTy6vv_9ySSxvIb0uIgBIztBCu9T8PMmqFW7-wnn0A6R1nNzKkFMxKKbg5DrIoH9uu1wn9nZStGtdcWrMnsAH0VPK1kDXLvXYlPYwRNdsyB38DzfoOk5ZRSl1oO5HJ-2xbrrIYgGZTQpw", "e": "AQAB", "d": "GHRsMBsRiHlj5eKhtjhm1z6MXFvL-HUU_MMkEgbWuF9hN7Cf2Bwl8BmuipFsjgfoZL_QwdCSbn-Hvkf0E0dDOwW_OOkSETWcwm0aX1YmnbwGlpW7KLPqHuQD1zHIxRCQwgOn5eIDefg192e2lDu5xX8wgJQ4EkMvjdGZsr6Qz6FtFRBqF2IsfaLz4s75uaTATcC3Ql36VqKfYWjGoWS2C3WMYj-fFAWxcsvLoeNxqfDcKB0qXrfD37CLDWw4i6iyf_JWyD0tUGxpt2CaVLVNPrIqA10jCCvUwVSV3boMjt-ENUtMXWQOT-fng7okkgqOAo5_2xaZUNGrk66p9ht-dQ", "p": "zx_4885U5Ccj2fFBBZmygMoKWhN6ZohSIQMlVWXchFUtpStCZz0ZjUqmt9_yTVIcfHq6iuu-eTxaRCeFTwMfnzGwjmylrQhZyJCETJdije3zKeDCXSmb0YHYmfy9Gp5fJu0Z-Ar7_Ep6fBgSemKjvnZ_Mw19_Or_trW7fTwavwM", "q": "zE8g6FZRGhZL8sic2v9RYDYexU7YTT2EnGJFD3Pl41J56ns2VbUef8DGNvB_CT9KRgPivmizZCRE3kHyFhA7NXeD6JcQ3vZkj48Zb_mVteO_u5enOciw___Q3PZZHntiNitWS6IrVUBoNnuCH24d7Rf7oOCRPofVtupLzP-vNI0", "dp": "UwCWDGX4IQIKXPFQREVGglP0-AnsOCCTAQW4tVM_noxf4VvHnYWfsr5itzb4a8HnBn9MOBWm3ACyj7NiuboftvT7sueZMREyoaxASE02QnhDxNl8KkddWQT23yaoRX2H1hqYGI2WU5EpKoefCAp1YgMskDHs9ijaVsbXHqWydi8", "dq": "u_-gB0rODBQyRLBm7Xl81uxV-jcoAEM4UHJ4m9SI2FmfR62i_NDRxLqNaiZ4rvinDrAqqA1N7TsWh_HkonrDENrt7Ut8wb22IQeLX6cpJJryZdsRjLFoddhex8SDkvH0GGZeXPBXsXW3r1KNFQDN1sp3x7x8yi5R8KO9pmAsR00", "qi": "oQoT5_k-PSZIJ9eKgD7ji_55IV_JvzmYCU5LnZEDdQdWx6O_PXZgWXbGliB9NmThD2rjCnut8zP6a3AvroP6PIAY45-8innVhcKQoGQmFqIWQp4NDISuOfiGGR0QFqlJvmD1eELjdsWxaraoPECnIOdk8vDQJwIW6t0QgvymleI"},
    "rsa3": {"kty": "RSA", "n": "zJgNF-_QV3TUjexInEj6bj3B5SIOitPDAkUhHW9I0_1v7qmrjzusaTR3mbtkFng18KQRyr4rJ0MVdPFzacbDvS8BGsGPjdjTry_tfq1CpaF76u8bbxbxZKOJZ3QykC8kNz7KbZ0xx-b6dMGA5i14K8NKNv7Wmj2rHMVad0LPmJlNqBc6ISkWOp6wQen_3n4WRwL0_U86roO3oTeGJ-Me8H1Ui_nTWEigAHUGB-GCgnu5imERqjao9RpxlSP5gfmGDMsrDHtSB5s8aKbSefp32Gz9Z7zJ_digLEBjrXvfvw5blbnNVluEO05vBJQII87NXzJ1mY6yeTqLQU7tIiv2K4tWkz9lo6IUWa_sKvkInopcMXSEbrxwLoBRSbp_uNnxtqc0hSsVN4_-V9Q_ZC_UZHiDYioRZWC4MBy_NzH60vGv2NoEAAwRrGbcT9OUWWFvK91V6bTs5WG3W9RBmeRaUVMTjZ1gVhf448NVUAh-1cN3LUodAOfjkg2HkhSKnOgL", "e": "AQAB", "d": "RLTRPNcfn6cP1GNjlPxbAVeC_Eg-Gvf3VpVRhBmBmxNSmhLnlq_C_AePHJTWDUesUZY_lVbclhBMrduB1yVVSXx2Af67jzagDAZr2q0jowzCWQiYLWvGf_X9aD0Y19vE7TqMb1gpRgj21eu_tkzRvNyV2TcmaWDJTF2oPkG1BnmBHzBBqK4sFV6CMXh8IUM1hv5iuIh5W-7G5YCIcG-wzbFBCcrJYy3scYrbDh14nwoeqm5jqMY3YixRtXSBz1i0RnHQ-W5B3LenRfhQtdyxssX0WWDBoCE9mojhZKFr6etKtcrwtMs8Hp2UmZR9yf7qZ3Ldn2Wp7menRzhkenN3O7Ia9C7KR1zJh2JuKjUo7RS1fPADcSOCE6kmo_jq7RzIQ7_1mrUPKWtyTKP_a_k2koR6kFVtfwMmWHAvG-Nqk3wCf_Cu3i-xqz0_nldfPuLeKbpOn_CONVEdSAUdiARfM-LjJJAw9kwFO3NTPF63gBE6xn9jxdHFY54Y8OncCxAd", "p": "54BGqEd-x6jstTgDjfTgBm8ubZkPSsdZMfd8Vwdw48S2iEb0e9je38d73NojW6B6huxXsWvU7JPNc0eqbKcF4gg5YA-th-AGBjce_uKxMhVyoH9K5vWUNnq64ncNKTjtQNIFeSx-e0baw1C7nk-Q-TehxuKkYdyH_CvhT48S5IEoTEr-MN_eYN63IUQhRk2AhNPSLK0HDsNrN1Xo6XHl_sBPj_TjFsQkGyrk-eqiFPif9IHI-LoUi_fLJxOP-fRF", "q": "4j7RuCoV_maYYZcI9oJTone4gB66QMM9_SV6yfqYMTozsXNOemWaJub5Zk32jL7bSEwbPXJiBKaJJhdc0w2iW4mhycx_8TI9pHuF0hrsQyODAZ_KQJidP3HWBEIU-fuIQTsXn8gDe2nbXNcTzg629iGthuxfoEt5E1YfJyhe1t9VuXqU-FNTas-VgoH2GsJnZWAoAy45HMWwB5hpsYkpvefD4AckrrVpHQ9DExOxFu3ykNEAooQRdeKAtKXDLrgP", "dp": "TplL5BiaH9nnvENvWYQ5h5W6ErXz7jSuwPtA-R9qobqJKs3EdkQUr6_ACyT4-kQLNcIKqA9vdH9eMvSzFT7EDZEzQb0w8sAJ65RNbsay2MlVaM6vNKlOkAytZPR8wHE2hFqKRzDnJJ3S6pt_h-mF1EeiIq-SljNU7DZNwkBWbsS3VOflU9y-WO9lB-Nk1MS9jNuKMWbxzX5l6Zy-fnwQVaUfnkXL0E_53kt7AKs8KpibXl2uSVyMW1VfYT4QFRJt", "dq": "H1lnA-bI_2RF7xfXhRjP7-444X_gfQLQvxgHaJ9RoViYOxloIWucrZFJs5RP-najuePZzmzgChbtYBrSoOf9vENY6LZucARvKDB5fYB_hloQWBRFGShMebMTXamucGkbGzbN8jTrzpj_bWDb_KxrS7Wk7tIn-fUbRMOlM27TnWB652WF6Nba8yzqYZgSeui_HPvy72XjQgpedt72nkQMRaUsrgkvWwoGE6G-wJD08-FqwAhF1z8HkFcfUGi7n-if", "qi": "KBYgs-jJ5M3M5S5-l49Ob57QHS1xCevCLLVnCtanAxcZgKWwqtZpEBh9b9MrBPeqIDbtzO7-BC55QVK4VI7O0ARxr-yz-RD9PkGiT6-b1hmfBjTfF006f0Y71D8hpnL1h1gQQiyuFLzy5sJRBcU7WCNmeS_8Q9T28C7o6sHol5HrfgXR6aArzwX_DUtQjbTsMv5THmkutfI6k8rDFGl3HjshwYLqjh2stcPboWh803r8QhPoFWtI82EztjM9hqhr"},
    "ec1": {"kty": "EC", "crv": "P-256", "x": "roBJIB7HqQX457jnjeqtqZ_78VKzVMoJeWjrq_EVoSI", "y": "oKQwW1kQXWUYHlgpACCYo6igX83vNYue-rjlgIaZySY", "d": "ovz7iIYt5oUCns5m2aqMoBael4S2v6NZfvbYcO95Akc"},
    "ec2": {"kty": "EC", "crv": "P-256", "x": "9LXcNYyjz1MmCSEDaV_GnYf3sxudoYBLkEIrgqKw5N0", "y": "01ybOYd4rIhsSc1MRHGfROTXxlOcUg3NnFTWif75C-4", "d": "xGF7LlgtKVd7-9ZqByQuJZIylZDY9RdQfgdMO6VMpnU"},
    "ec3": {"kty": "EC", "crv": "P-384", "x": "T_21spBJsn1CYIQfQhAvttRlfWb4UwtvfrXSPKmjUx-QkFMv-KN-oTBOn11iVKyI", "y": "k6JE9Dy4T_y_nmrIqnjOtneThd2Ly8YK3DL6GRCCHhC3ZCLFsjcukFXVEmxPW81s", "d": "sf0o774H5YV6ICqi1L7mH7whVzirPwJmqMQ5DmjpS7KRRfg5c_tUg-SNOEcA9ZoX"},
    "ed1": {"kty": "OKP", "crv": "Ed25519", "x": "J1Dp_FhY3MjFc62t_yibxMzKh_xMObZUazyggpu1Mbs", "d": "UFlYfBLuUAQF3KfADtAOXNtABA-OEPyGyszUKBKqhZM"},
    "ed2": {"kty": "OKP", "crv": "Ed25519", "x": "VnSQX5uqXrB8m5Rehub-5iQzho0_xDQlV2wgpauFvZo", "d": "ivIYC2PF4qbxGeEHnXopVOHsgrTEUM8p-UsTcin_opc"},
    "hs32": {"kty": "oct", "k": "bM-28ZhkoEt6UMdoJWnqXb_CGyVnuTO7pDe47KZeegw"},
    "hs48": {"kty": "oct", "k": "XjM9Ku6z62iJRd-Jkerq2su8HkORJPzuKbxftV8dF6C373wj1ArWmBAfJXNgbgLn"},
    "hs64": {"kty": "oct", "k": "omPJaDUTLzs8UOUz3so5ZOFH4ar1KvK1U-xxyZ3vWQPC8Q8CA0lLNqv70jW5aq2yPRykBxUIjwoGCSV9ajJ5Qw"},
    "hs64b": {"kty": "oct", "k": "InLHgOGKYeQ45dqFsRavQmDnZ9a5-xdomTxpYu5ajxPF1gJT9KtPYVrd2ukYliWHo-zIMtgkqDovoCYOAksVnQ"},
}


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(unb64u(text), "big")


def octets(seed, length):
    """Published bytes: SHAKE-256 of the seed."""
    return hashlib.shake_256(("hostbound vectors: " + seed).encode()).digest(length)


def raw(text):
    """Bytes of a text: UTF-8."""
    return text if isinstance(text, bytes) else text.encode()


ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
SYMMETRIC = ["HS256", "HS384", "HS512"]
ALGORITHMS = ASYMMETRIC + SYMMETRIC
HASH = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
NATURAL = {"RS256": "rsa1", "RS384": "rsa1", "RS512": "rsa1", "PS256": "rsa1", "PS384": "rsa1", "PS512": "rsa1", "ES256": "ec1", "ES384": "ec3", "EdDSA": "ed1",
           "HS256": "hs64", "HS384": "hs64", "HS512": "hs64"}
LOADED = {}


def private(name):
    if name not in LOADED:
        key = KEYS[name]
        if key["kty"] == "RSA":
            public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"]))
            LOADED[name] = rsa.RSAPrivateNumbers(*(number(key[f]) for f in ("p", "q", "d", "dp", "dq", "qi")), public).private_key()
        elif key["kty"] == "EC":
            LOADED[name] = ec.derive_private_key(number(key["d"]), ec.SECP256R1() if key["crv"] == "P-256" else ec.SECP384R1())
            assert LOADED[name].public_key().public_numbers().x == number(key["x"])
        else:
            LOADED[name] = ed25519.Ed25519PrivateKey.from_private_bytes(unb64u(key["d"]))
            assert LOADED[name].public_key().public_bytes_raw() == unb64u(key["x"])
    return LOADED[name]


def kind(alg):
    """The kty and crv that an algorithm needs."""
    return {"R": ("RSA", None), "P": ("RSA", None), "H": ("oct", None)}.get(alg[0]) or {"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "EdDSA": ("OKP", "Ed25519")}[alg]


def fits(key, alg):
    return (key["kty"], key.get("crv")) == kind(alg) and key.get("alg", alg) == alg


def rsa_raw(key, encoded):
    """RSASP1 of an encoded message."""
    n = number(KEYS[key]["n"])
    return pow(int.from_bytes(encoded, "big"), number(KEYS[key]["d"]), n).to_bytes((n.bit_length() + 7) // 8, "big")


def pss_encode(data, alg, bits, salt_length=None, mgf=None):
    """RFC 8017 §9.1.1 with a fixed, published salt."""
    name, mgf = "sha" + alg[2:], mgf or "sha" + alg[2:]
    digest = hashlib.new(name, data).digest()
    salt = octets("salt", len(digest) if salt_length is None else salt_length)
    length = (bits + 6) // 8
    inner = hashlib.new(name, b"\0" * 8 + digest + salt).digest()
    block = b"\0" * (length - len(salt) - len(inner) - 2) + b"\1" + salt
    mask = b"".join(hashlib.new(mgf, inner + i.to_bytes(4, "big")).digest() for i in range(length // 20 + 1))[:len(block)]
    masked = bytearray(x ^ y for x, y in zip(block, mask))
    masked[0] &= 0xFF >> (8 * length - (bits - 1))
    return bytes(masked) + inner + b"\xbc"


def sign(alg, key, data):
    """The signature part. `key` is a name of KEYS, or the bytes of an HMAC key."""
    if alg[0] == "H":
        return hmac.new(key if isinstance(key, bytes) else unb64u(KEYS[key]["k"]), data, "sha" + alg[2:]).digest()
    if alg[:2] == "RS":
        return private(key).sign(data, padding.PKCS1v15(), HASH[alg[2:]]())
    if alg[:2] == "PS":
        return rsa_raw(key, pss_encode(data, alg, number(KEYS[key]["n"]).bit_length()))
    if alg[:2] == "ES":
        size = 32 if KEYS[key]["crv"] == "P-256" else 48
        r, s = utils.decode_dss_signature(private(key).sign(data, ec.ECDSA(HASH[alg[2:]](), deterministic_signing=True)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return private(key).sign(data)


def right(alg, jwk, data, signature):
    """Whether a signature verifies under a public JWK: by the package, not by what signed it."""
    try:
        if alg[0] == "H":
            return hmac.compare_digest(hmac.new(unb64u(jwk["k"]), data, "sha" + alg[2:]).digest(), signature)
        if alg[0] in "RP":
            n, h = number(jwk["n"]), HASH[alg[2:]]()
            if len(signature) != (n.bit_length() + 7) // 8:
                return False
            how = padding.PKCS1v15() if alg[0] == "R" else padding.PSS(padding.MGF1(HASH[alg[2:]]()), h.digest_size)
            rsa.RSAPublicNumbers(number(jwk["e"]), n).public_key().verify(signature, data, how, h)
        elif alg[:2] == "ES":
            curve, size = (ec.SECP256R1(), 32) if jwk["crv"] == "P-256" else (ec.SECP384R1(), 48)
            if len(signature) != 2 * size:
                return False
            r, s = (int.from_bytes(signature[i:i + size], "big") for i in (0, size))
            ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), curve).public_key().verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(HASH[alg[2:]]()))
        else:
            ed25519.Ed25519PublicKey.from_public_bytes(unb64u(jwk["x"])).verify(signature, data)
        return True
    except InvalidSignature:
        return False


def pem(key, format="SubjectPublicKeyInfo", encoding="PEM"):
    return private(key).public_key().public_bytes(getattr(serialization.Encoding, encoding), getattr(serialization.PublicFormat, format))


SECRETS = {}  # a key file's path, or the env name of a secret -> text


def jwk(key, kid=None, alg=None, **more):
    """A key as it stands in a key set."""
    out = {f: v for f, v in KEYS[key].items() if f in ("kty", "crv", "x", "y", "n", "e", "k")}
    if kid is not None:
        out["kid"] = kid
    if alg is not None:
        out["alg"] = alg
    return {**out, **more}


def file(path, *keys, one=False):
    """A key file; `one`: the key without a set around it."""
    text = json.dumps(keys[0] if one else {"keys": list(keys)}, ensure_ascii=False)
    assert SECRETS.get(path, text) == text, path
    SECRETS[path] = text
    return {"file": path}


# ---------------------------------------------------------------------------------------------------------------- tokens


class Raw(str):
    """A piece of JSON that is written as it stands."""


GONE = object()


def dumps(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(n, ensure_ascii=False) + ":" + dumps(v) for n, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumps(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def but(base, **changes):
    """The same object with other members; GONE removes one."""
    return {n: v for n, v in {**base, **changes}.items() if v is not GONE}


HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": "ed1"}
CLAIMS = {"iss": ISS, "aud": API, "sub": "user-1", "iat": NOW - 10, "exp": NOW + 290}


class Token(str):
    """A token, and what its issuer knows."""

    def __new__(cls, text, payload=None):
        out = super().__new__(cls, text)
        out.payload = payload
        return out

    def part(self, n, text):
        """The same with another text for one part."""
        parts = self.split(".")
        parts[n] = text(parts[n]) if callable(text) else text
        return Token(".".join(parts), self.payload)

    def signature(self, change):
        """The same with other signature bytes."""
        return self.part(2, lambda s: b64u(change(unb64u(s)) if callable(change) else change))

    def claims(self):
        return json.loads(self.payload)


def token(header=None, claims=None, key="ed1", wire=None, sig=None, **h):
    """A token. `header` and `claims` are objects, or the text as it is to be sent; more arguments are members of the header.
    `wire` rewrites the parts that are signed; `sig` makes the signature instead."""
    header = but({**HEADER, **(header or {})}, **h) if not isinstance(header, (str, bytes)) else header
    claims = CLAIMS if claims is None else claims
    alg = header["alg"] if isinstance(header, dict) else "EdDSA"
    texts = [raw(v if isinstance(v, (str, bytes)) else dumps(v)) for v in (header, claims)]
    parts = [b64u(t) for t in texts]
    if wire:
        parts = wire(parts)
    data = ".".join(parts).encode()
    return Token(".".join(parts + [b64u(sig(data) if sig else sign(alg, key, data))]), texts[1])


def c(**changes):
    """A token with other claims."""
    return token(claims=but(CLAIMS, **changes))


# ---------------------------------------------------------------------------------------------------------------- requests


class Req(dict):
    """A request, and its token."""

    def __init__(self, fields, token):
        super().__init__(fields)
        self.token = token


def field_value(value):
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def bearer(token=None, value=None, method="GET", target="/v1/items", version="1.1", scheme="https", now=NOW, host=API, wire=None, name="Authorization", extra=(), body="", peer=None):
    """A request. `value` is what the header says instead of `Bearer` and the token."""
    fields = {"now": now, "method": method, "scheme": scheme}
    if now is None:
        del fields["now"]
    if version != "1.1":
        fields["version"] = version
    fields["target"] = target
    if token is not None and value is None:
        value = "Bearer " + token
    headers = [[":authority" if version in "23" else "Host", wire or host]] + ([[name, value]] if value is not None else []) + [list(e) for e in extra]
    fields["headers"] = [[n, field_value(v)] for n, v in headers]
    if peer:
        fields["peer"] = peer
    if body:
        fields["body"] = body
    return Req(fields, token)


SECRETS["TOKEN_HN"] = "published-test-key-TOKEN_HN-" + octets("TOKEN_HN", 16).hex()
NONCE = "n-0123456789abcdef"


def signed(token=None, ts=NOW, nonce=NONCE, key=None, body='{"a":1}', drop=(), extra=(), method="POST", target="/v1/items", **more):
    """The same, signed by host-nonce."""
    base = "\n".join([method, API, target, str(ts), nonce, ""]).encode() + body.encode()
    mac = hmac.new((key or SECRETS["TOKEN_HN"]).encode(), base, hashlib.sha256).hexdigest()
    headers = [("X-API-Signature", mac), ("X-Timestamp", ts), ("X-Nonce", nonce)]
    return bearer(token, method=method, target=target, body=body, extra=[h for h in headers if h[0] not in drop] + list(extra), **more)


# ---------------------------------------------------------------------------------------------------------------- policies

POLICIES = {}


def policy(name, sections, routes=None, **more):
    """A policy; `sections` is one section, named main, or {name: section}."""
    out = {"version": 1, "name": name, **({"mode": more.pop("mode")} if "mode" in more else {}), "hosts": {"allow": [API, "other.example.com"]}, **more}
    if sections:
        out["tokens"] = {"main": sections} if "issuer" in sections else sections
    out["routes"] = routes or [{"path": "/open", "name": "open", "require": []}, {"path": "/**", "name": "any", "require": ["token:main"]}]
    assert name not in POLICIES, name
    POLICIES[name] = out


def section(keys=None, algorithms=("EdDSA",), **more):
    return {"issuer": ISS, "audience": [API], "algorithms": list(algorithms), "keys": keys or file("ed.json", jwk("ed1", "ed1"), jwk("ed2", "ed2")), **more}


policy("open", None, routes=[{"path": "/**", "name": "any", "require": []}])
policy("main", section())
policy("full", section(types=["at+jwt", "JWT"], required_claims=["sub", "iat"], max_lifetime="5m", max_age="1h", clock_tolerance="30s", **{"from": {"header": "authorization"}}))
policy("inline", section({"jwks": {"keys": [jwk("ed1", "ed1"), jwk("ed2", "ed2")]}}))
policy("one-key", section(file("one.json", jwk("ed1"), one=True)))
policy("one-of-set", section(file("one-of-set.json", jwk("ed1", "ed1"))))
policy("two-unnamed", section(file("two-unnamed.json", jwk("ed1"), jwk("ed2"))))
policy("decorated", section(file("decorated.json", jwk("ed1", "ed1", "EdDSA", use="sig", key_ops=["verify"], x5t="AAAA", exp=1, note={"a": [1]}))))
ODD_KIDS = ["../../dev/null", "' UNION SELECT 1--", "a b", "k/1+=", "\u00e9\u2603\U0001f511", "K", "k", "|id", "ed1\u0000", "x" * 256]
policy("odd-kids", section(file("odd-kids.json", *[jwk("ed1" if n == 0 else "ed2", kid) for n, kid in enumerate(ODD_KIDS[:2])]), algorithms=["EdDSA"]))
for _n, _kid in enumerate(ODD_KIDS[2:]):
    policy("odd-kid-%d" % _n, section(file("odd-kid-%d.json" % _n, jwk("ed1", _kid), jwk("ed2", "other"))))
for _alg in ASYMMETRIC:
    policy("alg-" + _alg.lower(), section(file("alg-%s.json" % kind(_alg)[0].lower() if _alg != "ES384" else "alg-p384.json", jwk(NATURAL[_alg], "k1")), [_alg]))
    policy("key-" + _alg.lower(), section(file("key-%s.json" % _alg.lower(), jwk(NATURAL[_alg], "k1", _alg)), ASYMMETRIC))
for _alg in SYMMETRIC:
    policy("alg-" + _alg.lower(), section(file("alg-oct.json", jwk("hs64", "k1")), [_alg]))
    policy("key-" + _alg.lower(), section(file("key-%s.json" % _alg.lower(), jwk("hs64", "k1", _alg)), SYMMETRIC))
policy("hs", section(file("hs.json", jwk("hs64", "h1"), jwk("hs64b", "h2")), SYMMETRIC))
policy("hs-32", section(file("hs-32.json", jwk("hs32", "h1", "HS256")), ["HS256"]))
policy("hs-48", section(file("hs-48.json", jwk("hs48", "h1", "HS384")), ["HS384"]))
policy("rsa-open", section(file("rsa-open.json", jwk("rsa1", "r1"), jwk("rsa2", "r2")), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]))
policy("rsa-3072", section(file("rsa-3072.json", jwk("rsa3", "r3")), ["RS256", "PS256"]))
policy("ec-two", section(file("ec-two.json", jwk("ec1", "e1"), jwk("ec2", "e2")), ["ES256"]))
policy("mixed", section(file("mixed.json", jwk("rsa1", "r1"), jwk("ec1", "e1"), jwk("ec3", "e3"), jwk("ed1", "ed1")), ["RS256", "PS256", "ES256", "ES384", "EdDSA"]))
policy("by-alg", section(file("by-alg.json", jwk("rsa1", alg="RS256"), jwk("rsa2", alg="PS256")), ["RS256", "RS384", "PS256"]))
policy("half-pinned", section(file("half-pinned.json", jwk("rsa1", "r1", "RS256"), jwk("rsa2", "r2")), ["RS256", "PS256"]))
policy("tight", section(clock_tolerance="0s"))
policy("wide", section(clock_tolerance="10m"))
policy("life", section(max_lifetime="5m"))
policy("age", section(max_age="10m"))
policy("caps", section(max_lifetime="1h", max_age="10m"))
policy("long-caps", section(max_lifetime="8760h", max_age="8760h"))
policy("required", section(required_claims=["jti", "tenant", "sub"]))
policy("required-iat", section(required_claims=["iat", "nbf"]))
policy("expect", section(expect={"client_id": ["app-1", "app-2"]}))
policy("expect-two", section(expect={"azp": ["app-1"], "tenant": ["t-1", "t-2"]}))
policy("audiences", section(audience=[API, "https://api.example.com/"]))
policy("plain-issuer", section(issuer="auth", audience=["orders"]))
policy("types-any", section(types=["at+jwt", "JWT", ""]))
policy("types-absent", section(types=[""]))
policy("types-at", section(types=["at+jwt"]))
policy("types-own", section(types=["logout+JWT"]))


def scoped(*scopes):
    return [{"path": "/open", "name": "open", "require": []}, {"path": "/**", "name": "any", "require": ["token:main"], "scopes": list(scopes)}]


policy("scope", section(), scoped("orders:read"))
policy("scope-two", section(), scoped("orders:read", "orders:write"))
policy("scope-admin", section(), scoped("admin"))
policy("cookie", section(**{"from": {"cookie": "session"}}))
policy("cookie-host", section(**{"from": {"cookie": "__Host-token"}}))
policy("x-token", section(**{"from": {"header": "x-token"}}))


def either(first="a", second="b"):
    sections = {
        "a": {"issuer": ISS_A, "audience": [API], "algorithms": ["EdDSA"], "types": ["at+jwt"], "keys": file("a.json", jwk("ed1", "k1"))},
        "b": {"issuer": ISS_B, "audience": ["other"], "algorithms": ["EdDSA", "ES256"], "types": ["JWT"], "keys": file("b.json", jwk("ed2", "k1"), jwk("ec1", "e1")), "clock_tolerance": "0s"},
    }
    return sections, [{"path": "/open", "name": "open", "require": []}, {"path": "/a/**", "name": "a", "require": ["token:a"]}, {"path": "/b/**", "name": "b", "require": ["token:b"]},
                      {"path": "/**", "name": "any", "require": ["token:%s|token:%s" % (first, second)], "scopes": ["s"]}]


policy("either", *either())
policy("either-turned", *either("b", "a"))
policy("both", section(), routes=[{"path": "/open", "name": "open", "require": []}, {"path": "/**", "name": "any", "require": ["signature:api", "token:main"], "scopes": ["s"]}],
       signatures={"api": {"profile": "host-nonce", "max_body": "1KiB", "keys": [{"id": "k1", "secret": {"env": "TOKEN_HN"}}]}})
policy("both-turned", section(), routes=[{"path": "/**", "name": "any", "require": ["token:main", "signature:api"], "scopes": ["s"]}],
       signatures={"api": {"profile": "host-nonce", "max_body": "1KiB", "keys": [{"id": "k1", "secret": {"env": "TOKEN_HN"}}]}})
STRICT = dict(types=["at+jwt"], max_lifetime="1h", max_age="10m", required_claims=["jti"], expect={"client_id": ["app-1"]})
policy("strict", section(**STRICT), scoped("s"))
policy("report", section(**STRICT), scoped("s"), mode="report")
policy("report-both", section(), mode="report", routes=[{"path": "/**", "name": "any", "require": ["signature:api", "token:main"], "scopes": ["s"]}],
       signatures={"api": {"profile": "host-nonce", "max_body": "1KiB", "keys": [{"id": "k1", "secret": {"env": "TOKEN_HN"}}]}})
policy("report-either", *either(), mode="report")
policy("report-cookie", section(**{"from": {"cookie": "session"}}), mode="report")
policy("routes", {"main": section(), "watched": section(file("watched.json", jwk("ec1", "w1")), ["ES256"])},
       routes=[{"path": "/open", "name": "open", "require": []}, {"path": "/watch/**", "name": "watch", "require": ["token:watched"], "scopes": ["s"], "mode": "report"},
               {"path": "/admin/**", "name": "admin", "methods": ["GET"], "require": ["token:main"], "scopes": ["admin"]}, {"path": "/**", "name": "any", "require": ["token:main"]}])
policy("checks", section(), peers={"allow": ["10.0.0.0/8"]}, origins={"allow": ["self", "https://app.example.com"]},
       routes=[{"path": "/v1/**", "name": "any", "methods": ["GET", "POST", "PUT"], "require": ["token:main"]}])
policy("listed", section(file("listed.json", jwk("rsa1", "r1", "RS256"), jwk("rsa2", "r2", "PS256")), ["RS256"]))
policy("two-audiences", {"main": section(file("one-of-set.json", jwk("ed1", "ed1"))), "there": section(file("one-of-set.json", jwk("ed1", "ed1")), audience=["there"])},
       routes=[{"path": "/there/**", "name": "there", "require": ["token:there"]}, {"path": "/**", "name": "any", "require": ["token:main"]}])

# ---------------------------------------------------------------------------------------------------------------- cases

CHECK = {}
for _check, _status, _public, _reasons in [
    ("request", 400, None, "request_malformed header_duplicate"),
    ("request", 413, None, "body_too_large"),
    ("host", 421, None, "host_not_allowed"),
    ("peer", 403, None, "peer_not_allowed"),
    ("origin", 403, None, "origin_not_allowed"),
    ("route", 403, None, "route_not_allowed"),
    ("signature", 401, None, "signature_missing"),
    ("signature", 401, "signature_invalid", "signature_malformed signature_expired signature_mismatch"),
    ("nonce", 401, "signature_invalid", "nonce_missing nonce_replayed"),
    ("token", 401, None, "token_missing"),
    ("token", 401, "token_invalid", "token_malformed token_type_not_allowed token_algorithm_not_allowed token_header_not_understood token_key_unknown token_signature_mismatch token_binding_missing"),
    ("claims", 401, "token_invalid", "claim_missing claim_malformed claim_mismatch issuer_mismatch audience_mismatch token_expired token_not_yet_valid token_lifetime_too_long token_too_old"),
    ("claims", 403, None, "scope_insufficient"),
]:
    for _reason in _reasons.split():
        CHECK[_reason] = (_check, _status, _public or _reason)
OURS = [r for r, (check, _, _) in CHECK.items() if check in ("token", "claims")]
SUFFIX = {"token_type_not_allowed": ".types", "token_algorithm_not_allowed": ".algorithms", "token_key_unknown": ".keys", "token_signature_mismatch": ".keys", "issuer_mismatch": ".issuer",
          "audience_mismatch": ".audience", "token_expired": ".clock_tolerance", "token_not_yet_valid": ".clock_tolerance", "token_lifetime_too_long": ".max_lifetime",
          "token_too_old": ".max_age", "claim_mismatch": ".expect"}
RULES = {"scope_insufficient": "routes", "host_not_allowed": "hosts.allow", "peer_not_allowed": "peers.allow", "origin_not_allowed": "origins.allow", "route_not_allowed": "routes",
         "signature_missing": "signatures.api", "signature_malformed": "signatures.api", "signature_mismatch": "signatures.api", "signature_expired": "signatures.api.max_age", "nonce_missing": "signatures.api",
         "nonce_replayed": "signatures.api.replay", "body_too_large": "signatures.api.max_body"}

CASES, BY_ID, OPEN = [], {}, {}


def full_id(slug):
    return "token-" + slug


def add(id, comment, flags, policy, req, want, twin=None, before=None):
    if twin == "open":
        twin = open_twin(id, req)
    id = full_id(id)
    case = {"id": id, "comment": comment, "flags": flags.split(), "policy": policy, "request": dict(req), "want": want}
    if before:
        case["before"] = [full_id(b) for b in before]
    if twin:
        case["twin"] = full_id(twin)
    assert id not in BY_ID, id
    CASES.append(case)
    BY_ID[id] = case


def open_twin(id, req):
    """The same request under a policy that asks for no token: the twin of a request that no token makes right."""
    request = json.dumps(dict(req))
    if request not in OPEN:
        OPEN[request] = id + "-open"
        A(id + "-open", "the same request where no token is asked for", "allow", "open", req, name=None)
    return OPEN[request]


def mode_of(policy):
    return POLICIES[policy].get("mode", "enforce")


def first_section(policy):
    return next(iter(POLICIES[policy].get("tokens", {"": 0})))


def proved(name, claims):
    """identity.token."""
    if "scope" in claims:
        scopes = claims["scope"].split(" ")
    else:
        scopes = claims.get("scp", [])
        scopes = scopes.split(" ") if isinstance(scopes, str) else scopes
    return {"name": name, "issuer": claims["iss"], "subject": claims.get("sub"), "scopes": list(dict.fromkeys(scopes)), "claims": claims}


def A(id, comment, flags, policy, req, name="", route="any", host=API, preflight=False, signature=None, **more):
    """An allowed case; `name` is the section of its token, None if none is proved. A token alone stands for the request that carries it."""
    req = bearer(req) if isinstance(req, str) else req
    name = first_section(policy) if name == "" else name
    proof = proved(name, req.token.claims()) if name and mode_of(policy) == "enforce" else None
    identity = {"host": host, "route": route, "preflight": preflight, "signature": signature, "token": proof}
    add(id, comment, flags, policy, req, {"decision": "allow", "status": 200, "check": None, "reason": None, "public_reason": None, "rule": None, "mode": mode_of(policy),
                                          "identity": identity, "reported": []}, **more)


def rule_of(reason, policy, suffix, name):
    if reason in RULES or reason not in OURS:
        return RULES.get(reason)
    return "tokens.%s%s" % (name or first_section(policy), SUFFIX.get(reason, "") if suffix is None else suffix)


def D(id, comment, flags, policy, req, reason, twin=None, suffix=None, name=None, **more):
    """A denied case; its twin is by default the case that is named after the policy."""
    req = bearer(req) if isinstance(req, str) else req
    check, status, public = CHECK[reason]
    add(id, comment, flags, policy, req, {"decision": "deny", "status": status, "check": check, "reason": reason, "public_reason": public,
                                          "rule": rule_of(reason, policy, suffix, name), "mode": mode_of(policy), "identity": None, "reported": []}, twin=twin or policy, **more)


def R(id, comment, flags, policy, req, reason, twin=None, suffix=None, name=None, route="any", **more):
    """A reported case."""
    req = bearer(req) if isinstance(req, str) else req
    check, status, _ = CHECK[reason]
    identity = {"host": API, "route": route, "preflight": False, "signature": None, "token": None}
    add(id, comment, flags, policy, req, {"decision": "allow", "status": 200, "check": None, "reason": None, "public_reason": None, "rule": None, "mode": mode_of(policy), "identity": identity,
                                          "reported": [{"check": check, "reason": reason, "status": status, "rule": rule_of(reason, policy, suffix, name)}]}, twin=twin or policy, **more)


NOTES = {
    "expansion": "Generator forms, allowed in place of any string value: {\"repeat\":[text,N]} is text N times; {\"concat\":[a,b,...]} joins strings and generator forms in order. Expand before judging.",
    "secrets": "`secrets` maps the path of every key file of the policies to its text, and the env name of every secret to its value; a policy gets those it refers to. All are published test keys.",
    "before": "`before` lists cases whose requests this case's guard (not theirs) judges first, in order; their verdicts are not looked at. A twin differs in one field of the request, in the policy or in `before`.",
    "generated": "written by generate/token.py, an independent issuer that was made without a look at the engine; its own second reading of the contract agrees with every case",
    "ambiguous": "the contract can be read in more than one way; this is the stricter reading, or the literal one, as the comment says",
    "allow": "what must be let through",
    "algorithm": "alg is in the policy's list and fits the key, exactly",
    "alias": "a name with _ that becomes a named header when _ is read as - is header_duplicate at once",
    "alternative": "token:a|token:b: the section is chosen by iss, never by trying keys",
    "audience": "aud",
    "base64url": "RFC 7515 §2: unpadded, canonical, no other characters",
    "cache": "a verdict for one token says nothing of another",
    "claims": "required_claims, expect, and claims that are strings wherever they occur",
    "confirmation": "cnf: nothing here checks the binding",
    "confusion": "a public key used as an HMAC key",
    "cookie": "a token in a cookie",
    "date": "a NumericDate is an integer literal without sign, fraction or exponent, 0...253402300799",
    "form": "three parts, none empty, at most 16 KiB",
    "header": "members of the token's header",
    "header-duplicate": "the header that `from` names may occur once, on every request",
    "identity": "what identity.token holds",
    "issuer": "iss",
    "json": "RFC 8259 by the letter, no name twice, at most 16 levels",
    "key": "which key is taken",
    "lifetime": "max_lifetime and max_age, without tolerance",
    "none": "alg none in every spelling",
    "now": "without now a request that needs a token is request_malformed",
    "order": "two faults at once: the earlier one decides",
    "pair": "every ordered pair of the header's algorithm and that of the policy or the key",
    "placement": "where a token is read, and where it is not",
    "preflight": "a preflight is not asked for a token",
    "presence": "the header, its scheme and its spaces",
    "public": "a credential that is not required is not read",
    "report-mode": "reasons of token and claims are reported, identity.token is null",
    "scope": "scopes on the route",
    "signature": "a right signature is needed, over the first two parts as received",
    "signature-and-token": "head of the signature, token, claims, then MAC, body and nonce",
    "signed-anyway": "the signature is right over what was sent: only the rule itself refuses",
    "time": "exp, nbf, iat and clock_tolerance, to the second",
    "type": "typ",
}

PREFLIGHT = [("Origin", "https://" + API), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "authorization")]
BASE = token()
HEAD, BODY, TAIL = BASE.split(".")


def refuse(prefix, flags, policy, reason, rows, **more):
    """Rows of (slug, what is sent, why)."""
    for slug, what, why in rows:
        D(prefix + slug, why, flags, policy, what, reason, **more)


def allowed():
    A("main", "a token of type at+jwt, EdDSA, two keys in a file", "allow identity", "main", BASE)
    A("main-second-key", "the other key of the set", "allow key", "main", token(kid="ed2", key="ed2"))
    A("main-post", "on a POST with a body", "allow", "main", bearer(BASE, method="POST", body='{"a":1}'))
    A("main-http-2", "HTTP/2", "allow", "main", bearer(BASE, version="2"))
    A("main-http-1-0", "HTTP/1.0", "allow", "main", bearer(BASE, version="1.0"))
    A("main-port", "a host with a port", "allow", "main", bearer(BASE, wire=API + ":8443"), host=API + ":8443")
    A("main-upgrade", "a WebSocket upgrade is asked like any request", "allow", "main",
      bearer(BASE, extra=[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]))
    D("main-upgrade-missing", "a WebSocket upgrade without a token", "presence", "main",
      bearer(extra=[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]), "token_missing", "main-upgrade")
    A("main-all-claims", "the claims of RFC 7519 and 9068", "allow identity claims", "main", c(nbf=NOW, jti="j-1", client_id="app-1", azp="app-1", auth_time=NOW - 60, acr="0", amr=["pwd"], roles=["a", "b"], nested={"a": [1, None, True, {"b": "c"}]}))
    A("main-no-subject", "no sub: subject is null", "allow identity claims", "main", c(sub=GONE))
    A("main-subject-empty", "an empty sub is a string", "allow identity claims", "main", c(sub=""))
    A("main-no-iat", "iat is optional without a cap", "allow identity", "main", c(iat=GONE))
    A("main-scopes", "scopes in their order, without repetition", "allow identity scope", "main", c(scope="z a m a z"))
    A("main-scp", "scp as a list", "allow identity scope", "main", c(scp=["z", "a", "z"]))
    A("main-scp-string", "scp as a string", "allow identity scope", "main", c(scp="z a z"))
    A("full", "every default and cap spelled out", "allow", "full", BASE)
    A("inline", "keys inside of the policy", "allow key", "inline", BASE)
    A("one-key", "a file that is one key, without kid", "allow key", "one-key", token(kid=GONE))
    A("decorated", "use, key_ops, alg and other members of a key", "allow key", "decorated", BASE)
    A("plain-issuer", "an issuer and an audience that are no URLs", "allow issuer audience", "plain-issuer", c(iss="auth", aud="orders"))
    A("checks", "peer, origin and route pass", "allow", "checks", bearer(BASE, peer="10.0.0.1", extra=[("Origin", "https://app.example.com")]))
    D("checks-peer", "a peer that is not allowed, and no token", "order", "checks", bearer(BASE, peer="192.0.2.1", extra=[("Origin", "https://app.example.com")]), "peer_not_allowed")
    D("checks-origin", "an origin that is not allowed, with a right token", "order", "checks", bearer(BASE, peer="10.0.0.1", extra=[("Origin", "https://evil.test")]), "origin_not_allowed")
    D("checks-route", "a route that is not allowed, with a right token", "order", "checks", bearer(BASE, method="DELETE", peer="10.0.0.1", extra=[("Origin", "https://app.example.com")]), "route_not_allowed")
    D("checks-host", "a host that is not allowed, with a right token", "order", "main", bearer(BASE, wire="evil.test"), "host_not_allowed")
    A("checks-order", "the twin of the next", "allow", "checks", bearer(BASE, peer="10.0.0.1", extra=[("Origin", "https://app.example.com"), ("X-A", "1")]))
    D("checks-origin-first", "an origin that is not allowed, and no token: the origin comes first", "order", "checks", bearer(peer="10.0.0.1", extra=[("Origin", "https://evil.test")]), "origin_not_allowed")


def presence():
    D("missing", "no Authorization", "presence", "main", bearer(), "token_missing")
    refuse("missing-", "presence", "main", "token_missing", [
        ("basic", bearer(value="Basic dXNlcjpwYXNz"), "another scheme"),
        ("basic-token", bearer(value="Basic " + BASE), "the token under another scheme"),
        ("token-scheme", bearer(value="Token " + BASE), "the scheme Token"),
        ("jwt-scheme", bearer(value="JWT " + BASE), "the scheme JWT"),
        ("dpop", bearer(value="DPoP " + BASE), "the scheme DPoP"),
        ("no-scheme", bearer(value=BASE), "a token without a scheme"),
        ("glued", bearer(value="Bearer" + BASE), "no space: a scheme of its own"),
        ("longer-scheme", bearer(value="Bearers " + BASE), "a scheme that starts with Bearer"),
        ("shorter-scheme", bearer(value="Beare " + BASE), "a scheme that Bearer starts with"),
        ("basic-first", bearer(value="Basic dXNlcjpwYXNz, Bearer " + BASE), "two credentials in one field, another scheme first"),
        ("quoted", bearer(value='"Bearer" ' + BASE), "a quoted scheme"),
        ("x-header", bearer(BASE, name="X-Authorization"), "the token in X-Authorization"),
        ("proxy", bearer(BASE, name="Proxy-Authorization"), "the token in Proxy-Authorization"),
        ("forwarded", bearer(BASE, name="X-Forwarded-Access-Token"), "the token in a proxy's header"),
        ("cookie", bearer(extra=[("Cookie", "session=%s; access_token=%s; Authorization=Bearer %s" % (BASE, BASE, BASE))]), "the token in cookies"),
    ])
    D("missing-empty", "an empty Authorization has no scheme", "presence ambiguous", "main", bearer(value=""), "token_missing")
    D("missing-query", "a token in the query is not read (RFC 6750 §2.3)", "placement", "main", bearer(target="/v1/items?access_token=" + BASE), "token_missing", "open")
    D("missing-body", "a token in a form is not read (RFC 6750 §2.2)", "placement", "main",
      bearer(method="POST", extra=[("Content-Type", "application/x-www-form-urlencoded")], body="access_token=" + BASE), "token_missing", "open")
    D("missing-route-alias", "a request that only the last route matches", "placement", "main", bearer(target="/opener"), "token_missing", "open")
    for slug, scheme in [("lower", "bearer "), ("upper", "BEARER "), ("mixed", "bEaReR "), ("two-spaces", "Bearer  "), ("many-spaces", "Bearer" + " " * 20)]:
        A("scheme-" + slug, "the scheme without case, one or more spaces: `%s`" % scheme[:9], "allow presence", "main", bearer(BASE, value=scheme + BASE))
    refuse("scheme-", "presence", "main", "token_malformed", [
        ("alone", bearer(value="Bearer"), "Bearer with nothing"), ("alone-lower", bearer(value="bearer"), "bearer with nothing"), ("alone-space", bearer(value="Bearer "), "Bearer and a space"),
        ("alone-spaces", bearer(value="Bearer    "), "Bearer and spaces"), ("space-inside", bearer(value="Bearer " + BASE[:20] + " " + BASE[20:]), "a space inside"),
        ("space-at-dot", bearer(value="Bearer " + BASE.replace(".", ". ", 1)), "a space at a dot"), ("tab-inside", bearer(value="Bearer " + BASE[:20] + "\t" + BASE[20:]), "a tab inside"),
        ("two-tokens", bearer(value="Bearer %s %s" % (BASE, BASE)), "two tokens"), ("comma", bearer(value="Bearer %s,%s" % (BASE, BASE)), "two tokens and a comma"),
        ("comma-space", bearer(value="Bearer %s, Bearer %s" % (BASE, BASE)), "two credentials in one field"), ("comma-end", bearer(value="Bearer " + BASE + ","), "a comma at the end"),
        ("bearer-twice", bearer(value="Bearer Bearer " + BASE), "the scheme twice"), ("params", bearer(value='Bearer realm="x"'), "a challenge's parameter"),
        ("quoted", bearer(value='Bearer "%s"' % BASE), "a quoted token"), ("equals", bearer(value="Bearer token=" + BASE), "token="), ("nbsp", bearer(value=b"Bearer \xa0" + BASE.encode()), "a no-break space"),
        ("semicolon", bearer(value="Bearer " + BASE + ";"), "a semicolon at the end"), ("opaque", bearer(value="Bearer 2YotnFZFEjr1zCsicMWpAA"), "an opaque token"), ("null", bearer(value="Bearer null"), "null"),
        ("undefined", bearer(value="Bearer undefined"), "undefined"), ("angle", bearer(value="Bearer <%s>" % BASE), "in angle brackets"),
    ])
    # Ambiguous: a tab ends the scheme by RFC 9110, but it is no space.
    D("scheme-tab", "a tab instead of the space: no token (the scheme is Bearer, RFC 9110 §11.1)", "presence ambiguous", "main", bearer(value="Bearer\t" + BASE), "token_malformed")
    D("scheme-space-end", "a space at the end of the value, as it was received", "presence ambiguous", "main", bearer(value="Bearer " + BASE + " "), "token_malformed")
    D("duplicate", "Authorization twice, the same token", "header-duplicate", "main", bearer(BASE, extra=[("Authorization", "Bearer " + BASE)]), "header_duplicate")
    D("duplicate-basic", "Authorization twice, another scheme", "header-duplicate", "main", bearer(BASE, extra=[("authorization", "Basic dXNlcjpwYXNz")]), "header_duplicate")
    D("duplicate-junk-first", "Authorization twice, junk first", "header-duplicate", "main", bearer(value="x", extra=[("AUTHORIZATION", "Bearer " + BASE)]), "header_duplicate")
    A("open-route", "a route that asks for nothing", "allow public", "main", bearer(target="/open"), name=None, route="open")
    for slug, value in [("junk", "junk"), ("bearer", "Bearer"), ("malformed", "Bearer a.b.c"), ("expired", "Bearer " + c(exp=0)), ("none", "Bearer " + token(alg="none", key=b"", kid=GONE, sig=lambda d: b"x"))]:
        A("open-route-" + slug, "a credential that is not required is not read", "allow public", "main", bearer(value=value, target="/open"), name=None, route="open")
    A("open-route-right", "a right token that is not required is not in identity", "allow public identity", "main", bearer(BASE, target="/open"), name=None, route="open")
    A("open-route-no-now", "nor is a clock needed", "allow public now", "main", bearer(value="junk", target="/open", now=None), name=None, route="open")
    D("open-route-duplicate", "twice is refused on every route", "header-duplicate public", "main", bearer(value="a", target="/open", extra=[("Authorization", "b")]), "header_duplicate", "open-route")
    D("open-route-encoded", "a path that is open in one form only", "public", "main", bearer(target="/ope%6E"), "route_not_allowed", "open")
    D("open-route-upper", "a path that is open without case only", "public", "main", bearer(target="/Open"), "route_not_allowed", "open")
    D("open-route-below", "below the open path", "public", "main", bearer(target="/open/x"), "token_missing", "open")
    D("no-now", "no clock, no verdict", "now", "main", bearer(BASE, now=None), "request_malformed")
    D("no-now-missing", "nor is the lack of a token looked at", "now order", "main", bearer(now=None), "request_malformed", "open")
    D("no-now-malformed", "nor what is wrong with one", "now order", "main", bearer(value="Bearer a.b.c", now=None), "request_malformed", "open")
    D("no-now-scopes", "nor scopes", "now order", "scope", bearer(BASE, now=None), "request_malformed", "open")
    A("preflight", "a preflight is not asked", "allow preflight", "main", bearer(method="OPTIONS", extra=PREFLIGHT), name=None, preflight=True)
    A("preflight-junk", "nor is its Authorization read", "allow preflight", "main", bearer(value="Bearer junk", method="OPTIONS", extra=PREFLIGHT), name=None, preflight=True)
    A("preflight-no-now", "nor is a clock needed", "allow preflight now", "main", bearer(method="OPTIONS", extra=PREFLIGHT, now=None), name=None, preflight=True)
    A("preflight-scopes", "nor are scopes", "allow preflight scope", "scope", bearer(method="OPTIONS", extra=PREFLIGHT), name=None, preflight=True)
    D("preflight-no-method", "OPTIONS with Origin alone is no preflight", "preflight", "main", bearer(method="OPTIONS", extra=PREFLIGHT[:1]), "token_missing", "preflight")
    D("preflight-no-origin", "OPTIONS without Origin is no preflight", "preflight", "main", bearer(method="OPTIONS", extra=PREFLIGHT[1:]), "token_missing", "preflight")
    D("preflight-two-methods", "two requested methods: no preflight", "preflight", "main", bearer(method="OPTIONS", extra=PREFLIGHT + PREFLIGHT[1:2]), "token_missing", "preflight")
    D("preflight-get", "a GET with a preflight's headers", "preflight", "main", bearer(extra=PREFLIGHT), "token_missing", "preflight")
    D("preflight-duplicate", "a preflight with Authorization twice", "preflight header-duplicate", "main", bearer(value="a", method="OPTIONS", extra=PREFLIGHT + [("Authorization", "b")]), "header_duplicate", "preflight")
    A("options", "OPTIONS that is no preflight, with a token", "allow preflight", "main", bearer(BASE, method="OPTIONS"))


def placement():
    jar = lambda *values, **more: bearer(extra=[("Cookie", v) for v in values], **more)
    jar_of = lambda token, *values, **more: Req(dict(jar(*values, **more)), token)
    A("cookie", "the one pair of that name", "allow cookie", "cookie", jar_of(BASE, "session=" + BASE))
    A("cookie-among", "among others", "allow cookie", "cookie", jar_of(BASE, "a=1; session=%s; b=2" % BASE))
    A("cookie-last", "the last of several", "allow cookie", "cookie", jar_of(BASE, "a=1; b=%s; session=%s" % (BASE, BASE)))
    A("cookie-two-fields", "several Cookie headers are read as one", "allow cookie", "cookie", jar_of(BASE, "a=1", "session=" + BASE, "b=2", version="2"))
    A("cookie-two-fields-1", "on HTTP/1.1 too", "allow cookie", "cookie", jar_of(BASE, "a=1; b=2", "session=" + BASE))
    A("cookie-others-twice", "another cookie twice", "allow cookie", "cookie", jar_of(BASE, "a=1; a=2; session=%s" % BASE))
    A("cookie-other-junk", "another cookie with = and quotes in its value", "allow cookie", "cookie", jar_of(BASE, 'a="b=c"; session=%s; b=' % BASE))
    A("cookie-basic", "Authorization with another scheme is not a second credential", "allow cookie", "cookie", bearer(BASE, value="Basic dXNlcjpwYXNz", extra=[("Cookie", "session=" + BASE)]))
    A("cookie-host", "a name with a prefix", "allow cookie", "cookie-host", jar_of(BASE, "__Host-token=" + BASE))
    refuse("cookie-missing-", "cookie", "cookie", "token_missing", [
        ("all", bearer(), "no Cookie at all"), ("other", jar("sessions=" + BASE), "another name"), ("prefix", jar("xsession=" + BASE), "a name that ends so"), ("case", jar("Session=" + BASE), "names have case"),
        ("value", jar("a=session=" + BASE), "the name inside a value"), ("x-token", bearer(BASE, value=BASE, name="Session"), "a header of that name"), ("set-cookie", bearer(value="session=" + BASE, name="Set-Cookie"), "Set-Cookie"),
        ("comma", jar("a=1, session=" + BASE), "a comma separates nothing"),
    ], twin="cookie")
    refuse("cookie-malformed-", "cookie", "cookie", "token_malformed", [
        ("twice", jar("session=%s; session=%s" % (BASE, BASE)), "twice, the same"), ("twice-junk", jar("session=junk; session=%s" % BASE), "twice, junk first"), ("twice-empty", jar("session=%s; session=" % BASE), "twice, one empty"),
        ("two-fields", jar("session=" + BASE, "session=" + BASE), "in two headers"), ("two-fields-2", jar("a=1; session=" + BASE, "b=1; session=x"), "in two headers among others"),
        ("empty", jar("session="), "an empty value"), ("quoted", jar('session="%s"' % BASE), "a quoted value"), ("bearer", jar("session=Bearer " + BASE), "with a scheme"), ("equals", jar("session=%s=" % BASE), "padding"),
        ("escaped", jar("session=" + BASE.replace(".", "%2E")), "escaped dots are not decoded"), ("comma", jar("session=%s, a=1" % BASE), "a comma separates nothing"), ("junk", jar("session=junk"), "no token"),
        ("second", bearer(BASE, extra=[("Cookie", "session=" + BASE)]), "an Authorization header with Bearer beside"), ("second-junk", bearer(value="bearer x", extra=[("Cookie", "session=" + BASE)]), "with junk under bearer beside"),
        ("second-alone", bearer(value="Bearer", extra=[("Cookie", "session=" + BASE)]), "with Bearer and nothing"),
    ], twin="cookie")
    D("cookie-authorization", "the token in Authorization only, where a cookie is configured", "cookie ambiguous", "cookie", bearer(BASE), "token_malformed")
    D("cookie-expired", "a token from a cookie is judged as any", "cookie time", "cookie", jar("session=" + c(exp=NOW - 30)), "token_expired")
    A("cookie-open", "a route that asks for nothing: a cookie twice and an Authorization", "allow cookie public", "cookie", bearer(value="Bearer x", target="/open", extra=[("Cookie", "session=a; session=b")]), name=None, route="open")
    A("x-token", "the whole value of a header", "allow placement", "x-token", bearer(BASE, value=BASE, name="X-Token"))
    A("x-token-case", "the header's name without case", "allow placement", "x-token", bearer(BASE, value=BASE, name="x-tOKEN"))
    A("x-token-basic", "Authorization with another scheme is not a second credential", "allow placement", "x-token", bearer(BASE, value=BASE, name="X-Token", extra=[("Authorization", "Basic dXNlcjpwYXNz")]))
    D("x-token-missing", "absent", "placement", "x-token", bearer(), "token_missing")
    D("x-token-missing-cookie", "a cookie of that name", "placement", "x-token", bearer(extra=[("Cookie", "x-token=" + BASE)]), "token_missing")
    D("x-token-authorization", "the token in Authorization only, where another header is configured", "placement ambiguous", "x-token", bearer(BASE), "token_malformed")
    refuse("x-token-", "placement", "x-token", "token_malformed", [
        ("bearer", bearer(BASE, name="X-Token"), "with a scheme: the whole value is the token"), ("empty", bearer(value="", name="X-Token"), "an empty value"), ("inner", bearer(value=BASE[:9] + " " + BASE[9:], name="X-Token"), "a space inside"),
        ("comma", bearer(value=BASE + "," + BASE, name="X-Token"), "two tokens"), ("second", bearer(value=BASE, name="X-Token", extra=[("Authorization", "Bearer " + BASE)]), "an Authorization header with Bearer beside"),
        ("second-upper", bearer(value=BASE, name="X-Token", extra=[("Authorization", "BEARER x.y.z")]), "with BEARER and junk beside"),
    ])
    refuse("x-token-duplicate", "header-duplicate placement", "x-token", "header_duplicate", [
        ("", bearer(value=BASE, name="X-Token", extra=[("x-token", BASE)]), "twice"), ("-differs", bearer(value=BASE, name="X-Token", extra=[("X-TOKEN", "junk")]), "twice, the second junk"),
        ("-empty", bearer(value=BASE, name="X-Token", extra=[("X-Token", "")]), "twice, the second empty"),
    ])
    D("x-token-alias", "X_Token beside", "alias placement", "x-token", bearer(value=BASE, name="X-Token", extra=[("X_Token", BASE)]), "header_duplicate")
    D("x-token-alias-alone", "X_Token in its stead", "alias placement", "x-token", bearer(value=BASE, name="X_Token"), "header_duplicate")
    A("x-token-open", "once on a route that asks for nothing", "allow public", "x-token", bearer(value="junk", name="X-Token", target="/open"), name=None, route="open")
    D("x-token-open-duplicate", "twice on a route that asks for nothing", "header-duplicate public", "x-token", bearer(value="a", name="X-Token", target="/open", extra=[("X-Token", "b")]), "header_duplicate", "x-token-open")
    D("x-token-open-alias", "X_Token on a route that asks for nothing", "alias public", "x-token", bearer(value="a", name="x_token", target="/open"), "header_duplicate", "x-token-open")
    A("main-x-token-twice", "a header that this policy does not name, twice and with _", "allow header-duplicate", "main", bearer(BASE, extra=[("X-Token", "a"), ("X-Token", "b"), ("X_Token", "c")]))
    A("main-cookie-twice", "cookies that this policy does not name", "allow cookie", "main", bearer(BASE, extra=[("Cookie", "session=a; session=b")]))


def form():
    note = token(claims=but(CLAIMS, note="???>>>~~~\u00ff\u00ff"), )
    assert "-" in note.split(".")[1] and "_" in note.split(".")[1]
    curly = next(t for t in (c(jti="j-%d" % n) for n in range(99)) if "-" in t.split(".")[2] and "_" in t.split(".")[2])
    A("base64url-payload", "- and _ in the payload", "allow base64url", "main", note)
    A("base64url-signature", "- and _ in the signature", "allow base64url", "main", curly)
    part = lambda n, change: token(wire=lambda p: [change(t) if i == n else t for i, t in enumerate(p)])
    swap = lambda text, old, new: text.replace(old, new, 1)
    next_letter = lambda text: text[:-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(text[-1]) + 1]
    loose = {"typ": "JWT", "kid": "ed1", "alg": "EdDSA", "x": "1"}
    odd = next(but(loose, x="1" * n) for n in range(1, 4) if len(dumps(but(loose, x="1" * n))) % 3 == 1)
    odd_claims = next(but(CLAIMS, x="1" * n) for n in range(1, 4) if len(dumps(but(CLAIMS, x="1" * n))) % 3 == 1)
    A("base64url-odd", "two parts whose last character carries four unused bits, zero", "allow base64url", "main", token(odd, odd_claims))
    rows = []
    for n, name in enumerate(["header", "payload"]):
        rows += [("pad-" + name, token(odd, odd_claims, wire=lambda p, n=n: [t + "==" if i == n else t for i, t in enumerate(p)]), "padding on the " + name), ("pad-one-" + name, part(n, lambda t: t + "="), "one = on the " + name), ("space-%s" % name, part(n, lambda t: t[:5] + " " + t[5:]), "a space in the " + name),
                 ("tab-" + name, part(n, lambda t: t + "\t"), "a tab at the end of the " + name), ("mark-" + name, part(n, lambda t: t + "?"), "a ? at the end of the " + name), ("escape-" + name, part(n, lambda t: t + "%3D"), "%3D on the " + name),
                 ("tilde-" + name, part(n, lambda t: t + "~"), "a ~ at the end of the " + name), ("letter-" + name, token(odd, odd_claims, wire=lambda p, n=n: [t + "A" * ((1 - len(t)) % 4) if i == n else t for i, t in enumerate(p)]), "a length that no bytes have: the " + name)]
    for n, name in enumerate(["header", "payload"]):
        rows.append(("bits-" + name, token(odd, odd_claims, wire=lambda p, n=n: [next_letter(t) if i == n else t for i, t in enumerate(p)]), "unused bits that are not zero in the " + name))
    rows += [
        ("plus-payload", token(claims=but(CLAIMS, note="???>>>~~~\u00ff\u00ff"), wire=lambda p: [p[0], p[1].replace("-", "+")]), "+ in the payload"),
        ("slash-payload", token(claims=but(CLAIMS, note="???>>>~~~\u00ff\u00ff"), wire=lambda p: [p[0], p[1].replace("_", "/")]), "/ in the payload"),
        ("both-payload", token(claims=but(CLAIMS, note="???>>>~~~\u00ff\u00ff"), wire=lambda p: [p[0], p[1].replace("_", "/").replace("-", "+")]), "plain base64 in the payload"),
        ("plus-signature", curly.part(2, lambda s: s.replace("-", "+")), "+ in the signature"), ("slash-signature", curly.part(2, lambda s: s.replace("_", "/")), "/ in the signature"),
        ("pad-signature", BASE.part(2, lambda s: s + "=="), "padding on the signature"), ("pad-one-signature", BASE.part(2, lambda s: s + "="), "one = on the signature"), ("bits-signature", BASE.part(2, next_letter), "unused bits that are not zero in the signature"),
        ("space-signature", BASE.part(2, lambda s: s[:9] + " " + s[9:]), "a space in the signature"), ("mark-signature", BASE.part(2, lambda s: s + "?"), "a ? at the end of the signature"), ("letter-signature", BASE.part(2, lambda s: s + "AAA"), "a length that no bytes have: the signature"),
        ("escape-signature", BASE.part(2, lambda s: s + "%3D%3D"), "%3D%3D on the signature"), ("dollar-signature", BASE.part(2, lambda s: "$" + s), "a $ before the signature"),
    ]
    refuse("base64url-", "base64url", "main", "token_malformed", rows)
    D("base64url-latin", "a byte above 0x7f in the signature", "base64url", "main", bearer(value=b"Bearer " + BASE.encode() + b"\xe9"), "token_malformed")
    D("base64url-wide", "full-width letters in UTF-8", "base64url", "main", bearer(value=("Bearer " + BASE[:-1] + "\uff21").encode()), "token_malformed")

    h, p, s = HEAD, BODY, TAIL
    refuse("parts-", "form", "main", "token_malformed", [
        ("dot", ".", "a dot"), ("two-dots", "..", "two dots"), ("three-dots", "...", "three dots"), ("one", h, "one part"), ("two", "%s.%s" % (h, p), "two parts"), ("no-signature", "%s.%s." % (h, p), "a null signature (CVE-2020-28042)"),
        ("no-payload", "%s..%s" % (h, s), "a detached payload"), ("no-header", ".%s.%s" % (p, s), "no header"), ("only-header", h + "..", "a header alone"), ("only-signature", ".." + s, "a signature alone"), ("dot-before", "." + BASE, "a dot before"), ("dot-after", BASE + ".", "a dot after"),
        ("dots-before", ".." + BASE, "two dots before"), ("dot-doubled", "%s..%s.%s" % (h, p, s), "a dot doubled"), ("dot-doubled-2", "%s.%s..%s" % (h, p, s), "the other dot doubled"), ("four", BASE + "." + s, "four parts"), ("five", "%s.%s.%s.%s.%s" % (h, p, s, p, s), "five parts: a JWE"),
        ("five-empty", h + "....", "five parts, four of them empty"), ("comma", "%s,%s,%s" % (h, p, s), "commas"), ("colon", BASE.replace(".", ":"), "colons"), ("escaped", BASE.replace(".", "%2e"), "escaped dots"), ("json", json.dumps({"payload": p, "protected": h, "signature": s}, separators=(",", ":")), "JSON serialization (CVE-2022-39227)"),
        ("json-general", json.dumps({"payload": p, "signatures": [{"protected": h, "signature": s}]}, separators=(",", ":")), "general JSON serialization"),
        ("json-mixed", '{"%s.%s.":"","payload":"%s","protected":"%s","signature":"%s"}' % (h, p, p, h, s), "compact inside of JSON (python-jwt)"),
    ])
    D("parts-many-dots", "200,000 dots (CVE-2025-30204)", "form", "main", bearer(value="Bearer " + "." * 200000), "token_malformed")
    D("parts-many-dots-end", "a token and many dots", "form", "main", bearer(value="Bearer " + BASE + "." * 20000), "token_malformed")
    D("parts-detached-b64", "a null signature and crit b64: form comes first", "form order", "main", Token(".".join(token(crit=["b64"], b64=False).split(".")[:2]) + "."), "token_malformed")
    D("parts-jwe", "a JWE of five parts (CVE-2026-29000)", "form", "main", ".".join([b64u(b'{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}'), "AAAA", "AAAA", b64u(b"AAAAAAAAAAAA"), "AAAA"]), "token_malformed")

    pad = lambda n: octets("pad", 12000).hex()[:n]
    sized = lambda length: next(t for n in range(length * 3 // 4 - 420, length * 3 // 4) for x in ("", "1") for t in [token({"x": x}, but(CLAIMS, pad=pad(n)))] if len(t) == length)
    A("size-edge", "16 KiB", "allow form", "main", sized(16384))
    D("size-over", "16 KiB and one byte", "form signed-anyway", "main", sized(16385), "token_malformed")
    D("size-over-cookie", "in a cookie", "form cookie signed-anyway", "cookie", Req(dict(bearer(extra=[("Cookie", "session=" + sized(16385))])), None), "token_malformed")
    A("size-spaces", "spaces after the scheme are not counted", "allow form presence", "main", bearer(sized(16384), value="Bearer   " + sized(16384)))
    D("size-signature", "a signature of 100 KB", "form", "main", bearer(value="Bearer %s.%s.%s" % (h, p, "A" * 100000)), "token_malformed")
    D("size-header", "a header of 100 KB", "form", "main", bearer(value="Bearer %s.%s.%s" % ("A" * 100000, p, s)), "token_malformed")


def bad_json(text):
    """Rows of (slug, bytes, why) that are no JSON by the contract, made of a JSON object's text."""
    open_, inner = text[0], text[1:]
    more = lambda member: raw(open_ + member + "," + inner)
    depth = lambda n: more('"x":' + "[" * n + "]" * n)
    return [
        ("bom", b"\xef\xbb\xbf" + raw(text), "a byte order mark"), ("utf16le", text.encode("utf-16-le"), "UTF-16"), ("utf16be", text.encode("utf-16-be"), "UTF-16, big-endian"), ("utf16-bom", b"\xff\xfe" + text.encode("utf-16-le"), "UTF-16 with a byte order mark"),
        ("utf32", text.encode("utf-32-le"), "UTF-32"), ("latin1", more('"x":"').replace(b'"x":"', b'"x":"\xe9"'), "ISO 8859-1"), ("overlong", more('"x":"').replace(b'"x":"', b'"x":"\xc0\xaf"'), "an overlong slash"),
        ("surrogate-utf8", more('"x":"').replace(b'"x":"', b'"x":"\xed\xa0\x80"'), "a surrogate in UTF-8"), ("cut-utf8", raw(open_ + inner[:-1] + ',"x":"') + b"\xc3\"}", "a cut sequence"), ("above", more('"x":"').replace(b'"x":"', b'"x":"\xf4\x90\x80\x80"'), "above U+10FFFF"),
        ("brace-after", raw(text + "}"), "a brace behind"), ("object-after", raw(text + "{}"), "a second object"), ("self-after", raw(text + text), "itself again"), ("text-after", raw(text + " x"), "text behind"), ("nul-after", raw(text + "\0"), "NUL behind"),
        ("comma-after", raw(text + ","), "a comma behind"), ("text-before", raw("x" + text), "text before"), ("comma-end", raw(text[:-1] + ",}"), "a comma before the brace"), ("comma-start", raw("{," + inner), "a comma behind the brace"), ("cut", raw(text[:-1]), "no brace at the end"),
        ("single", raw(text.replace('"', "'")), "single quotes"), ("unquoted", more("x:1"), "a name without quotes"), ("comment", more("/* c */\"x\":1"), "a comment"), ("comment-line", raw("// c\n" + text), "a line comment"), ("hash", raw(text + "# c"), "a shell comment"),
        ("nan", more('"x":NaN'), "NaN"), ("infinity", more('"x":-Infinity'), "-Infinity"), ("hex", more('"x":0x10'), "hexadecimal"), ("zero", more('"x":01'), "a leading zero"), ("plus", more('"x":+1'), "a plus sign"), ("point-end", more('"x":1.'), "a fraction without digits"),
        ("point-start", more('"x":.5'), "a fraction without an integer"), ("exponent", more('"x":1e'), "an exponent without digits"), ("minus", more('"x":-'), "a minus sign alone"), ("true", more('"x":True'), "True"), ("none", more('"x":None'), "None"), ("undefined", more('"x":undefined'), "undefined"),
        ("no-value", more('"x"'), "a name without a value"), ("no-name", more(":1"), "a value without a name"), ("number-name", more("1:1"), "a number as a name"), ("list-comma", more('"x":[1,]'), "a comma before the bracket"), ("list-open", more('"x":[1'), "a bracket that stays open"),
        ("line-feed", more('"x":"a\nb"'), "a line feed in a string"), ("tab", more('"x":"a\tb"'), "a tab in a string"), ("nul", more('"x":"a\0b"'), "NUL in a string"), ("escape-x", more('"x":"\\x41"'), "an escape that JSON does not have"), ("escape-quote", more("\"x\":\"\\'\""), "an escaped single quote"),
        ("escape-short", more('"x":"\\u12"'), "a short escape"), ("escape-braces", more('"x":"\\u{41}"'), "an escape in braces"), ("form-feed", more('\x0c"x":1'), "a form feed as white space"), ("nbsp", more('\u00a0"x":1'), "a no-break space as white space"),
        ("lone-high", more('"x":"\\ud800"'), "a lone high surrogate"), ("lone-low", more('"x":"\\udc00"'), "a lone low surrogate"), ("reversed", more('"x":"\\udc00\\ud800"'), "a pair of surrogates turned around"), ("high-letter", more('"x":"\\ud83dA"'), "a high surrogate before a letter"),
        ("high-high", more('"x":"\\ud83d\\ud83d\\ude00"'), "a high surrogate before a pair"), ("lone-name", more('"\\ud800":1'), "a lone surrogate in a name"), ("lone-nested", more('"x":[{"y":"\\udfff"}]'), "a lone surrogate, nested"),
        ("twice", more('"x":1,"x":1'), "a name twice, the same value"), ("twice-escaped", more('"x":1,"\\u0078":2'), "a name twice, once escaped"), ("twice-nested", more('"x":{"y":1,"y":2}'), "a name twice, nested"), ("twice-in-list", more('"x":[0,{"y":1,"z":2,"y":1}]'), "a name twice, in a list"),
        ("twice-null", more('"x":null,"x":null'), "a name twice, null"), ("twice-empty", more('"":1,"":2'), "an empty name twice"), ("twice-escaped-nested", more('"x":{"\\u00e9":1,"\u00e9":2}'), "a name twice, nested, once escaped"), ("twice-pair", more('"\\ud83d\\ude00":1,"\U0001f600":2'), "a name twice, once as a pair of escapes"),
        ("depth-17", depth(16), "17 levels"), ("depth-3000", depth(3000), "3,001 levels"), ("list", raw("[" + text + "]"), "a list"), ("string", raw('"a"'), "a string"), ("number", raw("17"), "a number"), ("null", raw("null"), "null"), ("white", raw("  "), "white space alone"), ("empty-list", raw("[]"), "an empty list"),
    ]


def json_texts():
    claims, header = dumps(CLAIMS), dumps(HEADER)
    for slug, text, why in bad_json(claims):
        D("json-payload-" + slug, "payload: " + why, "json signed-anyway", "main", token(claims=text), "token_malformed")
    for slug, text, why in bad_json(header):
        D("json-header-" + slug, "header: " + why, "json signed-anyway", "main", token(header=text), "token_malformed")
    for slug, a, b in [("alg", '"alg":"EdDSA"', '"alg":"none"'), ("kid", '"kid":"ed1"', '"kid":"ed2"'), ("typ", '"typ":"at+jwt"', '"typ":"JWT"'), ("alg-same", '"alg":"EdDSA"', '"alg":"EdDSA"'), ("alg-escaped", '"alg":"EdDSA"', '"\\u0061lg":"EdDSA"')]:
        D("json-header-twice-" + slug, "a member twice", "json signed-anyway", "main", token(header=header.replace(a, b + "," + a)), "token_malformed")
        D("json-header-twice-%s-after" % slug, "a member twice, turned around", "json signed-anyway", "main", token(header=header.replace(a, a + "," + b + ',"x":1')), "token_malformed")
    for slug, member in [("iss", '"iss":"https://evil.test"'), ("aud", '"aud":"other"'), ("exp", '"exp":253402300799'), ("exp-escaped", '"\\u0065xp":253402300799'), ("exp-escaped-upper", '"\\u0065\\u0078\\u0070":%d' % (NOW + 290)), ("sub", '"sub":"admin"'), ("iat", '"iat":%d' % (NOW - 10)), ("cnf", '"cnf":{},"cnf":{}'), ("scope", '"scope":"a","scope":"a"')]:
        D("json-payload-twice-" + slug, "a claim twice", "json signed-anyway", "main", token(claims=claims[:-1] + "," + member + "}"), "token_malformed")
    A("json-white", "white space of every kind, inside and before", "allow json", "main", token(header=" \t\r\n" + header.replace(",", " ,\n\t").replace(":", " : ", 1), claims="\n" + claims.replace(",", "\r\n, ")))
    A("json-white-after", "white space behind is part of a JSON text", "allow json ambiguous", "main", token(header=header + "\n", claims=claims + " \r\n\t "))
    A("json-escapes", "escaped names and values are read", "allow json", "main", token(header='{"\\u0061lg":"Ed\\u0044SA","k\\u0069d":"\\u0065d1","typ":"at\\u002bjwt"}', claims=claims.replace('"exp"', '"\\u0065\\u0078p"').replace("https://", "https:\\/\\/")))
    A("json-unicode", "text beyond ASCII, as itself and as a pair of escapes", "allow json identity", "main", token(claims=claims[:-1] + ',"n\u00e4me":"\u2603\U0001f511","x":"\\ud83d\\ude00\\u00e9\\uffff","y":"\x7f"}'))
    A("json-nul", "an escaped NUL in a claim", "allow json identity", "main", token(claims=claims.replace("user-1", "user\\u00001")))
    A("json-depth", "16 levels in header and payload", "allow json", "main", token(header=header[:-1] + ',"x":' + "[" * 15 + "]" * 15 + "}", claims=claims[:-1] + ',"x":' + '{"x":' * 14 + "{}" + "}" * 14 + "}"))
    A("json-depth-many", "many lists side by side are not deep", "allow json", "main", token(claims=claims[:-1] + ',"x":[' + ",".join(["[[]]"] * 40) + "]}"))
    D("json-depth-objects", "17 levels of objects", "json signed-anyway", "main", token(claims=claims[:-1] + ',"x":' + '{"x":' * 15 + "{}" + "}" * 15 + "}"), "token_malformed")
    D("json-depth-mixed", "17 levels, lists and objects", "json signed-anyway", "main", token(claims=claims[:-1] + ',"x":' + '[{"x":' * 8 + "1" + "}]" * 8 + "}"), "token_malformed")
    A("json-names", "one name at several levels, names that differ by case, an empty name", "allow json identity", "main", token(claims=claims[:-1] + ',"Sub":"a","SUB":"b","":1,"x":{"sub":1,"x":{"x":2}},"y":[{"a":1},{"a":1}]}'))
    A("json-prototype", "names that are special in JavaScript", "allow json identity", "main", token(claims=claims[:-1] + ',"__proto__":{"scope":"admin"},"constructor":1,"toString":"x"}'))
    A("json-numbers", "every spelling of a number in a claim of no meaning", "allow json identity", "main", token(claims=claims[:-1] + ',"x":[0,-0.5,1.5e3,2E+2,25e-1,-7]}'))
    A("json-header-more", "a header with members that have no meaning here", "allow json header", "main", token(header=header[:-1] + ',"cty":"JWT","x5t":"AAAA","x5t#S256":"AAAA","nonce":"n","x":{"crit":["a"],"jwk":1}}'))


def headers():
    refuse("header-", "header signed-anyway", "main", "token_malformed", [
        ("alg-missing", token(header='{"typ":"at+jwt","kid":"ed1"}'), "no alg"), ("alg-null", token(header='{"alg":null,"typ":"at+jwt","kid":"ed1"}'), "alg null"),
        ("alg-number", token(header='{"alg":1,"typ":"at+jwt","kid":"ed1"}'), "alg a number"), ("alg-list", token(header='{"alg":["EdDSA"],"typ":"at+jwt","kid":"ed1"}'), "alg a list"), ("alg-object", token(header='{"alg":{"a":"EdDSA"},"typ":"at+jwt","kid":"ed1"}'), "alg an object"), ("alg-true", token(header='{"alg":true,"typ":"at+jwt","kid":"ed1"}'), "alg true"),
        ("alg-upper-name", token(header='{"ALG":"EdDSA","typ":"at+jwt","kid":"ed1"}'), "ALG is another member"), ("empty", token(header="{}"), "an empty object"),
        ("kid-number", token(kid=1), "kid a number"), ("kid-null", token(kid=None), "kid null"), ("kid-list", token(kid=["ed1"]), "kid a list"), ("kid-object", token(kid={"x": "ed1"}), "kid an object"), ("kid-false", token(kid=False), "kid false"),
        ("typ-number", token(typ=1), "typ a number"), ("typ-null", token(typ=None), "typ null"), ("typ-list", token(typ=["at+jwt"]), "typ a list"), ("typ-true", token(typ=True), "typ true"),
    ])
    evil = jwk("ed2", "ed1")
    refuse("header-", "header signed-anyway", "main", "token_header_not_understood", [
        ("jwk", token(jwk=jwk("ed1", "ed1")), "jwk: the right key itself"), ("jwk-evil", token(jwk=evil, key="ed2"), "jwk: an attacker's key under a known kid (CVE-2018-0114)"), ("jwk-evil-no-kid", token(jwk=evil, key="ed2", kid=GONE), "jwk: an attacker's key, no kid"),
        ("jwk-null", token(jwk=None), "jwk null is present"), ("jwk-empty", token(jwk={}), "jwk empty"), ("jku", token(jku="https://auth.example.com/jwks.json"), "jku: the issuer's own"), ("jku-prefix", token(jku="https://auth.example.com.evil.test/jwks.json", key="ed2"), "jku: a host that starts like the issuer's"),
        ("jku-userinfo", token(jku="https://auth.example.com@evil.test/", key="ed2"), "jku: the issuer as userinfo"), ("jku-loopback", token(jku="http://127.0.0.1:8000/", key="ed2"), "jku: loopback"), ("jku-number", token(jku=1), "jku a number"), ("x5u", token(x5u="https://auth.example.com/cert.pem"), "x5u"), ("x5u-file", token(x5u="file:///etc/passwd"), "x5u: a file"),
        ("x5c", token(x5c=["MIIB"]), "x5c: a certificate of one's own"), ("x5c-empty", token(x5c=[]), "x5c empty"), ("crit", token(crit=["exp"], exp=NOW), "crit with a member that is there"), ("crit-unknown", token(crit=["x-unknown"]), "crit with a name that is not there (CVE-2025-59420)"),
        ("crit-empty", token(crit=[]), "crit empty (RFC 7515 §4.1.11)"), ("crit-string", token(crit="b64"), "crit no list"), ("crit-null", token(crit=None), "crit null"), ("crit-twice", token(crit=["x", "x"], x=1), "crit with a name twice"), ("crit-registered", token(crit=["alg"]), "crit with a registered name"), ("crit-kid", token(crit=["kid", "typ"]), "crit with registered names"),
        ("b64-false", token(b64=False), "b64 false without crit"), ("b64-crit", token(b64=False, crit=["b64"]), "b64 false with crit"), ("b64-true", token(b64=True, crit=["b64"]), "b64 true"), ("b64-string", token(b64="false"), "b64 a string"), ("b64-null", token(b64=None), "b64 null"),
        ("zip", token(zip="DEF"), "zip"), ("zip-null", token(zip=None), "zip null"), ("enc", token(enc="A256GCM"), "enc"), ("enc-empty", token(enc=""), "enc empty"), ("escaped", token(header=dumps(HEADER)[:-1] + ',"\\u0063rit":["x"]}'), "crit, escaped"),
    ])
    D("header-b64-raw", "b64 false over the payload as it is: dots and quotes are no base64url", "header order", "main", "%s.%s.%s" % (b64u(dumps(but(HEADER, b64=False, crit=["b64"])).encode()), dumps(CLAIMS), TAIL), "token_malformed")
    A("header-upper", "names have case: JWK, Crit and ZIP have no meaning", "allow header", "main", token(JWK={}, Crit=["x"], ZIP="DEF"))
    A("header-claims", "claims in the header have no meaning", "allow header", "main", token(iss="https://evil.test", aud="other", exp=0))

    # typ
    for slug, typ in [("upper", "AT+JWT"), ("jwt", "JWT"), ("jwt-lower", "jwt"), ("jwt-mixed", "Jwt"), ("application", "application/at+jwt"), ("application-upper", "APPLICATION/AT+JWT"), ("application-jwt", "application/jwt")]:
        A("type-" + slug, typ, "allow type", "main", token(typ=typ))
    rows = [("absent", GONE, "no typ"), ("empty", "", "an empty typ"), ("id-token", "id_token+jwt", "an id token of another name"), ("secevent", "secevent+jwt", "a security event"), ("logout", "logout+jwt", "a logout token"), ("dpop", "dpop+jwt", "a DPoP proof"), ("jose", "JOSE", "JOSE"),
            ("application-twice", "application/application/at+jwt", "the prefix twice"), ("application-alone", "application/", "the prefix alone"), ("text", "text/at+jwt", "another tree"), ("slash", "/at+jwt", "a slash"), ("params", "at+jwt;v=1", "a parameter"), ("space", " at+jwt", "a space before"),
            ("space-after", "at+jwt ", "a space after"), ("prefix", "at+jw", "a prefix"), ("suffix", "at+jwts", "a longer one"), ("substring", "x-at+jwt", "a substring"), ("jws", "jws", "jws"), ("at", "at", "at"), ("escaped", "at%2Bjwt", "escaped"), ("dotted", "at+\u0130wt", "a letter that some fold to another"),
            ("list", "at+jwt,JWT", "two in one"), ("nul", "at+jwt\0", "NUL behind")]
    refuse("type-", "type signed-anyway", "main", "token_type_not_allowed", [(slug, token(typ=typ), why) for slug, typ, why in rows])
    A("types-any", "an absent typ, where the list has an empty string", "allow type", "types-any", token(typ=GONE))
    A("types-any-jwt", "and JWT beside", "allow type", "types-any", token(typ="JWT"))
    D("types-any-other", "but no other", "type signed-anyway", "types-any", token(typ="logout+jwt"), "token_type_not_allowed")
    A("types-absent", "an absent typ alone", "allow type", "types-absent", token(typ=GONE))
    D("types-absent-jwt", "JWT, where only an absent one is admitted", "type signed-anyway", "types-absent", token(typ="JWT"), "token_type_not_allowed")
    D("types-absent-number", "a number is not an absent one", "type header", "types-absent", token(typ=0), "token_malformed")
    D("types-absent-null", "null is not an absent one", "type header", "types-absent", token(typ=None), "token_malformed")
    A("types-at", "at+jwt alone", "allow type", "types-at", BASE)
    D("types-at-jwt", "JWT, where only at+jwt is listed: an id token (RFC 9068 §4)", "type signed-anyway", "types-at", token(typ="JWT"), "token_type_not_allowed")
    D("types-at-absent", "an absent typ", "type signed-anyway", "types-at", token(typ=GONE), "token_type_not_allowed")
    A("types-own", "the list is read without case too", "allow type", "types-own", token(typ="Logout+jwt"))
    D("types-own-at", "at+jwt is not listed there", "type signed-anyway", "types-own", BASE, "token_type_not_allowed")


def algorithms():
    own = lambda alg, **more: token(alg=alg, key=NATURAL[alg], kid="k1", **more)
    for alg in ALGORITHMS:
        for kind_ in ("alg", "key"):
            slug = "%s-%s" % (kind_, alg.lower())
            A(slug, "%s, by %s" % (alg, "the policy" if kind_ == "alg" else "the key"), "allow algorithm", slug, own(alg))
    for mine, theirs in itertools.permutations(ALGORITHMS, 2):
        key = NATURAL[theirs] if kind(mine) == kind(theirs) else NATURAL[mine]
        why = "the policy says %s, the header %s, and the signature is right by some key" % (theirs, mine)
        made = token(alg=mine, key=key, kid="k1") if not (mine[0] == "H" and theirs[0] != "H") else confused(mine, theirs)
        D("pair-alg-%s-%s" % (theirs.lower(), mine.lower()), why, "pair algorithm", "alg-" + theirs.lower(), made, "token_algorithm_not_allowed")
    for group in (ASYMMETRIC, SYMMETRIC):
        for mine, theirs in itertools.permutations(group, 2):
            key = NATURAL[theirs] if kind(mine) == kind(theirs) else NATURAL[mine]
            D("pair-key-%s-%s" % (theirs.lower(), mine.lower()), "the key says %s, the header %s, and the policy allows both" % (theirs, mine), "pair algorithm", "key-" + theirs.lower(), token(alg=mine, key=key, kid="k1"), "token_algorithm_not_allowed")
    for mine, theirs in [("RS256", "PS256"), ("ES256", "RS256"), ("EdDSA", "ES256")]:
        D("pair-no-kid-%s-%s" % (theirs.lower(), mine.lower()), "without kid: no key fits the algorithm", "pair algorithm key", "key-" + theirs.lower(), token(alg=mine, key=NATURAL[mine], kid=GONE), "token_key_unknown")

    for spelling in ["none", "None", "NONE", "nOnE", "noNe", "none ", " none", "n\u00f6ne", ""]:
        slug = "none-" + (spelling if spelling in ("none", "None", "NONE", "nOnE", "noNe") else {"none ": "space", " none": "space-before", "": "blank", "n\u00f6ne": "umlaut"}[spelling])
        slug = slug.replace("None", "title").replace("NONE", "upper").replace("nOnE", "mixed").replace("noNe", "camel")
        bare = token(alg=spelling, sig=lambda d: b"\0")
        if slug in ("none-none", "none-title", "none-upper", "none-mixed"):
            D(slug + "-empty", "alg %s, an empty signature" % spelling, "none form", "main", Token(bare.rsplit(".", 1)[0] + "."), "token_malformed")
            D(slug + "-cut", "alg %s, no signature part" % spelling, "none form", "main", Token(bare.rsplit(".", 1)[0]), "token_malformed")
            D(slug + "-right", "alg %s over a right EdDSA signature" % spelling, "none", "main", token(alg=spelling, sig=lambda d: sign("EdDSA", "ed1", d)), "token_algorithm_not_allowed")
            D(slug + "-hs", "alg %s where HS256 is allowed" % spelling, "none", "hs", token(alg=spelling, kid="h1", sig=lambda d: hmac.new(b"", d, "sha256").digest()), "token_algorithm_not_allowed")
            D(slug + "-no-kid", "alg %s without kid" % spelling, "none", "one-key", token(alg=spelling, kid=GONE, sig=lambda d: b"\0"), "token_algorithm_not_allowed")
        D(slug, "alg `%s`, a signature of one byte" % spelling, "none", "main", bare, "token_algorithm_not_allowed")
    for n, alg in enumerate(["eddsa", "EDDSA", "EdDSA ", "EdDSA\0", "Ed25519", "Ed448", "ES256K", "ES512", "ED25519", "HS1", "RSA-OAEP", "dir", "EdDSA,none", "x" * 5000]):
        D("algorithm-other-%d" % n, "alg %s" % repr(alg[:20]), "algorithm signed-anyway", "main", token(alg=alg, sig=lambda d: sign("EdDSA", "ed1", d)), "token_algorithm_not_allowed")
    for alg, other in [("rs256", "RS256"), ("es256", "ES256"), ("hs256", "HS256"), ("ps256", "PS256")]:
        D("algorithm-lower-" + alg, "alg %s in lower case" % alg, "algorithm signed-anyway", "alg-" + alg, token(alg=alg, kid="k1", sig=lambda d, o=other: sign(o, NATURAL[o], d)), "token_algorithm_not_allowed")

    # A public key as an HMAC key.
    A("rsa-open", "an RSA key that says no alg", "allow algorithm key", "rsa-open", token(alg="RS256", key="rsa1", kid="r1"))
    for alg in ["RS384", "RS512", "PS256", "PS384", "PS512"]:
        A("rsa-open-" + alg.lower(), "the same key, " + alg, "allow algorithm key", "rsa-open", token(alg=alg, key="rsa1", kid="r1"))
    texts = {"spki-pem": pem("rsa1"), "spki-pem-trimmed": pem("rsa1").strip(), "spki-pem-newline-before": b"\n" + pem("rsa1"), "spki-pem-space-before": b" " + pem("rsa1"), "spki-pem-crlf": pem("rsa1").replace(b"\n", b"\r\n"), "pkcs1-pem": pem("rsa1", "PKCS1"),
             "pkcs1-pem-trimmed": pem("rsa1", "PKCS1").strip(), "spki-der": pem("rsa1", encoding="DER"), "pkcs1-der": pem("rsa1", "PKCS1", "DER"), "modulus": unb64u(KEYS["rsa1"]["n"]), "modulus-text": KEYS["rsa1"]["n"].encode(),
             "jwk": json.dumps(jwk("rsa1", "r1")).encode(), "jwk-compact": json.dumps(jwk("rsa1", "r1"), separators=(",", ":")).encode(), "jwk-no-kid": json.dumps(jwk("rsa1"), separators=(",", ":"), sort_keys=True).encode(), "set": SECRETS["rsa-open.json"].encode(), "empty": b"", "exponent": b"\1\0\1", "kid": b"r1"}
    for slug, key in texts.items():
        D("confusion-rsa-" + slug, "HS256 keyed with the RSA key: " + slug, "confusion", "rsa-open", token(alg="HS256", key=key, kid="r1"), "token_algorithm_not_allowed")
    for alg in ["HS384", "HS512"]:
        D("confusion-rsa-" + alg.lower(), alg + " keyed with the PEM of the RSA key", "confusion", "rsa-open", token(alg=alg, key=texts["spki-pem"], kid="r1"), "token_algorithm_not_allowed")
    D("confusion-rsa-no-kid", "HS256, no kid", "confusion", "alg-rs256", token(alg="HS256", key=texts["spki-pem"], kid=GONE), "token_algorithm_not_allowed")
    A("ec-two", "the first of two keys", "allow key", "ec-two", token(alg="ES256", key="ec1", kid="e1"))
    for slug, key in {"pem": pem("ec1"), "der": pem("ec1", encoding="DER"), "jwk": json.dumps(jwk("ec1", "e1")).encode(), "x": unb64u(KEYS["ec1"]["x"]), "point": b"\4" + unb64u(KEYS["ec1"]["x"]) + unb64u(KEYS["ec1"]["y"])}.items():
        D("confusion-ec-" + slug, "HS256 keyed with the EC key: " + slug, "confusion", "ec-two", token(alg="HS256", key=key, kid="e1"), "token_algorithm_not_allowed")
    for slug, key in {"pem": pem("ed1"), "ssh": private("ed1").public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH), "jwk": json.dumps(jwk("ed1", "ed1")).encode(), "x": unb64u(KEYS["ed1"]["x"]), "x-text": KEYS["ed1"]["x"].encode()}.items():
        D("confusion-ed-" + slug, "HS256 keyed with the Ed25519 key (CVE-2022-29217): " + slug, "confusion", "main", token(alg="HS256", key=key), "token_algorithm_not_allowed")
    A("hs", "HS256", "allow algorithm", "hs", token(alg="HS256", key="hs64", kid="h1"))
    A("hs-second", "the other key", "allow key", "hs", token(alg="HS512", key="hs64b", kid="h2"))
    A("hs-32", "a key of 32 bytes for HS256", "allow algorithm", "hs-32", token(alg="HS256", key="hs32", kid="h1"))
    A("hs-48", "a key of 48 bytes for HS384", "allow algorithm", "hs-48", token(alg="HS384", key="hs48", kid="h1"))
    for slug, key in {"empty": b"", "text": KEYS["hs64"]["k"].encode(), "short": unb64u(KEYS["hs64"]["k"])[:32], "kid": b"h1", "second": unb64u(KEYS["hs64b"]["k"]), "pem": texts["spki-pem"], "jwk": json.dumps(jwk("hs64", "h1")).encode(), "secret": b"secret"}.items():
        D("hs-key-" + slug, "HS256 keyed otherwise: " + slug, "signature key", "hs", token(alg="HS256", key=key, kid="h1"), "token_signature_mismatch")
    for alg, other in itertools.permutations(SYMMETRIC, 2):
        D("hs-mac-%s-%s" % (alg.lower(), other.lower()), "the header says %s, the MAC is %s" % (alg, other), "signature algorithm", "hs", token(alg=alg, kid="h1", sig=lambda d, o=other: sign(o, "hs64", d)), "token_signature_mismatch")
    D("hs-mac-cut", "the right MAC, cut to 16 bytes", "signature", "hs", token(alg="HS256", key="hs64", kid="h1").signature(lambda s: s[:16]), "token_signature_mismatch")
    D("hs-mac-longer", "the right MAC and a zero byte", "signature", "hs", token(alg="HS256", key="hs64", kid="h1").signature(lambda s: s + b"\0"), "token_signature_mismatch")
    D("hs-mac-hex", "the MAC in hexadecimal", "signature", "hs", token(alg="HS256", key="hs64", kid="h1").signature(lambda s: s.hex().encode()), "token_signature_mismatch")


def confused(alg, theirs):
    """HS* over the PEM of the public key of `theirs`."""
    return token(alg=alg, key=pem(NATURAL[theirs]), kid="k1")


def keys():
    A("key-escaped", "kid spelled with escapes", "allow key", "main", token(header=dumps(HEADER).replace('"ed1"', '"\\u0065d\\u0031"')))
    rows = [("other", "ed3", "no such key"), ("empty", "", "an empty kid"), ("case", "ED1", "kids have case"), ("prefix", "ed", "a prefix"), ("longer", "ed11", "a longer one"), ("space", "ed1 ", "a space behind"), ("space-before", " ed1", "a space before"), ("nul", "ed1\0", "NUL behind"), ("path", "../../dev/null", "a path"), ("path-file", "/work/ed.json", "a file"),
            ("sql", "x' UNION SELECT 'a", "SQL"), ("shell", "|id", "a shell's"), ("subst", "$(id)", "a substitution"), ("url", "https://evil.test/key", "a URL"), ("long", "k" * 8000, "8,000 characters"), ("index", "0", "an index"), ("proto", "__proto__", "__proto__"), ("dots", "keys.0", "a path in the set"),
            ("thumbprint", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "a thumbprint"), ("wild", "*", "a wildcard"), ("accent", "e\u0301d1", "another letter"), ("wide", "\uff45d1", "a full-width letter"), ("crlf", "ed1\r\nX: y", "a line break")]
    refuse("key-unknown-", "key signed-anyway", "main", "token_key_unknown", [(slug, token(kid=kid), why) for slug, kid, why in rows])
    D("key-absent", "no kid, two keys fit", "key signed-anyway", "main", token(kid=GONE), "token_key_unknown")
    D("key-absent-second", "no kid, signed by the second key", "key signed-anyway", "main", token(kid=GONE, key="ed2"), "token_key_unknown")
    D("key-absent-two", "two keys without kid", "key signed-anyway", "two-unnamed", token(kid=GONE), "token_key_unknown", "one-key")
    D("key-named-two", "a kid, where no key has one", "key signed-anyway", "two-unnamed", BASE, "token_key_unknown", "main")
    D("key-named-one", "a kid, where the one key has none", "key signed-anyway", "one-key", BASE, "token_key_unknown")
    A("key-absent-one", "no kid, the one key has one", "allow key", "one-of-set", token(kid=GONE))
    A("one-of-set", "with its kid", "allow key", "one-of-set", BASE)
    D("key-absent-one-wrong", "no kid, the one key is another's", "key signature", "one-of-set", token(kid=GONE, key="ed2"), "token_signature_mismatch")
    D("key-swapped", "the first key's kid, the second key's signature", "key signature", "main", token(key="ed2"), "token_signature_mismatch")
    D("key-swapped-2", "the second key's kid, the first key's signature", "key signature", "main", token(kid="ed2"), "token_signature_mismatch")
    D("key-swapped-rsa", "another RSA key of the set", "key signature", "rsa-open", token(alg="RS256", key="rsa2", kid="r1"), "token_signature_mismatch")
    D("key-swapped-pss", "another RSA key of the set, PS256", "key signature", "rsa-open", token(alg="PS256", key="rsa2", kid="r1"), "token_signature_mismatch")
    D("key-swapped-ec", "another EC key of the set", "key signature", "ec-two", token(alg="ES256", key="ec2", kid="e1"), "token_signature_mismatch")
    D("key-absent-rsa", "no kid, two RSA keys fit", "key signed-anyway", "rsa-open", token(alg="RS256", key="rsa1", kid=GONE), "token_key_unknown")
    D("key-absent-ec", "no kid, two EC keys fit", "key signed-anyway", "ec-two", token(alg="ES256", key="ec1", kid=GONE), "token_key_unknown")
    for n, kid in enumerate(ODD_KIDS[:2]):
        A("odd-kids" if n == 0 else "odd-kids-%d" % n, "a kid is compared as text: %s" % kid, "allow key", "odd-kids", token(kid=kid, key="ed1" if n == 0 else "ed2"))
    for n, kid in enumerate(ODD_KIDS[2:]):
        A("odd-kid-%d" % n, "a kid is compared as text: %s" % json.dumps(kid[:20]), "allow key", "odd-kid-%d" % n, token(kid=kid))
        D("odd-kid-%d-other" % n, "the kid ed1 is not there", "key signed-anyway", "odd-kid-%d" % n, BASE, "token_key_unknown")
    D("odd-kid-case", "k is not K", "key signed-anyway", "odd-kid-%d" % (ODD_KIDS.index("K") - 2), token(kid="k"), "token_key_unknown")
    A("mixed", "keys of four kinds, one of them fits: RS256, no kid", "allow key", "mixed", token(alg="RS256", key="rsa1", kid=GONE))
    for alg, kid in [("PS256", "r1"), ("ES256", "e1"), ("ES384", "e3"), ("EdDSA", "ed1")]:
        A("mixed-%s" % alg.lower(), "no kid: " + alg, "allow key", "mixed", token(alg=alg, key=NATURAL[alg], kid=GONE))
        A("mixed-%s-kid" % alg.lower(), "with kid: " + alg, "allow key", "mixed", token(alg=alg, key=NATURAL[alg], kid=kid))
        for other in ["r1", "e1", "e3", "ed1"]:
            if other != kid:
                D("mixed-%s-%s" % (alg.lower(), other), "%s with the kid of a key of another kind, unpinned" % alg, "key algorithm", "mixed", token(alg=alg, key=NATURAL[alg], kid=other), "token_algorithm_not_allowed")
    A("by-alg", "two RSA keys without kid: alg says which", "allow key algorithm", "by-alg", token(alg="RS256", key="rsa1", kid=GONE))
    A("by-alg-ps", "the other", "allow key algorithm", "by-alg", token(alg="PS256", key="rsa2", kid=GONE))
    D("by-alg-swapped", "the key that says PS256 signs RS256", "key algorithm signature", "by-alg", token(alg="RS256", key="rsa2", kid=GONE), "token_signature_mismatch")
    D("by-alg-none-fits", "RS384: neither says so", "key algorithm", "by-alg", token(alg="RS384", key="rsa1", kid=GONE), "token_key_unknown")
    A("half-pinned", "PS256 without kid: the other key is RS256's", "allow key algorithm", "half-pinned", token(alg="PS256", key="rsa2", kid=GONE))
    D("half-pinned-both", "RS256 without kid: both fit", "key algorithm", "half-pinned", token(alg="RS256", key="rsa1", kid=GONE), "token_key_unknown")
    D("half-pinned-kid", "PS256 with the kid of RS256's key", "key algorithm", "half-pinned", token(alg="PS256", key="rsa1", kid="r1"), "token_algorithm_not_allowed")
    A("cache-again", "a token a second time", "allow cache", "main", BASE, before=["main", "main"])
    D("cache-signature", "a token whose first characters were let through before, another signature", "cache", "main", BASE.signature(lambda s: s[:-1] + bytes([s[-1] ^ 1])), "token_signature_mismatch", "cache-again", before=["main", "main"])
    D("cache-payload", "another payload under the signature that was let through", "cache", "main", BASE.part(1, b64u(dumps(but(CLAIMS, sub="admin")).encode())), "token_signature_mismatch", "cache-again", before=["main", "main"])
    A("cache-later", "the last second of a token that was let through before", "allow cache time", "main", bearer(BASE, now=NOW + 319), before=["main"])
    D("cache-expired", "a token that was let through before, expired since", "cache time", "main", bearer(BASE, now=NOW + 320), "token_expired", "cache-later", before=["main"])
    A("cache-refused", "a refused token does not spoil a right one", "allow cache", "main", BASE, before=["key-swapped", "key-absent"])


def signatures():
    made = {alg: token(alg=alg, key=NATURAL[alg], kid="k1") for alg in ALGORITHMS}
    for alg, made_ in made.items():
        p = "alg-" + alg.lower()
        D("signature-%s-payload" % alg.lower(), alg + ": the payload changed", "signature", p, made_.part(1, b64u(dumps(but(CLAIMS, sub="user-2")).encode())), "token_signature_mismatch")
        D("signature-%s-header" % alg.lower(), alg + ": the header spelled otherwise", "signature", p, made_.part(0, b64u(json.dumps(but(HEADER, alg=alg, kid="k1")).encode())), "token_signature_mismatch")
        D("signature-%s-bit" % alg.lower(), alg + ": one bit of the signature", "signature", p, made_.signature(lambda s: s[:9] + bytes([s[9] ^ 1]) + s[10:]), "token_signature_mismatch")
        D("signature-%s-short" % alg.lower(), alg + ": a byte less", "signature", p, made_.signature(lambda s: s[:-1]), "token_signature_mismatch")
        D("signature-%s-long" % alg.lower(), alg + ": a byte more", "signature", p, made_.signature(lambda s: s + b"\0"), "token_signature_mismatch")
        D("signature-%s-long-before" % alg.lower(), alg + ": a zero before", "signature", p, made_.signature(lambda s: b"\0" + s), "token_signature_mismatch")
        D("signature-%s-zeros" % alg.lower(), alg + ": zeros", "signature", p, made_.signature(lambda s: bytes(len(s))), "token_signature_mismatch")
        D("signature-%s-one-byte" % alg.lower(), alg + ": one byte", "signature", p, made_.signature(lambda s: b"\0"), "token_signature_mismatch")
        D("signature-%s-payload-only" % alg.lower(), alg + ": signed over the payload alone", "signature", p, token(alg=alg, kid="k1", sig=lambda d, a=alg: sign(a, NATURAL[a], d.split(b".")[1])), "token_signature_mismatch")
        D("signature-%s-decoded" % alg.lower(), alg + ": signed over the decoded parts", "signature", p, token(alg=alg, kid="k1", sig=lambda d, a=alg: sign(a, NATURAL[a], b".".join(unb64u(x.decode()) for x in d.split(b".")))), "token_signature_mismatch")
    for alg, size, n in [("ES256", 32, P256_N), ("ES384", 48, P384_N)]:
        p, good = "alg-" + alg.lower(), made[alg]
        order, one = n.to_bytes(size, "big"), (1).to_bytes(size, "big")
        r, s = (lambda b: (b[:size], b[size:]))(unb64u(good.split(".")[2]))
        other = (n - int.from_bytes(s, "big")).to_bytes(size, "big")
        A("ecdsa-%s-other-s" % alg.lower(), alg + ": (r, n-s) is a signature too", "allow signature", p, good.signature(r + other))
        for slug, sig, why in [
            ("r-zero", bytes(size) + s, "r = 0"), ("s-zero", r + bytes(size), "s = 0"), ("n-n", order + order, "r = s = n"), ("r-n", order + s, "r = n"), ("s-n", r + order, "s = n"), ("one-one", one + one, "r = s = 1"), ("zero-one", bytes(size) + one, "r = 0, s = 1"),
            ("ones", b"\xff" * 2 * size, "all ones"), ("swapped", s + r, "r and s swapped"), ("minus-r", (n - int.from_bytes(r, "big")).to_bytes(size, "big") + s, "n-r"), ("der", utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")), "DER"),
            ("der-zero", b"\x30\x06\x02\x01\0\x02\x01\0", "DER zeros"), ("little", r[::-1] + s[::-1], "little-endian"), ("half", r, "r alone"), ("three", r + s + s, "three halves"), ("padded", b"\0" + r + b"\0" + s, "a zero before each half"),
            ("raw-digest", sign(alg, NATURAL[alg], hashlib.new("sha" + alg[2:], b"x").digest()), "of something else"),
        ]:
            D("ecdsa-%s-%s" % (alg.lower(), slug), "%s: %s" % (alg, why), "signature", p, good.signature(sig), "token_signature_mismatch")
    D("ecdsa-es256-by-es384", "an ES384 signature for ES256", "signature", "alg-es256", token(alg="ES256", kid="k1", sig=lambda d: sign("ES384", "ec3", d)), "token_signature_mismatch")
    D("ecdsa-es384-by-es256", "an ES256 signature for ES384", "signature", "alg-es384", token(alg="ES384", kid="k1", sig=lambda d: sign("ES256", "ec1", d)), "token_signature_mismatch")
    D("ecdsa-es256-sha384", "ES256 with SHA-384", "signature", "alg-es256", token(alg="ES256", kid="k1", sig=lambda d: sign("ES384", "ec1", d)), "token_signature_mismatch")
    D("ecdsa-es384-sha256", "ES384 with SHA-256", "signature", "alg-es384", token(alg="ES384", kid="k1", sig=lambda d: sign("ES256", "ec3", d)), "token_signature_mismatch")
    # Ed25519: S is below L (RFC 8032 §5.1.7).
    r, s = (lambda b: (b[:32], int.from_bytes(b[32:], "little")))(unb64u(TAIL))
    refuse("ed25519-", "signature", "main", "token_signature_mismatch", [
        ("s-plus-l", BASE.signature(r + (s + ED25519_L).to_bytes(32, "little")), "S + L"), ("s-top-bit", BASE.signature(r + (s | 1 << 255).to_bytes(32, "little")), "S with the top bit"), ("minus-s", BASE.signature(r + (ED25519_L - s).to_bytes(32, "little")), "L - S"),
        ("identity", BASE.signature(b"\1" + bytes(63)), "R the neutral element, S = 0"), ("r-sign", BASE.signature(bytes(r[:31]) + bytes([r[31] ^ 0x80]) + s.to_bytes(32, "little")), "the sign of R"), ("ones", BASE.signature(b"\xff" * 64), "all ones"),
        ("prehashed", token(sig=lambda d: sign("EdDSA", "ed1", hashlib.sha512(d).digest())), "over the hash"), ("swapped", BASE.signature(lambda b: b[32:] + b[:32]), "halves swapped"), ("half", BASE.signature(lambda b: b[:32]), "R alone"),
    ])
    # RSA
    A("rsa-3072", "RS256, 3072 bits", "allow signature", "rsa-3072", token(alg="RS256", key="rsa3", kid="r3"))
    A("rsa-3072-pss", "PS256, 3072 bits", "allow signature", "rsa-3072", token(alg="PS256", key="rsa3", kid="r3"))
    D("rsa-3072-by-2048", "a signature of 2048 bits", "signature", "rsa-3072", token(alg="RS256", key="rsa1", kid="r3"), "token_signature_mismatch")
    D("rsa-2048-by-3072", "a signature of 3072 bits", "signature", "alg-rs256", token(alg="RS256", key="rsa3", kid="k1"), "token_signature_mismatch")
    D("rsa-rs-by-ps", "the header says RS256, the signature is PS256", "signature algorithm", "rsa-open", token(alg="RS256", kid="r1", sig=lambda d: sign("PS256", "rsa1", d)), "token_signature_mismatch")
    D("rsa-ps-by-rs", "the header says PS256, the signature is RS256", "signature algorithm", "rsa-open", token(alg="PS256", kid="r1", sig=lambda d: sign("RS256", "rsa1", d)), "token_signature_mismatch")
    for alg, other in [("RS256", "RS384"), ("RS256", "RS512"), ("RS512", "RS256"), ("PS256", "PS384"), ("PS384", "PS256"), ("PS512", "PS256")]:
        D("rsa-%s-by-%s" % (alg.lower(), other.lower()), "the header says %s, the signature is %s" % (alg, other), "signature algorithm", "rsa-open", token(alg=alg, kid="r1", sig=lambda d, o=other: sign(o, "rsa1", d)), "token_signature_mismatch")
    info = bytes.fromhex("3031300d060960864801650304020105000420")
    block = lambda tail, pad=b"\xff", kind_=b"\1": b"\0" + kind_ + pad * (256 - 3 - len(tail)) + b"\0" + tail
    digest = lambda d: hashlib.sha256(d).digest()
    assert token(alg="RS256", key="rsa1", kid="r1") == token(alg="RS256", kid="r1", sig=lambda d: rsa_raw("rsa1", block(info + digest(d))))
    for slug, make, why in [
        ("no-null", lambda d: block(bytes.fromhex("302f300b0609608648016503040201") + b"\4\x20" + digest(d)), "a DigestInfo without NULL"), ("no-info", lambda d: block(digest(d)), "the hash without a DigestInfo"), ("sha1", lambda d: block(bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(d).digest()), "SHA-1"),
        ("pad-zero", lambda d: block(info + digest(d), b"\0"), "zeros as padding"), ("type-2", lambda d: block(info + digest(d), b"\xff", b"\2"), "block type 2"), ("type-0", lambda d: block(info + digest(d), b"\0", b"\0"), "block type 0"), ("no-zero", lambda d: b"\0\1" + b"\xff" * (254 - 51) + info + digest(d), "no zero before the DigestInfo"),
        ("short-pad", lambda d: b"\0\1" + b"\xff" * 8 + b"\0" + info + digest(d) + bytes(256 - 11 - 51), "a short padding and zeros behind (CVE-2006-4339)"), ("garbage-middle", lambda d: b"\0\1" + b"\xff" * 90 + b"\0" + info + digest(d) + octets("garbage", 256 - 93 - 51), "garbage behind the hash"),
        ("long-length", lambda d: block(bytes.fromhex("308131300d06096086480165030402010500") + b"\4\x20" + digest(d)), "a length in the long form"), ("null-data", lambda d: block(bytes.fromhex("3033300f0609608648016503040201050201ff0420") + digest(d)), "NULL with contents"),
    ]:
        D("rsa-pkcs1-" + slug, why, "signature", "rsa-open", token(alg="RS256", kid="r1", sig=lambda d, m=make: rsa_raw("rsa1", m(d))), "token_signature_mismatch")
    for slug, more, why in [("salt-0", {"salt_length": 0}, "no salt"), ("salt-20", {"salt_length": 20}, "a salt of 20 bytes"), ("salt-31", {"salt_length": 31}, "a salt of 31 bytes"), ("salt-33", {"salt_length": 33}, "a salt of 33 bytes"), ("salt-max", {"salt_length": 222}, "the longest salt"),
                            ("mgf-sha1", {"mgf": "sha1"}, "MGF1 with SHA-1"), ("mgf-sha512", {"mgf": "sha512"}, "MGF1 with SHA-512")]:
        D("rsa-pss-" + slug, why + " (RFC 7518 §3.5)", "signature", "rsa-open", token(alg="PS256", kid="r1", sig=lambda d, m=more: rsa_raw("rsa1", pss_encode(d, "PS256", 2048, **m))), "token_signature_mismatch")
    D("rsa-pss-trailer", "another trailer", "signature", "rsa-open", token(alg="PS256", kid="r1", sig=lambda d: rsa_raw("rsa1", pss_encode(d, "PS256", 2048)[:-1] + b"\xcc")), "token_signature_mismatch")
    n = number(KEYS["rsa1"]["n"])
    small = next(t for t in (token(alg="RS256", key="rsa1", kid="r1", claims=but(CLAIMS, jti=str(i))) for i in range(99)) if number(t.split(".")[2]) + n < 1 << 2048)
    D("rsa-plus-n", "the signature plus the modulus", "signature", "rsa-open", small.signature((number(small.split(".")[2]) + n).to_bytes(256, "big")), "token_signature_mismatch")
    for slug, value in [("one", 1), ("minus-one", n - 1), ("n", n)]:
        D("rsa-" + slug, "the signature is " + {"one": "1", "minus-one": "n - 1", "n": "n"}[slug], "signature", "rsa-open", token(alg="RS256", key="rsa1", kid="r1").signature(value.to_bytes(256, "big")), "token_signature_mismatch")


def times():
    b = "tight"
    A("tight", "clock_tolerance 0", "allow time", b, c(exp=NOW + 1, nbf=NOW, iat=NOW))
    D("tight-exp", "exp = now: on or after (RFC 7519 §4.1.4)", "time signed-anyway", b, c(exp=NOW), "token_expired")
    D("tight-exp-past", "exp a second ago", "time signed-anyway", b, c(exp=NOW - 1), "token_expired")
    D("tight-nbf", "nbf in one second", "time signed-anyway", b, c(nbf=NOW + 1), "token_not_yet_valid")
    D("tight-iat", "iat in one second", "time signed-anyway", b, c(iat=NOW + 1), "token_not_yet_valid")
    b = "main"
    A("time-exp-edge", "the last second: exp = now - 29", "allow time", b, c(exp=NOW - 29))
    D("time-exp", "exp = now - 30", "time signed-anyway", b, c(exp=NOW - 30), "token_expired")
    D("time-exp-31", "exp = now - 31", "time signed-anyway", b, c(exp=NOW - 31), "token_expired")
    D("time-exp-zero", "exp 0 is a date", "time date signed-anyway", b, c(exp=0), "token_expired")
    D("time-exp-one", "exp 1", "time date signed-anyway", b, c(exp=1), "token_expired")
    A("time-exp-max", "the last date", "allow time date", b, c(exp=253402300799))
    A("time-nbf-edge", "nbf = now + 30", "allow time", b, c(nbf=NOW + 30))
    D("time-nbf", "nbf = now + 31", "time signed-anyway", b, c(nbf=NOW + 31), "token_not_yet_valid")
    D("time-nbf-max", "nbf on the last date", "time date signed-anyway", b, c(nbf=253402300799), "token_not_yet_valid")
    A("time-nbf-zero", "nbf 0", "allow time date", b, c(nbf=0))
    A("time-nbf-after-exp", "nbf after exp, both within the tolerance", "allow time", b, c(exp=NOW - 10, nbf=NOW + 10))
    A("time-iat-edge", "iat = now + 30", "allow time", b, c(iat=NOW + 30))
    D("time-iat", "iat = now + 31", "time signed-anyway", b, c(iat=NOW + 31), "token_not_yet_valid")
    D("time-iat-far", "iat in the far future", "time signed-anyway", b, c(iat=253402300799, exp=253402300799), "token_not_yet_valid")
    A("time-iat-zero", "iat 0, without a cap", "allow time date", b, c(iat=0))
    A("time-now-late", "the last second of a token", "allow time", b, bearer(BASE, now=NOW + 319))
    D("time-now-late-320", "one second later", "time", b, bearer(BASE, now=NOW + 320), "token_expired")
    A("time-now-early", "the first second of a token", "allow time", b, bearer(BASE, now=NOW - 40))
    D("time-now-early-41", "one second earlier", "time", b, bearer(BASE, now=NOW - 41), "token_not_yet_valid")
    A("time-now-zero", "a clock that says 0", "allow time", b, bearer(c(iat=0, exp=1), now=0))
    D("time-now-zero-iat", "a clock that says 0, iat 31", "time signed-anyway", b, bearer(c(iat=31, exp=100), now=0), "token_not_yet_valid", "time-now-zero")
    A("time-now-zero-exp", "a clock that says 0, exp 0, within the tolerance", "allow time date", b, bearer(c(iat=0, exp=0), now=0))
    D("time-now-max", "a clock at 2^53 - 1", "time", b, bearer(BASE, now=2**53 - 1), "token_expired")
    A("wide", "exp = now - 599, nbf and iat = now + 600, tolerance ten minutes", "allow time", "wide", c(exp=NOW - 599, nbf=NOW + 600, iat=NOW + 600))
    D("wide-exp", "exp = now - 600", "time signed-anyway", "wide", c(exp=NOW - 600), "token_expired")
    D("wide-nbf", "nbf = now + 601", "time signed-anyway", "wide", c(nbf=NOW + 601), "token_not_yet_valid")
    D("wide-iat", "iat = now + 601", "time signed-anyway", "wide", c(iat=NOW + 601), "token_not_yet_valid")
    D("wide-exp-1", "exp = 1, now = 700", "time signed-anyway", "wide", bearer(c(exp=1, iat=0), now=700), "token_expired", "wide-exp-1-twin")
    A("wide-exp-1-twin", "exp = 101, now = 700", "allow time", "wide", bearer(c(exp=101, iat=0), now=700))

    # NumericDate
    for claim, n, e, e_int in [("exp", NOW + 290, "1.76722589e9", "2e9"), ("nbf", NOW - 10, "1.76722559e9", "1e9"), ("iat", NOW - 10, "1.76722559e9", "1e9")]:
        assert int(float(e)) == n
        spellings = [("string", '"%d"' % n, "a string"), ("fraction", "%d.0" % n, "a fraction of zero"), ("half", "%d.5" % n, "a fraction"), ("exponent", e, "an exponent"), ("exponent-int", e_int, "an exponent"), ("exponent-zero", "%de0" % n, "an exponent of zero"), ("exponent-upper", e_int.upper(), "an exponent"), ("minus", "-%d" % n, "negative"), ("minus-one", "-1", "-1"),
                     ("minus-zero", "-0", "-0"), ("null", "null", "null"), ("true", "true", "true"), ("false", "false", "false"), ("list", "[]", "an empty list"), ("list-date", "[%d]" % n, "a list of one"), ("object", "{}", "an object"), ("text", '"soon"', "a text"), ("empty", '""', "an empty string"), ("iso", '"2027-01-01T00:00:00Z"', "ISO 8601"),
                     ("over", "253402300800", "a second after the last date"), ("ms", "%d000" % n, "milliseconds"), ("ms-99", "9999999999999", "milliseconds"), ("i64", "9223372036854775807", "2^63 - 1"), ("i64-over", "9223372036854775808", "2^63"), ("u64", "18446744073709551615", "2^64 - 1"), ("u64-over", "18446744073709551616", "2^64"), ("wrap", str(2**64 + n), "2^64 and a date"),
                     ("wrap-32", str(2**53 + 1), "2^53 + 1"), ("e308", "1e308", "1e308"), ("e999", "1e999", "1e999"), ("long", "1" + "0" * 400, "401 digits"), ("tiny", "1e-9", "1e-9"), ("half-second", "0.5", "0.5")]
        for slug, text, why in spellings:
            D("date-%s-%s" % (claim, slug), "%s: %s" % (claim, why), "date signed-anyway", "main", c(**{claim: Raw(text)}), "claim_malformed")
    D("exp-missing", "no exp", "time signed-anyway", "main", c(exp=GONE), "claim_missing")
    D("exp-upper", "EXP is another claim", "time signed-anyway", "main", c(exp=GONE, EXP=NOW + 290), "claim_missing")
    D("exp-header", "exp in the header alone", "time signed-anyway", "main", token(claims=but(CLAIMS, exp=GONE), exp=NOW + 290), "claim_missing")
    D("exp-nested", "exp inside of another claim", "time signed-anyway", "main", c(exp=GONE, x={"exp": NOW + 290}), "claim_missing")

    # caps
    A("life", "exp - iat = max_lifetime", "allow lifetime", "life", c(iat=NOW - 10, exp=NOW + 290))
    D("life-over", "a second more", "lifetime signed-anyway", "life", c(iat=NOW - 10, exp=NOW + 291), "token_lifetime_too_long")
    D("life-over-iat", "iat a second earlier", "lifetime signed-anyway", "life", c(iat=NOW - 11, exp=NOW + 290), "token_lifetime_too_long")
    D("life-far", "a token for ever", "lifetime signed-anyway", "life", c(exp=253402300799), "token_lifetime_too_long")
    D("life-iat-zero", "iat 0", "lifetime date signed-anyway", "life", c(iat=0), "token_lifetime_too_long")
    D("life-no-iat", "no iat, while a lifetime is set (the rule is the section's: no list names it)", "lifetime signed-anyway ambiguous", "life", c(iat=GONE), "claim_missing")
    D("life-iat-null", "iat null is there, of another type", "lifetime date signed-anyway", "life", c(iat=None), "claim_malformed")
    # Ambiguous: "exp <= iat: token_lifetime_too_long (exp <= iat: claim_malformed)"; the parenthesis is taken as the correction.
    D("life-equal", "exp = iat", "lifetime signed-anyway ambiguous", "life", c(iat=NOW + 10, exp=NOW + 10), "claim_malformed")
    D("life-reversed", "exp before iat", "lifetime signed-anyway ambiguous", "life", c(iat=NOW + 10, exp=NOW + 9), "claim_malformed")
    D("life-reversed-past", "exp before iat, both past", "lifetime signed-anyway ambiguous", "life", c(iat=NOW - 1, exp=NOW - 29), "claim_malformed")
    A("life-one", "a lifetime of one second", "allow lifetime", "life", c(iat=NOW, exp=NOW + 1))
    A("life-future", "iat within the tolerance ahead", "allow lifetime", "life", c(iat=NOW + 30, exp=NOW + 330))
    D("life-future-over", "the lifetime has no tolerance", "lifetime signed-anyway", "life", c(iat=NOW + 30, exp=NOW + 331), "token_lifetime_too_long")
    A("time-exp-before-iat", "exp before iat, where no lifetime is set: max_lifetime's rule alone looks at both", "allow lifetime ambiguous", "main", c(iat=NOW + 10, exp=NOW - 10))
    A("age", "now - iat = max_age", "allow lifetime", "age", c(iat=NOW - 600))
    D("age-over", "a second more", "lifetime signed-anyway", "age", c(iat=NOW - 601), "token_too_old")
    D("age-over-now", "a second later", "lifetime", "age", bearer(c(iat=NOW - 600), now=NOW + 1), "token_too_old")
    D("age-zero", "iat 0", "lifetime date signed-anyway", "age", c(iat=0), "token_too_old")
    D("age-no-iat", "no iat, while an age is set", "lifetime signed-anyway ambiguous", "age", c(iat=GONE), "claim_missing")
    D("age-iat-string", "iat a string", "lifetime date signed-anyway", "age", c(iat=str(NOW)), "claim_malformed")
    A("age-future", "iat within the tolerance ahead", "allow lifetime", "age", c(iat=NOW + 30))
    A("age-long-life", "max_age says nothing of exp", "allow lifetime", "age", c(exp=253402300799))
    A("caps", "both caps", "allow lifetime", "caps", c(iat=NOW - 600, exp=NOW + 3000))
    D("caps-both", "too long and too old: the lifetime comes first", "lifetime order signed-anyway", "caps", c(iat=NOW - 601, exp=NOW + 3000), "token_lifetime_too_long")
    D("caps-old", "too old alone", "lifetime signed-anyway", "caps", c(iat=NOW - 601, exp=NOW + 2999), "token_too_old")
    D("caps-no-iat", "no iat", "lifetime signed-anyway ambiguous", "caps", c(iat=GONE), "claim_missing")
    A("long-caps", "caps of 8760 hours", "allow lifetime", "long-caps", c(iat=NOW - 31536000, exp=NOW + 0))
    D("long-caps-life", "a second more", "lifetime signed-anyway", "long-caps", c(iat=NOW - 31536000, exp=NOW + 1), "token_lifetime_too_long")
    D("long-caps-old", "a second older", "lifetime signed-anyway", "long-caps", c(iat=NOW - 31536001, exp=NOW - 1), "token_too_old")
    D("full-life", "with a list that names iat: too long", "lifetime signed-anyway", "full", c(exp=NOW + 291), "token_lifetime_too_long")


def issuer_and_audience():
    rows = [("other", "https://evil.test/", "another issuer"), ("prefix", ISS[:-5], "a prefix"), ("no-slash", ISS[:-1], "no slash at the end"), ("two-slashes", ISS + "/", "two slashes"), ("suffix", "https://auth.example.com/.evil.test", "a longer one"), ("longer-host", "https://auth.example.com.evil.test/", "a host that starts so"),
            ("case", ISS.upper(), "upper case"), ("host-case", "https://Auth.example.com/", "the host in another case"), ("http", "http://auth.example.com/", "http"), ("no-scheme", "auth.example.com/", "no scheme"), ("port", "https://auth.example.com:443/", "the default port"), ("space", ISS + " ", "a space behind"),
            ("space-before", " " + ISS, "a space before"), ("empty", "", "empty"), ("nul", ISS + "\0", "NUL behind"), ("newline", ISS + "\n", "a line feed behind"), ("query", ISS + "?x", "a query"), ("escaped", "https://auth.example.com%2f", "escaped"), ("substring", "x" + ISS, "a longer one"), ("dots", "https://auth.example.com/./", "a dot segment"),
            ("long", "https://auth.example.com/" + "a" * 9000, "9,000 characters"), ("userinfo", "https://auth.example.com@evil.test/", "as userinfo"), ("audience", API, "the audience"), ("list-text", '["%s"]' % ISS, "a list as text")]
    refuse("issuer-", "issuer signed-anyway", "main", "issuer_mismatch", [(slug, c(iss=iss), why) for slug, iss, why in rows])
    refuse("issuer-", "issuer signed-anyway", "main", "claim_malformed", [(slug, c(iss=iss), why) for slug, iss, why in [("number", 5, "a number"), ("null", None, "null"), ("list", [ISS], "a list of one"), ("list-two", [ISS, "https://evil.test/"], "a list of two"), ("list-empty", [], "an empty list"), ("object", {"url": ISS}, "an object"), ("true", True, "true")]])
    D("issuer-missing", "no iss", "issuer signed-anyway", "main", c(iss=GONE), "claim_missing")
    D("issuer-upper", "ISS is another claim", "issuer signed-anyway", "main", c(iss=GONE, ISS=ISS), "claim_missing")
    D("issuer-plain-prefix", "a plain issuer, a longer one", "issuer signed-anyway", "plain-issuer", c(iss="auth/", aud="orders"), "issuer_mismatch")
    A("audience-list", "a list with the audience in it", "allow audience", "main", c(aud=["other", API]))
    A("audience-list-one", "a list of one", "allow audience", "main", c(aud=[API]))
    A("audience-list-twice", "the audience twice", "allow audience", "main", c(aud=[API, API]))
    A("audience-list-empty-string", "an empty string beside", "allow audience", "main", c(aud=["", API]))
    A("audience-list-many", "the last of a hundred", "allow audience", "main", c(aud=["a%d" % n for n in range(99)] + [API]))
    A("audiences", "the first of two configured", "allow audience", "audiences", BASE)
    A("audiences-second", "the second of two configured", "allow audience", "audiences", c(aud="https://api.example.com/"))
    D("audiences-neither", "neither of two", "audience signed-anyway", "audiences", c(aud="https://api.example.com"), "audience_mismatch")
    D("audiences-both-text", "both in one string", "audience signed-anyway", "audiences", c(aud=API + " https://api.example.com/"), "audience_mismatch")
    rows = [("other", "other.example.com", "another"), ("empty", "", "empty"), ("prefix", "api.example", "a prefix"), ("suffix", "api.example.com.evil.test", "a longer one"), ("substring", "my-api.example.com", "a substring"), ("slash", API + "/", "a slash at the end"), ("https", "https://api.example.com", "with https:// (check_audience.cc)"), ("https-slash", "https://api.example.com/", "with https:// and a slash"),
            ("http", "http://api.example.com", "with http://"), ("case", API.upper(), "upper case"), ("space", API + " ", "a space behind"), ("comma", API + ",other", "a comma"), ("spaces", "other " + API, "two in one string"), ("list-other", ["other", "another"], "a list without it"), ("list-blank", [""], "a list of an empty string"), ("list-slash", [API + "/"], "a list with a slash"),
            ("wild", "*", "a wildcard"), ("wild-host", "*.example.com", "a wildcard of the host"), ("nul", API + "\0", "NUL behind"), ("list-joined", [API[:3], API[3:]], "in two pieces"), ("issuer", ISS, "the issuer"), ("port", API + ":443", "with a port"), ("text", '["%s"]' % API, "a list as text")]
    refuse("audience-", "audience signed-anyway", "main", "audience_mismatch", [(slug, c(aud=aud), why) for slug, aud, why in rows])
    refuse("audience-", "audience signed-anyway", "main", "claim_malformed", [(slug, c(aud=aud), why) for slug, aud, why in [
        ("list-empty", [], "an empty list"), ("number", 7, "a number"), ("null", None, "null"), ("object", {}, "an object"), ("object-named", {"aud": API}, "an object with a string"), ("true", True, "true"), ("list-number", [API, 1], "a list with a number"), ("list-number-first", [1, API], "a list with a number first"),
        ("list-null", [API, None], "a list with null"), ("list-list", [[API]], "a list in a list"), ("list-object", [API, {}], "a list with an object"), ("list-true", [API, True], "a list with true"), ("list-numbers", [0], "a list of a number")]])
    D("audience-missing", "no aud (CVE-2020-26160)", "audience signed-anyway", "main", c(aud=GONE), "claim_missing")
    D("audience-azp", "azp does not stand for aud", "audience signed-anyway", "main", c(aud=GONE, azp=API), "claim_missing")
    D("audience-plain", "another plain audience", "audience signed-anyway", "plain-issuer", c(iss="auth", aud="order"), "audience_mismatch")


def other_claims():
    full = dict(jti="j-1", tenant="t-1")
    A("required", "all that is required", "allow claims", "required", c(**full))
    for slug, value in [("zero", 0), ("false", False), ("empty", ""), ("list", []), ("object", {})]:
        A("required-" + slug, "there and not null: " + json.dumps(value), "allow claims", "required", c(**{**full, "tenant": value}))
    for name in ["jti", "tenant", "sub"]:
        D("required-no-" + name, "no " + name, "claims signed-anyway", "required", c(**{**full, name: GONE}), "claim_missing", suffix=".required_claims")
        D("required-null-" + name, name + " null", "claims signed-anyway", "required", c(**{**full, name: None}), "claim_missing", suffix=".required_claims")
    D("required-case", "names have case", "claims signed-anyway", "required", c(jti="j-1", Tenant="t-1"), "claim_missing", suffix=".required_claims")
    D("required-nested", "nested", "claims signed-anyway", "required", c(jti="j-1", x={"tenant": "t-1"}), "claim_missing", suffix=".required_claims")
    D("required-header", "in the header", "claims signed-anyway", "required", token(claims=but(CLAIMS, jti="j-1"), tenant="t-1"), "claim_missing", suffix=".required_claims")
    A("required-iat", "iat and nbf", "allow claims", "required-iat", c(nbf=NOW))
    D("required-iat-no", "no iat, which the list names", "claims signed-anyway", "required-iat", c(nbf=NOW, iat=GONE), "claim_missing", suffix=".required_claims")
    D("required-iat-no-nbf", "no nbf, which the list names", "claims signed-anyway", "required-iat", BASE, "claim_missing", suffix=".required_claims")
    D("required-iat-null", "nbf null is there, of another type, before the list is looked at", "claims order signed-anyway", "required-iat", c(nbf=None), "claim_malformed")
    for name in ["sub", "jti", "client_id", "azp"]:
        for slug, value in [("number", 7), ("null", None), ("list", ["a"]), ("object", {}), ("true", True)]:
            D("string-%s-%s" % (name, slug), "%s: %s" % (name, slug), "claims signed-anyway", "main", c(**{name: value}), "claim_malformed")
    A("string-empty", "empty strings are strings", "allow claims", "main", c(jti="", client_id="", azp=""))
    D("string-required", "a required sub of another type", "claims signed-anyway", "required", c(**full, sub=7), "claim_malformed")

    A("expect", "a claim with one of the values", "allow claims", "expect", c(client_id="app-1"))
    A("expect-second", "with the other", "allow claims", "expect", c(client_id="app-2"))
    for slug, value in [("other", "app-3"), ("empty", ""), ("case", "APP-1"), ("prefix", "app-"), ("longer", "app-11"), ("both", "app-1 app-2"), ("space", "app-1 ")]:
        D("expect-" + slug, "client_id `%s`" % value, "claims signed-anyway", "expect", c(client_id=value), "claim_mismatch")
    # Ambiguous: `else claim_mismatch` says nothing of an absent claim; the sentence at the head of the list does. The key that asks for it is `expect`.
    D("expect-missing", "a claim that is expected and not there", "claims signed-anyway ambiguous", "expect", BASE, "claim_missing", suffix=".expect")
    D("expect-azp", "azp does not stand for client_id", "claims signed-anyway ambiguous", "expect", c(azp="app-1"), "claim_missing", suffix=".expect")
    D("expect-number", "client_id a number: it is a string wherever it occurs", "claims signed-anyway", "expect", c(client_id=1), "claim_malformed")
    D("expect-list", "client_id a list", "claims signed-anyway", "expect", c(client_id=["app-1"]), "claim_malformed")
    A("expect-two", "two claims", "allow claims", "expect-two", c(azp="app-1", tenant="t-2"))
    D("expect-two-first", "one of two is wrong", "claims signed-anyway", "expect-two", c(azp="app-2", tenant="t-2"), "claim_mismatch")
    D("expect-two-second", "the other is wrong", "claims signed-anyway", "expect-two", c(azp="app-1", tenant="t-3"), "claim_mismatch")
    D("expect-two-swapped", "each has the other's value", "claims signed-anyway", "expect-two", c(azp="t-1", tenant="app-1"), "claim_mismatch")
    for slug, value in [("number", 1), ("list", ["t-1"]), ("null", None)]:
        D("expect-two-" + slug, "tenant: " + slug, "claims signed-anyway ambiguous", "expect-two", c(azp="app-1", tenant=value), "claim_malformed", suffix=".expect")

    for slug, value in [("jkt", {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), ("x5t", {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}), ("empty", {}), ("null", None), ("string", "x"), ("jwk", {"jwk": {}}), ("false", False)]:
        D("binding-" + slug, "cnf is there: " + slug, "confirmation signed-anyway", "main", c(cnf=value), "token_binding_missing")
    D("binding-escaped", "cnf, escaped", "confirmation signed-anyway", "main", token(claims=dumps(CLAIMS)[:-1] + ',"\\u0063nf":{}}'), "token_binding_missing")
    A("binding-upper", "CNF has no meaning, nor has a nested cnf", "allow confirmation", "main", c(CNF={}, x={"cnf": {}}))
    A("binding-header", "nor has cnf in the header", "allow confirmation", "main", token(cnf={"jkt": "x"}))


def scopes():
    read, write = "orders:read", "orders:write"
    A("scope", "the one scope", "allow scope", "scope", c(scope=read))
    A("scope-among", "among others, in any order", "allow scope identity", "scope", c(scope="z %s a" % read))
    A("scope-twice", "a scope twice", "allow scope identity", "scope", c(scope="%s a %s" % (read, read)))
    A("scope-scp", "in scp, a list", "allow scope identity", "scope", c(scp=["a", read]))
    A("scope-scp-string", "in scp, a string", "allow scope identity", "scope", c(scp="a " + read))
    A("scope-both", "in both, equal", "allow scope identity", "scope", c(scope="a " + read, scp=["a", read]))
    A("scope-both-order", "in both, equal as sets: the order is that of scope", "allow scope identity ambiguous", "scope", c(scope="a " + read, scp=[read, "a"]))
    A("scope-both-repeats", "in both, equal as sets, one with a repetition", "allow scope identity", "scope", c(scope="%s a a" % read, scp="%s a" % read))
    A("scope-characters", "every character of RFC 6749 §3.3", "allow scope identity", "scope", c(scope=read + " !#$%&'()*+,-./:;<=>?@[]^_`{|}~ https://x/y"))
    rows = [("none", {}, "no scope at all"), ("other", {"scope": "orders:list"}, "another"), ("prefix", {"scope": "orders:rea"}, "a prefix"), ("longer", {"scope": "orders:reads"}, "a longer one"), ("case", {"scope": read.upper()}, "upper case"), ("wild", {"scope": "orders:* *"}, "wildcards"), ("parent", {"scope": "orders"}, "a parent"),
            ("comma", {"scope": "a,%s" % read}, "a comma separates nothing"), ("semicolon", {"scope": read + ";a"}, "a semicolon"), ("plus", {"scope": "a+" + read}, "a plus"), ("scopes", {"scopes": [read]}, "scopes is another claim"), ("roles", {"roles": [read]}, "roles"), ("permissions", {"permissions": [read]}, "permissions"), ("upper", {"Scope": read}, "Scope"),
            ("nested", {"x": {"scope": read}}, "nested"), ("scp-other", {"scp": ["a"]}, "scp without it"), ("scp-empty", {"scp": []}, "scp an empty list"), ("scp-prefix", {"scp": [read[:-1]]}, "scp with a prefix")]
    refuse("scope-insufficient-", "scope signed-anyway", "scope", "scope_insufficient", [(slug, c(**more), why) for slug, more, why in rows])
    D("scope-insufficient-scp-joined", "scp: two names in one string of a list are not two names", "scope signed-anyway ambiguous", "scope", c(scp=["a " + read]), "scope_insufficient")
    rows = [("number", {"scope": 1}, "a number"), ("null", {"scope": None}, "null"), ("list", {"scope": [read]}, "a list"), ("object", {"scope": {read: True}}, "an object"), ("true", {"scope": True}, "true"), ("tab", {"scope": "a\t" + read}, "a tab"), ("tab-beside", {"scope": read + " a\tb"}, "a tab in another name"), ("nbsp", {"scope": "a\u00a0" + read}, "a no-break space"),
            ("line-feed", {"scope": read + "\na"}, "a line feed"), ("double", {"scope": "a  " + read}, "two spaces"), ("space-before", {"scope": " " + read}, "a space before"), ("space-after", {"scope": read + " "}, "a space after"), ("quote", {"scope": read + ' "a"'}, "quotes"), ("backslash", {"scope": read + " a\\b"}, "a backslash"), ("nul", {"scope": read + "\0"}, "NUL"),
            ("unicode", {"scope": read + " \u00e9"}, "a letter beyond ASCII"), ("del", {"scope": read + " a\x7f"}, "a delete character"), ("space", {"scope": " "}, "a space alone"), ("scp-number", {"scp": 1}, "scp a number"), ("scp-null", {"scp": None}, "scp null"), ("scp-object", {"scp": {}}, "scp an object"), ("scp-list-number", {"scp": [read, 1]}, "scp with a number"),
            ("scp-list-null", {"scp": [read, None]}, "scp with null"), ("scp-list-list", {"scp": [[read]]}, "scp with a list"), ("scp-double", {"scp": "a  " + read}, "scp with two spaces"), ("both-differ", {"scope": read, "scp": ["a"]}, "scope and scp differ"), ("both-less", {"scope": read + " a", "scp": [read]}, "scp has less"), ("both-more", {"scope": read, "scp": [read, "admin"]}, "scp has more"),
            ("both-empty", {"scope": read, "scp": []}, "scp is empty"), ("both-number", {"scope": read, "scp": 1}, "scp of another type"), ("both-null", {"scope": read, "scp": None}, "scp null beside scope"), ("both-null-scope", {"scope": None, "scp": [read]}, "scope null beside scp"), ("both-strings", {"scope": read, "scp": "admin"}, "two strings that differ"), ("both-case", {"scope": read, "scp": [read.upper()]}, "they differ by case")]
    refuse("scope-malformed-", "scope signed-anyway", "scope", "claim_malformed", [(slug, c(**more), why) for slug, more, why in rows])
    # Ambiguous: RFC 6749 §3.3 has no empty scope; read by that grammar.
    D("scope-malformed-empty", "an empty string (RFC 6749 §3.3 has none)", "scope signed-anyway ambiguous", "scope", c(scope=""), "claim_malformed")
    D("scope-malformed-scp-empty", "scp an empty string", "scope signed-anyway ambiguous", "scope", c(scp=""), "claim_malformed")
    # Ambiguous: a route without scopes, a scope claim of another type. It cannot be given in identity, so it is refused.
    D("scope-malformed-unasked", "scope a number, on a route that asks for none", "scope signed-anyway ambiguous", "main", c(scope=1), "claim_malformed")
    D("scope-malformed-unasked-double", "two spaces, on a route that asks for none", "scope signed-anyway ambiguous", "main", c(scope="a  b"), "claim_malformed")
    D("scope-malformed-unasked-differ", "scope and scp differ, on a route that asks for none", "scope signed-anyway ambiguous", "main", c(scope="a", scp=["b"]), "claim_malformed")
    A("scope-two", "both of two", "allow scope", "scope-two", c(scope="orders:write orders:read"))
    D("scope-two-first", "the first of two", "scope signed-anyway", "scope-two", c(scope=read), "scope_insufficient")
    D("scope-two-second", "the second of two", "scope signed-anyway", "scope-two", c(scope=write), "scope_insufficient")
    D("scope-two-across", "one in scope, one in scp: they differ", "scope signed-anyway", "scope-two", c(scope=read, scp=[write]), "claim_malformed")
    A("scope-admin", "admin", "allow scope", "scope-admin", c(scope="admin"))
    for slug, value in [("administrator", "administrator"), ("superadmin", "superadmin"), ("dash", "admin-read"), ("dot", "x.admin"), ("case", "Admin"), ("split", "ad min"), ("slash", "admin/"), ("colon", "admin:read")]:
        D("scope-admin-" + slug, "%s is not admin" % value, "scope signed-anyway", "scope-admin", c(scope=value), "scope_insufficient")
    D("scope-admin-scp", "administrator in scp", "scope signed-anyway", "scope-admin", c(scp=["administrator"]), "scope_insufficient")
    D("scope-missing-token", "no token at all: token_missing, not a lack of scopes", "scope presence", "scope", bearer(), "token_missing")
    A("routes", "a route of one's own", "allow scope", "routes", BASE)
    A("routes-admin", "a route with scopes", "allow scope", "routes", bearer(c(scope="admin"), target="/admin/x"), route="admin")
    D("routes-admin-none", "a token without that scope", "scope", "routes", bearer(BASE, target="/admin/x"), "scope_insufficient", "routes-admin")
    D("routes-admin-case", "a path that differs by case selects another route: refused", "scope", "routes", bearer(c(scope="admin"), target="/Admin/x"), "route_not_allowed", "routes-admin")
    D("routes-admin-encoded", "an escaped letter", "scope", "routes", bearer(BASE, target="/%61dmin/x"), "route_not_allowed", "routes")
    D("routes-other-section", "a token of the other section's key", "key", "routes", token(alg="ES256", key="ec1", kid="w1"), "token_algorithm_not_allowed")


def alternatives():
    mine = lambda iss=ISS_A, key="ed1", **more: token(**{"header": {"kid": "k1", "typ": "at+jwt"}, "claims": but(CLAIMS, **{"iss": iss, "scope": "s", **more.pop("claims", {})}), "key": key, **more})
    yours = lambda **more: mine(**{"iss": ISS_B, "key": "ed2", "typ": "JWT", **more, "claims": {"aud": "other", **more.get("claims", {})}})
    A("either", "a token of the first issuer", "allow alternative identity", "either", mine())
    A("either-b", "a token of the second issuer, the same kid", "allow alternative identity", "either", yours(), name="b")
    A("either-b-ec", "another of its keys", "allow alternative identity", "either", yours(alg="ES256", key="ec1", kid="e1"), name="b")
    A("either-turned", "the other order: the second issuer is the first", "allow alternative identity", "either-turned", yours(), name="b")
    A("either-turned-a", "and the first is the second", "allow alternative identity", "either-turned", mine(), name="a")
    A("either-alone-a", "a route that takes one of them", "allow alternative", "either", bearer(mine(), target="/a/x"), name="a", route="a")
    A("either-alone-b", "a route that takes the other", "allow alternative", "either", bearer(yours(), target="/b/x"), name="b", route="b")
    D("either-alone-a-b", "the other issuer's token there: the section is not chosen by iss", "alternative", "either", bearer(yours(typ="at+jwt"), target="/a/x"), "token_signature_mismatch", "either-alone-a", name="a")
    D("either-alone-a-typ", "and its type", "alternative order", "either", bearer(yours(), target="/a/x"), "token_type_not_allowed", "either-alone-a", name="a")
    D("either-alone-b-a", "the first issuer's token where the other is asked for", "alternative", "either", bearer(mine(typ="JWT"), target="/b/x"), "token_signature_mismatch", "either-alone-b", name="b")
    rows = [("a-by-b", mine(key="ed2"), "a", "token_signature_mismatch", "the second issuer's key signs for the first"), ("b-by-a", yours(key="ed1"), "b", "token_signature_mismatch", "the first issuer's key signs for the second"), ("b-ec-by-ed", yours(kid="e1", alg="EdDSA"), "b", "token_algorithm_not_allowed", "the wrong key of the second"),
            ("a-ec", mine(alg="ES256", key="ec1", kid="e1"), "a", "token_algorithm_not_allowed", "the first allows no ES256"), ("a-kid-b", mine(kid="e1"), "a", "token_key_unknown", "a kid of the second"), ("a-typ", mine(typ="JWT"), "a", "token_type_not_allowed", "a type of the second"), ("b-typ", yours(typ="at+jwt"), "b", "token_type_not_allowed", "a type of the first"),
            ("a-aud", mine(claims={"aud": "other"}), "a", "audience_mismatch", "an audience of the second"), ("b-aud", yours(claims={"aud": API}), "b", "audience_mismatch", "an audience of the first"), ("b-exp", yours(claims={"exp": NOW - 1}), "b", "token_expired", "the tolerance of the first"), ("a-scope", mine(claims={"scope": "t"}), "a", "scope_insufficient", "no scope of the route"),
            ("a-cnf", mine(claims={"cnf": {}}), "a", "token_binding_missing", "cnf"), ("a-exp", mine(claims={"exp": NOW - 30}), "a", "token_expired", "expired"), ("b-sub", yours(claims={"sub": 1}), "b", "claim_malformed", "a claim of another type"), ("b-no-exp", yours(claims={"exp": GONE}), "b", "claim_missing", "no exp")]
    for slug, made, name, reason, why in rows:
        D("either-" + slug, why, "alternative", "either", made, reason, "either", name=name)
    A("either-a-tolerance", "within the tolerance of the first", "allow alternative time", "either", mine(claims={"exp": NOW - 1}))
    for first, p in [("a", "either"), ("b", "either-turned")]:
        rows = [("unknown", "https://c.example.com", "issuer_mismatch", "an issuer of neither"), ("slash", ISS_A + "/", "issuer_mismatch", "a slash at the end"), ("prefix", ISS_A[:-1], "issuer_mismatch", "a prefix"), ("case", ISS_A.upper(), "issuer_mismatch", "upper case"), ("empty", "", "issuer_mismatch", "empty"), ("both", ISS_A + " " + ISS_B, "issuer_mismatch", "both in one string"),
                ("missing", GONE, "claim_missing", "no iss"), ("number", 5, "claim_malformed", "a number"), ("null", None, "claim_malformed", "null"), ("list", [ISS_A, ISS_B], "claim_malformed", "a list of both"), ("list-one", [ISS_A], "claim_malformed", "a list of one"), ("object", {}, "claim_malformed", "an object")]
        for slug, iss, reason, why in rows:
            D("%s-iss-%s" % (p, slug), why, "alternative issuer", p, mine(iss=iss), reason, name=first)
        D(p + "-missing", "no token: the rule is the first section's", "alternative presence", p, bearer(), "token_missing", name=first)
        D(p + "-malformed", "no form: the rule is the first section's", "alternative form", p, "a.b.c", "token_malformed", name=first)
        D(p + "-crit", "crit in a token of the other: no section is chosen yet", "alternative header", p, yours(crit=["x"]) if first == "a" else mine(crit=["x"]), "token_header_not_understood", name=first)
        D(p + "-kid-number", "kid a number", "alternative header", p, yours(kid=1) if first == "a" else mine(kid=1), "token_malformed", name=first)
        D(p + "-twice", "iss twice, one of each", "alternative json", p, mine(claims={"iss": Raw('"%s","iss":"%s"' % (ISS_A, ISS_B))}), "token_malformed", name=first)
    D("either-iss-unknown-none", "an unknown issuer, and alg none: the section comes first", "alternative order", "either", mine(iss="https://c.example.com", alg="none", sig=lambda d: b"\0"), "issuer_mismatch", name="a")
    D("either-iss-unknown-crit", "an unknown issuer, and crit: the header comes first", "alternative order", "either", mine(iss="https://c.example.com", crit=["x"]), "token_header_not_understood", name="a")
    D("either-iss-unknown-mac", "an unknown issuer, and a wrong signature", "alternative order", "either", mine(iss="https://c.example.com").signature(lambda s: bytes(64)), "issuer_mismatch", name="a")
    D("either-iss-missing-exp", "no iss, and expired", "alternative order", "either", mine(iss=GONE, claims={"exp": 0}), "claim_missing", name="a")
    D("main-iss-mac", "without an alternative: a wrong signature comes before an unknown issuer", "issuer order", "main", c(iss="https://c.example.com").signature(lambda s: bytes(64)), "token_signature_mismatch")
    D("main-iss-type", "without an alternative: the type comes before a missing issuer", "issuer order", "main", token({"typ": "x"}, but(CLAIMS, iss=GONE)), "token_type_not_allowed")


FAULTS = [
    # (slug, reason, rule's suffix, what it does to header, claims and the finished token)
    ("form", "token_malformed", None, lambda h, c: None, lambda t: t.part(2, lambda s: s + "=")),
    ("json", "token_malformed", None, lambda h, c: c.update({"x": Raw("NaN")}), None),
    ("crit", "token_header_not_understood", None, lambda h, c: h.update(crit=["x"]), None),
    ("typ", "token_type_not_allowed", None, lambda h, c: h.update(typ="JWT"), None),
    ("alg", "token_algorithm_not_allowed", None, lambda h, c: h.update(alg="none"), None),
    ("kid", "token_key_unknown", None, lambda h, c: h.update(kid="ed9"), None),
    ("mac", "token_signature_mismatch", None, lambda h, c: None, lambda t: t.signature(lambda s: s[:-1] + bytes([s[-1] ^ 1]))),
    ("iss", "issuer_mismatch", None, lambda h, c: c.update(iss="https://evil.test"), None),
    ("aud", "audience_mismatch", None, lambda h, c: c.update(aud="other"), None),
    ("exp", "token_expired", None, lambda h, c: c.update(exp=NOW - 30), None),
    ("nbf", "token_not_yet_valid", None, lambda h, c: c.update(nbf=NOW + 31), None),
    ("life", "token_lifetime_too_long", None, lambda h, c: c.update(exp=NOW + 3600) if c["exp"] > NOW else c.update(iat=c["exp"] - 4000), None),
    ("age", "token_too_old", None, lambda h, c: c.update(iat=min(c["iat"], NOW - 601)), None),
    ("required", "claim_missing", ".required_claims", lambda h, c: c.pop("jti"), None),
    ("string", "claim_malformed", None, lambda h, c: c.update(sub=1), None),
    ("expect", "claim_mismatch", None, lambda h, c: c.update(client_id="app-2"), None),
    ("cnf", "token_binding_missing", None, lambda h, c: c.update(cnf={}), None),
    ("scope", "scope_insufficient", None, lambda h, c: c.update(scope="t"), None),
]
GOOD = but(CLAIMS, jti="j-1", client_id="app-1", scope="s")


def faulty(faults):
    header, claims = dict(HEADER), dict(GOOD)
    for fault in faults:
        fault[3](header, claims)
    made = token(header, claims, sig=lambda d: sign("EdDSA", "ed1", d))
    for fault in reversed(faults):
        made = fault[4](made) if fault[4] else made
    return made


def order():
    A("strict", "a policy that asks for everything", "allow order", "strict", token(claims=GOOD))
    for n, (slug, reason, suffix, _, _) in enumerate(FAULTS):
        D("order-%s" % slug, "one fault alone: " + slug, "order", "strict", faulty(FAULTS[n:n + 1]), reason, suffix=suffix)
        if n + 2 < len(FAULTS):
            D("order-%s-all" % slug, "%s, and every later fault" % slug, "order", "strict", faulty(FAULTS[n:]), reason, suffix=suffix)
        if n + 1 < len(FAULTS) and FAULTS[n + 1][1] != reason:
            D("order-%s-%s" % (slug, FAULTS[n + 1][0]), "two faults: %s, %s" % (slug, FAULTS[n + 1][0]), "order", "strict", faulty(FAULTS[n:n + 2]), reason, suffix=suffix)
    rows = [
        ("exp-nbf-type", c(exp=0, nbf="x"), "token_expired", "expired, and nbf of another type"), ("exp-iat-type", c(exp=0, iat="x"), "token_expired", "expired, and iat of another type"), ("nbf-iat-type", c(nbf=NOW + 99, iat="x"), "token_not_yet_valid", "not yet valid, and iat of another type"), ("nbf-type-iat", c(nbf="x", iat=NOW + 99), "claim_malformed", "nbf of another type, and iat ahead"),
        ("exp-type-aud", c(exp="x", aud="other"), "audience_mismatch", "another audience, and exp of another type"), ("exp-missing-iss", c(exp=GONE, iss="x"), "issuer_mismatch", "another issuer, and no exp"), ("exp-missing-nbf", c(exp=GONE, nbf=NOW + 99), "claim_missing", "no exp, and nbf ahead"), ("aud-missing-iss-type", c(aud=GONE, iss=1), "claim_malformed", "iss of another type, and no aud"),
        ("aud-type-iss", c(aud=1, iss="x"), "issuer_mismatch", "another issuer, and aud of another type"), ("exp-expired-sub", c(exp=0, sub=1), "token_expired", "expired, and sub of another type"), ("cnf-sub", c(cnf={}, sub=1), "claim_malformed", "sub of another type, and cnf"), ("cnf-scope-type", c(cnf={}, scope=1), "token_binding_missing", "cnf, and scope of another type"),
        ("aud-list-type-exp", c(aud=[], exp=0), "claim_malformed", "an empty aud, and expired"), ("iss-missing-aud", c(iss=GONE, aud="x"), "claim_missing", "no iss, and another aud"), ("exp-iat-ahead", c(exp=NOW - 30, iat=NOW + 31), "token_expired", "expired, and iat ahead"),
    ]
    for slug, made, reason, why in rows:
        D("order-claims-" + slug, why, "order signed-anyway", "main", made, reason)
    D("order-life-iat-ahead", "iat ahead, and exp before it", "order lifetime", "life", c(iat=NOW + 31, exp=NOW + 1), "token_not_yet_valid")
    D("order-header-types", "kid a number, and crit: types come first", "order header ambiguous", "main", token(kid=1, crit=["x"]), "token_malformed")
    D("order-payload-none", "alg none, and a payload that is no JSON", "order none json", "main", token(header=but(HEADER, alg="none"), claims="junk", sig=lambda d: b"\0"), "token_malformed")
    D("order-payload-crit", "crit, and a claim twice", "order json", "main", token(crit=["x"], claims=dumps(CLAIMS)[:-1] + ',"sub":"a"}'), "token_malformed")
    D("order-second-bearer", "Authorization twice, and an expired token", "order header-duplicate", "main", bearer(c(exp=0), extra=[("Authorization", "x")]), "header_duplicate")


def both():
    good = c(scope="s")
    proof = {"name": "api", "key_id": "k1", "nonce": NONCE}
    for p in ["both", "both-turned"]:
        A(p, "a signature and a token", "allow signature-and-token identity", p, signed(good), signature=proof)
        rows = [
            ("nothing", signed(drop=("X-API-Signature",)), "signature_missing", "neither"), ("no-signature", signed(good, drop=("X-API-Signature",)), "signature_missing", "no signature"), ("no-token", signed(), "token_missing", "no token"), ("no-nonce", signed(drop=("X-Nonce",)), "nonce_missing", "no nonce, and no token: the head of the signature comes first"),
            ("old", signed(c(scope="s", exp=0), ts=NOW - 121), "signature_expired", "an old signature, and an expired token"), ("bad-signature-text", signed(value="Bearer x", extra=[], drop=("X-Timestamp",)), "signature_malformed", "no timestamp, and a malformed token"),
            ("expired", signed(c(scope="s", exp=0)), "token_expired", "an expired token"), ("expired-mac", signed(c(scope="s", exp=0), key="wrong" * 8), "token_expired", "an expired token, and a wrong MAC: claims come before the MAC"), ("missing-mac", signed(key="wrong" * 8), "token_missing", "no token, and a wrong MAC"), ("malformed-mac", signed(value="Bearer x", key="wrong" * 8), "token_malformed", "a malformed token, and a wrong MAC"),
            ("forged-mac", signed(good.signature(lambda s: bytes(64)), key="wrong" * 8), "token_signature_mismatch", "both are forged"), ("scope-mac", signed(BASE, key="wrong" * 8), "scope_insufficient", "no scope, and a wrong MAC"), ("cnf-mac", signed(c(scope="s", cnf={}), key="wrong" * 8), "token_binding_missing", "cnf, and a wrong MAC"), ("mac", signed(good, key="wrong" * 8), "signature_mismatch", "a right token, and a wrong MAC"),
            ("length", signed(good, extra=[("Content-Length", "1025")]), "body_too_large", "a right token, and too long a body"), ("length-expired", signed(c(scope="s", exp=0), extra=[("Content-Length", "1025")]), "token_expired", "an expired token, and too long a body: nothing of the body is asked for"), ("length-missing", signed(extra=[("Content-Length", "1025")]), "token_missing", "no token, and too long a body"),
            ("bearer-alone", bearer(good, method="POST", body='{"a":1}'), "signature_missing", "a right token alone"),
        ]
        for slug, req, reason, why in rows:
            D("%s-%s" % (p, slug), why, "signature-and-token order", p, req, reason)
        D(p + "-no-now", "no clock", "signature-and-token now", p, signed(good, now=None), "request_malformed")
        D(p + "-replay", "the same request again", "signature-and-token", p, signed(good), "nonce_replayed", before=[p])
        A(p + "-burn", "a request that was refused for its token claims no nonce", "allow signature-and-token", p, signed(good), signature=proof, before=[p + "-expired", p + "-no-token", p + "-scope-mac", p + "-cnf-mac"])
        A(p + "-seen-twin", "the twin of the next", "allow signature-and-token", p, signed(good, nonce="n-fedcba9876543210"), signature={**proof, "nonce": "n-fedcba9876543210"}, before=[p])
        D(p + "-seen-expired", "a nonce that was claimed, and an expired token: claims come first", "signature-and-token order", p, signed(c(scope="s", exp=0)), "token_expired", p + "-seen-twin", before=[p])
        A(p + "-preflight", "a preflight is asked for neither", "allow signature-and-token preflight", p, bearer(method="OPTIONS", extra=PREFLIGHT), name=None, preflight=True)
    A("both-open", "a route that asks for nothing", "allow signature-and-token public", "both", bearer(value="junk", target="/open"), name=None, route="open")


def reports():
    A("report", "a right token in report mode: identity.token is null", "allow report-mode identity", "report", token(claims=GOOD))
    for slug, reason, suffix, _, _ in FAULTS:
        R("report-" + slug, "reported: " + slug, "report-mode", "report", faulty([f for f in FAULTS if f[0] == slug]), reason, suffix=suffix)
    R("report-missing", "no token", "report-mode", "report", bearer(), "token_missing")
    R("report-basic", "another scheme", "report-mode", "report", bearer(value="Basic dXNlcjpwYXNz"), "token_missing")
    R("report-claim-missing", "no exp", "report-mode", "report", token(claims=but(GOOD, exp=GONE)), "claim_missing")
    R("report-first", "two faults: only the first is reported", "report-mode order", "report", faulty(FAULTS[9:12]), "token_expired")
    D("report-duplicate", "Authorization twice denies in every mode", "report-mode header-duplicate", "report", bearer(token(claims=GOOD), extra=[("Authorization", "x")]), "header_duplicate")
    D("report-no-now", "no clock denies in every mode", "report-mode now", "report", bearer(token(claims=GOOD), now=None), "request_malformed")
    A("report-open", "a route that asks for nothing", "allow report-mode public", "report", bearer(value="junk", target="/open"), name=None, route="open")
    A("report-preflight", "a preflight", "allow report-mode preflight", "report", bearer(method="OPTIONS", extra=PREFLIGHT), name=None, preflight=True)
    A("report-cookie", "a cookie", "allow report-mode cookie", "report-cookie", Req(dict(bearer(extra=[("Cookie", "session=" + BASE)])), BASE))
    R("report-cookie-twice", "a cookie twice", "report-mode cookie", "report-cookie", bearer(extra=[("Cookie", "session=%s; session=%s" % (BASE, BASE))]), "token_malformed")
    A("report-either", "an alternative", "allow report-mode alternative", "report-either", token({"kid": "k1"}, but(CLAIMS, iss=ISS_A, scope="s")))
    R("report-either-unknown", "no section is chosen", "report-mode alternative", "report-either", token({"kid": "k1"}, but(CLAIMS, iss="x", scope="s")), "issuer_mismatch", name="a")
    R("report-either-b", "the second section's rule", "report-mode alternative", "report-either", token({"kid": "k1", "typ": "JWT"}, but(CLAIMS, iss=ISS_B, aud="x", scope="s"), key="ed2"), "audience_mismatch", name="b")
    good = c(scope="s")
    A("report-both", "a signature and a token in report mode", "allow report-mode signature-and-token", "report-both", signed(good))
    R("report-both-token", "no token, and a wrong MAC", "report-mode signature-and-token order", "report-both", signed(key="wrong" * 8), "token_missing")
    R("report-both-signature", "no signature, and no token", "report-mode signature-and-token order", "report-both", signed(drop=("X-API-Signature",)), "signature_missing")
    R("report-both-mac", "a right token, and a wrong MAC", "report-mode signature-and-token", "report-both", signed(good, key="wrong" * 8), "signature_mismatch")
    R("report-both-scope", "no scope, and too long a body: later checks are not run", "report-mode signature-and-token ambiguous", "report-both", signed(BASE, extra=[("Content-Length", "1025")]), "scope_insufficient")
    D("report-both-length", "a right token, and too long a body", "report-mode signature-and-token", "report-both", signed(good, extra=[("Content-Length", "1025")]), "body_too_large")
    # A route in report mode; the verdict's mode is the policy's.
    watched = lambda **claims: bearer(token(alg="ES256", key="ec1", kid="w1", claims=but(CLAIMS, **{"scope": "s", **claims})), target="/watch/x")
    A("watch", "a right token on a route in report mode: identity.token is null", "allow report-mode identity", "routes", watched(), name=None, route="watch")
    on = {"twin": "watch", "name": "watched", "route": "watch"}
    R("watch-missing", "no token", "report-mode", "routes", bearer(target="/watch/x"), "token_missing", **on)
    R("watch-malformed", "a malformed token", "report-mode", "routes", bearer(value="Bearer a.b.c", target="/watch/x"), "token_malformed", **on)
    R("watch-algorithm", "a token of the other section", "report-mode", "routes", bearer(BASE, target="/watch/x"), "token_algorithm_not_allowed", **on)
    R("watch-expired", "expired", "report-mode", "routes", watched(exp=0), "token_expired", **on)
    R("watch-scope", "no scope", "report-mode scope", "routes", watched(scope="t"), "scope_insufficient", **on)
    R("watch-cnf", "cnf", "report-mode confirmation", "routes", watched(cnf={}), "token_binding_missing", **on)
    D("watch-beside", "another route of that policy enforces", "report-mode", "routes", bearer(), "token_missing")
    D("watch-no-now", "no clock denies in every mode", "report-mode now", "routes", bearer(target="/watch/x", now=None), "request_malformed", "open")


def attacks():
    """What docs/token-cases.md names and nothing above has."""
    for alg in ALGORITHMS:
        kid, name = "k1", "alg-" + alg.lower()
        D("attack-null-" + alg.lower(), "%s: a null signature (CVE-2020-28042)" % alg, "form", name, token(alg=alg, key=NATURAL[alg], kid=kid).part(2, ""), "token_malformed")
    A("listed", "a set with a key for an algorithm that the policy does not list", "allow algorithm", "listed", token(alg="RS256", key="rsa1", kid="r1"))
    refuse("attack-listed-", "algorithm key", "listed", "token_algorithm_not_allowed", [
        ("ps256", token(alg="PS256", key="rsa2", kid="r2"), "key and header say PS256, the policy RS256 (CVE-2026-48523)"), ("ps256-no-kid", token(alg="PS256", key="rsa2", kid=GONE), "the same without kid"),
        ("rs256", token(alg="RS256", key="rsa2", kid="r2"), "policy and header say RS256, the key PS256"),
    ])
    text = lambda **members: json.dumps(members, separators=(",", ":"))
    refuse("attack-json-", "form", "main", "token_malformed", [
        ("unprotected", text(payload=BODY, header=HEADER, signature=TAIL), "JSON serialization, alg in the unprotected header alone (GHSA-jc38-x7x8-2xc8)"),
        ("both", text(payload=BODY, protected=HEAD, header={"alg": "none"}, signature=TAIL), "JSON serialization, another alg in the unprotected header"),
    ])
    D("attack-detached-long", "a detached payload of 200,000 bytes with b64 false (CVE-2026-48525)", "form", "main", "%s.%s.%s" % (b64u(dumps(but(HEADER, b64=False, crit=["b64"])).encode()), "A" * 200000, TAIL), "token_malformed")
    refuse("attack-jwe-", "algorithm", "main", "token_algorithm_not_allowed", [
        ("pbes2", token(alg="PBES2-HS256+A128KW", p2c=2147483647, p2s="AAAA", sig=lambda d: sign("EdDSA", "ed1", d)), "PBES2 with two thousand million rounds (CVE-2023-51774)"),
        ("oaep", token(alg="RSA-OAEP-256", sig=lambda d: sign("EdDSA", "ed1", d)), "an encrypting algorithm over a right signature"),
    ])
    D("attack-jwe-zip", "a header that announces a bomb (CVE-2024-33664)", "header signed-anyway", "main", token(enc="A128GCM", zip="DEF"), "token_header_not_understood")
    D("attack-nested", "a token as payload (cty JWT)", "json signed-anyway", "main", token(cty="JWT", claims=str(BASE)), "token_malformed")
    A("attack-nested-cty", "cty alone has no meaning", "allow header", "main", token(cty="JWT"))
    refuse("attack-type-", "type signed-anyway", "main", "token_type_not_allowed", [
        ("introspection", token(typ="token-introspection+jwt"), "an answer to an introspection (RFC 9701)"), ("request", token(typ="oauth-authz-req+jwt"), "a request object (RFC 9101)"),
        ("client", token(typ="client-authentication+jwt"), "a client's assertion"),
    ])
    refuse("attack-time-", "time signed-anyway", "main", "token_not_yet_valid", [("nbf-after-exp", c(nbf=NOW + 200, exp=NOW + 100), "nbf after exp, both ahead"), ("iat-after-exp", c(iat=NOW + 200, exp=NOW + 100), "iat after exp, both ahead")])
    D("attack-time-nbf-after-exp-past", "nbf after exp, both past", "time signed-anyway", "main", c(nbf=NOW - 50, exp=NOW - 100), "token_expired")

    # DPoP (RFC 9449): a binding that is not checked must not count, with or without a proof.
    proof = token({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk("ec1"), "kid": GONE}, {"jti": "j-1", "htm": "GET", "htu": "https://api.example.com/v1/items", "iat": NOW}, key="ec1")
    bound = c(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    A("attack-proof", "a proof that nobody asked for, beside a token that is bound to nobody", "allow confirmation", "main", bearer(BASE, extra=[("DPoP", proof)]))
    D("attack-proof-bound", "a bound token with a proof", "confirmation signed-anyway", "main", bearer(bound, extra=[("DPoP", proof)]), "token_binding_missing")
    D("attack-proof-scheme", "the same under its own scheme", "confirmation presence", "main", bearer(value="DPoP " + bound, extra=[("DPoP", proof)]), "token_missing")
    D("attack-proof-as-token", "a proof as a token", "header", "main", proof, "token_header_not_understood")
    D("attack-certificate", "a token that is bound to a certificate (RFC 8705), and a header that tells of one", "confirmation signed-anyway", "main",
      bearer(c(cnf={"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}), extra=[("X-Client-Cert", "MIIB")]), "token_binding_missing")

    # What was found of a token counts for that token, section and time alone.
    same = next(t for t in (c(sub="user-%d" % n) for n in range(2, 9)) if t[:64] == BASE[:64])
    A("attack-cache-prefix", "a token whose first 64 characters are those of one before has claims of its own (CVE-2026-35030)", "allow cache identity", "main", same, before=["main"])
    D("attack-cache-prefix-forged", "the same, signed by nobody", "cache signature", "main", same.part(2, TAIL), "token_signature_mismatch", "attack-cache-prefix", before=["main"])
    A("attack-cache-refused", "a right token after a refused one", "allow cache", "main", BASE, before=["key-swapped"])
    D("attack-cache-refused-again", "a refused token a second time", "cache signature", "main", token(key="ed2"), "token_signature_mismatch", "attack-cache-refused", before=["key-swapped"])
    here = c(aud=API)
    A("attack-cache-here", "the twin of the next", "allow cache audience", "two-audiences", bearer(here, target="/v1/x"), name="main", before=["one-of-set"])
    D("attack-cache-there", "a token that one section let through, where another of the same issuer and key is asked for", "cache audience", "two-audiences", bearer(here, target="/there/x"), "audience_mismatch",
      "attack-cache-here", name="there", before=["one-of-set"])
    A("attack-cache-route", "the twin of the next", "allow cache scope", "routes", bearer(BASE, target="/x"), before=["routes"])
    D("attack-cache-scope", "a token that was let through where no scope is asked for", "cache scope", "routes", bearer(BASE, target="/admin/x"), "scope_insufficient", "attack-cache-route", before=["routes"])
    old = c(iat=NOW - 540, exp=NOW + 3600)
    A("attack-cache-age", "a token that ages", "allow cache lifetime", "age", old)
    A("attack-cache-young", "the last second of max_age, let through before", "allow cache lifetime", "age", bearer(old, now=NOW + 60), before=["attack-cache-age"])
    D("attack-cache-old", "a token that was let through before, too old since", "cache lifetime", "age", bearer(old, now=NOW + 61), "token_too_old", "attack-cache-young", before=["attack-cache-age"])
    A("attack-cache-clock", "the twin of the next", "allow cache time", "main", bearer(BASE, now=NOW - 40), before=["main"])
    D("attack-cache-early", "a token that was let through before, and a clock that went back", "cache time", "main", bearer(BASE, now=NOW - 41), "token_not_yet_valid", "attack-cache-clock", before=["main"])


# ---------------------------------------------------------------------------------------------------------------- a second reading


class Refused(Exception):
    pass


def no(reason, suffix=None):
    raise Refused(reason, SUFFIX.get(reason, "") if suffix is None else suffix)


def strict_json(data):
    """§12.3."""
    def pairs(items):
        names = [n for n, _ in items]
        if len(names) != len(set(names)):
            raise ValueError("twice")
        return {n: v for n, v in items}

    def constant(name):
        raise ValueError(name)

    def walk(value, level):
        if isinstance(value, str):
            value.encode()  # a lone surrogate
        elif isinstance(value, (dict, list)):
            if level > 16:
                raise ValueError("deep")
            for one in value.items() if isinstance(value, dict) else value:
                for part in one if isinstance(value, dict) else [one]:
                    walk(part, level + 1)

    class Int(int):
        pass

    class Other(float):
        pass

    def integer(text):
        return Other(text) if text.startswith("-") else Int(text)

    try:
        if data[:3] == b"\xef\xbb\xbf":
            raise ValueError("BOM")
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant, parse_int=integer, parse_float=Other)
        if not isinstance(value, dict):
            raise ValueError("no object")
        walk(value, 1)
    except (ValueError, RecursionError):
        no("token_malformed")
    return value


def present(request, where):
    """§12.1: the token as it is sent."""
    headers = [(n.lower(), base64.b64decode(v["base64"]).decode("latin-1") if isinstance(v, dict) else v) for n, v in request["headers"]]
    authorization = next((v for n, v in headers if n == "authorization"), None)
    is_bearer = authorization is not None and authorization.replace("\t", " ").split(" ")[0].lower() == "bearer"
    if where == {"header": "authorization"}:
        if not is_bearer:
            no("token_missing")
        return authorization[6:].lstrip(" ")
    if is_bearer:
        no("token_malformed")
    if "header" in where:
        values = [v for n, v in headers if n == where["header"]]
    else:
        pairs = "; ".join(v for n, v in headers if n == "cookie").split("; ")
        values = [v for n, _, v in (p.partition("=") for p in pairs) if n == where["cookie"]]
    if not values:
        no("token_missing")
    if len(values) > 1:
        no("token_malformed")
    return values[0]


def is_date(value):
    return type(value).__name__ == "Int" and value <= 253402300799


def names_of(value, listed):
    if isinstance(value, list) and listed and all(isinstance(v, str) for v in value):
        return value
    if not isinstance(value, str):
        no("claim_malformed")
    for name in value.split(" "):
        if not name or any(not (c == "!" or "#" <= c <= "[" or "]" <= c <= "~") for c in name):
            no("claim_malformed")
    return value.split(" ")


def seconds(text):
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def second_reading(policy, request, entry, scopes):
    """The verdict of §12 in (reason, rule's suffix, section), or None."""
    sections = POLICIES[policy]["tokens"]
    names = [e.split(":")[1] for e in entry.split("|")]
    name = names[0]
    try:
        s = sections[name]
        text = present(request, s.get("from", {"header": "authorization"}))
        parts = text.split(".")
        letters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        if len(text) > 16384 or len(parts) != 3 or any(not p or set(p) - letters or len(p) % 4 == 1 or b64u(unb64u(p)) != p for p in parts):
            no("token_malformed")
        header, claims = (strict_json(unb64u(p)) for p in parts[:2])
        if not isinstance(header.get("alg"), str) or any(not isinstance(header.get(n, ""), str) for n in ("kid", "typ")):
            no("token_malformed")
        if set(header) & {"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"}:
            no("token_header_not_understood")
        if len(names) > 1:
            if "iss" not in claims:
                no("claim_missing")
            if not isinstance(claims["iss"], str):
                no("claim_malformed")
            found = [n for n in names if sections[n]["issuer"] == claims["iss"]]
            if not found:
                no("issuer_mismatch")
            name, s = found[0], sections[found[0]]
        alike = lambda t: t.lower().removeprefix("application/")
        if header.get("typ") == "" or alike(header.get("typ", "")) not in [alike(t) for t in s.get("types", ["at+jwt", "JWT"])]:
            if "typ" in header or "" not in s.get("types", []):
                no("token_type_not_allowed")
        alg = header["alg"]
        if alg not in s["algorithms"]:
            no("token_algorithm_not_allowed")
        keys = s["keys"]["jwks"] if "jwks" in s["keys"] else json.loads(SECRETS[s["keys"]["file"]])
        keys = keys.get("keys", [keys])
        fit = [k for k in keys if (k.get("kid") == header["kid"] if "kid" in header else fits(k, alg))]
        if len(fit) != 1:
            no("token_key_unknown")
        if not fits(fit[0], alg):
            no("token_algorithm_not_allowed")
        if not right(alg, fit[0], ".".join(parts[:2]).encode(), unb64u(parts[2])):
            no("token_signature_mismatch")
        now, tolerance = request["now"], seconds(s.get("clock_tolerance", "30s"))
        need = lambda n, yes=True: n in claims or (no("claim_missing") if yes else False)
        need("iss")
        if not isinstance(claims["iss"], str):
            no("claim_malformed")
        if claims["iss"] != s["issuer"]:
            no("issuer_mismatch")
        need("aud")
        aud = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
        if not isinstance(aud, list) or not aud or any(not isinstance(a, str) for a in aud):
            no("claim_malformed")
        if not set(aud) & set(s["audience"]):
            no("audience_mismatch")
        need("exp")
        capped = "max_lifetime" in s or "max_age" in s
        for claim in ("exp", "nbf", "iat"):
            if not need(claim, claim == "iat" and capped):
                continue
            if not is_date(claims[claim]):
                no("claim_malformed")
            if claim == "exp" and now >= claims["exp"] + tolerance:
                no("token_expired")
            if claim != "exp" and claims[claim] > now + tolerance:
                no("token_not_yet_valid")
        if "max_lifetime" in s:
            if claims["exp"] <= claims["iat"]:
                no("claim_malformed")
            if claims["exp"] - claims["iat"] > seconds(s["max_lifetime"]):
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
            if not isinstance(claims[n], str):
                no("claim_malformed", ".expect")
            if claims[n] not in values:
                no("claim_mismatch")
        if "cnf" in claims:
            no("token_binding_missing")
        both = [names_of(claims[n], n == "scp") for n in ("scope", "scp") if n in claims]
        if len(both) == 2 and set(both[0]) != set(both[1]):
            no("claim_malformed")
        if set(scopes) - set(both[0] if both else []):
            no("scope_insufficient")
    except Refused as refused:
        reason, suffix = refused.args
        return reason, RULES.get(reason, "tokens.%s%s" % (name, suffix))
    return None


def reread():
    """Every case whose token is judged, against the second reading."""
    problems = []
    for case in CASES:
        want = case["want"]
        found = want["reported"][0] if want["reported"] else want if want["reason"] else None
        if found and found["check"] not in ("token", "claims"):
            continue
        document = POLICIES[case["policy"]]
        path = case["request"]["target"].partition("?")[0]
        route = next((r for r in document["routes"] if r["path"] == path or r["path"].endswith("/**") and (path + "/").startswith(r["path"][:-2])), None)
        if want["identity"] and want["identity"]["preflight"] or not route["require"]:
            continue
        entry = next(e for e in route["require"] if e.startswith("token:"))
        verdict = second_reading(case["policy"], case["request"], entry, route.get("scopes", []))
        if verdict != (found and (found["reason"], found["rule"])):
            problems.append("%s: %s, read %s" % (case["id"], found and (found["reason"], found["rule"]), verdict))
    assert not problems, "\n".join(problems)


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
    for case in CASES:
        reported = case["want"]["reported"]
        plainly_allowed = case["want"]["decision"] == "allow" and not reported
        key = json.dumps([case[f] if f in case else None for f in ("policy", "request", "before")])
        if key in seen:
            problems.append("%s: the same as %s" % (case["id"], seen[key]))
        seen[key] = case["id"]
        problems += ["%s: before %s" % (case["id"], b) for b in case.get("before", []) if b not in BY_ID]
        if len(case["flags"]) != len(set(case["flags"])):
            problems.append("%s: a flag twice" % case["id"])
        if plainly_allowed != ("allow" in case["flags"]):
            problems.append("%s: the flag allow" % case["id"])
        if plainly_allowed and "twin" not in case:
            continue
        twin = BY_ID.get(case.get("twin"))
        if twin is None:
            problems.append("%s: no such twin %s" % (case["id"], case.get("twin")))
            continue
        if plainly_allowed or twin["want"]["decision"] != "allow" or twin["want"]["reported"]:
            problems.append("%s: its twin is not allowed" % case["id"])
        differs = [f for f in {*case["request"], *twin["request"]} if case["request"].get(f) != twin["request"].get(f)]
        differs += [f for f in ("policy", "before") if case.get(f) != twin.get(f)]
        if len(differs) != 1:
            problems.append("%s: differs from %s in %s" % (case["id"], case["twin"], differs))
    # Every reason: denied three times, reported once.
    denied = [c["want"]["reason"] for c in CASES]
    told = [r["reason"] for c in CASES for r in c["want"]["reported"]]
    problems += ["%s: denied %d times" % (r, denied.count(r)) for r in OURS if denied.count(r) < 3]
    problems += ["%s: never reported" % r for r in OURS if r not in told]
    assert not problems, "\n".join(problems)


def document():
    dump = lambda value: json.dumps(shorten(value), ensure_ascii=True)
    order_ = ["id", "comment", "flags", "policy", "before", "request", "want", "twin"]
    out = '{"schema": "hostbound-vectors-1",\n"notes": {\n' + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in NOTES.items())
    out += '\n},\n"policies": {\n' + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in POLICIES.items())
    out += '\n},\n"secrets": {\n' + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in SECRETS.items())
    return out + '\n},\n"cases": [\n' + ",\n".join(dump({f: c[f] for f in order_ if f in c}) for c in CASES) + "\n]}\n"


def main():
    for make in (allowed, presence, placement, form, json_texts, headers, algorithms, keys, signatures, times, issuer_and_audience, other_claims, scopes, alternatives, order, both, reports, attacks):
        make()
    check()
    reread()
    path = pathlib.Path(__file__).resolve().parent.parent / "token.json"
    text = document()
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text() != text:
            sys.exit("%s is not what generate/token.py writes: run it again" % path)
    elif sys.argv[1:]:
        sys.exit("usage: token.py [--check]")
    else:
        path.write_text(text)


if __name__ == "__main__":
    main()
