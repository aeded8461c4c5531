"""Files of the site, under addresses that hold their content's hash, so that a browser may keep them for ever."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

_FOR_EVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """ASGI: the files of one folder, as `name.<hash>.<suffix>` and as they are called."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)
        self._folder = folder

    def address(self, name: str) -> str:
        """Where a file is."""
        stem, _, suffix = name.rpartition(".")
        return f"/static/{stem}.{_hash(self._folder / name)}.{suffix}"

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        stem, _, rest = path.partition(".")
        hashed, _, suffix = rest.partition(".")
        name = f"{stem}.{suffix}"
        known = bool(suffix) and (self._folder / name).is_file() and _hash(self._folder / name) == hashed
        answer = await super().get_response(name if known else path, scope)
        if known and answer.status_code < 400:
            answer.headers["Cache-Control"] = _FOR_EVER
        return answer


@cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
