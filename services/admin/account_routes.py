"""Accounts: listed and added by admins, changed by them, and their password by their owners."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from schemas.access import Caller, Role
from services.admin import accounts, sessions, shapes, throttling
from services.admin.accounts import Account
from services.admin.entrance import Asking, Entered, Entrance
from services.admin.shapes import AccountAnswer, AccountsAnswer, Email, Name, Password, Strict, Typed
from services.admin.signing_in import session_cookie
from services.admin.writing import written
from services.query.access import below, needs
from services.query.changing import Adding, Changing, versions
from services.query.problems import documented, wrong
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(tags=["accounts"], dependencies=[needs(Role.ADMIN)], responses=documented(401, 403, 422, 503))
adding = APIRouter(
    tags=["accounts"], dependencies=[needs(Role.ADMIN)], route_class=Adding,
    responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
)  # fmt: skip
own = APIRouter(tags=["accounts"], dependencies=[needs(Role.VIEWER)], responses=documented(401, 403, 404, 422, 503))
changing = APIRouter(
    tags=["accounts"], dependencies=[needs(Role.VIEWER)], route_class=Changing,
    responses=documented(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 503),
)  # fmt: skip

Id = Annotated[str, Path(min_length=1, max_length=40, description="Its id", examples=["A-mzxw6ytboi"])]

_ROLES = (Role.VIEWER, Role.EDITOR, Role.ADMIN)


class NewAccount(Strict):
    """Somebody who is to come in."""

    name: Name = Field(description="As people know them; they sign in by it", examples=["Anna Berg"])
    role: Role = Field(examples=["viewer"])
    email: Email | None = Field(
        default=None, description="By which they are found among the people of requests", examples=["anna@acme.example"]
    )
    password: Password | None = Field(
        default=None, description="Without one they sign in elsewhere, where their address is verified"
    )


class AccountChange(Strict):
    """What is to be different; what is not named stays."""

    name: Name | None = Field(default=None, examples=["Anna Berg"])
    role: Role | None = Field(default=None, examples=["editor"])
    disabled: bool | None = Field(default=None, strict=True, description="Nobody comes in by it; what it did stays")
    email: Email | None = Field(default=None, description="null: none", examples=["anna@acme.example"])
    password: Password | None = Field(default=None, description="null: none; they sign in elsewhere then")
    old_password: Typed | None = Field(default=None, description="Needed for one's own password")


_EXAMPLES: Any = {
    "role": {"value": {"role": "editor"}},
    "disable": {"value": {"disabled": True}},
    "own password": {"value": {"password": "correct horse battery staple", "old_password": "what it was before"}},
}


@router.get("/accounts", response_model=AccountsAnswer, summary="Who has an account")
async def listed(parts: Entered) -> Response:
    """All, by name."""
    async with parts.database.reading() as connection:
        return answer({"items": [shapes.account_told(one) for one in await accounts.every(connection)]})


@adding.post("/accounts", status_code=201, response_model=AccountAnswer, summary="Add an account")
async def add(given: Annotated[NewAccount, Body()], caller: Asking, parts: Entered, asked: Request) -> Response:
    """They sign in by the password, which you hand to them; or elsewhere, by an identity provider that verified their
    address."""
    _check_role(given.role)
    password = await parts.passwords.hash(given.password.get_secret_value()) if given.password else None
    async with written(parts.engine) as connection:
        made = await accounts.add(
            connection, parts.by(caller, asked), given.name, given.role, email=given.email, password=password
        )
    return answer(shapes.account_told(made), 201, {"Location": f"/v1/accounts/{made.id}", "ETag": made.etag})


@own.get("/accounts/{id}", response_model=AccountAnswer, summary="One account")
async def one(id: Id, caller: Asking, parts: Entered) -> Response:  # noqa: A002 - the name in the path
    """Anybody's for admins, and one's own. The ETag is what If-Match of a change names."""
    if id != caller.account and caller.role is not Role.ADMIN:
        raise below(Role.ADMIN)
    async with parts.database.reading() as connection:
        found = await accounts.get(connection, id)
    if found is None:
        raise _unknown()
    return answer(shapes.account_told(found), headers={"ETag": found.etag})


@changing.patch("/accounts/{id}", response_model=AccountAnswer, summary="Change an account")
async def change(
    id: Id,  # noqa: A002 - the name in the path
    given: Annotated[AccountChange, Body(openapi_examples=_EXAMPLES)],
    caller: Asking,
    parts: Entered,
    asked: Request,
    if_match: Annotated[
        str, Header(description="ETag of the account as it was shown; * for whatever it is", examples=["*"])
    ],
) -> Response:
    """By admins. One's own password by everybody, who gives the one before. A new password, and being disabled, end the
    account's other sessions. The last admin stays one.
    """
    mine = id == caller.account
    _check_rights(caller, given, mine=mine)
    async with parts.database.reading() as connection:
        found = await accounts.get(connection, id)
    if found is None:
        raise _unknown()
    if mine and "password" in given.model_fields_set and found.password:
        await _check_old(parts, found, given)
    to = await _wanted(parts, given)
    async with written(parts.engine) as connection:
        seen = await accounts.get(connection, id) or found
        if not versions(if_match) & {"*", seen.etag.strip('"')}:
            raise accounts.outdated()
        keep = await _this_session(parts, connection, asked) if mine else None
        made = await accounts.change(connection, parts.by(caller, asked), seen, to, keep=keep, issuers=parts.issuers)
    parts.forget()
    return answer(shapes.account_told(made), headers={"ETag": made.etag})


def _check_rights(caller: Caller, given: AccountChange, *, mine: bool) -> None:
    if caller.role is not Role.ADMIN and (not mine or given.model_fields_set - {"password", "old_password"}):
        raise below(Role.ADMIN)
    if mine and caller.how == "token" and "password" in given.model_fields_set:
        raise Refused(
            403, "signed-in-only", "A token does not change the password of its owner.", "Sign in, and change it there."
        )  # fmt: skip
    if given.role is not None:
        _check_role(given.role)


def _check_role(role: Role) -> None:
    if role not in _ROLES:
        raise wrong("body.role", "is for programs only", "give viewer, editor or admin")


async def _check_old(parts: Entrance, account: Account, given: AccountChange) -> None:
    """Raises Refused where the password before is not given, or wrong; wrong ones count as sign-ins that failed."""
    if given.old_password is None:
        raise wrong("body.old_password", "is missing", "give the password that you have now")
    now, who = parts.now(), throttling.whose(account, account.name)
    async with written(parts.engine) as connection:
        await throttling.begin(connection, who, None, now)
    if not await parts.passwords.verify(account.password, given.old_password.get_secret_value()):
        raise wrong("body.old_password", "is not your password", "give the password that you have now")
    async with written(parts.engine) as connection:
        await throttling.went_well(connection, who, None, now)


async def _wanted(parts: Entrance, given: AccountChange) -> dict[str, Any]:
    to: dict[str, Any] = {}
    for name in given.model_fields_set - {"old_password", "password"}:
        value = getattr(given, name)
        if value is None and name != "email":
            raise wrong(f"body.{name}", "is null", "leave it out, and it stays as it is")
        to[name] = value.lower() if name == "email" and value else value
    if "password" in given.model_fields_set:
        to["password"] = await parts.passwords.hash(given.password.get_secret_value()) if given.password else None
    return to


async def _this_session(parts: Entrance, connection: Any, asked: Request) -> str | None:
    cookie = session_cookie(asked.headers, parts.manner)
    row = (await connection.execute(sessions.by_secret(cookie, parts.now()))).first() if cookie else None
    return row.session if row else None


def _unknown() -> Refused:
    return Refused(404, "unknown-account", "There is no account with this id.", "List them under /v1/accounts.")
