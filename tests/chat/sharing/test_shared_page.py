"""A reader of a shared page gets the copied words, and nothing that runs or identifies anybody."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from prometheus_client import REGISTRY
from pytest_django import DjangoAssertNumQueries, Settings

from chat.accounts.models import User
from chat.conversations.models import Message, MessageStatus, Role
from chat.model_cards.models import ModelCard
from chat.sharing import copying
from chat.sharing.models import Share
from chat.sharing.render import ATTRIBUTES, MARKDOWN_CHARS, TAGS, prompt_html, reply_html
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk

pytestmark = pytest.mark.django_db

REMOVED = "This message was removed by a moderator."


def shared(owner: User, *texts: str, **choices: Any) -> Share:
    conversation = talk(owner, *texts, title=choices.pop("title", "A talk"))
    return copying.create_share(conversation=conversation, owner=owner, **choices)


def renders() -> float:
    """Returns the number of pages made, from /metrics."""
    outcomes = ("made", "short", "typed")
    return sum(
        REGISTRY.get_sample_value("grokweb_shared_renders_total", {"outcome": each}) or 0 for each in outcomes
    )


def opened(cast: Cast, share: Share, who: str = "anonymous") -> Any:
    return cast.client(who).get(share.get_absolute_url())


# --- What is on it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["alice", "bob", "stranger", "staff", "anonymous"])
def test_everybody_with_the_address_reads_the_page(cast: Cast, who: str) -> None:
    share = shared(cast.alice, "What is *a* fish?", "A **fish** swims.", title="About <fish>")
    answer = opened(cast, share, who)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "About &lt;fish&gt;" in page
    assert "What is *a* fish?" in page
    assert "A <strong>fish</strong> swims." in page
    assert [m["role"] for m in answer.context["messages"]] == ["user", "assistant"]


def test_the_owner_is_not_named(cast: Cast) -> None:
    page = opened(cast, shared(cast.alice, "Hi", "Hello")).content.decode()
    for secret in (cast.alice.email, cast.alice.display_name, str(cast.alice.pk), "alice"):
        assert secret not in page


def test_headers_keep_it_unlisted(cast: Cast) -> None:
    answer = opened(cast, shared(cast.alice, "Hi", "Hello"))
    assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "private, no-store"
    assert "script-src" in answer["Content-Security-Policy"]
    assert re.search(r'<meta name="?robots"? content="[^"]*noindex', answer.content.decode())


@pytest.mark.parametrize("is_demo", [True, False])
def test_a_demo_model_is_named_as_one(cast: Cast, is_demo: bool) -> None:
    ModelCard.objects.update(is_demo=is_demo, name="Small Model")
    answer = opened(cast, shared(cast.alice, "Hi", "Hello"))
    assert (answer.context["is_demo"], answer.context["model_name"]) == (is_demo, "Small Model")
    assert ("demo model" in answer.content.decode()) == is_demo


def test_only_the_open_branch_is_copied(cast: Cast) -> None:
    conversation = talk(cast.alice)
    first = say(conversation, "Which colour?", "Red.", "Sure?", "Yes, red.")
    say(conversation, "Blue.", under=first[0])
    page = opened(cast, copying.create_share(conversation=conversation, owner=cast.alice)).content.decode()
    assert "Blue." in page
    assert "Red." not in page
    assert "Sure?" not in page


def test_later_messages_and_changes_are_not_on_the_page(cast: Cast) -> None:
    share = shared(cast.alice, "Hi", "Hello")
    conversation = share.conversation
    say(conversation, "A later secret", under=conversation.messages.get(text="Hello"))
    Message.objects.filter(text="Hello").update(text="Changed")
    page = opened(cast, share).content.decode()
    assert "A later secret" not in page
    assert "Hello" in page


def test_hidden_system_and_empty_messages_are_left_out(cast: Cast) -> None:
    conversation = talk(cast.alice)
    system = Message.objects.create(conversation=conversation, role=Role.SYSTEM, text="Be a pirate")
    asked = Message.objects.create(conversation=conversation, parent=system, role=Role.USER, text="Hi")
    hidden = say(conversation, "Hidden words", under=asked)[0]
    Message.objects.filter(pk=hidden.pk).update(hidden_at=timezone.now())
    failed = say(conversation, "Again?", "", under=hidden)[-1]
    Message.objects.filter(pk=failed.pk).update(status=MessageStatus.FAILED)
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    assert [each["text"] for each in share.pages.get().messages] == ["Hi", "Again?"]


def test_a_message_hidden_after_the_copy_is_replaced(cast: Cast) -> None:
    share = shared(cast.alice, "Hi", "Hello there")
    assert REMOVED not in opened(cast, share).content.decode()
    Message.objects.filter(text="Hello there").update(hidden_at=timezone.now())
    page = opened(cast, share).content.decode()
    assert REMOVED in page
    assert "Hello there" not in page


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_title_goes_with_the_question_it_was_made_of(cast: Cast, when: str) -> None:
    conversation = talk(cast.alice, title="How to hurt Bob")
    asked, _ = say(conversation, "How to hurt Bob", "No.")
    hide = Message.objects.filter(pk=asked.pk)
    if when == "before":
        hide.update(hidden_at=timezone.now())
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    if when == "after":
        assert "How to hurt Bob" in opened(cast, share).content.decode()
        hide.update(hidden_at=timezone.now())
    page = opened(cast, share).content.decode()
    assert "hurt" not in page
    assert '<h1 dir="auto">Shared conversation</h1>' in page
    hide.update(hidden_at=None)
    assert "How to hurt Bob" in opened(cast, share).content.decode()


def test_a_page_that_is_hard_to_make_is_made_once(cast: Cast) -> None:
    """The page is as expensive as possible: each request of a reader would cost the same again."""
    share = shared(cast.alice, *("[![]()" * 340 + f" {n}" for n in range(12)))
    before = renders()
    pages = [opened(cast, share).content.decode() for _ in range(2)]
    assert renders() == before + 1
    assert pages[0].count("Image:") == pages[1].count("Image:") == 6 * 340


def test_cached_pages_are_in_the_language_of_the_reader(cast: Cast) -> None:
    share = shared(cast.alice, "Hi", "![](https://example.org/dog.png)")
    for _ in range(2):
        for language in ("en", "fr"):
            page = cast.client("anonymous").get(share.get_absolute_url(), HTTP_ACCEPT_LANGUAGE=language)
            with translation.override(language):
                assert gettext("no description") in page.content.decode()


def test_markdown_is_rendered_in_answers_and_not_in_questions(cast: Cast) -> None:
    page = opened(cast, shared(cast.alice, "**Hi**", "**Hi**")).content.decode()
    assert '<p dir="auto">**Hi**</p>' in page
    assert '<p dir="auto"><strong>Hi</strong></p>' in page


def test_a_page_opens_while_redis_is_away(
    cast: Cast, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    share = shared(cast.alice, "Hi", "**Hello**")
    away = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}
    settings.CACHES = {"default": away}
    page = opened(cast, share, "anonymous")
    assert "<strong>Hello</strong>" in page.content.decode()
    assert "Redis does not answer" in caplog.text


def test_opening_costs_the_same_however_long_it_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for length in (2, 300):
        share = shared(cast.alice, *(f"words {n}" for n in range(length)))
        with CaptureQueriesContext(connection) as captured:
            opened(cast, share)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 4


# --- What is not: markup that acts ------------------------------------------------------------------------

EVIL = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action=//evil.example><input name=password><button formaction=javascript:alert(1)>x</button>",
    "<a href='javascript:alert(1)'>x</a>",
    "<base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css><style>@import '//evil.example'</style>",
    "<details open ontoggle=alert(1)>x</details>",
    "<p style='position:fixed;inset:0' class=x id=y data-action=z>x</p>",
    "<!-- comment --><!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php alert(1) ?>",
    "</article></main><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\\x6aavascript:alert(1))",
    "[x](vbscript:x) [y](file:///etc/passwd) [z](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "[x](data:image/png;base64,iVBORw0KGgo=)",
    "[x](/accounts/logout/) [y](?next=//evil) [z](#top) [w](//evil.example)",
    "[x](<javascript:alert(1)>)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    '[x](https://example.org "onmouseover=alert(1)")',
    '[x](https://example.org/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "<https://example.org/'\"onclick=alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    '![x" onerror="alert(1)](https://evil.example/p.png "t" onload="y)',
    "![<img src=x onerror=alert(1)>](https://evil.example/p.png)",
    "[![x](https://evil.example/p.png)](javascript:alert(1))",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "`<img src=x onerror=alert(1)>`",
    "| <script>alert(1)</script> | b |\n|:-:|---|\n| <img src=x onerror=alert(1)> | `</td>` |",
    "# <svg/onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00<script>alert(1)</script>",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
]


class Elements(HTMLParser):
    """Every element and attribute that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


