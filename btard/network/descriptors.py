"""File descriptors of this process: as many as the system gives, and enough for what the limits let in."""

from __future__ import annotations

import resource

from btard.errors import NetworkError

DESCRIPTORS_MAX = 65_536
"""More are of no use: everything that takes descriptors is bounded."""

OWN = 256
"""For files of our own, the directory's daemon, libraries, the workers of torch."""


def raise_descriptors() -> int:
    """Raise the soft limit of descriptors as far as it goes, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS has another bound, kern.maxfilesperproc
            return soft
        return wanted
    return DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft


def check_descriptors(connections: int) -> None:
    """Raise NetworkError if so many descriptors of connections could leave none for files of our own."""
    available, needed = raise_descriptors(), connections + OWN
    if available < needed:
        raise NetworkError(
            f"the limit of open files is {available}: use at least {needed} (`ulimit -n {needed}`)"
        )
