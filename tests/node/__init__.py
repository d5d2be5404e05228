"""A real Kubernetes on this machine: kubelets and containerd on nodes made of namespaces.

No fake in the path: Helm installs, real pods start, NICs are veth pairs whose frames are counted.
`machines.Machines` is the whole of it; tests/gitops uses it too.
"""
