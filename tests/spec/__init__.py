"""The executable specification: which frame matches which rule, and which slot a flow takes.

Independent of the C code and of the agent. Unit tests hold it against tables written by hand,
kernel tests and the fuzzer hold the compiled program against it.
"""
