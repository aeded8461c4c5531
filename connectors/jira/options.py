"""What an admin fills in for a Jira connection. The model doubles as the form: title and description are shown."""

import re
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.config import JsonDict

_ATLASSIAN_TOKENS = "https://id.atlassian.com/manage-profile/security/api-tokens"
_BROWSE: JsonDict = {"name": "Browse Projects", "for": "issues and their history, in each project that is read"}


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


_EXPIRES = Field(
    default=None,
    title="Ends on",
    description="The day the token ends, which the tool shows once, when it is made: the hub warns 30 days ahead",
)


class ApiToken(_Form):
    """A person's classic API token (Cloud): id.atlassian.com, Security, API tokens."""

    model_config = ConfigDict(
        title="API token (Cloud)",
        json_schema_extra={
            "granted": {"where": "id.atlassian.com, Security, API tokens", "url": _ATLASSIAN_TOKENS},
            "permissions": [_BROWSE],
        },
    )

    kind: Literal["api_token"] = "api_token"
    email: str = Field(title="E-mail", description="Address of the account that the token belongs to", min_length=3)
    token: SecretStr = Field(title="API token", description="Lives a year at most", min_length=1)
    expires: date | None = _EXPIRES


class ScopedToken(_Form):
    """A scoped API token (Cloud), as every service account has. It works only through Atlassian's gateway."""

    model_config = ConfigDict(
        title="Scoped token (Cloud, service account)",
        json_schema_extra={
            "granted": {
                "where": "Atlassian administration, Directory, Service accounts, the account, Create credentials",
                "url": "https://admin.atlassian.com",
            },
            "permissions": [
                {"name": "read:jira-work", "for": "issues and their history"},
                {"name": "read:jira-user", "for": "names of people"},
                _BROWSE,
            ],
        },
    )

    kind: Literal["scoped_token"] = "scoped_token"
    email: str = Field(title="E-mail", description="Address of the account that the token belongs to", min_length=3)
    token: SecretStr = Field(title="Scoped token", description="Scopes read:jira-work and read:jira-user", min_length=1)
    expires: date | None = _EXPIRES
    gateway: str = Field(
        default="https://api.atlassian.com",
        title="Gateway",
        description="Address that scoped tokens are used at",
        json_schema_extra={"advanced": True},
    )


class PersonalAccessToken(_Form):
    """A personal access token (Data Center 8.14 and later): profile, Personal Access Tokens."""

    model_config = ConfigDict(
        title="Personal access token (Data Center)",
        json_schema_extra={
            "granted": {"where": "Jira, your profile, Personal Access Tokens, Create token"},
            "permissions": [_BROWSE],
        },
    )

    kind: Literal["personal_access_token"] = "personal_access_token"
    token: SecretStr = Field(title="Personal access token", description="Of an account that only reads", min_length=1)
    expires: date | None = _EXPIRES


Auth = Annotated[ApiToken | ScopedToken | PersonalAccessToken, Field(discriminator="kind")]

_PROJECT = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")


def _closes(text: str) -> bool:
    """Whether every bracket closes one that was opened before."""
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0


