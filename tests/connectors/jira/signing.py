"""Signing as Jira's admin webhooks do."""

import hashlib
import hmac


def signed(body: bytes, secret: str) -> dict[str, str]:
    """The headers of a delivery."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-hub-signature": f"sha256={signature}",
        "x-atlassian-webhook-identifier": "wh-1",
    }
