"""Nothing that people or models write acts on a shared page; Markdown is rendered safely and fast."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from chat.conversations.models import Role
from chat.sharing.render import ATTRIBUTES, MARKDOWN_CHARS, TAGS, prompt_html, reply_html
from tests.chat.cast import Cast
from tests.chat.sharing.opening import opened, shared

pytestmark = pytest.mark.django_db

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
