"""Wraps JSON endpoints: checks who may call them, parses the body and formats errors.

    @json_view("GET", "PATCH")
    def conversation(request: ApiRequest, pk: UUID) -> dict[str, Any]: ...

The view gets `request.data` (the JSON object of the body, {} without one) and returns a dict or a response.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from chat.core.errors import BadInput, BadMethod, ChatError, NotLoggedIn
from chat.core.sizes import mb

P = ParamSpec("P")
Answer = dict[str, Any] | HttpResponseBase


class ApiRequest(HttpRequest):
    """A request that passed the checks of json_view."""

    user: Any  # a User, logged in unless the view says anonymous=True; core knows no feature, so no type here
    data: dict[str, Any]


View = Callable[Concatenate[ApiRequest, P], Answer]
Endpoint = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def json_view(
    *methods: str, anonymous: bool = False, upload: bool = False
) -> Callable[[View[P]], Endpoint[P]]:
    """Makes a JSON endpoint of a function. CSRF protection stays on: nothing here is exempt.

    `upload`: the body is a form with a file; the view looks into `request.FILES` itself.
    """

    def decorate(view: View[P]) -> Endpoint[P]:
        @functools.wraps(view)
        def edge(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                answer = view(_admitted(request, methods, anonymous, upload), *args, **kwargs)
            except ChatError as error:
                answer = error_response(error)
                if isinstance(error, BadMethod):
                    answer["Allow"] = ", ".join(methods)
            return _finished(answer)

        return edge

    return decorate


def error_response(error: ChatError) -> JsonResponse:
    response = JsonResponse({"error": error.as_json()}, status=error.http_status)
    if "retry_after" in error.extra:
        response["Retry-After"] = str(error.extra["retry_after"])
    return response


def _admitted(request: HttpRequest, methods: tuple[str, ...], anonymous: bool, upload: bool) -> ApiRequest:
    if request.method not in methods:
        raise BadMethod
    if not anonymous and not request.user.is_authenticated:
        raise NotLoggedIn
    request.data = {} if upload else _parsed(request)  # type: ignore[attr-defined]
    return request  # type: ignore[return-value]


def _parsed(request: HttpRequest) -> dict[str, Any]:
    if request.method == "GET":
        return {}
    try:
        raw = request.body  # bounded by DATA_UPLOAD_MAX_MEMORY_SIZE
    except RequestDataTooBig:
        raise BadInput(
            _("This is too large: at most %(limit)d MB are accepted.")
            % {"limit": mb(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)}
        ) from None
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise BadInput(_("The body must be JSON."))
    try:
        data = json.loads(raw, parse_constant=_no_constants)
        json.dumps(data, ensure_ascii=False).encode()  # a lone surrogate fails here
        unstorable = b"\\u0000" in raw and _has_nul(data)
    except (ValueError, RecursionError):
        raise BadInput(_("The body is not valid JSON.")) from None
    if not isinstance(data, dict):
        raise BadInput(_("The body must be a JSON object."))
    if unstorable:
        raise BadInput(_("The text contains a character that cannot be stored."))
    return data


def _no_constants(name: str) -> None:
    """Refuses NaN and Infinity, which Python accepts and JSON does not have."""
    raise ValueError(name)


def _has_nul(value: Any) -> bool:
    """Returns whether a value contains U+0000: PostgreSQL cannot store it, so both databases refuse it."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(_has_nul(each) for each in value)


def _finished(answer: Answer) -> HttpResponseBase:
    response = answer if isinstance(answer, HttpResponseBase) else JsonResponse(answer)
    response.setdefault("Cache-Control", "private, no-store")
    return response
