"""The queues of a node as devices of Kubernetes: dynamic resource allocation (DRA), version 1.

docs/decisions/0015 says what a device is and what a claim of one is good for. What talks to
kubelet is imported by an agent with `--plugins-dir` only.
"""
