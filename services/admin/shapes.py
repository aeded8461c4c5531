"""What is told and taken of accounts, sessions, tokens and the audit, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from schemas.access import Caller, Role
from services.admin.accounts import Account
from services.admin.passwords import LONGEST, SHORTEST
from services.admin.sessions import Session
from services.admin.tokens import Token
from services.query.serving import told

_LINE = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=_LINE)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$"),
]
Password = Annotated[SecretStr, Field(min_length=SHORTEST, max_length=LONGEST)]
Typed = Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)]
"""What somebody typed, whatever the rules were when it was chosen."""

_ID = "A-mzxw6ytboi"
_AT = "2026-03-03T09:00:00.000000Z"


class Strict(BaseModel):
    """What is sent to us; unknown names would hide a mistake."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Me(BaseModel):
    """Who asks."""

    name: str = Field(examples=["Anna Berg"])
    role: Role
    how: Literal["loopback", "session", "token", "proxy"] = Field(description="By what they are known")
    account: str | None = Field(description="null: this machine, or a program in its own name", examples=[_ID])
    email: str | None = Field(description="Verified", examples=["anna@acme.example"])
    groups: list[str]
    reads_all: bool = Field(description="Whether no audience keeps anything from them")
    password: bool = Field(description="Whether they sign in by a password, which they can change")
    session: "SessionAnswer | None" = Field(description="This session, where there is one")


class SessionAnswer(BaseModel):
    """One sign-in of one browser."""

    id: str = Field(examples=["S-mzxw6ytboi"])
    account: str = Field(examples=[_ID])
    name: str = Field(examples=["Anna Berg"])
    created_at: str = Field(examples=[_AT])
    seen_at: str = Field(description="To within half a minute", examples=[_AT])
    expires_at: str = Field(description="If it is not used before", examples=[_AT])
    address: str | None = Field(description="Where the sign-in came from", examples=["192.0.2.7"])
    agent: str | None = Field(description="The browser, as it names itself")


class Sessions(BaseModel):
    """The last used first."""

    items: list[SessionAnswer]


class AccountAnswer(BaseModel):
    """Somebody whom the hub knows."""

    id: str = Field(examples=[_ID])
    name: str = Field(examples=["Anna Berg"])
    email: str | None = Field(examples=["anna@acme.example"])
    role: Role
    disabled: bool
    password: bool = Field(description="Whether there is one")
    issuer: str | None = Field(description="The identity provider, or `proxy`, that signs them in")
    groups: list[str]
    created_at: str = Field(examples=[_AT])
    signed_in_at: str | None = Field(examples=[_AT])
    etag: str = Field(description="For If-Match", examples=['"A-mzxw6ytboi-1"'])


class AccountsAnswer(BaseModel):
    """By name."""

    items: list[AccountAnswer]


class TokenAnswer(BaseModel):
    """An API token, without what opens anything."""

    id: str = Field(examples=["mzxw6ytboi"])
    title: str = Field(examples=["Prometheus"])
    role: Role = Field(description="At most this, and never more than its account has")
    account: str | None = Field(description="Whose; null: of a program, in its own name", examples=[_ID])
    owner: str | None = Field(description="Name of that account", examples=["Anna Berg"])
    created_at: str = Field(examples=[_AT])
    expires_at: str | None = Field(examples=[_AT])
    used_at: str | None = Field(description="To within a minute", examples=[_AT])


class TokensAnswer(BaseModel):
    """The newest first."""

    items: list[TokenAnswer]


class NewToken(TokenAnswer):
    """A token just made."""

    token: str = Field(description="What the program sends. Shown this once", examples=["tl_mzxw6ytboi_…"])


def me(caller: Caller, account: Account | None, session: Session | None) -> dict[str, Any]:
    """Who asks, as JSON."""
    return {
        "name": caller.name, "role": caller.role, "how": caller.how, "account": caller.account,
        "email": caller.email, "groups": sorted(caller.groups), "reads_all": caller.reads_all,
        "password": bool(account and account.password), "session": session and session_told(session),
    }  # fmt: skip


def session_told(session: Session) -> dict[str, Any]:
    """A session as JSON."""
    return {
        "id": session.id, "account": session.account, "name": session.name, "created_at": told(session.created_at),
        "seen_at": told(session.seen_at), "expires_at": told(session.expires_at), "address": session.address,
        "agent": session.agent,
    }  # fmt: skip


def account_told(account: Account) -> dict[str, Any]:
    """An account as JSON."""
    return {
        "id": account.id, "name": account.name, "email": account.email, "role": account.role,
        "disabled": account.disabled, "password": account.password is not None, "issuer": account.issuer,
        "groups": sorted(account.groups), "created_at": told(account.created_at),
        "signed_in_at": told(account.signed_in_at), "etag": account.etag,
    }  # fmt: skip


def token_told(token: Token) -> dict[str, Any]:
    """A token as JSON."""
    at: dict[str, datetime | None] = {
        "created_at": token.created_at, "expires_at": token.expires_at, "used_at": token.used_at,
    }  # fmt: skip
    return {
        "id": token.id, "title": token.title, "role": token.role, "account": token.account, "owner": token.owner,
        **{name: told(one) for name, one in at.items()},
    }  # fmt: skip
