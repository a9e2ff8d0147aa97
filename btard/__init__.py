"""Train a PyTorch model together with strangers.

Peers run Byzantine-Tolerant All-Reduce for real: every gradient part is committed before it is
sent, every aggregate can be checked, validators drawn by a joint coin recompute the gradients of
others, false work and false accusations cost the seat, and the run is a signed ledger that anyone
can audit. Source: Gorbunov, Borzunov, Diskin, Ryabinin, "Secure Distributed Training at Scale",
ICML 2022 (https://arxiv.org/abs/2106.11257).

Importing the package itself costs nothing: each part is imported by its own name, and only the
parts that compute bring torch with them.
"""

__version__ = "0.1.0"
