"""Cuts each copy into pages, binds the conversations of links taken down earlier, and empties the titles of links
that their owners turned off. Back: the copies become one value again."""

import hashlib

from django.db import migrations

# As in chat/sharing/paging.py and take_downs.py at the time of this migration.
PAGE_CHARS, PAGE_MESSAGES, TELLING_CHARS, DIGEST_HEX = 40_000, 100, 80, 32


def parts_of(message):
    text = message["text"]
    cuts = [text[start : start + PAGE_CHARS] for start in range(0, len(text), PAGE_CHARS)] or [""]
    if len(cuts) == 1:
        return [message]
    parts = [{**message, "text": cut, "part": n, "parts": len(cuts)} for n, cut in enumerate(cuts, 1)]
    for later in parts[1:]:
        later.pop("files", None)
    return parts


def pages_of(messages):
    page, left = [], PAGE_CHARS
    for message in messages:
        for part in parts_of(message):
            if page and (len(part["text"]) > left or len(page) == PAGE_MESSAGES):
                yield page
                page, left = [], PAGE_CHARS
            page.append(part)
            left -= len(part["text"])
    if page:
        yield page


def digests_of(messages):
    plain = {" ".join(each["text"].split()).casefold() for each in messages}
    return {
        hashlib.sha256(text.encode()).hexdigest()[:DIGEST_HEX]: len(text) >= TELLING_CHARS for text in plain
    }


def fill(apps, schema_editor):
    Share = apps.get_model("sharing", "Share")
    SharePage = apps.get_model("sharing", "SharePage")
    TakeDown = apps.get_model("sharing", "TakeDown")
    for share in Share.objects.order_by("pk").iterator(chunk_size=1):
        pages = list(pages_of(share.snapshot))
        SharePage.objects.bulk_create(
            (
                SharePage(
                    share=share,
                    number=number,
                    messages=page,
                    message_ids=list(dict.fromkeys(each["id"] for each in page)),
                )
                for number, page in enumerate(pages, 1)
            ),
            batch_size=20,
        )
        Share.objects.filter(pk=share.pk).update(page_count=len(pages))
        if share.taken_down_at:
            TakeDown.objects.create(
                owner_id=share.owner_id,
                conversation_id=share.conversation_id,
                share=share,
                message_digests=digests_of(share.snapshot),
                taken_down_at=share.taken_down_at,
            )
    Share.objects.exclude(revoked_at=None).update(title="")


def join(apps, schema_editor):
    Share = apps.get_model("sharing", "Share")
    SharePage = apps.get_model("sharing", "SharePage")
    for share in Share.objects.filter(page_count__gt=0).iterator(chunk_size=1):
        whole = []
        for page in SharePage.objects.filter(share=share).order_by("number"):
            for message in page.messages:
                number = message.pop("part", 1)
                message.pop("parts", None)
                if number > 1:
                    whole[-1]["text"] += message["text"]
                else:
                    whole.append(message)
        Share.objects.filter(pk=share.pk).update(snapshot=whole)


class Migration(migrations.Migration):
    dependencies = [("sharing", "0002_pages_and_take_downs")]
    operations = [migrations.RunPython(fill, join)]
