"""`throughline lookup`: from any reference to the life of its request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console, Group
from rich.text import Text

from schemas.canonical import instant
from schemas.records import LifecycleRecord
from services.cli.life import Life, read_shown, shown
from services.cli.lists import table_of
from services.cli.terminal import EXIT_NOT_FOUND, opened, tell, write_line
from services.cli.words import moment, short
from services.query import reading
from services.query.finding import Found, find
from services.query.finding import told as told_artifact
from services.query.gone import FORM
from services.query.reading import Known, Stored

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.cli.installation import Installation


_KINDS = {
    "jira.key": "the issue key", "jira.issue": "the issue with the number", "hubspot.deal": "the deal",
    "hubspot.ticket": "the ticket", "hubspot.note": "the note", "hubspot.email": "the logged e-mail",
    "message-id": "the mail with the Message-ID", "url": "the address",
    "request": "the request id",
}  # fmt: skip


async def lookup(
    made: "Installation", reference: str, now: datetime, screen: Console, *, as_json: bool, as_of: datetime | None
) -> int:
    """Print every request that the reference leads to, of a programme a line for each; EXIT_NOT_FOUND for none."""
    async with opened(made) as (engine, database):
        async with database.reading() as connection:
            found = (await find(connection, [reference]))[0]
            stored = await reading.requests(connection, found.requests)
        read = await reading.connections_read(database)
        told = [stored[name] for name in found.requests if name in stored]
        records = {one.id: one.record for one in told}
        if told and as_of:
            records = await _earlier(engine, list(records), as_of)
    if as_json:
        _write(found, read, records, now, as_of if told else None)
    if not told:
        _no_request(found, reference, read, now, screen, as_json=as_json)
        return EXIT_NOT_FOUND
    if not records:
        assert as_of is not None
        tell(f"Nothing of this request existed at {moment(as_of, now)}; give a later --as-of.")
        return EXIT_NOT_FOUND
    if not as_json:
        there = [replace(one, record=records[one.id]) for one in told if one.id in records]
        _show(found, reference, there, read, now, screen)
    return 0


def _write(found: Found, read: "Read", records: Mapping[str, str], now: datetime, as_of: datetime | None) -> None:
    """For programs: the records, after a line of its own where they are not all there is to say."""
    if not records or found.below:
        write_line(answered(found, read, now, None if records else as_of))
    for text in records.values():
        write_line(text)


def _show(
    found: Found, reference: str, told: Sequence[Stored], read: "Read", now: datetime, screen: Console
) -> None:  # fmt: skip
    _elsewhere(found, screen)
    if found.below:
        screen.print(_programme(found, told, now))
        return
    _print(reference, told, [row for row, _ in read], now, screen)
    _decided(found.artifacts, screen)


def _elsewhere(found: Found, screen: Console) -> None:
    """Say that the address is not of a tool in which this was found."""
    if found.other_host:
        screen.print(Text(f"{_at(found.other_host)}\n", style="yellow"))


def _at(host: str) -> str:
    return f"Nothing that is read lies at {short(host)}. By its key alone it may be this:"


def _programme(found: Found, told: Sequence[Stored], now: datetime) -> Group:
    """What the programme is, and a line for each request that belongs to it."""
    one = found.artifacts[0]
    name = one.natural_key or one.native_id
    kind = f"a programme ({one.type.lower()})" if one.type else "a programme"
    count = f"more than {len(told)} requests belong" if found.more_below else (
        "1 request belongs" if len(told) == 1 else f"{len(told)} requests belong")  # fmt: skip
    head = Text(f"{name} is {kind}: {count} to it", style="bold")
    last = Text(f"\nThese are the {len(told)} that changed last.", style="dim") if found.more_below else Text()
    return Group(head, Text(one.url or "", style="dim"), table_of(told, now), last)


def answered(found: Found, read: "Read", now: datetime, as_of: datetime | None = None) -> str:
    """What the reference leads to, as JSON: an item of the API's look-up, and what is read.

    as_of: the moment at which nothing of it existed, so that it is not found.
    """
    from services.query.serving import read_of

    at = {"outcome": "not found", "as_of": instant(as_of)} if as_of else {}
    item = {
        "outcome": found.outcome,
        "read_as": [{"kind": kind, "value": value} for kind, value in found.read_as],
        "requests": found.requests,
        "artifacts": [told_artifact(one) for one in found.artifacts],
        "gone": found.gone and found.gone.told(),
        "other_host": found.other_host,
        "freshness": [read_of(row, now, mailbox) for row, mailbox in read],
    }
    return orjson.dumps({**item, **at}).decode()


async def _earlier(engine: "AsyncEngine", requests: Sequence[str], as_of: datetime) -> dict[str, str]:
    """The records as they stood, by request; none for one that did not exist."""
    from pipelines.lifecycle import to_text
    from pipelines.recall import recall
    from pipelines.store.engine import reading as transaction

    async with transaction(engine) as connection:
        found = {name: await recall(connection, name, as_of) for name in requests}
    return {name: to_text(record) for name, record in found.items() if record}


def _print(reference: str, told: Sequence[Stored], rows: Sequence[Any], now: datetime, screen: Console) -> None:
    asked = reference.strip().upper()
    if asked.startswith("R-") and all(one.id != asked for one in told):
        screen.print(Text(f"{asked} is part of {told[0].id} now.\n", style="dim"))
    if len(told) > 1:
        screen.print(Text(f"{len(told)} requests are meant by this, one after the other:\n", style="yellow"))
    for place, one in enumerate(told):
        if place:
            screen.rule(style="dim")
        record = LifecycleRecord.model_validate_json(one.record)
        blocks = screen.encoding.lower().startswith("utf")
        screen.print(shown(Life(record, rows, now, one.problem, full_blocks=blocks)))


Read = Sequence[tuple[Any, str | None]]
"""Rows of connections, and whose mailbox each reads."""


def _no_request(found: Found, reference: str, read: Read, now: datetime, screen: Console, *, as_json: bool) -> None:
    if as_json:
        tell("It is known, but in no request." if found.artifacts else "Not found in what is read so far.")
        if found.gone:
            tell(f"{found.gone.said}.")
        for one in found.artifacts:
            for decision in decisions_of(one):
                tell(decision.plain.strip())
        return
    if found.artifacts:
        _elsewhere(found, screen)
        _outside(found.artifacts, screen)
        return
    _not_found(found, reference, read, now, screen)


def _outside(artifacts: Sequence[Known], screen: Console) -> None:
    """What is in no request, and who decided so."""
    screen.print(Text("Known, but in no request:", style="yellow"))
    for one in artifacts:
        words = (one.kind, one.natural_key or one.native_id, f"({one.connection})", one.url or "")
        screen.print(Text("  " + " ".join(word for word in words if word)))
        _decided([one], screen)
    if not all(one.kept_out for one in artifacts):
        screen.print("It joins one when something that opens a request names it, or it names such a thing.")


def _decided(artifacts: Sequence[Known], screen: Console) -> None:
    for one in artifacts:
        for words in decisions_of(one):
            screen.print(words)


def decisions_of(one: Known) -> Iterator[Text]:
    """What people decided that keeps it out or apart: who, when, why, and how to undo it."""
    out = [one.kept_out] if one.kept_out else []
    for told in {each["number"]: each for each in (*one.apart, *out)}.values():
        words = Text(f"  {told['said']}.")
        if not told.get("itself", True):
            words.append(f"\n  {one.natural_key or one.native_id} hangs below that, or was linked with it.")
        if told["reason"]:
            words.append(f"\n  Reason: {told['reason']}")
        yield words.append(f"\n  `{told['undo']}` takes that back.", style="dim")


def _not_found(found: Found, reference: str, read: Read, now: datetime, screen: Console) -> None:
    meant = " or ".join(dict.fromkeys(f"{_KINDS.get(kind, kind)} {short(value)}" for kind, value in found.read_as))
    screen.print(Text(f"Not found: {short(reference)}", style="yellow"))
    if found.gone:
        screen.print(f"{found.gone.said}.", markup=False)
    elif meant:
        screen.print(f"Read as {meant}; nothing that is read so far is known by that.", markup=False)
    else:
        screen.print("That is no reference: give a key, an address, a Message-ID, a number or a request id.")
        if reference.strip().upper().startswith("R-"):
            screen.print(f"{FORM}.")
        screen.print("To look for words, use `throughline requests --text …`.", markup=False)
    if read:
        screen.print("\nWhat is read, and up to when:")
        screen.print(read_shown(read, now))
        if not found.gone:
            screen.print(_yours(read), markup=False)
    else:
        screen.print("\nNothing is read: there is no connection yet (`throughline connections add`).", markup=False)


def _yours(read: Read) -> str:
    """What may be done about a mail that only the reader's own mailbox has."""
    if not any(row.connector == "mailbox" for row, _ in read):
        return "\nNo mailbox is read, so that a mail is found only by what else names it."
    to = " or ".join(sorted({mailbox for _, mailbox in read if mailbox})) or "a mailbox that is read"
    return (
        f"\nYour own mailbox is not read. Forward the mail to {to}: there it is found by its own subject, sender "
        "and date. Or look for its words or its sender: `throughline requests --text … --person …`."
    )
