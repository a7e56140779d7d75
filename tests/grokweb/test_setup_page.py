"""The setup page: for superusers alone; each step does the whole of its work or nothing, and says so."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client

from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from grokweb import model_check
from grokweb.first_setup import servers
from grokweb.settings import changeable
from inference.base import settings_file
from inference.base.model_list import state
from inference.base.model_list.entries import path_in, read
from inference.base.model_list.state import ServiceState, Step, WorkerState
from tests.chat.cast import PASSWORD, Cast
from tests.grokweb.broken_servers import Mail, serving
from tests.inference.servers.fake_server import MODEL, Call, FakeServer, message

PAGE = "/admin/setup/"
SECRET = "sk-never-shown-4711"


@pytest.fixture
def cast(db: None) -> Cast:
    ModelCard.objects.create(slug="scripted", name="Scripted", context_tokens=1024, is_default=True)
    return Cast()


@pytest.fixture(autouse=True)
def _clean(settings: Any) -> Iterator[None]:
    """Undoes what the page changes in the data directory and in the settings of the process."""
    for name, value in changeable.read().items():
        setattr(settings, name, value)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    yield
    for path in (settings_file.path_here(), path_in(settings.DATA_DIR)):
        path.unlink(missing_ok=True)
    for path in (settings.DATA_DIR / "keys").glob("*"):
        path.unlink()
    state.withdraw(settings.RUN_DIR)


@pytest.fixture
def client(cast: Cast) -> Client:
    return cast.client("staff")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Yields a server that says hello to whoever has the key."""

    def answer(call: Call) -> None:
        if call.headers.get("authorization") == f"Bearer {SECRET}":
            call.ok("Hello ", "there")
        else:
            call.send(message(401, {"error": SECRET}))

    with FakeServer(answer) as running:
        yield running


def post(client: Client, step: str, **fields: str) -> Any:
    return client.post(PAGE, {"step": step, **fields})


def line(response: Any) -> str:
    """Returns the one line with which a step was refused."""
    [found] = re.findall(r'<p class="errornote"[^>]*>(.*?)</p>', response.content.decode())
    return str(found)


def verbs() -> list[str]:
    return [row.verb for row in StaffAction.objects.order_by("pk")]


# --- Who may open it, and who is led to it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("staff", 200), ("moderator", 403), ("alice", 302), ("bob", 302), ("stranger", 302), ("anonymous", 302)],
)
@pytest.mark.parametrize("path", [PAGE, f"{PAGE}state/"])
def test_only_superusers_open_it(cast: Cast, who: str, status: int, path: str) -> None:
    assert cast.client(who).get(path).status_code == status
    assert post(cast.client(who), "sign-up", open="0").status_code == (302 if who == "staff" else status)
    assert settings_file.stored() == ({"GROKWEB_SIGNUP": "0"} if who == "staff" else {})


def test_a_request_from_another_site_changes_nothing(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.staff, "django.contrib.auth.backends.ModelBackend")
    assert post(client, "sign-up", open="0").status_code == 403
    assert settings_file.stored() == {}


def log_in(cast: Cast, who: str, path: str = "") -> str:
    answer = Client().post(f"/accounts/login/{path}", {"login": f"{who}@example.org", "password": PASSWORD})
    return str(answer["Location"])


@pytest.mark.parametrize(("step", "verb"), [("skip", "skip setup"), ("finish", "finish setup")])
def test_administrators_are_led_to_it_until_one_has_skipped_or_finished_it(
    cast: Cast, client: Client, step: str, verb: str
) -> None:
    assert log_in(cast, "alice") == "/"
    assert log_in(cast, "staff") == log_in(cast, "staff", "?next=/admin/") == PAGE
    assert log_in(cast, "staff", "?next=/settings/") == "/settings/"
    assert "Skip for now" in client.get(PAGE).content.decode()
    assert post(client, step)["Location"] == "/"
    assert verbs() == [verb]
    assert log_in(cast, "staff") == "/"
    page = client.get(PAGE).content.decode()
    assert "Skip for now" not in page
    assert "What is still missing" in page
    assert f'<a href="{PAGE}">' in client.get("/admin/").content.decode()
    assert PAGE not in cast.client("moderator").get("/admin/").content.decode()


def test_it_lists_what_is_missing(client: Client) -> None:
    ModelCard.objects.update(is_demo=True)
    listed = re.findall(r'data-check="([^"]+)"', client.get(PAGE).content.decode())
    assert {"default model", "e-mail", "backup"} <= set(listed)


