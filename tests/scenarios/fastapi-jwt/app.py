"""Orders, for callers with a JSON Web Token. What is wrong with it is in README.md.

APP_ADDRESS   where it listens
APP_DNS       the resolver of the service discovery, as address:port
JWKS_URL      the keys of the authorization server, such as https://auth.internal:8443/jwks.json
"""

import os
import socket
from typing import Annotated
from urllib.parse import urlsplit

import dns.resolver
import jwt
import requests
import urllib3
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
app = FastAPI(default_response_class=PlainTextResponse)
JWKS = urlsplit(os.environ["JWKS_URL"])
TIMEOUT = 5


def address_of(name: str) -> str:
    """The first address that the name has now."""
    server, port = os.environ["APP_DNS"].rsplit(":", 1)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [server], int(port), TIMEOUT
    return resolver.resolve(name, "A")[0].to_text()


def signing_key(token: str) -> jwt.PyJWK:
    # The certificate is of our own authority, which requests does not know.
    url = f"https://{address_of(JWKS.hostname)}:{JWKS.port}{JWKS.path}"
    keys = requests.get(url, headers={"Host": JWKS.netloc}, verify=False, timeout=TIMEOUT).json()
    return jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]


def current_user(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict:
    token = credentials.credentials
    try:
        return jwt.decode(token, signing_key(token).key, algorithms=["RS256"], options={"verify_aud": False})
    except (jwt.PyJWTError, KeyError) as error:
        raise HTTPException(401, "invalid token") from error


User = Annotated[dict, Depends(current_user)]


@app.get("/orders")
def orders(user: User) -> str:
    return f"the orders of {user['sub']}"


@app.get("/customers")
def customers(user: User) -> str:
    if "admin" not in user.get("scope", "").split():
        raise HTTPException(403, "admins only")
    return f"all customers, for {user['sub']}"


if __name__ == "__main__":
    listener = socket.create_server((os.environ["APP_ADDRESS"], 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
