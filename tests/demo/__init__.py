"""The demonstration that `make demo` runs: four hosts, real traffic, every number checked.

Called as `python -m tests.demo`. `stage` narrates, `network` builds the hosts, `traffic` sends and
counts, `forwarding` and `lifetime` are the scenes in their order.
"""