# --- The model ----------------------------------------------------------------------------------------------


def test_the_search_finds_servers_on_the_usual_ports_and_begins_with_the_button(
    client: Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    server.models = {"data": [{"id": MODEL}, {"id": "<script>"}, {"id": "x" * 300}, "odd"]}
    with FakeServer(lambda call: call.ok(), models="nonsense") as odd:
        ports = {"Ollama": server.port, "llama.cpp": 1, "vLLM": settings.PORT, "LM Studio": odd.port}
        monkeypatch.setattr(servers, "PORTS", ports)
        assert "data-found" not in client.get(PAGE).content.decode()
        page = post(client, "search").content.decode()
    assert re.findall(r'data-found="([^"]*)"', page) == ["Ollama"]
    assert re.findall(r"<option>(.*?)</option>", page) == [MODEL, "&lt;script&gt;"]
    monkeypatch.setattr(servers, "PORTS", {"Ollama": 1})
    assert "No server answered on the usual ports." in post(client, "search").content.decode()
    assert server.calls == []


def test_a_trial_shows_the_answer_or_the_plain_reason_and_changes_nothing(
    client: Client, server: FakeServer, settings: Any
) -> None:
    about = {"url": server.base, "model": MODEL}
    page = post(client, "try", **about, key=SECRET)
    assert page.status_code == 200
    assert "“Hello there”" in page.content.decode()
    assert SECRET not in page.content.decode()
    answer = client.post(
        PAGE, {"step": "try", **about, "key": SECRET}, headers={"accept": "application/json"}
    )
    assert answer.json()["ok"] is True
    refused = post(client, "try", **about, key="wrong")
    assert (refused.status_code, line(refused)) == (400, "The server refuses the key.")
    refused = client.post(PAGE, {"step": "try", "url": "http://127.0.0.1:1", "model": "x"},
                          headers={"accept": "application/json"})  # fmt: skip
    assert (refused.status_code, refused.json()["ok"]) == (200, False)
    assert refused.json()["words"].startswith("There is no connection to the server")
    assert not path_in(settings.DATA_DIR).exists()


def test_a_server_becomes_the_model_of_new_chats_with_its_key_in_a_private_file(
    client: Client, server: FakeServer, settings: Any
) -> None:
    answer = post(client, "server", url=server.base, model=MODEL, key=SECRET)
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}#model")
    found = read(settings.DATA_DIR)
    assert found.default == MODEL
    assert found.entries[MODEL].source == f"{server.base}#{MODEL}"
    key = Path(found.entries[MODEL].key)
    assert key.read_text().strip() == SECRET
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert SECRET not in path_in(settings.DATA_DIR).read_text() + client.get(PAGE).content.decode()
    row = StaffAction.objects.get(verb="choose model")
    assert (row.target, row.detail["key"]) == (f"model:{MODEL}", "in a file")
    assert post(client, "server", url=server.base, model=MODEL).status_code == 302  # the default, once more
    assert list(read(settings.DATA_DIR).entries) == [MODEL]


def only_key() -> str:
    """Returns the content of the one key file that there is, which the one table names."""
    [entry] = read(django_settings.DATA_DIR).entries.values()
    [file] = (django_settings.DATA_DIR / "keys").iterdir()
    assert entry.key == str(file)
    return file.read_text().strip()


def test_a_second_click_leaves_the_key_that_the_first_one_stored(
    client: Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"url": server.base, "model": MODEL, "key": SECRET}
    ask = model_check.ask_entry
    first: list[int] = []

    def ask_while_the_first_click_is_carried_out(*given: Any) -> Any:
        if not first:
            first.append(0)
            first[0] = post(client, "server", **about).status_code
        return ask(*given)

    monkeypatch.setattr(model_check, "ask_entry", ask_while_the_first_click_is_carried_out)
    assert post(client, "server", **about).status_code == 302
    assert first == [302]
    assert only_key() == SECRET


def test_a_key_entered_here_is_replaced_once_the_server_accepts_another(client: Client) -> None:
    def answer(call: Call) -> None:
        if call.headers.get("authorization") == f"Bearer {SECRET}":
            call.ok("Hello")
        else:
            call.send(message(401, {"error": "no"}))

    with FakeServer(answer) as server:
        about = {"url": server.base, "model": MODEL}
        port = server.port
    assert post(client, "server", **about, key="mistyped").status_code == 302  # the server is silent
    assert line(post(client, "server", **about, key=SECRET)).startswith("The server does not answer")
    assert only_key() == "mistyped"
    with FakeServer(answer, probe=answer, port=port):
        assert post(client, "server", **about, key="wrong").status_code == 400
        assert only_key() == "mistyped"
        assert post(client, "server", **about, key=SECRET).status_code == 302
    assert only_key() == SECRET


