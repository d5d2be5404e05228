"""What a cluster costs: the operator with a thousand simulated nodes, the agent on a real one."""
