"""The planted bugs, by what they break."""