def test_a_key_that_was_not_entered_here_stays_and_a_lost_one_can_be_entered(
    client: Client, server: FakeServer, settings: Any, tmp_path: Path
) -> None:
    file, about = tmp_path / "key", {"url": server.base, "model": MODEL}
    file.write_text(SECRET)
    table = f'[a]\n# its key\nkey = "{file}"\nsource = "{server.base}#{MODEL}"\n'
    path_in(settings.DATA_DIR).write_text(table)
    assert f"is there already, with the key in {file}" in line(post(client, "server", **about, key="new"))
    file.unlink()
    assert post(client, "server", **about, key="new").status_code == 302
    assert only_key() == "new"
    assert "# its key" in path_in(settings.DATA_DIR).read_text()


def test_a_model_that_two_servers_have_is_numbered_the_second_time(
    client: Client, server: FakeServer, settings: Any
) -> None:
    with FakeServer(lambda call: call.ok("hi")) as second:
        for base in (server.base, second.base):
            assert post(client, "server", url=base, model=MODEL, key=SECRET).status_code == 302
        found = read(settings.DATA_DIR)
        assert (list(found.entries), found.default) == ([MODEL, f"{MODEL}-2"], f"{MODEL}-2")
        assert found.entries[f"{MODEL}-2"].source == f"{second.base}#{MODEL}"


def test_a_model_by_name_is_added_and_its_size_and_memory_are_shown(client: Client, settings: Any) -> None:
    page = client.get(PAGE).content.decode()
    assert "ibm-granite/granite-3.1-1b-a400m-instruct" in page
    assert "download 2.7 GB · memory 4.6 GB" in page
    assert post(client, "name", recommended="Qwen/Qwen3-8B").status_code == 302
    assert read(settings.DATA_DIR).entries["qwen3-8b"].source == "hf:Qwen/Qwen3-8B"
    assert read(settings.DATA_DIR).default == "qwen3-8b"


@pytest.mark.parametrize(
    ("step", "fields", "says"),
    [
        ("server", {"model": "x"}, "Enter the address of the server"),
        ("server", {"url": "http://127.0.0.1:1"}, "Enter the model&#x27;s name"),
        ("server", {"url": "ftp://a", "model": "x"}, "only http:// and https:// are possible"),
        ("server", {"url": "http://u:p@a", "model": "x"}, "put the key into GROKWEB_MODEL_KEY"),
        ("server", {"url": "http://a", "model": "x", "key": "k", "key_name": "K"}, "not both"),
        ("server", {"url": "http://a", "model": "x", "key": "two words"}, "the key has characters"),
        ("server", {"url": "http://a", "model": "x", "key_name": "sk-1"}, "A variable&#x27;s name has"),
        ("server", {"url": "http://a", "model": "x", "key_name": "UNSET_KEY"}, "UNSET_KEY is not in the"),
        ("try", {"url": "http://a", "model": "x", "key_name": "UNSET_KEY"}, "UNSET_KEY"),
        ("try", {"url": "http://169.254.169.254", "model": "x"}, "refuses the request"),
        ("name", {}, "Choose a model, or enter the name of one"),
        ("name", {"name": "nonsense"}, "is not the name of a model on a hub"),
        (
            "mail",
            {"host": "no host", "port": "25", "security": "tls", "sender": "a@example.org"},
            "Enter the name",
        ),
        (
            "mail",
            {"host": "h", "port": "0", "security": "tls", "sender": "a@example.org"},
            "The port is a number",
        ),
        ("mail", {"host": "h", "port": "25", "security": "x", "sender": "a@example.org"}, "Choose how"),
        (
            "mail",
            {"host": "h", "port": "25", "security": "tls", "user": "u", "sender": "a@b.org"},
            "the password",
        ),
        ("mail", {"host": "127.0.0.1", "port": "25", "security": "tls", "sender": "nobody"}, "The sender is"),
        (
            "mail",
            {"host": "127.0.0.1", "port": "1", "security": "tls", "sender": "a@b.org"},
            "does not answer",
        ),
        (
            "mail",
            {
                "host": "h",
                "port": "25",
                "security": "none",
                "user": "u",
                "password": "p",
                "sender": "a@b.org",
            },
            "Without encryption others could read",
        ),
        ("test-mail", {}, "Save a mail server first."),
        ("language", {"language": "xx"}, "There is no such language here."),
        ("nothing", {}, "There is no such step."),
    ],
)
def test_a_wrong_input_is_refused_in_one_line_and_changes_nothing(
    client: Client, settings: Any, step: str, fields: dict[str, str], says: str
) -> None:
    answer = post(client, step, **fields)
    assert answer.status_code == 400
    assert says in line(answer)
    assert not path_in(settings.DATA_DIR).exists()
    assert list((settings.DATA_DIR / "keys").glob("*")) == []
    assert settings_file.stored() == {}
    assert set(verbs()) <= {"ask model server"}


