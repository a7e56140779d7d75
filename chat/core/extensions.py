"""Defines the base class of extensions in `chat`: a label for people, and options that the extension
validates itself.

Options are stored in one JSON column of the row that uses the extension, so a new extension needs no
migration. Forms, scripts and admin pages are made of `fields`; none of them knows an extension by its name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.functional import Promise

from chat.core.errors import BadInput


class BadOptions(BadInput):
    """Options that an extension refuses. `errors`: the words for each field, by its name."""

    def __init__(self, form: forms.Form) -> None:
        self.errors = {name: str(errors[0]) for name, errors in form.errors.items()}
        name, words = next(iter(self.errors.items()))
        label = form.fields[name].label if name in form.fields else None
        super().__init__(f"{label}: {words}" if label else words, fields=self.errors)


class Extension:
    """Declares an entry of a table. Instances hold no state: one is made for each use."""

    label: ClassVar[str | Promise] = ""
    fields: ClassVar[Mapping[str, forms.Field]] = {}  # the form of its options

    def form(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        prefix: str | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> forms.Form:
        return form_of(self.fields, data, prefix=prefix, initial=initial)

    def options(self, given: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Returns the JSON to store for what a form or a script sent; raises BadOptions.

        `previous` are the options so far, for an extension whose form may leave a secret unchanged.
        """
        form = self.form(given)
        if not form.is_valid():
            raise BadOptions(form)
        return self.stored(form.cleaned_data, previous or {})

    def stored(self, cleaned: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
        """Turns valid values of the form into JSON; here, they are JSON already."""
        return dict(cleaned)


def form_of(
    fields: Mapping[str, forms.Field],
    data: Mapping[str, Any] | None = None,
    *,
    prefix: str | None = None,
    initial: Mapping[str, Any] | None = None,
    auto_id: str = "id_%s",
) -> forms.Form:
    """Returns a form of these fields; `auto_id` keeps ids apart where a page has several."""
    form = forms.Form(data, prefix=prefix, initial=dict(initial or {}), auto_id=auto_id)
    form.fields = {name: copy.deepcopy(field) for name, field in fields.items()}
    return form
