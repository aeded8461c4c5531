"""Whoever asks, and whatever they ask: every operation keeps the word that the document gives."""

from pathlib import Path

import pytest

from schemas.access import Role
from services.admin.routers import ROUTERS
from services.query.app import openapi_document
from tests.services.generated.asking import MACHINE, Answers, Comer, asked_by
from tests.services.generated.company import Company
from tests.services.generated.document import operations
from tests.services.test_roles import NEEDED

ELSEWHERE = {"GET /v1/sign-in/oidc", "GET /v1/sign-in/oidc/callback"}
"""Need a provider, which is there in tests of their own."""

SIGNED_IN = {"POST /v1/tokens"}
"""What no token may do."""
OWN = {"PATCH /v1/accounts/{id}"}
"""What those below an admin may do with their own account, signed in."""
SET_UP = "POST /v1/set-up"
"""Once in the life of a hub, while nobody is known there."""

QUICK = (
    Comer("nobody", "examples,fuzzing", 1),
    Comer("viewer", "examples,fuzzing", 1),
    Comer("editor", "examples,fuzzing", 1),
    Comer("admin", "examples,fuzzing,stateful", 3),
    Comer(MACHINE, "examples,fuzzing", 2),
)
LONG = "examples,coverage,fuzzing,stateful"


@pytest.mark.timeout(300)  # of which a machine that does nothing else needs 15
@pytest.mark.parametrize("comer", QUICK, ids=lambda comer: comer.who)
async def test_whoever_asks_every_operation_keeps_its_word(comer: Comer, filled: Company, tmp_path: Path) -> None:
    answers, found = await asked_by(comer, filled, tmp_path)
    assert found is None, found[-8000:]
    _check_reached(comer, answers)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", ["2", "3", "4"])
@pytest.mark.parametrize("comer", QUICK, ids=lambda comer: comer.who)
async def test_whoever_asks_for_long(comer: Comer, seed: str, filled: Company, tmp_path: Path) -> None:
    answers, found = await asked_by(Comer(comer.who, LONG, 30), filled, tmp_path, seed)
    assert found is None, found[-8000:]
    _check_reached(comer, answers)


def _check_reached(comer: Comer, answers: Answers) -> None:
    """Each operation of the document was asked, and served everybody whom it has to serve, and nobody else."""
    every = {one.name for one in operations(openapi_document(ROUTERS))}
    assert {name for name in every if not answers.of(name)} == set()
    may = {name for name in every if (needed := NEEDED[name]) is None or (comer.role and comer.role.covers(needed))}
    served = {name for name in every if any(200 <= status < 400 for status in answers.of(name))}
    assert served - may == set()
    never = ELSEWHERE | ({SET_UP} if comer.role else set())
    if comer.role and comer.who != MACHINE:
        never |= SIGNED_IN if comer.role is Role.ADMIN else SIGNED_IN | OWN
    assert may - served == never
