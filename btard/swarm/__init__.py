"""A swarm that one person starts on one machine: as processes, or in one process in virtual time."""
