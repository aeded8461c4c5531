"""Routes that change something: what must be true of a request before its body is looked at.

No web page may make a browser decide for the person in front of it: only application/json is taken, which no form
sends; and whoever knows who asks refuses pages of another origin (origins.py).
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from services.query.access import Needs
from services.query.refused import Refused

SEEN = "."
"""In an ETag, between the hash of a record and what says how much of it was shown."""

LARGEST = 1_500_000
"""Bytes of a body."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Bounded(Request):
    """A request whose body is read up to a limit."""

    @override
    async def body(self) -> bytes:
        """The whole body. Raises Refused for one that is too large."""
        if not hasattr(self, "_body"):
            read = bytearray()
            async for chunk in self.stream():
                read += chunk
                if len(read) > LARGEST:
                    raise Refused(
                        413, "too-large", f"The body is larger than {LARGEST} bytes.", "Decide on fewer at a time."
                    )
            self._body = bytes(read)
        return self._body


class Changing(APIRoute):
    """A route that changes something, made on what its caller saw."""

    conditional: ClassVar[bool] = True
    """Whether it must be said, by If-Match, what the caller saw."""

    @override
    def get_route_handler(self) -> Handler:
        """The handler, behind what must be true first."""
        handle = super().get_route_handler()

        async def checked(asked: Request) -> Response:
            asked = Bounded(asked.scope, asked.receive)
            await _check_role(self, asked)
            _check_type(asked)
            if self.conditional:
                _check_condition(asked)
            await asked.body()
            try:
                return await handle(asked)
            except RequestValidationError as error:
                tagged = _of_several_kinds(self)
                raise RequestValidationError([_without_tag(one, tagged=tagged) for one in error.errors()]) from None

        return checked


class Adding(Changing):
    """A route that adds something, or only tries: there is no version of it yet."""

    conditional = False


async def _check_role(route: APIRoute, asked: Request) -> None:
    """Who may not change it is told so, whatever they sent: nothing of that is read."""
    for one in route.dependencies:
        if isinstance(one.dependency, Needs):
            await one.dependency(asked)


def _check_type(asked: Request) -> None:
    if asked.method == "DELETE":  # no form sends it
        return
    if asked.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(
            415, "media-type", "The body is not said to be JSON.", "Send it with Content-Type: application/json."
        )


def _check_condition(asked: Request) -> None:
    if not asked.headers.get("if-match", "").strip():
        raise Refused(
            428, "condition", "If-Match is missing: it says on which versions this is decided.",
            "Give the ETags of the requests concerned, as they were shown; or * for whatever they are.",
        )  # fmt: skip


def _of_several_kinds(route: APIRoute) -> bool:
    """Whether its body is one of several models, which differ by their `kind`."""
    return any(not isinstance(one.field_info.annotation, type) for one in route.dependant.body_params)


def _without_tag(error: Any, *, tagged: bool) -> Any:
    """An error in one kind of body, without the kind in its place."""
    place = error["loc"]
    if str(error["type"]).startswith("union_tag"):
        return {**error, "loc": (*place, "kind")}
    tagged = tagged and place[0] == "body" and len(place) > 1 and isinstance(place[1], str)
    return {**error, "loc": (place[0], *place[2:])} if tagged else error


def versions(if_match: str) -> frozenset[str]:
    """The entity tags of If-Match, weak or strong, without what marks them, and without how much was shown."""
    parts = (part.strip().removeprefix("W/").strip('"') for part in if_match.split(",") if part.strip())
    return frozenset(part.partition(SEEN)[0] for part in parts)
