"""Forms of the settings page "Answers". Errors of the services are shown beside the form."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

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