CLASSES = {
    "code": r"|math|math block|language-[\w+#-]{1,20}",
    "span": "host|task",
    "div": "table",
}


def harmless(html: str) -> bool:
    page = Elements(html)
    assert not page.comments
    for tag, attributes in page.found:
        assert tag in TAGS
        assert re.fullmatch(CLASSES.get(tag, ""), attributes.pop("class", ""))
        assert set(attributes) <= ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set())
        if "href" in attributes:
            assert re.match(r"(https?://|mailto:)", attributes["href"], re.I), attributes
        if tag == "a":
            assert {"noopener", "noreferrer", "nofollow"} <= set(attributes["rel"].split())
    return True


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_in_a_message_acts(evil: Any) -> None:
    assert harmless(reply_html(evil))
    assert harmless(prompt_html(evil))


def test_nothing_on_the_page_acts(cast: Cast) -> None:
    """The whole page has the same elements as with harmless words, and its title is words, too."""
    evil = [text.replace("\x00", "") for text in EVIL for _role in (Role.USER, Role.ASSISTANT)]
    page = opened(cast, shared(cast.alice, *evil, title="</title><script>alert(1)</script>")).content.decode()
    quiet = opened(cast, shared(cast.alice, *("words" for _ in evil), title="words")).content.decode()

    def count(html: str) -> Any:
        return sorted(tag for tag, _ in Elements(html).found if tag not in TAGS)

    assert count(page) == count(quiet)
    for _, attributes in Elements(page).found:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]


