"""How much goes wrong in a generated company."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noise:
    """A noise level."""

    name: str
    traps: float
    """Share of requests made up by traps."""
    faint: float
    """Share of requests with a member that only likeness ties to it, or nothing at all."""
    adverse: float
    """Share of traps in their worst form, which no honest evidence resolves."""
    careless: float
    """Share of keys in texts that are typed in small letters."""
    holdout: bool = False
    """Written in the templates kept for reporting only."""


LEVELS = {
    noise.name: noise
    for noise in (
        Noise("clean", traps=0.0, faint=0.0, adverse=0.0, careless=0.0),
        Noise("normal", traps=0.6, faint=0.012, adverse=0.0, careless=0.02),
        Noise("hard", traps=0.85, faint=0.12, adverse=0.3, careless=0.1),
        Noise("holdout", traps=0.6, faint=0.012, adverse=0.0, careless=0.02, holdout=True),
    )
}
