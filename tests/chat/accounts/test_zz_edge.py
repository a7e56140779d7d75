from django.test import Client
from allauth.account.models import EmailAddress
from chat.accounts.models import User
from tests.chat.conftest import *
def test_edge(cast):
    c=Client(raise_request_exception=False)
    c.post("/accounts/signup/", {"email":"new@example.org","password1":PASSWORD,"password2":PASSWORD})
    print(EmailAddress.objects.filter(email="new@example.org").values())
    r=c.post("/accounts/email/", {"action_add":"", "email":"bob@example.org"})
    print(r.status_code, r.headers.get("Location"), EmailAddress.objects.filter(user__email="new@example.org").values_list("email","verified","primary"))
    r=c.post("/accounts/email/", {"action_primary":"", "email":"bob@example.org"})
    print(r.status_code, User.objects.values_list("email"))
    for w in ["/accounts/password/reset/","/accounts/2fa/","/accounts/2fa/totp/activate/"]:
        print(w, c.get(w).status_code, c.get(w).headers.get("Location"))
    r=c.post("/accounts/password/reset/", {"email":"bob@example.org"}); print(r.status_code)
    assert 0
