"""Forms of the settings page "Answers". Errors of the services are shown beside the form."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat.accounts.models import User
from chat.model_cards.access import models_for
from chat.personas.access import personas_offered
from chat.personas.models import INSTRUCTION_CHARS, PERSONA_CHARS, PROMPT_CHARS


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "dir": "auto"})


class CustomInstructionsForm(forms.Form):
    about = forms.CharField(
        label=_("What should the model know about you?"),
        help_text=_("Your work, where you live, what you like to talk about."),
        max_length=INSTRUCTION_CHARS,
        required=False,
        widget=_area(4),
    )
    style = forms.CharField(
        label=_("How should it answer?"),
        help_text=_("Short or at length, formal or relaxed, with or without examples."),
        max_length=INSTRUCTION_CHARS,
        required=False,
        widget=_area(4),
    )
    active = forms.BooleanField(label=_("Tell the model this in my conversations"), required=False)
    compact = forms.BooleanField(
        label=_("Summarise the beginning of long conversations"),
        help_text=_(
            "When a conversation nearly fills what the model can read, the model summarises its oldest "
            "messages, which would otherwise be left out. You can read, edit and undo each summary."
        ),
        required=False,
    )


class NewChatsForm(forms.Form):
    """The choices are those that `user` may make; one that was withdrawn stays until another is saved."""

    model = forms.ChoiceField(label=_("Model"), required=False)
    persona = forms.ChoiceField(label=_("Persona"), required=False)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        models = [(card.slug, card.shown_name) for card in models_for(user) if not card.is_hidden]
        personas = [(str(each.pk), each.name) for each in personas_offered(user)]
        self._offer("model", _("The one that this site chooses"), models)
        self._offer("persona", _("No persona"), personas)

    def _offer(self, name: str, none: str | Promise, choices: list[tuple[str, str]]) -> None:
        field = cast(forms.ChoiceField, self.fields[name])
        chosen = self.initial.get(name, "")
        is_offered = any(chosen == value for value, _name in choices)
        kept = [] if is_offered or not chosen else [(chosen, _("The one chosen before, not offered now"))]
        field.choices = [("", none), *choices, *kept]


class PersonaForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=60)
    prompt = forms.CharField(
        label=_("What the model is told"),
        help_text=_("For example: “You are a patient teacher. Explain in small steps and ask back.”"),
        max_length=PERSONA_CHARS,
        widget=_area(8),
    )


class PromptForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=60)
    text = forms.CharField(
        label=_("Text"),
        help_text=_(
            "Words in double braces are asked for each time: “Translate into {{language}}: {{text}}”."
        ),
        max_length=PROMPT_CHARS,
        widget=_area(8),
    )
