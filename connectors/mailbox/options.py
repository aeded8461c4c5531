"""What an admin fills in for a mailbox."""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.config import JsonDict

_ADDRESS = re.compile(r"[^@\s<>,*]*@[^@\s<>,*]+")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_RIGHTS: JsonDict = {"name": "lookup and read (RFC 4314 rights l and r)", "for": "the folders that are read"}


class Password(BaseModel):
    """Sign in with LOGIN."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        title="Password or app password",
        json_schema_extra={
            "granted": {"where": "Your mail server's administration; Gmail: Google account, Security, App passwords"},
            "permissions": [_RIGHTS],
        },
    )

    kind: Literal["password"] = Field(default="password", title="Kind", description="Sign in with a password")
    user: str = Field(title="User", description="The mailbox's user name, often its address", min_length=1)
    password: SecretStr = Field(
        title="Password", description="Its password, or an app password where the host has them"
    )


class OAuthToken(BaseModel):
    """Sign in with XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol; Microsoft 365 the same)."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        title="Access token",
        json_schema_extra={
            "granted": {"where": "The provider's sign-in for apps; the token lives about an hour"},
            "permissions": [_RIGHTS],
        },
    )

    kind: Literal["xoauth2"] = Field(default="xoauth2", title="Kind", description="Sign in with an access token")
    user: str = Field(title="User", description="The mailbox's address", min_length=1)
    token: SecretStr = Field(title="Access token", description="An access token for IMAP; it lives about an hour")


class OAuthClient(BaseModel):
    """Sign in with XOAUTH2, with access tokens that are fetched as an app and renewed."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        title="App of Google or Microsoft (tokens are renewed)",
        json_schema_extra={
            "granted": {"where": "Google Cloud console, Credentials; or Microsoft Entra, App registrations"},
            "permissions": [
                {"name": "https://mail.google.com/", "for": "Google"},
                {"name": "IMAP.AccessAsUser.All or IMAP.AccessAsApp", "for": "Microsoft"},
            ],
        },
    )

    kind: Literal["oauth_client"] = Field(
        default="oauth_client", title="Kind", description="Sign in with access tokens that are renewed"
    )
    user: str = Field(title="User", description="The mailbox's address", min_length=1)
    provider: Literal["google", "microsoft"] = Field(title="Provider", description="Who gives the tokens")
    client_id: str = Field(title="Client id", description="The id of the app as it is registered there", min_length=1)
    client_secret: SecretStr | None = Field(
        default=None, title="Client secret", description="The app's secret; empty where it has none"
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        title="Refresh token",
        description="What the mailbox's user agreed to; empty: the app signs in for itself (Microsoft only)",
    )
    expires: date | None = Field(
        default=None,
        title="Ends on",
        description="The day the client secret ends, as Microsoft shows it: the hub warns 30 days ahead",
    )
    tenant: str = Field(
        default="organizations",
        title="Tenant",
        description="Microsoft only: the directory's id or domain",
        pattern=r"^[A-Za-z0-9.-]{1,253}$",
    )
    token_url: str | None = Field(
        default=None,
        title="Token address",
        description="Where tokens are fetched; empty: the provider's own address",
        pattern=r"^https?://[^\s?#@]+$",
    )

    @property
    def where(self) -> str:
        """Where tokens are fetched."""
        if self.token_url:
            return self.token_url
        if self.provider == "google":
            return "https://oauth2.googleapis.com/token"
        return f"https://login.microsoftonline.com/{self.tenant}/oauth2/v2.0/token"


class MailboxOptions(BaseModel):
    """One mailbox on an IMAP server. Everything is read with EXAMINE and BODY.PEEK: nothing in it changes."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        title="Mailbox (IMAP)",
        json_schema_extra={
            "reads": "Mail in the folders you name. Nothing in the mailbox changes; no mail is marked as read or sent.",
            "account": "One account that may read the folders, best a shared mailbox's own.",
        },
    )

    host: str = Field(
        title="Server",
        description="Host name of the IMAP server",
        examples=["imap.example.com"],
        min_length=1,
        max_length=253,
        pattern=r"^[^\s/@?#]+$",
    )
    port: int | None = Field(
        default=None, title="Port", description="Empty for the usual one: 993 with TLS, 143 otherwise", ge=1, le=65535
    )
    security: Literal["tls", "starttls", "plain"] = Field(
        default="tls",
        title="Encryption",
        description="tls from the first byte, starttls after the greeting; plain only on this machine (a sandbox)",
        json_schema_extra={"choices": {"tls": "TLS", "starttls": "STARTTLS", "plain": "None (this machine only)"}},
    )
    ca_file: str | None = Field(
        default=None, title="Certificate authorities", description="PEM file of your own authority; empty: the system's"
    )
    auth: Annotated[Password | OAuthToken | OAuthClient, Field(discriminator="kind")] = Field(
        title="Sign in", description="How to sign in: with a password, or with access tokens"
    )
    folders: tuple[str, ...] = Field(
        default=("INBOX",),
        title="Folders",
        description="Names of the folders to read, as people see them; * stands for any letters (Projects/*)",
        min_length=1,
    )
    leave_out_folders: tuple[str, ...] = Field(
        default=(),
        title="Folders to leave out",
        description="Names or patterns; drafts, junk and trash are always left out unless named exactly above",
    )
    leave_out_senders: tuple[str, ...] = Field(
        default=(),
        title="Senders to leave out",
        description="Addresses (hr@example.com) or domains (@example.com): their mail is neither stored nor published",
    )
    leave_out_subjects: tuple[str, ...] = Field(
        default=(),
        title="Subjects to leave out",
        description="Words or patterns with *: mail whose subject holds one is neither stored nor published",
    )
    own: tuple[str, ...] = Field(
        default=(),
        title="Own addresses",
        description="Addresses or @domains of your own team: a mail they send joins requests but opens none",
    )
    keep: Literal["full", "excerpt", "references"] = Field(
        default="excerpt",
        title="Keep of the content",
        description="full text, an excerpt of 500 characters, or only what subject and text name (keys, addresses)",
        json_schema_extra={"choices": {"full": "Full text", "excerpt": "Excerpt", "references": "References only"}},
    )
    read_restricted: bool = Field(
        default=False,
        title="Read private mail",
        description="Also read mail that its sender marked as personal or private (Sensitivity header)",
    )
    since: AwareDatetime | None = Field(
        default=None,
        title="Leave out mail before",
        description="What arrived before this moment is never read, whatever the connection reads from; empty: none",
        examples=["2026-01-15T00:00:00Z"],
    )

    @field_validator("own", "leave_out_senders")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Anything else names nobody, and mail that is to be left out would be read."""
        if not all(_ADDRESS.fullmatch(one.strip()) for one in value):
            raise ValueError("give addresses (hr@example.com) or domains with the @ (@example.com)")
        return value

    @model_validator(mode="after")
    def _plain_only_here(self) -> "MailboxOptions":
        if self.security == "plain" and self.host.lower() not in LOOPBACK:
            raise ValueError("security: plain is only for a server on this machine; choose tls or starttls")
        return self

    @model_validator(mode="after")
    def _can_get_tokens(self) -> "MailboxOptions":
        auth = self.auth
        if isinstance(auth, OAuthClient) and not auth.refresh_token:
            if auth.provider == "google":
                raise ValueError("auth: Google gives tokens for a refresh token only; enter one")
            if not auth.client_secret or (auth.tenant == "organizations" and not auth.token_url):
                raise ValueError("auth: an app that signs in for itself needs its client secret and its tenant")
        return self

    @property
    def where(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (993 if self.security == "tls" else 143)
