"""What the pages of sign-up forms may do in a browser."""

from collections.abc import Sequence

NOBODY = "'none'"


def policy(*, frames: Sequence[str] = (), target: str = "") -> str:
    """What a form's page may do: run our own script and its worker; be framed by the sites that may ask.

    `target` is where its post may lead in the end: browsers hold a redirect to it, too.
    """
    return (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"form-action 'self'{target and ' ' + target}; base-uri 'none'; "
        f"frame-ancestors {' '.join(frames) or NOBODY}"
    )
