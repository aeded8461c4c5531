"""The boundary to a source: whatever it raises that is no error of the contract has one name here."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from connectors.contract import HubError, Misconfigured, RetryLater

T = TypeVar("T")


class Unforeseen(Exception):
    """The source raised what is neither RetryLater nor Misconfigured; its text has no content, only the kind."""


async def asked(answers: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """What a source yields. Raises RetryLater, Misconfigured; Unforeseen for anything else it raises."""
    while True:
        try:
            answer = await anext(answers)
        except StopAsyncIteration:
            return
        except (RetryLater, Misconfigured):
            raise
        except HubError as error:
            raise Unforeseen(f"{type(error).__name__}: {error}") from error
        except Exception as error:
            raise Unforeseen(type(error).__name__) from error
        yield answer
