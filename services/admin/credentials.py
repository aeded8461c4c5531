"""What programs and browsers show to be known: made here, and kept as a hash only."""

import base64
import hashlib
import hmac
import re
import secrets

_TOKEN = re.compile(r"tl_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")


def new_id(prefix: str) -> str:
    """An id for lists, such as `A-mzxw6ytboi`; it opens nothing."""
    return f"{prefix}-{_letters()}"


def new_secret() -> str:
    """256 random bits: nobody guesses them, so that one round of a hash keeps them."""
    return secrets.token_urlsafe(32)


def new_token() -> tuple[str, str, str]:
    """Id, hash and text of an API token. The text is shown once: `tl_<id>_<secret>`."""
    name, secret = _letters(), new_secret()
    return name, hashed(secret), f"tl_{name}_{secret}"


def split_token(text: str) -> tuple[str, str] | None:
    """Id and secret of an API token; None: it is none. A secret may hold what parts the others."""
    found = _TOKEN.fullmatch(text)
    return (found[1], found[2]) if found else None


def hashed(secret: str) -> str:
    """What is stored instead of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same(stored: str, secret: str) -> bool:
    """Whether this is the secret, in a time that tells nothing."""
    return hmac.compare_digest(stored, hashed(secret))


def _letters() -> str:
    return base64.b32encode(secrets.token_bytes(7)).decode().lower()[:10]
