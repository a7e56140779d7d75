"""Words in sentences without spaces, and words with signs: the hits are the same on SQLite and PostgreSQL."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from chat.search import letters
from chat.search.terms import fold, terms
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client("alice")


def found(client: Client, question: str) -> list[Any]:
    answer = client.get("/api/search/", {"q": question})
    assert answer.status_code == 200, answer.content
    return ["".join(p["text"] for p in each["pieces"]) for each in answer.json()["results"]]


def marked(client: Client, question: str) -> list[Any]:
    results = client.get("/api/search/", {"q": question}).json()["results"]
    return [[p["text"] for p in each["pieces"] if p["match"]] for each in results]


CHINESE = "我想去北京旅游，三天够吗？"
ANSWER = "三天可以看故宫和长城。C++ v2.5.1"
JAPANESE = "明日は東京タワーで夕食を食べます。"
KOREAN = "서울중앙우체국에서만났습니다"
THAI = "ฉันอยากไปเที่ยวเชียงใหม่กับน้ำหนึ่ง"
LAO = "ຂ້ອຍຢາກໄປຫຼວງພະບາງ"
KHMER = "ខ្ញុំចង់ទៅសៀមរាប"
BURMESE = "ကျွန်တော်မန္တလေးကိုသွားချင်တယ်"


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        *[(CHINESE, asked) for asked in ("北京", "旅游", "北", "游", "京旅游", "三天 北京", "想去北京旅游")],
        *[(ANSWER, asked) for asked in ("故宫", "长城", "C++", "c++", "2.5.1", "v2.5.1", "城 c++")],
        *[(JAPANESE, asked) for asked in ("東京", "タワー", "夕食", "食べ", "食", "ﾀﾜｰ", "東京タワー")],
        *[
            (KOREAN, asked)
            for asked in ("서울", "우체국", "중앙", "국", unicodedata.normalize("NFD", "우체국"))
        ],
        *[(THAI, asked) for asked in ("เที่ยว", "เชียงใหม่", "น้ำ", "ฉ")],
        (LAO, "ຫຼວງພະບາງ"),
        (KHMER, "សៀមរាប"),
        (BURMESE, "မန္တလေး"),
        ("𠮷野家で𩸽を食べた", "𩸽"),
        ("使用C++编程，版本3.11", "C++ 编程"),
        ("使用C++编程，版本3.11", "3.11"),
        ("がっこうへ行く", "がっこう"),
        ("ザ・タワー", "タワー"),
    ],
)
def test_words_inside_sentences_are_found(cast: Cast, alice: Client, said: Any, asked: Any) -> None:
    talk(cast.alice, said, title="")
    talk(cast.alice, "Something else, 全然别的东西, 別の話, 다른이야기, อย่างอื่น", title="")
    assert found(alice, asked) == [said]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (CHINESE, "京北"),
        (CHINESE, "北游"),
        ("京都 北京 旅行 游泳", "北京旅"),
        ("กา าก กาก", "ากา"),
        ("서울 우체국", "서울우체"),
        ("I write C and c--", "C++"),
        ("C+ is a grade", "C++"),
        ("an environment", ".env"),
        ("snake case", "snake_case"),
        ("2.50.1 and 2.5 and 5.1", "2.5.1"),
        ("a node in js", "node.js"),
    ],
)
def test_letters_alone_do_not_make_a_word(cast: Cast, alice: Client, said: Any, asked: str) -> None:
    talk(cast.alice, said, title="")
    assert found(alice, asked) == []


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("(C++), not C.", "C++"),
        ("C/C++/C#", "c++"),
        ("**C++17** is newer", "C++"),
        ("**C++17** is newer", "C++17"),
        ("Typing C+", "C+"),
        ("Is C# or F# better?", "C#"),
        ("Is C# or F# better?", "f#"),
        ("Put it into `.env`.", ".env"),
        ("cp config/.env.local /tmp", ".env"),
        ("See config/.env.local:", "config/.env"),
        (".NET开发", ".net"),
        ("Node.js's event loop", "node.js"),
        ("Node.js's event loop", "node"),
        ("a my_snake_case name", "snake_case"),
        ("edit /etc/nginx/nginx.conf", "/etc/nginx"),
        ("edit /etc/nginx/nginx.conf", "nginx.conf"),
        (r"in C:\Users\ann\file.txt", r"C:\Users"),
        ("echo $PATH", "$path"),
        ("npm i @types/node", "@types/node"),
        ("std::vector<int>", "std::vector"),
        ("R&D and AT&T", "r&d"),
        ("R&D and AT&T", "at&t"),
        ("at 10:30", "10:30"),
        ("python3.11 is used", "3.11"),
        ("see https://example.org/a_b?c=d#e", "https://example.org/a_b"),
        ("see https://example.org/a_b?c=d#e", "example.org"),
        ("He stopped. Then...", "stopped."),
        ("so many: ", "many:"),
        ("ＦＵＬＬ width", "full"),
        ("the ﬁrst ofﬁce", "office"),
        ("שָׁלוֹם עולם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("हिन्दी में लिखो", "हिन्दी"),
    ],
)
def test_words_with_signs_and_other_forms_are_found(cast: Cast, alice: Client, said: str, asked: str) -> None:
    talk(cast.alice, said, title="")
    talk(cast.alice, "A text about other things: nothing, in plain words.", title="")
    assert found(alice, asked) == [said]


def test_titles_are_found_by_words_inside(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "x", title="旅行计划 for C++")
    for asked in ("计划", "旅", "c++", "行计"):
        assert found(alice, asked) == ["旅行计划 for C++"], asked
    assert found(alice, "行旅计") == []


@pytest.mark.parametrize(
    ("said", "asked", "marks"),
    [
        (CHINESE, "旅游", ["旅游"]),
        (CHINESE, "三天 北京", ["北京", "三天"]),
        (ANSWER, "c++", ["C++"]),
        (ANSWER, "2.5.1", ["2.5.1"]),
        ("(C++17) c++", "c++", ["C++17", "c++"]),
        ("cp .env.local", ".env", [".env"]),
        ("the node.jsx of Node.js", "node.js", ["node.jsx", "Node.js"]),
        (THAI, "น้ำ", ["น้ำ"]),
        ("the ﬁrst one", "first", ["ﬁrst"]),
        ("ﾀﾜｰﾄﾞ", "ワード", ["ﾜｰﾄﾞ"]),
        ("cre\u0300me", "cre", ["crème"]),
    ],
)
def test_hits_are_marked_where_they_stand(
    cast: Cast, alice: Client, said: Any, asked: str, marks: list[str]
) -> None:
    talk(cast.alice, said, title="")
    assert marked(alice, asked) == [marks]


def test_an_excerpt_of_a_long_sentence_shows_the_word(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "天地玄黄宇宙洪荒" * 200 + "北京旅游" + "日月盈昃辰宿列张" * 200, title="")
    (shown,) = found(alice, "北京")
    assert "北京旅游" in shown
    assert shown.startswith("… ")
    assert len(shown) < 240


def test_a_word_far_down_a_long_text_is_found(cast: Cast, alice: Client) -> None:
    said = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(60_000)) + "北京旅游攻略"
    talk(cast.alice, said, title="")
    for asked in ("北京旅游攻略", "攻略"):
        assert len(found(alice, asked)) == 1


def test_pages_go_on_past_texts_that_only_have_the_letters(
    cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.search.services.LOOKED_AT", 50)
    talk(cast.alice, "去北京旅游", title="")
    talk(cast.alice, *["北京 京旅"] * 130, title="")
    seen, cursor = [], ""
    while cursor is not None:
        answer = alice.get("/api/search/", {"q": "北京旅", "cursor": cursor}).json()
        seen += answer["results"]
        cursor = answer["next"]
    assert ["".join(p["text"] for p in each["pieces"]) for each in seen] == ["去北京旅游"]


SAMPLES = [
    CHINESE, ANSWER, JAPANESE, KOREAN, THAI, LAO, KHMER, BURMESE,
    "C++/C#, g++ -o a.out; ./configure && make: x=1, a..b, ...and v2.5.1, ½ ﬁ ß İ ΑΣ ς Åé ｱﾞ",
    "https://example.org/guide_to?bread=3.14#top l’été (well-known) \\path\\to 100% 'quoted' \"x\" $HOME @me",
    "हिन्दी עִבְרִית العَرَبِيَّة ქართული አማርኛ བོད་ཡིག ᏣᎳᎩ 𝒳𝟛 ①㎏ 😀🏽 \u200bzero\u200dwidth soft\u00adhyphen",
    "x" * 100 + "." + "y" * 100, "", " \n\t", "a.b.c.d", "9.8.7-6_5", "水", "水火木", "水a火.b木+c",
]  # fmt: skip


@pytest.mark.parametrize("said", SAMPLES)
def test_postgresql_makes_the_terms_that_python_makes(said: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite calls the Python function itself")
    with connection.cursor() as cursor:
        cursor.execute("SELECT search_folded(%s), search_terms(%s)", [said, said])
        folded, found = cursor.fetchone()
    assert folded == fold(said)
    assert sorted(found) == sorted(terms(said))


def test_the_tables_hold_every_letter_mark_and_digit_once() -> None:
    """Compares with Python's Unicode data; forms that NFKD replaces are not in the tables."""
    spaced, unspaced = re.compile(f"[{letters.SPACED}]"), re.compile(f"[{letters.UNSPACED}]")
    for char in map(chr, [*range(0xD800), *range(0xE000, 0x110000)]):
        kind = unicodedata.category(char)
        if kind in {"Cn", "Co"} or unicodedata.normalize("NFC", unicodedata.normalize("NFKD", char)) != char:
            continue
        is_letter = kind[0] in "LMN"
        inside = bool(spaced.match(char)), bool(unspaced.match(char))
        assert inside != (True, True), hex(ord(char))
        if is_letter:
            assert any(inside), hex(ord(char))
        else:
            assert not inside[0], hex(ord(char))
