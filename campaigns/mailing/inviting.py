"""What a mail that invites to a survey may name of it."""

from typing import Any

from campaigns.surveys.form import Form, QuestionType


def survey_names(form: Form, language: str, address: str) -> dict[str, Any]:
    """What a template may name of the survey; the scores are those of its first scale question."""
    scale = next((question for question in form.questions if question.type is QuestionType.SCALE), None)
    values = range(scale.low, scale.high + 1) if scale else range(0)
    return {
        "title": form.title.read(language),
        "question": scale.text.read(language) if scale else None,
        "scores": [{"value": value, "url": f"{address}?score={value}"} for value in values],
    }
