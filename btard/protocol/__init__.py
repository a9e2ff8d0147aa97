"""BTARD as pure state machines: no clock, no entropy, no I/O, no tensors.

`PeerMachine` is what drivers use; `machine` is its interface, `rules` the step as a function of what peers
agreed on, `ledger` the verification of what they wrote down.
"""