class JiraOptions(_Form):
    """One Jira site, read with one account."""

    model_config = ConfigDict(
        title="Jira",
        json_schema_extra={
            "reads": "Issues with their whole history, comments, links and remote links. Nothing is "
            "written but a webhook, where an admin asks for one.",
            "account": "An account of its own that only reads: a service account (Cloud) or a user (Data Center).",
            "webhooks": {
                "where": "Jira, System, WebHooks, Create a WebHook",
                "events": [
                    "issue created, updated, deleted", "comment created, updated, deleted",
                    "issue link created, deleted",
                ],
                "secret": "webhook_secret",
                "path_token": "webhook_token",
                "listed": "Jira, System, WebHooks",
                "registers": True,
                "registered": "The hub enters it when an admin asks, if this connection's account has Jira's global "
                "permission Administer Jira and no scoped token. Else a Jira administrator enters it by hand.",
            },
        },
    )  # fmt: skip

    base_url: str = Field(
        title="Address", description="As people open it in a browser", examples=["https://acme.atlassian.net"]
    )
    edition: Literal["cloud", "datacenter"] = Field(
        default="cloud",
        title="Edition",
        description="Cloud (atlassian.net) or Data Center (run by your company)",
        json_schema_extra={"choices": {"cloud": "Cloud", "datacenter": "Data Center"}},
    )
    auth: Auth = Field(title="Sign in with", description="API token, scoped token, or personal access token")
    cloud_id: str = Field(
        default="",
        title="Cloud id",
        description="Only for a scoped token: the cloudId shown at <address>/_edge/tenant_info",
        json_schema_extra={"advanced": False},
        pattern=r"^[A-Za-z0-9-]{0,64}$",
    )
    projects: tuple[str, ...] = Field(
        default=(),
        title="Projects",
        description="Keys of the projects to read; none: all that the account may see",
        examples=["PAY, OPS"],
    )
    extra_jql: str = Field(
        default="",
        title="Further filter",
        description="JQL that issues must fit too, without ORDER BY",
        max_length=2000,
    )
    opener_types: tuple[str, ...] = Field(
        default=(),
        title="Types that open a request",
        description="Names of issue types; none: every standard type (no epics, no sub-tasks)",
    )
    share: float = Field(
        default=0.25, gt=0, le=1, title="Share of the rate limit", description="Part of Jira's limit that the hub takes"
    )
    overlap_minutes: int = Field(
        default=10,
        ge=2,
        le=1440,
        title="Overlap in minutes",
        description="Each poll reads this much again, because Jira's search index lags behind",
    )
    page_size: int = Field(default=50, ge=1, le=100, title="Issues per page", description="How many are read in one go")
    read_restricted: bool = Field(
        default=False,
        title="Read restricted content",
        description="Also read issues with a security level, and comments for a role, a group or agents only",
    )
    keep: Literal["full", "excerpt", "references"] = Field(
        default="excerpt",
        title="Keep of texts",
        description="Full text, the first 500 characters and what the rest names, or only what names other things",
        json_schema_extra={"choices": {"full": "Full text", "excerpt": "Excerpt", "references": "References only"}},
    )
    remote_links: bool = Field(
        default=True, title="Read remote links", description="One more request for each issue; they join across tools"
    )
    gone_limit: float = Field(
        default=0.02,
        ge=0,
        le=1,
        title="Most issues that may vanish at once",
        description="Share of all issues; where more than this (and more than 10) are gone, a person has to look",
    )
    ca_file: str | None = Field(
        default=None, title="Certificate authority", description="PEM file of your company's authority, if it has one"
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        title="Webhook secret",
        description="As entered in Jira's webhook; signs every delivery",
        json_schema_extra={"of": "webhooks"},
    )
    webhook_token: SecretStr | None = Field(
        default=None,
        title="Webhook path token",
        description="For webhooks without a secret: the last part of the webhook's address, 32 characters or more",
        json_schema_extra={"of": "webhooks"},
        min_length=32,
    )

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give the address with https://, as it stands in the browser")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("give only host and path; secrets have their own fields")
        return value.strip().rstrip("/")

    @field_validator("projects")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [key for key in value if not _PROJECT.fullmatch(key)]
        if wrong:
            raise ValueError("give project keys in capitals, such as PAY")
        return tuple(sorted(set(value)))

    @field_validator("extra_jql")
    @classmethod
    def _only_a_filter(cls, value: str) -> str:
        bare = _QUOTED.sub('""', value)
        if _ORDER.search(bare):
            raise ValueError("leave out ORDER BY; the connector sorts by time")
        if not _closes(bare) or '"' in bare.replace('""', "") or "'" in bare:
            raise ValueError("a bracket or a quotation mark is not closed")
        return value.strip()

    @model_validator(mode="after")
    def _fits_together(self) -> "JiraOptions":
        if (self.edition == "datacenter") != isinstance(self.auth, PersonalAccessToken):
            raise ValueError("auth: Cloud takes an API token or a scoped token, Data Center a personal access token")
        if isinstance(self.auth, ScopedToken) and not self.cloud_id:
            raise ValueError("cloud_id: a scoped token needs it; it is shown at <address>/_edge/tenant_info")
        return self

    @property
    def api_url(self) -> str:
        """Where requests go: the site itself, or the gateway for a scoped token, which answers 401 at the site."""
        if isinstance(self.auth, ScopedToken):
            return f"{self.auth.gateway.rstrip('/')}/ex/jira/{self.cloud_id}"
        return self.base_url

    @property
    def scope_jql(self) -> str:
        """The filter of this connection as JQL; "" for everything the account may see."""
        quoted = ", ".join(f'"{key}"' for key in self.projects)
        clauses = ([f"project in ({quoted})"] if quoted else []) + ([f"({self.extra_jql})"] if self.extra_jql else [])
        return " AND ".join(clauses)
