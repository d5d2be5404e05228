"""The programs of a Kubernetes control plane, built from their published Go modules.

`python -m tests.cluster.binaries` builds what is missing (make calls it); `families.path` says
where a program is. Each family is a directory here with a go.mod (versions) and a go.sum (hashes).
"""