def test_images_become_links(cast: Cast) -> None:
    html = reply_html("![a cat](https://example.org/cat.png) and ![](https://example.org/dog.png)")
    assert '>Image: a cat</a> <span class="host">(example.org)</span>' in html
    assert 'href="https://example.org/cat.png"' in html
    assert ">Image: no description</a>" in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("markdown", "host"),
    [
        ("[my bank](https://evil.example/login)", "evil.example"),
        ("[https://bank.example](https://evil.example/)", "evil.example"),
        ("[https://bank.example](https://bank.example@evil.example/)", "evil.example"),
        ("[bank.example](https://bank.example%5c@evil.example/)", "evil.example"),
        ("<https://bank.example@evil.example/>", "evil.example"),
        ("[x](https://evil.example:8443/)", "evil.example:8443"),
        ("[write](mailto:eve@evil.example)", "eve@evil.example"),
        ("[![bank](https://a.example/x.png)](https://evil.example)", "evil.example"),
        ("[*very* `nice`](https://evil.example)", "evil.example"),
        ("[evil.example](https://evil.example/page)", ""),
        ("[https://evil.example/a](https://evil.example/b)", ""),
        ("<https://evil.example/a>", ""),
        ("<eve@evil.example>", ""),
    ],
)
def test_a_link_says_where_it_leads(markdown: str, host: str) -> None:
    html = reply_html(markdown)
    assert re.findall(r'<span class="host">\((.*?)\)</span>', html) == ([host] if host else [])
    assert html.count("<a ") == 1


@pytest.mark.parametrize(
    "address", ["/accounts/logout/", "//a.example", "#x", "?x", "ftp://a.example", "https:"]
)
def test_a_link_that_leads_nowhere_outside_is_its_words(address: str) -> None:
    assert reply_html(f"[words]({address})") == '<p dir="auto">words</p>\n'


def test_markdown_is_kept() -> None:
    html = reply_html(
        "# Title\n\n1. one\n2. ~~two~~\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\nx < 1\n```\n"
    )
    title, item = '<h2 dir="auto">Title</h2>', '<li dir="ltr">one</li>'
    for piece in (title, item, "<s>two</s>", "<td>1</td>", "x &lt; 1"):
        assert piece in html
    assert '<div class="table"><table dir="ltr">' in html  # a phone scrolls it


def test_it_reads_as_in_the_chat() -> None:
    assert reply_html("one\ntwo") == '<p dir="auto">one<br>\ntwo</p>\n'
    assert '<td align="right">1</td>' in reply_html("| a |\n|--:|\n| 1 |")
    assert '<code dir="ltr" class="language-python">' in reply_html("```Python title=x\nx\n```")
    assert reply_html("- [x] a\n- [ ] b").count('<span class="task">') == 2


