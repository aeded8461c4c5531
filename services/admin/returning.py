"""Where people come back to after they signed in elsewhere; the provider's client is only loaded where one is set."""

from urllib.parse import urlsplit

CALLBACK = "/v1/sign-in/oidc/callback"


def local(path: str) -> str:
    """A path of our own pages; the first page for whatever leads elsewhere."""
    parts = urlsplit(path) if path.isprintable() else None
    ours = parts is not None and not parts.scheme and not parts.netloc
    return path if ours and path.startswith("/") and not path.startswith("//") and "\\" not in path else "/"
