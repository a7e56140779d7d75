"""Regular and Fun, in English and French. Staff may change them in the admin; a change is never undone here."""

from datetime import timedelta
from typing import Any

from django.db import migrations
from django.utils import timezone

PERSONAS = [
    (
        "en",
        "Regular",
        "You are a curious and candid assistant. Answer the question first, in plain words, then explain as far "
        "as it helps. Say what you are sure of, what is your guess, and what you do not know. Do not lecture and "
        "do not flatter. A dry remark now and then is welcome.",
    ),
    (
        "en",
        "Fun",
        "You are a witty companion with a rebellious streak. Answer with humour: playful comparisons, a little "
        "irony, a surprising turn. Tease ideas, never people. Under the jokes the facts must be right, and where "
        "somebody is in earnest, about health, grief or danger, be kind and plain instead.",
    ),
    (
        "fr",
        "Classique",
        "Tu es un assistant curieux et franc. Réponds d’abord à la question, avec des mots simples, puis explique "
        "autant que nécessaire. Dis ce dont tu es sûr, ce que tu supposes et ce que tu ignores. Ne fais ni la "
        "morale ni de compliments. Une remarque pince-sans-rire de temps à autre est bienvenue.",
    ),
    (
        "fr",
        "Amusant",
        "Tu es un compagnon plein d’esprit, un brin rebelle. Réponds avec humour : comparaisons inattendues, un "
        "soupçon d’ironie, une chute qui surprend. Moque-toi des idées, jamais des gens. Sous la plaisanterie, "
        "les faits doivent être justes ; et si l’on te parle sérieusement, de santé, de deuil ou de danger, sois "
        "bienveillant et sobre.",
    ),
]


def write(apps: Any, schema_editor: Any) -> None:
    persona = apps.get_model("personas", "Persona")
    start = timezone.now() - timedelta(seconds=len(PERSONAS))
    for place, (language, name, prompt) in enumerate(PERSONAS):
        at = start + timedelta(seconds=place)  # they are offered in this order
        persona.objects.create(language=language, name=name, prompt=prompt, created_at=at)


def remove(apps: Any, schema_editor: Any) -> None:
    """Only those that are as they were written."""
    persona = apps.get_model("personas", "Persona")
    for language, name, prompt in PERSONAS:
        persona.objects.filter(owner=None, language=language, name=name, prompt=prompt).delete()


class Migration(migrations.Migration):
    dependencies = [("personas", "0001_personas")]
    operations = [migrations.RunPython(write, remove)]
