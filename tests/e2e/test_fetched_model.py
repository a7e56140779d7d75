"""A model that is fetched by name from a hub on loopback: what people and staff see of it."""

from __future__ import annotations

import threading
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Windows, Witness, origin_of, until
from tests.e2e.chat import Chat
from tests.e2e.people import invite
from tests.grokweb.service import Service, eventually
from tests.inference.hf_folders import make_folder
from tests.inference.hub.fake_hub import Call, FakeHub, Repository


def test_people_see_the_notice_and_staff_the_progress_until_the_model_is_here(
    chromium: Browser, tmp_path: Path
) -> None:
    go_on = threading.Event()

    def hold(call: Call) -> bool | None:
        if call.file == "model.safetensors" and call.start > 0:
            go_on.wait()  # the header was brought, the rest waits for the test
        return None

    with FakeHub({"acme/tiny": Repository(make_folder(tmp_path / "published"))}) as hub:
        hub.on = hold
        service = Service(tmp_path, GROKWEB_MODEL="hf:acme/tiny", HF_ENDPOINT=hub.url, GROKWEB_TITLES="0")
        windows = None
        try:
            service.start()
            eventually(lambda: service.said(" % of "), f"the progress; it said {service.lines}", 180)
            admin, person = invite(1, service.environment)
            windows = Windows(chromium, origin_of(service), witness := Witness(origin_of(service)))
            chat = Chat(windows.page(person))
            chat.expect_notice("is being fetched")
            engine = windows.page(admin, "/admin/engine/")
            part = engine.locator("[data-fetch=tiny]")
            expect(part).to_contain_text("It is being fetched.")
            expect(part).to_contain_text("apache-2.0")
            expect(part.get_by_role("progressbar")).to_be_visible()
            chat.ask("Are you here?")
            go_on.set()
            expect(part).to_have_count(0)
            chat.wait_for_end()
            engine.goto("/admin/model_cards/modelcard/tiny/change/")
            licence = engine.get_by_role("link", name="apache-2.0")
            # The card takes over what the worker announces within a pass of reconcile.
            until(engine, lambda: engine.reload() and licence.count(), "the card says the licence")
            expect(licence).to_have_attribute("href", f"{hub.url}/acme/tiny")
            assert witness.unexpected() == []
        finally:
            go_on.set()
            if windows is not None:
                windows.close()
            service.close()
