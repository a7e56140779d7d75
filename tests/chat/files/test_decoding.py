"""Bytes become the text that was written: encodings without a mark, damage, and what is no text."""

from __future__ import annotations

import random

import pytest

from chat.files.decoding import Unreadable, decode

DIGITS = "\n".join(f"{n};2026-01-{n % 28 + 1:02};{n * 17.25:.2f};OK" for n in range(60))
CODE = "def total(rows):\n    return sum(row['price'] for row in rows)\n"
SENTENCES = {
    "pl": (["cp1250", "iso8859_2"], ["Zażółć gęślą jaźń.", "miasto;ilość\nŁódź;12\nGdańsk;7"]),
    "cs": (["cp1250", "iso8859_2"], ["Příliš žluťoučký kůň úpěl ďábelské ódy.", "město;počet\nPlzeň;12"]),
    "hu": (["cp1250"], ["Árvíztűrő tükörfúrógép", "város;darab\nGyőr;12\nPécs;7"]),
    "ru": (
        ["cp1251", "koi8_r", "cp866", "iso8859_5"],
        ["Привет, мир", "город;кол-во\nМосква;12\nПермь;7", "# сумма заказа", "ПРИВЕТ МИР"],
    ),
    "uk": (["cp1251", "koi8_u"], ["Привіт, світе! Як справи?", "місто;кількість\nКиїв;12\nЛьвів;7"]),
    "el": (["cp1253", "iso8859_7"], ["Αυτό είναι ένα τεστ κωδικοποίησης.", "πόλη;τιμή\nΑθήνα;12\nΠάτρα;7"]),
    "tr": (["cp1254"], ["Değişiklikler başarıyla kaydedildi.", "şehir;sayı\nİstanbul;12\nMuğla;9"]),
    "he": (["cp1255"], ["תודה רבה על ההודעה, נתראה מחר בבוקר.", "עיר;כמות\nתל אביב;12"]),
    "ar": (["cp1256"], ["شكرا جزيلا على رسالتك، سنلتقي غدا صباحا.", "المدينة;العدد\nالقاهرة;12"]),
    "lt": (["cp1257"], ["Labas rytas, ačiū už žinutę. Įlinkdama fechtuotojo špaga."]),
    "th": (["cp874"], ["ขอบคุณมากสำหรับข้อความของคุณ", "เมือง;จำนวน\nกรุงเทพ;12"]),
    "zh": (
        ["gb18030"],
        ["今天天气很好，我们去公园散步吧。", "编号,姓名\n1,张伟", "# 计算总价", "价格：100元"],
    ),
    "zh-hant": (["big5"], ["今天天氣很好，我們去公園散步吧。", "姓名,年齡\n王偉,42", "# 計算總價"]),
    "ja": (
        ["shift_jis", "euc_jp", "iso2022_jp"],
        ["ご連絡ありがとうございます。", "名前,年齢\n太郎,42", "# 合計を計算する"],
    ),
    "ko": (["euc_kr"], ["메시지를 보내 주셔서 감사합니다.", "도시,수량\n서울,12", "# 합계를 계산한다"]),
    "fr": (
        ["cp1252", "mac_roman"],
        [
            "Le café est déjà prêt, où êtes-vous ?",
            "ville;quantité\nOrléans;12\nNîmes;7",
            "À l’été, naïve façade.",
        ],
    ),
    "de": (["cp1252", "mac_roman", "cp850"], ["Schöne Grüße aus München.", "Straße;Größe\nHauptstraße;12"]),
    "es": (["cp1252", "mac_roman"], ["El niño comió piña y bebió café por la mañana."]),
    "boxes": (["cp437"], ["├── src\n│   ├── main.c\n└── README\n"]),
    "en": (["cp1252", "mac_roman"], ["She waited—and the door opened. “Don’t,” he said…"]),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_old_encodings_are_recognised_in_short_texts_and_among_digits(language: str) -> None:
    encodings, texts = SENTENCES[language]
    for encoding in encodings:
        for text in texts:
            for whole in (text, f"{text}\n{DIGITS}", f"{text}\n{CODE}", f"{text}\n" * 20):
                found = decode(whole.encode(encoding))
                assert (found.text, found.flaws) == (whole, 0), encoding
                assert found.guessed == (not encoding.startswith("iso2022"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_utf_16_and_utf_32_need_no_mark(encoding: str) -> None:
    for _encodings, texts in SENTENCES.values():
        for text in texts:
            found = decode(text.encode(encoding))
            assert (found.text, found.encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve café\n".encode() * 20 + b"\xff" + " déjà".encode(), "naïve café\n" * 20 + "\ufffd déjà"),
        ("日本語の文章".encode()[:-1], "日本語の文\ufffd"),
        ("日本語の文章".encode()[1:], "\ufffd\ufffd本語の文章"),
        ("Zoé ok\n".encode() * 9 + "Zoé ok\n".encode("cp1252"), "Zoé ok\n" * 9 + "Zo\ufffd ok\n"),
        ("Un café, un thé".encode()[:-1], "Un café, un th\ufffd"),
        ("already \ufffd here, déjà".encode(), "already \ufffd here, déjà"),
    ],
    ids=["byte", "cut", "cut in front", "line of another", "short and cut", "told before"],
)
def test_a_few_bad_bytes_leave_the_rest_in_utf_8(data: bytes, text: str) -> None:
    found = decode(data)
    assert (found.text, found.encoding, found.guessed) == (text, "utf-8", False)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("今天天气很好，我们去公园散步吧。\n", "gb18030"),
        ("謝謝您的來信，我們明天早上見面。\n", "big5"),
        ("ご連絡ありがとうございます。\n", "cp932"),
        ("메시지를 보내 주셔서 감사합니다\n", "cp949"),
        ("Щиро дякую за ваше повідомлення.\n", "cp1251"),
    ],
)
def test_damage_hides_no_old_encoding(text: str, encoding: str) -> None:
    whole = (text * 20).encode(encoding)
    cut, damaged = whole[: len(whole) - 2], whole + b"\xff\xff\n" + text.encode(encoding)
    assert decode(cut).text.startswith(text * 19)
    assert decode(damaged).text.startswith(text * 20)
    assert decode(damaged).text.endswith(text)


def test_a_file_in_two_encodings_is_read_as_utf_8_with_a_remark() -> None:
    found = decode(("Zoé ok\n" * 7).encode() + ("Zoé ok\n" * 3).encode("cp1252"))
    assert (found.text, found.guessed, found.flaws) == ("Zoé ok\n" * 7 + "Zo\ufffd ok\n" * 3, True, 3)


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("size", [400, 40_000])
def test_no_encoding_is_guessed_for_bytes_that_are_no_text(size: int, seed: int) -> None:
    above_ascii = bytes(random.Random(seed).choices([32, 10, *range(128, 256)], k=size))
    with pytest.raises(Unreadable):
        decode(above_ascii)
