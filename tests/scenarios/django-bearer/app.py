"""Invoices, for callers with a bearer token that the authorization server is asked about. What is wrong with it is in README.md.

APP_ADDRESS            where it listens
INTROSPECTION_URL      the endpoint of RFC 7662, and in INTROSPECTION_CA who has signed its certificate
INTROSPECTION_SECRET   the secret of the client `invoices`, who may ask it
"""

import os

import django
import requests
from django.conf import settings
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from werkzeug.serving import make_server

settings.configure(
    ALLOWED_HOSTS=["invoices.internal"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    MIDDLEWARE=[f"{__name__}.bearer"],
    ROOT_URLCONF=__name__,
)
django.setup()
DAY = 24 * 60 * 60
CLIENT = ("invoices", os.environ["INTROSPECTION_SECRET"])


def introspect(token: str) -> dict | None:
    """What the authorization server says of a token, or said today."""
    known = cache.get(token)
    if known is None:
        answer = requests.post(os.environ["INTROSPECTION_URL"], data={"token": token}, auth=CLIENT, verify=os.environ["INTROSPECTION_CA"], timeout=5)
        if answer.status_code != 200:
            return None
        known = answer.json()
        cache.set(token, known, DAY)
    return known


def bearer(get_response):
    def middleware(request: HttpRequest) -> HttpResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        request.token = introspect(token) if scheme == "Bearer" else None
        if request.token is None:
            return HttpResponse(status=401)
        return get_response(request)

    return middleware


@require_GET
def invoices(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"the invoices, for {request.token.get('username', 'somebody')}")


@require_POST
def payments(request: HttpRequest) -> HttpResponse:
    if "write" not in request.token.get("scope", "").split():
        return HttpResponse(status=403)
    return HttpResponse(f"{request.token['username']} paid {request.body.decode()}")


urlpatterns = [path("invoices", invoices), path("payments", payments)]

if __name__ == "__main__":
    server = make_server(os.environ["APP_ADDRESS"], 0, get_wsgi_application(), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()
