"""A peer in an event loop: the driver of its machine, the network, the worker, the way into a run."""
