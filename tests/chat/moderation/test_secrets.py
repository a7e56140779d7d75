"""The kind of rule "secrets": what it finds, what it leaves alone, and where it says that the finding stands.

Keys are put together here, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import random
import string
import time
from pathlib import Path

import pytest

from chat.core.entry_points import RuleScope, check_text
from chat.core.errors import RefusedByRule
from chat.moderation import blocking, rule_kinds
from chat.moderation.models import Rule
from chat.moderation.rules.secrets import SHAPES
from inference.base.findings import Finding
from inference.contract import ReplyRule
from inference.text.reply_rules import compile_rules
from tests.chat.cast import Cast

ADD = "/admin/moderation/rule/add/"
LETTERS, UPPER, HEX = (
    string.ascii_letters + string.digits,
    string.ascii_uppercase + "234567",
    "0123456789abcdef",
)
CORPUS = (Path(__file__).parent / "no_secrets.txt").read_text().splitlines()
_made = random.Random(7)


def drawn(count: int, alphabet: str = LETTERS) -> str:
    return "".join(_made.choices(alphabet, k=count))


KEYS = {
    "private_key": ["-----BEGIN " + f"{kind}PRIVATE KEY-----" for kind in ("", "RSA ", "OPENSSH ", "EC ")],
    "jwt": ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + ".eyJ" + drawn(40) + "." + drawn(43)],
    "aws_key": ["AK" + "IA" + drawn(16, UPPER), "AS" + "IA" + drawn(16, UPPER)],
    "github_token": ["gh" + "p_" + drawn(36), "github" + "_pat_" + drawn(22) + "_" + drawn(59)],
    "gitlab_token": ["gl" + "pat-" + drawn(20)],
    "openai_key": ["sk-" + "proj-" + drawn(48), "sk-" + drawn(20) + "T3Blbk" + "FJ" + drawn(20)],
    "anthropic_key": ["sk-" + "ant-api03-" + drawn(93)],
    "xai_key": ["x" + "ai-" + drawn(80)],
    "google_key": ["AI" + "za" + drawn(35), "GOC" + "SPX-" + drawn(28), "ya" + "29." + drawn(60)],
    "slack_token": ["xo" + "xb-" + drawn(12, string.digits) + "-" + drawn(24)],
    "slack_webhook": [
        "https://hooks.slack.com" + "/services/T" + drawn(9, UPPER) + "/B" + drawn(9, UPPER) + "/" + drawn(24)
    ],
    "stripe_key": ["sk_" + "live_" + drawn(24), "rk_" + "test_" + drawn(24)],
    "hugging_face_token": ["h" + "f_" + drawn(34, string.ascii_letters)],
    "npm_token": ["np" + "m_" + drawn(36)],
    "pypi_token": ["py" + "pi-AgE" + drawn(80)],
    "sendgrid_key": ["S" + "G." + drawn(22) + "." + drawn(43)],
    "telegram_token": [drawn(9, "123456789") + ":" + "AA" + drawn(33)],
    "digitalocean_token": ["do" + "p_v1_" + drawn(64, HEX)],
    "shopify_token": ["shp" + "at_" + drawn(32, HEX)],
    "password_in_address": ["postgres://admin:" + drawn(14) + "@db.internal"],
}
EXAMPLES = [(kind, key) for kind, keys in KEYS.items() for key in keys]


def found(text: str, *, also_random: bool = True) -> list[tuple[str, str]]:
    findings = rule_kinds.findings_of("secrets", {"random": also_random}, text)
    return [(each.kind, text[each.start : each.end]) for each in findings]


def test_every_shape_has_an_example() -> None:
    assert KEYS.keys() == SHAPES.keys()


@pytest.mark.parametrize(("kind", "key"), EXAMPLES)
def test_a_key_is_found_where_it_stands(kind: str, key: str) -> None:
    for text in (key, f"Why does {key} not work?", f'KEY = "{key}"\n', f"É🐟 {key}."):
        places = [
            (each, text.find(piece) == text.find(key)) for each, piece in found(text, also_random=False)
        ]
        assert places == [(kind, True)]


@pytest.mark.parametrize(
    "text",
    [
        "API_KEY = '{}'",
        "api-key: {}",
        '{{"client_secret": "{}"}}',
        "Authorization: Bearer {}",
        "DB_PASSWORD={}",
        "the access token = {} was refused",
    ],
)
def test_a_random_value_is_found_by_the_name_beside_it(text: str) -> None:
    value = "q7Zk39fjQ2mVb8Lr04XtYw71Pn"
    written = text.format(value)
    assert found(written) == [("random_value", value)]
    assert found(written, also_random=False) == []
    assert found(f"{value} is only a value") == []


@pytest.mark.parametrize("line", CORPUS)
def test_ordinary_text_and_examples_pass(line: str) -> None:
    assert found(line) == []


def test_a_file_of_ordinary_lines_passes_as_a_whole() -> None:
    assert len(CORPUS) >= 50
    assert found("\n".join(CORPUS)) == []


def test_a_hidden_key_is_found_and_placed_in_the_text_as_written() -> None:
    key = KEYS["github_token"][0]
    hidden = key[:3] + "\u200b" + key[3:20] + "\u00ad" + key[20:]
    text = f"é {hidden} end"
    assert found(text) == [("github_token", hidden)]


def test_several_are_found_from_left_to_right_and_never_twice() -> None:
    first, second = KEYS["aws_key"][0], KEYS["github_token"][0]
    text = f'aws {first} then api_key = "{second}"'
    assert found(text) == [("aws_key", first), ("github_token", second)]


@pytest.mark.parametrize("piece", ["sk-ant-", "eyJ", "api_key=", "a://b:", "-----BEGIN ", "AKIA", "xoxb-1"])
def test_a_hostile_text_takes_linear_time(piece: str) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        found(piece * times)
        return time.process_time() - began

    seconds(10)
    assert seconds(80_000) < 60 * max(seconds(8_000), 0.01)  # the square would be a hundred times


# --- As a rule --------------------------------------------------------------------------------------------


def test_a_prompt_with_a_key_is_refused_in_the_words_of_the_rule(cast: Cast) -> None:
    Rule.objects.create(name="keys", kind="secrets", options={"random": True}, words="Keep your keys.")
    with pytest.raises(RefusedByRule, match=r"Keep your keys\."):
        check_text("message", f"Is {KEYS['stripe_key'][0]} valid?")
    check_text("message", "\n".join(CORPUS))


def test_findings_of_all_rules_are_sorted_by_place(cast: Cast) -> None:
    key = KEYS["npm_token"][0]
    keys = Rule.objects.create(name="keys", kind="secrets")
    fish = Rule.objects.create(name="fish", options={"pattern": "fish"})
    text = f"fish {key} FISH"
    assert blocking.findings(RuleScope.PEOPLE, text) == [
        (fish, Finding(0, 4)),
        (keys, Finding(5, 5 + len(key), "npm_token")),
        (fish, Finding(6 + len(key), 10 + len(key))),
    ]
    assert blocking.findings(RuleScope.MODEL, text) == []


def test_staff_add_it_and_try_it_in_the_form_of_the_table(cast: Cast) -> None:
    client = cast.client("staff")
    shown = client.get(ADD, headers={"accept-language": "fr"}).content.decode()
    assert "les clés et jetons" in shown
    assert 'name="secrets-random"' in shown
    about = {"name": "Keys", "kind": "secrets", "applies": "both", "words": "", "active": "on"}
    key = KEYS["gitlab_token"][0]
    tried = client.post(ADD, {**about, "trial": f"my {key}"}).content.decode()
    assert f"It finds: “{key}”." in tried
    assert not Rule.objects.exists()
    client.post(ADD, {**about, "secrets-random": "on"})
    rule = Rule.objects.get()
    assert (rule.kind, rule.options) == ("secrets", {"random": True})
    change = client.get(f"/admin/moderation/rule/{rule.pk}/change/").content.decode()
    assert "checked" in change.partition('name="secrets-random"')[2][:80]
    listed = client.get("/admin/moderation/rule/", {"q": "unknown"}).content.decode()
    assert "keys and tokens" in listed


@pytest.mark.parametrize(("kind", "key"), EXAMPLES)
def test_a_worker_refuses_a_reply_with_a_key_and_knows_its_kind(cast: Cast, kind: str, key: str) -> None:
    rule = Rule.objects.create(name="keys", kind="secrets", applies="reply")
    rules = compile_rules(tuple(ReplyRule(**each) for each in blocking.reply_rules()))
    text = f"Use {key} for it.".encode()
    match = rules.search(text, known=0, hold_back=0, final=True)
    assert match is not None
    assert (match.rule_id, match.finding.kind, match.settled) == (str(rule.pk), kind, True)
    assert text[match.finding.start : match.finding.end].decode() in key + "for"


def test_case_matters_in_replies_too(cast: Cast) -> None:
    Rule.objects.create(name="keys", kind="secrets", applies="reply")
    rules = compile_rules(tuple(ReplyRule(**each) for each in blocking.reply_rules()))
    shouted = KEYS["aws_key"][0].lower().encode()
    assert rules.search(shouted, known=0, hold_back=0, final=True) is None


def test_a_kind_that_is_gone_refuses_nothing_and_is_logged(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    Rule.objects.create(name="old", kind="removed", options={"x": 1})
    check_text("message", "anything")
    assert blocking.reply_rules() == []
    assert "cannot be used" in caplog.text
    assert cast.client("staff").get("/admin/moderation/rule/").status_code == 200
