"""`make bench`: what the datapath and the agent cost, against budgets.toml."""
