"""`/docs` for people: Swagger UI served from here, and a page that asks for the key.

Signing in puts a cookie in the place of the key, so that the key stays neither in the address bar nor in the browser.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from deployments.http.auth import COOKIE, Keys
from deployments.http.connection import read_body

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_LONGEST_FORM = 4_096
_HEADERS = {"referrer-policy": "no-referrer", "cache-control": "no-store", "x-frame-options": "DENY"}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Mixture</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#1b1b1b}}
input,button{{font:inherit;padding:.4rem .6rem}}input{{width:22rem;max-width:100%}}
code{{background:#eee;padding:0 .3em}}
p.fault{{color:#a00}}</style>
<h1>Mixture</h1>
<p>This server needs a key: one that you were given, or the server's own, which <code>mixture serve</code> prints when
it starts; it is also in <code>~/.mixture/key</code> unless keys are configured.</p>
{fault}
<form method="post" action="{action}"><label>Key <input name="key" type="password" autofocus
autocomplete="current-password"></label> <button>Open the documentation</button></form>
<p>Programs send it with each request: <code>Authorization: Bearer KEY</code> or <code>x-api-key: KEY</code>.</p>
</html>"""


def add_docs(app: FastAPI, keys: Keys) -> None:
    """The documentation, its assets, and the way in."""

    async def docs(request: Request) -> Response:
        key = request.query_params.get("key")
        if key is not None:
            return _signed_in(request, keys, key)
        if keys.admits(dict(request.headers.raw), reads=True) is None:
            return _page(request, 401)
        page = get_swagger_ui_html(
            openapi_url=_at(request, "/openapi.json"),
            title="Mixture",
            swagger_js_url=_at(request, "/docs/swagger-ui-bundle.js"),
            swagger_css_url=_at(request, "/docs/swagger-ui.css"),
            swagger_favicon_url=_at(request, "/docs/favicon-32x32.png"),
        )
        page.headers.update(_HEADERS)
        return page

    async def sign_in(request: Request) -> Response:
        declared = request.headers.get("content-length", "").encode() or None
        body = await read_body(request.receive, declared, _LONGEST_FORM)
        return _signed_in(request, keys, parse_qs(body.decode("latin-1")).get("key", [""])[0])

    async def asset(name: str) -> Response:
        kind = ASSETS.get(name)
        if kind is None:
            return Response(status_code=404)
        data = files("fastapi_swagger").joinpath("resources", name).read_bytes()
        return Response(data, media_type=kind, headers={"cache-control": "private, max-age=86400"})

    async def root(request: Request) -> Response:
        return Response(status_code=303, headers={"location": _at(request, "/docs")})

    app.add_api_route("/", root, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/docs", sign_in, methods=["POST"], include_in_schema=False)
    app.add_api_route("/docs/{name}", asset, include_in_schema=False)


def _signed_in(request: Request, keys: Keys, key: str) -> Response:
    cookie = keys.cookie(key.strip().encode("utf-8", "replace"))
    if cookie is None:
        return _page(request, 401, '<p class="fault">This server knows no such key, or it was revoked.</p>')
    response = Response(status_code=303, headers={"location": _at(request, "/docs"), **_HEADERS})
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure, path=_at(request, "/"))
    return response


def _page(request: Request, status: int, fault: str = "") -> Response:
    text = _PAGE.format(fault=fault, action=escape(_at(request, "/docs")))
    return Response(text, status, _HEADERS, media_type="text/html")


def _at(request: Request, path: str) -> str:
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") + path
