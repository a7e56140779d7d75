"""The form of a model's staff page: its fields for each language and for each default of answers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core.text import grouped, one_line, trimmed
from chat.model_cards.access import are_others_offered
from chat.model_cards.bounds import BOUNDS, EFFORT, MAX_TOKENS, SAMPLING_NAMES
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard
from inference.contract import EFFORTS

CHOSEN = ("is_default", "is_hidden", "is_retired", "successor", "is_limited", "price")
WRITTEN = (*CHOSEN, "context_limit", "texts", "defaults")  # columns that this form alone writes
NAME_CHARS, ABOUT_CHARS = 120, 1000
EFFORT_WORDS = {
    "off": gettext_lazy("off"),
    "low": gettext_lazy("low"),
    "medium": gettext_lazy("medium"),
    "high": gettext_lazy("high"),
}


def _text_fields() -> dict[str, tuple[str, str, forms.CharField]]:
    """Returns by name of the form's field: language, name in `texts`, and the field."""
    found: dict[str, tuple[str, str, forms.CharField]] = {}
    for code, language in settings.LANGUAGES:
        name = forms.CharField(
            label=format_lazy("{} ({})", gettext_lazy("Name"), language),
            max_length=NAME_CHARS,
            required=False,
        )
        about = forms.CharField(
            label=format_lazy("{} ({})", gettext_lazy("Description"), language),
            max_length=ABOUT_CHARS,
            required=False,
            widget=forms.Textarea(attrs={"rows": 2, "cols": 80}),
        )
        found[f"name_{code.replace('-', '_')}"] = (code, "name", name)
        found[f"about_{code.replace('-', '_')}"] = (code, "about", about)
    return found


def _default_fields() -> dict[str, tuple[str, forms.Field]]:
    """Returns by name of the form's field: name in `defaults`, and the field."""
    found: dict[str, tuple[str, forms.Field]] = {}
    for name in (*SAMPLING_NAMES, MAX_TOKENS):
        bounds = BOUNDS[name]
        kind = forms.IntegerField if bounds.whole else forms.FloatField
        found[f"default_{name}"] = (
            name,
            kind(label=bounds.label, min_value=bounds.lowest, max_value=bounds.highest, required=False),  # type: ignore[arg-type]
        )
    found[f"default_{EFFORT}"] = (EFFORT, forms.ChoiceField(label=gettext_lazy("Thinking"), required=False))
    return found


TEXTS, DEFAULTS = _text_fields(), _default_fields()
TEXT_NAMES, DEFAULT_NAMES = tuple(TEXTS), tuple(DEFAULTS)


class ModelCardBaseForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = ModelCard
        fields = (*CHOSEN, "context_limit", "groups")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, (code, name, _text) in TEXTS.items():
            self.initial[field] = self.instance.texts.get(code, {}).get(name, "")
        for field, (name, _default) in DEFAULTS.items():
            self.initial[field] = self.instance.defaults.get(name)
        efforts = capabilities_of(self.instance).efforts
        offered = [("", _("as the model does by itself"))]
        offered += [(effort, str(EFFORT_WORDS[effort])) for effort in EFFORTS if effort in efforts]
        self.fields[f"default_{EFFORT}"].choices = offered  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        withdrawn = data.get("is_hidden") or data.get("is_retired") or data.get("is_limited")
        if data.get("groups") and not data.get("is_limited"):
            raise ValidationError({"is_limited": _("Tick this if only these groups may use the model.")})
        if data.get("is_default") and (data.get("is_hidden") or data.get("is_retired")):
            raise ValidationError({"is_default": _("A hidden or retired model cannot be the default.")})
        if withdrawn and not are_others_offered(self.instance):
            raise ValidationError(
                _(
                    "This is the only model that everybody can choose. Offer another one before you withdraw "
                    "it."
                )
            )
        if (successor := data.get("successor")) and _leads_to(successor, self.instance):
            raise ValidationError({"successor": _("A model cannot be its own successor.")})
        self._check_limits(data)
        self.instance.texts = self._texts(data)
        chosen = {name: data.get(field) for field, (name, _field) in DEFAULTS.items()}
        self.instance.defaults = {name: each for name, each in chosen.items() if each not in (None, "")}
        return data

    def _texts(self, data: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Returns what staff wrote, by language. Languages that are not offered now keep theirs."""
        offered = dict(settings.LANGUAGES)
        texts = {code: dict(each) for code, each in self.instance.texts.items() if code not in offered}
        for field, (code, name, _field) in TEXTS.items():
            written = data.get(field) or ""
            if text := one_line(written) if name == "name" else trimmed(written):
                texts.setdefault(code, {})[name] = text
        return texts

    def _check_limits(self, data: dict[str, Any]) -> None:
        """Refuses a context and a length of answers that the model does not have."""
        card = self.instance
        limit = data.get("context_limit")
        if limit and limit > card.context_tokens:
            words = _("This model reads %(n)s tokens: the limit can only be lower.")
            raise ValidationError({"context_limit": words % {"n": grouped(card.context_tokens)}})
        longest = answer_tokens(ModelCard(context_tokens=card.context_tokens, context_limit=limit)).longest
        if (asked := data.get(f"default_{MAX_TOKENS}")) and asked > longest:
            words = _("An answer of this model has at most %(n)s tokens.")
            raise ValidationError({f"default_{MAX_TOKENS}": words % {"n": grouped(longest)}})


ModelCardForm = type(
    "ModelCardForm",
    (ModelCardBaseForm,),
    {
        **{field: made for field, (_code, _name, made) in TEXTS.items()},
        **{field: made for field, (_name, made) in DEFAULTS.items()},
    },
)


def _leads_to(successor: ModelCard, card: ModelCard) -> bool:
    """Returns whether the successors of `successor` come back to `card`."""
    met: set[str] = set()
    each: ModelCard | None = successor
    while each is not None and each.slug not in met:
        if each.slug == card.slug:
            return True
        met.add(each.slug)
        each = each.successor
    return False
