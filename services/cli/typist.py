"""Who types a command."""

import os
import pwd
from dataclasses import replace

from schemas.access import THIS_MACHINE, Caller


def user_name(uid: int) -> str | None:
    """Name of an operating system's user; None where they have none, as in some containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def typist(uid: int | None = None) -> Caller:
    """This machine, by the name of its user (uid; by default who runs this) where there is one."""
    name = user_name(os.getuid() if uid is None else uid)
    return replace(THIS_MACHINE, name=name) if name else THIS_MACHINE
