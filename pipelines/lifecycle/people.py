"""Who has to do with a request: identities become people, people get roles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipelines.lifecycle.members import Member, RequestInput
from schemas.artifacts import Activity, Identity, participants_in
from schemas.records import KnownAs, PersonView


class People:
    """The persons behind the identities of one request."""

    def __init__(self, request: RequestInput) -> None:
        self._elsewhere = request.elsewhere
        self._brought = _brought(request)
        # Those named here first: a person is called as the request's own tools call them, where these do.
        here_first = sorted(request.identities, key=lambda one: (one.id in self._elsewhere, *_order(one)))
        self._identities = {each.id: each for each in here_first}
        self._groups: dict[str, list[Identity]] = {}
        self._persons: dict[str, str] = {}
        by_whom: dict[str, str] = {}
        for each in self._identities.values():
            whom = request.persons.get(each.id) or (f"at {each.address}" if each.address else each.id)
            person = self._persons[each.id] = by_whom.setdefault(whom, each.id)
            self._groups.setdefault(person, []).append(each)

    def person(self, identity: object) -> str | None:
        """The person behind an identity's id; an identity nobody knows more about is a person of its own."""
        if not isinstance(identity, str) or not identity:
            return None
        return self._persons.get(identity, identity)

    def name(self, person: str | None) -> str | None:
        """What to call a person: their name, else their address, as the tools state it."""
        view = self.view(person) if person else None
        return (view.name or view.address) if view else None

    def view(self, person: str, roles: Iterable[str] = ()) -> PersonView:
        """The person with these roles."""
        group = self._groups.get(person) or [Identity(person)]
        here = [each for each in group if each.id not in self._elsewhere]
        known_as = tuple(self._known_as(each) for each in group)
        return PersonView(
            id=person,
            **called(known_as),
            roles=tuple(sorted(set(roles))),
            identities=tuple(each.id for each in here) or (person,),
            elsewhere=tuple(each.id for each in group if each.id in self._elsewhere and each.id != person),
            known_as=known_as,
            machine=all(each.machine for each in here or group),
        )

    def _known_as(self, each: Identity) -> KnownAs:
        connections = () if each.id in self._elsewhere else self._brought.get(each.id, ())
        return KnownAs(identity=each.id, name=each.name, address=each.address, connections=connections)

    def machine(self, identity: str | None) -> bool:
        """Whether the tool says that no human stands behind the identity."""
        known = self._identities.get(identity or "")
        return known is not None and known.machine

    def named(self, member: Member, native: str | None) -> str | None:
        """The identity id that a tool's own id of an account means beside this artifact."""
        if native is None:
            return None
        if native in self._identities:
            return native
        scope = member.id.partition("/")[0]
        ends = f"/{native}"
        found = (each for each in self._identities if each.endswith(ends) and each.startswith(f"{scope}/"))
        return next(found, None)


def called(known_as: Sequence[KnownAs]) -> Mapping[str, str | None]:
    """Name and address of a person, of those that the tools state: the first name; of those of this request, or else of
    all, the first address in the alphabet.
    """
    addressed = [(not one.connections, one.address) for one in known_as if one.address]
    return {
        "name": next((one.name for one in known_as if one.name), None),
        "address": min(addressed)[1] if addressed else None,
    }


def _brought(request: RequestInput) -> Mapping[str, tuple[str, ...]]:
    """Connections of the artifacts that name an identity, sorted."""
    found: dict[str, set[str]] = {}
    for name, member in _naming(request):
        found.setdefault(name, set()).update((member.connection, *member.also_read_by))
    return {name: tuple(sorted(connections)) for name, connections in found.items()}


def _naming(request: RequestInput) -> Iterator[tuple[str, Member]]:
    """Each identity that the request names, with an artifact that does."""
    members = {member.id: member for member in request.members}
    for member in request.members:
        participants = participants_in(member.fields.get("participants"))
        for name in (member.text("requester"), member.text("assignee"), *participants):
            if name:
                yield name, member
    for actor, artifact in {(each.actor, each.artifact) for each in request.activities}:
        if actor and artifact in members:
            yield actor, members[artifact]


def _order(identity: Identity) -> tuple[str, str, str, bool]:
    return identity.id, identity.name or "", identity.address or "", identity.machine


def roles(people: People, members: Iterable[Member], activities: Iterable[Activity]) -> dict[str, set[str]]:
    """Person to roles: author, assignee, what participants are called, and `took part` for those who only acted."""
    found: dict[str, set[str]] = {}

    def add(identity: object, role: str) -> None:
        person = people.person(identity)
        if person:
            found.setdefault(person, set()).add(role)

    for member in members:
        add(member.fields.get("requester"), "author")
        add(member.fields.get("assignee"), "assignee")
        participants = member.fields.get("participants")
        for each in participants if isinstance(participants, list | tuple) else ():
            if isinstance(each, dict):
                add(each.get("identity"), str(each.get("role") or "participant"))
    for actor in {each.actor for each in activities if each.actor and not each.automatic}:
        if people.person(actor) not in found:
            add(actor, "took part")
    return found