@pytest.mark.parametrize(
    ("text", "address", "after"),
    [
        ("see https://a.example/x_y_z.", "https://a.example/x_y_z", "."),
        ("(see http://a.example/b(c))", "http://a.example/b(c)", ")"),
        ("https://a.example/?a=1&b=2, and", "https://a.example/?a=1&amp;b=2", ", and"),
        ("https://a.example/?$select=a&$top=5 ok", "https://a.example/?$select=a&amp;$top=5", " ok"),
        ("https://a.example/_next_/*x*/y", "https://a.example/_next_/*x*/y", ""),
    ],
)
def test_an_address_among_the_words_is_a_link(text: str, address: str, after: str) -> None:
    html = reply_html(text)
    assert f'<a href="{address}"' in html
    assert html.endswith(f">{address}</a>{after}</p>\n")


def test_an_address_that_looks_like_another_says_where_it_leads() -> None:
    assert '<span class="host">(evil.example)</span>' in reply_html("https://bank.example@evil.example/login")
    assert "<a " not in reply_html("https://b\N{CYRILLIC SMALL LETTER A}nk.example/")
    assert 'href="https://evil.example"' in reply_html("https://evil.example\\\\@bank.example/")
    name = "b\N{CYRILLIC SMALL LETTER A}nk.example"
    assert '<span class="host">' in reply_html(f"[{name}](https://{name})")


def test_an_address_that_is_a_link_already_is_one_link() -> None:
    assert reply_html("[https://a.example](https://a.example) and `https://b.example`").count("<a ") == 1


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("5~10 min, ~a~ and ~~gone~~", "5~10 min, ~a~ and <s>gone</s>"),
        ("这是**“取出并重置”模式**。", "这是<strong>“取出并重置”模式</strong>。"),
        ("**该星号不会被识别。**这是因为", "<strong>该星号不会被识别。</strong>这是因为"),
        ("이것은 **중요(important)**는", "이것은 <strong>중요(important)</strong>는"),
        ('a**"b"**c', 'a**"b"**c'),
        ("US$5, 20$-30$, 100$/mois, $HOME/$USER", "US$5, 20$-30$, 100$/mois, $HOME/$USER"),
        ("from $5 to 10$", "from $5 to 10$"),
        ("${HOME}/bin:${PATH} and $(pwd)/$(date)", "${HOME}/bin:${PATH} and $(pwd)/$(date)"),
        ("1<br>2", "1&lt;br&gt;2"),
    ],
)
def test_signs_among_the_words(text: str, html: str) -> None:
    assert reply_html(text) == f'<p dir="auto">{html}</p>\n'


def test_a_cell_may_break_its_line_and_has_no_other_tag() -> None:
    html = reply_html("| a |\n|---|\n| 1<br>2<BR /> <b>3</b> |")
    assert '<td dir="auto">1<br>\n2<br>\n &lt;b&gt;3&lt;/b&gt;</td>' in html


@pytest.mark.parametrize(
    ("text", "address", "after"),
    [
        ("看https://example.com/a路径很好", "https://example.com/a", "路径很好"),
        ("https://example.com。evil.example", "https://example.com", "。evil.example"),
        ("（https://example.com/a）", "https://example.com/a", "）"),
        ("https://example.com/a？b", "https://example.com/a", "？b"),
        ("www.example.org, or", "www.example.org", ", or"),
        ("发到info@example.org吧", "info@example.org", "吧"),
    ],
)
def test_an_address_ends_before_the_words_around_it(text: str, address: str, after: str) -> None:
    assert f">{address}</a>{after}</p>" in reply_html(text)


def test_dots_of_other_scripts_are_dots_in_the_host_that_is_told() -> None:
    assert "(example.com.evil.example)" in reply_html("[x](https://example.com。evil.example/)")


@pytest.mark.parametrize(
    ("markdown", "source"),
    [
        ("so $E = mc^2$.", "E = mc^2"),
        ("so \\(a+b\\)", "a+b"),
        ("a $x\\,y$ b", "x\\,y"),
        ("- in a list $x_1$ and", "x_1"),
    ],
)
def test_a_formula_in_a_line_keeps_its_source(markdown: str, source: str) -> None:
    assert f'<code class="math" dir="ltr">{source}</code>' in reply_html(markdown)


