from tests.e2e.conftest import *
import time
def test_x(chat, witness):
    witness.allow(".*")
    chat.ask("slow:400:30").wait_for_words(10)
    t0=time.time(); out=[]
    def tick(n):
        for _ in range(n):
            chat.page.wait_for_timeout(300)
            out.append((round(time.time()-t0,1), len(chat.text().split()), chat.notice.inner_text()))
    tick(2)
    chat.page.context.set_offline(True); out.append("off")
    tick(12)
    chat.page.context.set_offline(False); out.append("on")
    tick(8)
    print(*out, sep="\n")
    assert 0
