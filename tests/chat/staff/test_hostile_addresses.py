"""Hostile addresses and forms for every admin page there is: refused or ignored, never a 500, never slow."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import models
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, reverse

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.models import StaffAction
from chat.core.site import Site
from chat.moderation import reporting
from chat.moderation.models import Rule
from chat.quotas.models import QuotaPolicy, UsageCounter
from chat.sharing import copying
from chat.sharing.models import TakeDown
from chat.turns.models import Generation, Status

pytestmark = pytest.mark.django_db(transaction=True)  # a statement that fails must not spoil the next one

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)
FORBIDDEN = [
    "regex", "iregex", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith",
    "iexact", "in", "gt", "gte", "lt", "lte", "range", "week_day", "nowhere",
]  # fmt: skip
ENOUGH = 20.0  # seconds of a busy machine; one such search took hours

HUGE, LONG = "9" * 60, "9" * 6000
NUMBERS = ["-1", "0", "1e9", "9223372036854775808", HUGE, LONG, "٣", "\0", "", "NaN", "1.1.1", "--1", "-"]
DATES = ["99999", "0", "-1", HUGE, "2026-02-31", "abc", "\0", "9999", "10000", "2026-01-01T99:99"]
GENERIC = [
    *({"p": each} for each in NUMBERS),
    *({"o": each} for each in NUMBERS),
    {"o": "1." * 1900},
    {"o": ".".join(str(each) for each in range(900))},
    {"all": "1", "p": "7"},
    {"e": "1"},
    {"e": "1", "p": "x"},
    {"_facets": "True"},
    {"_facets": "\0", "p": "1"},
    {"_popup": "1"},
    {"_popup": "1", "_to_field": "password"},
    {"_popup": "1", "_to_field": "id"},
    {"_to_field": "\0"},
    {"_to_field": "nowhere__id"},
    {"_changelist_filters": "q=%00&o=" + "1." * 500},
    {"_changelist_filters": "\0"},
    {"_changelist_filters": "x" * 9000},
    {"nowhere": "1"},
    {"nowhere__regex": "(a+)+$"},
    {"": "1"},
    {"__": "1"},
    {"pk": "x"},
    {"pk": HUGE},
    {"pk": ["1", "2", "x"]},
    {"pk__in": "1,x"},
    {"pk__regex": "^(a+)+$"},
    {"id": "\0"},
    {"q": "\0"},
    {"q": "x" * 16_000},
    {"q": "a " * 8000},
    {"q": '"' * 3000},
    {"q": "%" * 200},
    {"q": "_%\\" * 66},
    {"q": ["a", "b"]},
    {f"field{number}": "1" for number in range(500)},
    {"message": "x", "p": "x"},
]


class AdminRows:
    """One row for most admin pages, and staff of three ranks."""

    def __init__(self, cast: Any, model_card: Any) -> None:
        self.cast = cast
        talk = Conversation.objects.create(owner=cast.alice, model=model_card, title="a" * 40)
        asked = talk.messages.create(role="user", author=cast.alice, text="a" * 40)
        reply = talk.messages.create(role="assistant", parent=asked, text="a" * 40)
        Generation.objects.create(
            message=reply, user=cast.alice, model="scripted", seed=1, status=Status.COMPLETE
        )
        self.share = copying.create_share(conversation=talk, owner=cast.alice)
        self.report = reporting.report_message(reporter=cast.alice, message=reply, reason="harmful", note="")
        self.rule = Rule.objects.create(name="fish", options={"pattern": "fish"})
        self.take_down = TakeDown.objects.create(
            owner=cast.alice, conversation=talk, share=self.share, reason="a" * 40, message_digests={}
        )
        self.policy = QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=1000)
        self.clerk = User.objects.create_user("clerk@example.org", "a long password", is_staff=True)
        self.clerk.user_permissions.set(Permission.objects.all())

    def client(self, who: str) -> Client:
        if who == "clerk":
            client = Client()
            client.force_login(self.clerk)
        else:
            client = self.cast.client(who)
        client.raise_request_exception = False
        return client


@pytest.fixture
def rows(cast: Any, model_card: Any) -> AdminRows:
    return AdminRows(cast, model_card)


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def by_name(model: type[Model]) -> str:
    return model._meta.label_lower


def check(client: Client, page: str, query: Any = None, form: Any = None) -> int:
    """Returns the status of the answer. An error of the server shows what was asked."""
    if form is None:
        answer = client.get(page, query or {})
    else:
        answer = client.post(page, form, query_params=query or {})
    assert answer.status_code < 500, (page, str(query)[:200], str(form)[:200])
    return answer.status_code


def own_fields(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.get_fields() if field.concrete or field.is_relation]


# --- Lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_no_lookup_but_the_named_ones_is_allowed(rows: AdminRows, model: type[Model]) -> None:
    client, dated = rows.client("staff"), admin.site._registry[model].date_hierarchy
    for field in own_fields(model):
        named = {"gte", "lt"} if field.name == dated else set()
        paths = [field.name, f"{field.name}__id"] if field.is_relation else [field.name]
        for lookup in FORBIDDEN if paths[0] in {"title", "email", dated} else FORBIDDEN[:3] + ["in", "gt"]:
            for path in paths:
                if lookup not in named:
                    asked = {f"{path}__{lookup}": "^(a+)+$"}
                    assert check(client, list_of(model), asked) == 400, asked


def test_a_pattern_that_never_ends_freezes_nothing(rows: AdminRows) -> None:
    started = time.monotonic()
    asked = {"title__regex": r"^(a+)+$b"}
    assert check(rows.client("staff"), "/admin/conversations/conversation/", asked) == 400
    assert time.monotonic() - started < ENOUGH


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_every_link_of_a_list_works(rows: AdminRows, model: type[Model]) -> None:
    client = rows.client("staff")
    page = client.get(list_of(model)).content.decode()
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="(\?[^"]*)"', page)}
    for link in links:
        assert client.get(list_of(model) + link).status_code == 200, link


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_lists_survive_hostile_parameters(rows: AdminRows, model: type[Model]) -> None:
    client = rows.client("staff")
    for query in GENERIC:
        check(client, list_of(model), query)


WORST = ["\0", HUGE, "x"]


def first_of_their_kind() -> set[Any]:
    """Returns one field of each class: how a value is read is a matter of its class."""
    found: dict[str, Any] = {}
    for model in MODELS:
        for field in own_fields(model):
            found.setdefault(field.get_internal_type() if field.concrete else type(field).__name__, field)
    return set(found.values())


def values_for(field: Any, *, every: bool) -> list[str]:
    if not every:
        return [*WORST[:2], "99999"] if isinstance(field, models.DateField) else WORST[:2]
    return DATES if isinstance(field, models.DateField) else [*NUMBERS, str(uuid4()), "{", "None", "True"]


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_lists_survive_hostile_values_of_the_named_lookups(rows: AdminRows, model: type[Model]) -> None:
    """Every field gets the two worst values, and one field of each class gets all of them."""
    page, dated = list_of(model), admin.site._registry[model].date_hierarchy
    client, firsts = rows.client("staff"), first_of_their_kind()
    for field in own_fields(model):
        names = [field.name, f"{field.name}__exact", f"{field.name}__isnull"]
        names += [f"{field.name}__id__exact"] if field.is_relation else []
        names += [f"{dated}__{part}" for part in ("year", "gte", "lt")] if field.name == dated else []
        for name in names:
            if {check(client, page, {name: value}) for value in ("1", str(uuid4()))} == {400}:
                continue  # not one of the named
            every = field in firsts or field.name == dated
            for value in values_for(field, every=every):
                check(client, page, {name: value})
            if every:
                check(client, page, {name: ["1", "x", ""]})
    for value in DATES if dated else ():
        check(client, page, {f"{dated}__year": "2026", f"{dated}__month": value})
        check(client, page, {f"{dated}__year": "2026", f"{dated}__month": "2", f"{dated}__day": value})
        check(client, page, {f"{dated}__month": value})


@pytest.mark.parametrize("asked", ["x" * 4000, "a " * 2000, "'" * 3000, "a" * 250], ids=len)
def test_long_searches_are_refused_in_words(rows: AdminRows, asked: str) -> None:
    for model in (StaffAction, Conversation, User):
        page = rows.client("staff").get(list_of(model), {"q": asked}, headers={"Accept-Language": "en"})
        assert page.status_code == 200
        assert "at most 10 words and 200 characters" in page.content.decode()


def test_a_search_of_some_words_finds(rows: AdminRows) -> None:
    page = rows.client("staff").get("/admin/accounts/user/", {"q": "alice example org"}).content.decode()
    assert "alice@example.org" in page
    assert "bob@example.org" not in page


# --- Every other page ---------------------------------------------------------------------------------------

IDS = [
    "0",
    "-1",
    HUGE,
    "9223372036854775808",
    "x",
    "None",
    "_00",
    "\0",
    "a/b/c",
    str(uuid4()),
    "é",
    "_",
    "1" * 900,
]
FORMS: list[dict[str, Any]] = [
    {},
    {"action": "delete_selected", "_selected_action": ["x", "\0", HUGE], "index": "x"},
    {"action": "\0", "index": HUGE, "_selected_action": "1"},
    {"post": "yes"},
    {"_save": "x", "form-TOTAL_FORMS": "x", "decision_set-TOTAL_FORMS": HUGE},
    {"_saveasnew": "1", "_popup": "1", "_to_field": "\0"},
]
OF_ONE_PAGE: list[dict[str, Any]] = [  # posted where the page has such a field
    {"decision_note": "\0", "dismissed": "1"},
    {"owner_reason": "\0", "taken_down": "1", "seen": HUGE},
    {"owner_reason": LONG, "taken_down": "1", "seen": "\0"},
    {"successor": "\0", "is_default": "\0", "stamp": "\0"},
    {"successor": HUGE, "is_retired": "on", "is_hidden": "on"},
    {"reason": "\0", "until": "0001-01-01T00:00"},
    {"reason": "x", "until": "9999-12-31T23:59"},
    {"password1": "\0", "password2": "\0"},
]


def patterns(found: Any = None) -> Iterator[URLPattern]:
    for each in admin.site.get_urls() if found is None else found:
        if isinstance(each, URLPattern):
            yield each
        else:
            yield from patterns(each.url_patterns)


def pages_with(name: str, argument: Any) -> Iterator[str]:
    """Addresses of a named page; nothing where its converter takes no such argument."""
    for arguments in ([argument], [], [0, argument]):
        try:
            yield reverse(f"admin:{name}", args=arguments)
        except NoReverseMatch:
            continue


def names() -> set[str]:
    return {str(each.name) for each in patterns() if each.name} - {"logout"}


def every_page_that_exists() -> list[str]:
    """Pages of lists, and of one row of each kind."""
    found = {"/admin/engine/"}
    for name in names():
        model = next(
            (each for each in MODELS if name.startswith(each._meta.label_lower.replace(".", "_"))), None
        )
        row = model._default_manager.first() if model else None
        found |= {*pages_with(name, row.pk if row else "accounts")}
    return sorted(found)


def test_pages_survive_hostile_numbers(rows: AdminRows) -> None:
    """Pages of one row get every number, others some: what reads it is the same."""
    client = rows.client("staff")
    for name in sorted(names()):
        for pk in IDS if name.endswith("_change") else [HUGE, "x", "\0", "_00"]:
            for page in pages_with(name, pk):
                check(client, page)


@pytest.mark.parametrize("who", ["staff", "clerk", "moderator"])
def test_pages_survive_hostile_parameters(rows: AdminRows, who: str) -> None:
    """Superusers ask each page a third of the queries in turn; others, who see less of them, one."""
    client = rows.client(who)
    few = [
        {"p": "x"},
        {"p": HUGE},
        {"_to_field": "x", "_popup": "1"},
        {"_changelist_filters": "%"},
        {"e": "1"},
    ]
    few += [{"message": "\0"}, {"q": "\0"}, {"next": "//example.org"}, {"nowhere__regex": "("}]
    for number, page in enumerate(every_page_that_exists()):
        for query in few[number % 3 :: 3] if who == "staff" else [few[number % len(few)]]:
            check(client, page, query)


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_forms_survive_hostile_initial_values(rows: AdminRows, model: type[Model]) -> None:
    """Django fills a form for a new row from its address."""
    client = rows.client("staff")
    [page] = pages_with(f"{model._meta.app_label}_{model._meta.model_name}_add", "never")
    if check(client, page, {"name": "x"}) == 403:
        return  # nobody adds such rows
    fields, firsts = own_fields(model), first_of_their_kind()
    for value in ["x", HUGE, LONG, "", "é", "1,x", "2026-99-99", "{", str(uuid4())]:
        for field in fields if value in WORST else firsts.intersection(fields):
            check(client, page, {field.name: value})


def test_forms_survive_hostile_contents(rows: AdminRows) -> None:
    client = rows.client("staff")
    for page in every_page_that_exists():
        if "password_change" in page or page.endswith(f"{rows.cast.staff.pk}/change/"):
            continue  # one's own log-in goes on
        shown = client.get(page).content.decode()
        fitting = [form for form in OF_ONE_PAGE if any(f'name="{name}"' in shown for name in form)]
        for form in [*FORMS, *fitting]:
            check(client, page, form=form)


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_forms_survive_hostile_fields(rows: AdminRows, model: type[Model]) -> None:
    client = rows.client("staff")
    [page] = pages_with(f"{model._meta.app_label}_{model._meta.model_name}_add", "never")
    if check(client, page, form={"name": "x"}) == 403:
        return  # nobody adds such rows
    fields, firsts = own_fields(model), first_of_their_kind()
    for value in ["x", HUGE, LONG, "\0", "\ud7ff", "-1", "2026-99-99", "{"]:
        check(client, page, form={field.name: value for field in fields})
        for field in fields if value in WORST else firsts.intersection(fields):
            form = {"name": "x", "email": "x@example.org", "kind": "pattern"}
            check(client, page, form={**form, field.name: value})


# --- The site -----------------------------------------------------------------------------------------------


def test_pages_of_other_packages_get_the_rules_too(rf: RequestFactory, rows: AdminRows) -> None:
    site = Site()
    site.register(UsageCounter, type("Stock", (admin.ModelAdmin,), {"list_display": ("day", "user")}))
    site.register(QuotaPolicy)
    request = rf.get("/")
    request.user = rows.cast.staff
    for page in (*site._registry.values(), *admin.site._registry.values()):
        for field in own_fields(page.model):
            assert not page.lookup_allowed(f"{field.name}__regex", "x", request), (page, field)


def test_a_fault_of_ours_is_not_taken_for_a_mistake(rows: AdminRows, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: Any, **named: Any) -> Any:
        raise ValueError("ours")

    monkeypatch.setattr(Site, "each_context", fails)
    assert rows.client("staff").get("/admin/").status_code == 500


def test_values_from_addresses_are_not_in_the_log(rows: AdminRows, caplog: pytest.LogCaptureFixture) -> None:
    check(rows.client("staff"), "/admin/accounts/user/", {"canary__regex": "canary"})
    ours = [record.getMessage() for record in caplog.records if record.name == "chat.core.site"]
    assert ours
    assert not [line for line in ours if "canary" in line]