@pytest.mark.parametrize(
    ("markdown", "source"),
    [
        ("$$\nx_1 * y * z\n$$", "x_1 * y * z"),
        ("words\n$$\na\n+ b\n- c\n$$", "a\n+ b\n- c"),
        ("\\[ x \\]", "x"),
        ("words \\[ x < y \\] go on", "x &lt; y"),
        ("> $$\n> a\n> $$", "a"),
        ("- $$\n  a\n  + b\n  $$\n- c", "a\n+ b"),
        ("> $$\n> - x\n> $$\n$$ words", "- x"),
    ],
)
def test_a_formula_of_its_own_keeps_its_source(markdown: str, source: str) -> None:
    assert f'<code class="math block" dir="ltr">{source}</code>' in reply_html(markdown)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "$5 and $10",
            "it costs $5.",
            "`$x$`",
            "a $ b $ c",
            "$ x$",
            "$$ $$",
            "$$\n\nx $$",
            "\\[ x\n\ny \\]",
        ),
        *("    $$\n    x\n    $$", "```\n$$\nx\n$$\n```", "\\$a\\$"),
        *("[US$](http://a.example) and [CA$](http://b.example)", "- \\[ a\n- b \\]"),
    ],
)
def test_prices_and_code_are_no_formulas(text: Any) -> None:
    assert "math" not in reply_html(text)


def test_a_very_long_reply_is_shown_as_typed() -> None:
    assert reply_html("*a* " * MARKDOWN_CHARS).startswith('<p dir="auto">*a* *a* ')


def test_questions_are_not_rendered_as_markdown() -> None:
    html = prompt_html("# a *b* $x$ [l](https://a.example) https://b.example\n  c < d\n\ne")
    first = "# a *b* $x$ [l](https://a.example) https://b.example<br>  c &lt; d"
    assert html == f'<p dir="auto">{first}</p><p dir="auto">e</p>'


def test_code_in_questions_is_rendered_as_code() -> None:
    html = prompt_html("run `a *b*` and ``c`d``, not `e\nf`:\n\n```Py x\nx < 1\n\n# y\n```\n~~~\n`z`")
    words = 'run <code dir="ltr">a *b*</code> and <code dir="ltr">c`d</code>, not `e<br>f`:'
    assert html == (
        f'<p dir="auto">{words}</p><pre><code class="language-py" dir="ltr">x &lt; 1\n\n# y</code></pre>'
        '<pre><code dir="ltr">`z`</code></pre>'
    )


def test_each_block_has_its_direction() -> None:
    html = reply_html("`x.sh` שלום\n\n> ציטוט\n\n1. `a` א\n2. 5\n\n| א | b |\n|---|---|\n| 1 | ב |")
    assert '<p dir="auto"><code dir="ltr">x.sh</code> שלום</p>' in html
    assert '<blockquote dir="rtl">\n<p dir="auto">ציטוט</p>' in html
    assert '<ol dir="rtl">\n<li dir="rtl"><code dir="ltr">a</code> א</li>\n<li>5</li>' in html
    cells = '<table dir="rtl">.*<th dir="auto">א</th>.*<td>1</td>.*<td dir="auto">ב</td>'
    assert re.search(cells, html, re.DOTALL)


@pytest.mark.parametrize(
    "piece",
    [
        *("[", "*a ", "`", "![](", "> ", "<", "_a*", "|a", "[a](", "**a _b ", "- [x] "),
        *("\\[", "\\(", "\\[\n", "> \\[\n", "- $$\n", "$", "$a ", "$$\n", "$\\", "$\\$"),
        *(
            "://",
            "http://(",
            "http://a)",
            "http://[",
            "[\\(",
            "www.",
            "www.a.",
            "a@",
            "a@b.c",
            "https://a.b/é",
        ),
        *("~~", "~~~a", "**。", "<br>", "|<br>", "a.b.c-", "https://a:"),
    ],
)
def test_no_text_makes_it_slow(piece: Any) -> None:
    """The longest text that is still read as markdown, without an end to what it begins and with one."""
    text = piece * ((MARKDOWN_CHARS - 8) // len(piece))
    for end in ("", "\\] $$ x"):
        started = time.thread_time()
        reply_html(text + end)
        assert time.thread_time() - started < 5
