"""ALBERT from scratch (Lan et al. 2020): masked tokens and the order of sentences.

`albert-tiny` is offline and small; `albert-large` is the run of Gorbunov et al. 2022, section 4.2.
"""
