"""Documents for frames in which an answer's code is shown: a page or picture, a Mermaid diagram.

The page puts each into an iframe with `sandbox="allow-scripts"` and sends it the code
(static/js/view/preview_frame.js).
The headers below hold whoever opens the address: the document has an origin of its own, reads no cookie,
opens no window and reaches no network. What browsers do with each header is in docs/security.md.
"""

from __future__ import annotations

import secrets

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt

POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "media-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)


@xframe_options_exempt  # frame-ancestors says who may
def preview(request: HttpRequest) -> HttpResponse:
    """Runs whatever it is sent: it is the answer's own code."""
    return _closed(render(request, "frames/preview.html"), "'unsafe-inline'", hosts="()")


@xframe_options_exempt
def diagram(request: HttpRequest) -> HttpResponse:
    """Runs Mermaid and nothing else."""
    nonce = secrets.token_urlsafe(16)
    answer = render(request, "frames/diagram.html", {"nonce": nonce})
    return _closed(answer, f"'nonce-{nonce}'", hosts="(response-origin)")


def _closed(response: HttpResponse, scripts: str, *, hosts: str) -> HttpResponse:
    response["Content-Security-Policy"] = POLICY.format(scripts=scripts)
    # A policy of contents knows neither WebRTC nor the connection that a refused navigation has begun.
    response["Connection-Allowlist"] = hosts
    response["X-DNS-Prefetch-Control"] = "off"
    response["Permissions-Policy"] = (
        "camera=(), microphone=(), geolocation=(), display-capture=(), payment=()"
    )
    return response