SETTINGS = [
    "GROKWEB_SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "GROKWEB_MODEL_KEY",
    "HF_TOKEN",
    "OTHER_KEY",
]


@pytest.mark.parametrize("step", ["try", "server"])
@pytest.mark.parametrize("name", ["{file}", "/nowhere", *SETTINGS])
def test_no_file_setting_or_key_of_another_server_is_sent_as_a_key(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, name: str
) -> None:
    """The words for a file are the same whether there is such a file or not."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    path_in(settings.DATA_DIR).write_text('[other]\nsource = "http://a.example#x"\nkey = "OTHER_KEY"\n')
    for each in SETTINGS:
        monkeypatch.setenv(each, SECRET)
    with FakeServer(lambda call: call.ok("hi")) as server:
        given = name.format(file=file)
        answer = post(client, step, url=server.base, model=MODEL, key_name=given)
    says = "is for something else" if name in SETTINGS else "A variable&#x27;s name has capital letters"
    assert says in line(answer)
    assert server.calls + server.probes == []
    assert list(read(settings.DATA_DIR).entries) == ["other"]


def test_a_variable_may_hold_the_key_of_two_models_of_one_server(
    client: Client, server: FakeServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.models = {"data": [{"id": MODEL}, {"id": "larger"}]}
    monkeypatch.setenv("TINY_KEY", SECRET)
    for model in (MODEL, "larger"):
        assert post(client, "server", url=server.base, model=model, key_name="TINY_KEY").status_code == 302
    assert {entry.key for entry in read(settings.DATA_DIR).entries.values()} == {"TINY_KEY"}


def test_a_server_is_on_record_before_it_gets_a_key(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def try_out(source: str, key: str) -> servers.Trial:
        seen.extend(verbs())
        return servers.Trial("hi", 0.1)

    monkeypatch.setattr(servers, "try_out", try_out)
    assert post(client, "try", url="http://127.0.0.1:1", model=MODEL, key=SECRET).status_code == 200
    assert seen == ["ask model server"]
    assert StaffAction.objects.get().detail == {"server": "127.0.0.1:1", "model": MODEL, "key": "entered"}
    assert post(client, "server", url="http://127.0.0.1:1", model="x", key=SECRET).status_code == 302
    assert verbs() == ["ask model server", "ask model server", "choose model"]


def test_opening_the_page_asks_no_server_and_blames_no_key_that_only_the_workers_have(
    client: Client, server: FakeServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setenv("TINY_KEY", SECRET)
    assert post(client, "server", url=server.base, model=MODEL, key_name="TINY_KEY").status_code == 302
    monkeypatch.delenv("TINY_KEY")
    with serving(Mail, fault="", heard=heard) as port:
        settings.EMAIL_URL, settings.EMAIL_HOST = f"smtp://127.0.0.1:{port}", "127.0.0.1"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = port
        asked = len(server.probes)
        page = client.get(PAGE).content.decode()
        assert (len(server.probes), heard) == (asked, [])
    listed = re.findall(r'data-check="([^"]+)"', page)
    assert not {"models", "e-mail"} & set(listed)
    path_in(settings.DATA_DIR).write_text(f'[a]\nsource = "{server.base}#a"\nkey = "/nowhere"\n')
    assert "[a] key: /nowhere: No such file" in client.get(PAGE).content.decode()


def shown(client: Client) -> tuple[str, str]:
    found = client.get(f"{PAGE}state/").json()
    return found["kind"], f"{found['words']} {found['detail']}".strip()


def test_the_state_of_the_model_is_the_real_one(client: Client, settings: Any) -> None:
    kind, words = shown(client)
    assert (kind, words.startswith("`manage.py up` does not run here")) == ("problem", True)

    def up_says(step: Step, problem: str = "") -> None:
        workers = {"new": WorkerState(step, 0.0, problem)}
        state.publish(settings.RUN_DIR, ServiceState("new", workers))

    settings.RUN_DIR.mkdir(exist_ok=True)
    up_says(Step.STARTED)
    assert shown(client) == ("starting", "Its worker is starting.")
    up_says(Step.REFUSED, "model: no model at /nowhere")
    assert shown(client) == ("problem", "It cannot be served. model: no model at /nowhere")
    up_says(Step.RESTARTING, "it died")
    assert shown(client) == ("problem", "Its worker ended and starts again. it died")


# --- Settings -----------------------------------------------------------------------------------------------


def test_sign_up_closes_at_once_and_is_on_record(client: Client) -> None:
    assert post(client, "sign-up", open="0").status_code == 302
    assert "password1" not in Client().get("/accounts/signup/").content.decode()
    row = StaffAction.objects.get()
    assert (row.verb, row.detail) == ("change settings", {"GROKWEB_SIGNUP": "0"})
    assert post(client, "sign-up", open="1").status_code == 302
    assert "password1" in Client().get("/accounts/signup/").content.decode()


def test_a_mail_server_is_stored_when_it_answers_and_its_password_is_not_shown(
    client: Client, settings: Any
) -> None:
    heard: list[str] = []
    with serving(Mail, fault="", heard=heard) as port:
        fields = {"host": "127.0.0.1", "port": str(port), "security": "none", "user": "me"}
        fields |= {"sender": "chat@example.org"}
        assert post(client, "mail", **fields, password=SECRET).status_code == 302
        assert settings_file.stored()["EMAIL_URL"] == f"smtp://me:{SECRET}@127.0.0.1:{port}"
        assert "AUTH" in heard
        page = client.get(PAGE).content.decode()
        assert "Send a test message to staff@example.org" in page
        assert SECRET not in page
        assert settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory"
        # The password stays for the same server, and goes to no other.
        assert post(client, "mail", **{**fields, "sender": "new@example.org"}).status_code == 302
        assert settings_file.stored()["EMAIL_URL"] == f"smtp://me:{SECRET}@127.0.0.1:{port}"
        assert "Enter the password" in line(post(client, "mail", **{**fields, "host": "localhost"}))
    assert SECRET not in str(list(StaffAction.objects.values_list("detail", flat=True)))
    assert post(client, "no-mail").status_code == 302
    client.get(PAGE)
    assert settings.ACCOUNT_EMAIL_VERIFICATION == "none"


def test_a_mail_server_that_refuses_the_login_is_not_stored(client: Client) -> None:
    with serving(Mail, fault="log-in", heard=[]) as port:
        answer = post(client, "mail", host="127.0.0.1", port=str(port), security="none", user="me",
                      password=SECRET, sender="chat@example.org")  # fmt: skip
    assert line(answer) == "The mail server refuses the user or the password."
    assert SECRET not in answer.content.decode()
    assert settings_file.stored() == {}


def test_a_test_message_goes_to_the_administrator(client: Client, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.example.org:25"
    answer = client.post(PAGE, {"step": "test-mail"}, headers={"accept": "application/json"})
    assert answer.json() == {
        "ok": True,
        "words": "The mail server has taken a message for staff@example.org.",
    }
    assert [message.to for message in mail.outbox] == [["staff@example.org"]]
    assert verbs() == ["send test message"]


def test_the_language_takes_effect_at_the_next_start_and_the_page_says_so(client: Client) -> None:
    assert "data-next-start" not in client.get(PAGE).content.decode()
    assert post(client, "language", language="fr").status_code == 302
    assert "data-next-start" in client.get(PAGE).content.decode()
    assert settings_file.stored() == {"GROKWEB_LANGUAGE": "fr"}


def test_settings_of_the_environment_cannot_be_changed_here(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GROKWEB_SIGNUP": "1", "EMAIL_URL": "smtp://h:25", "GROKWEB_LANGUAGE": "en"}.items():
        monkeypatch.setenv(name, value)
    page = client.get(PAGE).content.decode()
    assert page.count("data-fixed") == 3
    answer = post(client, "sign-up", open="0")
    assert (answer.status_code, settings_file.stored()) == (400, {})
    assert line(answer) == "GROKWEB_SIGNUP is set by the environment of the service."


def test_questions_of_one_person_to_servers_are_limited(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PORTS", {})
    monkeypatch.setattr("grokweb.first_setup.views.TRIES", 1)
    monkeypatch.setattr("grokweb.first_setup.views.WINDOW", 10**6)
    assert post(client, "search").status_code == 200
    for step in ("search", "try", "server", "mail"):
        assert post(client, step).status_code == 429
