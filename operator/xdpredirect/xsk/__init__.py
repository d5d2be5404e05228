"""AF_XDP sockets for processes that hold no capability: a broker makes them and hands them out.

`server` is the broker's process side, `leases` what it holds, `client` what its clients import.
Who may have what is in `grants`, what is said between them in `protocol` and docs/protocol.md.
"""
