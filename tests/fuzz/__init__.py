"""Random campaigns against the whole product: `make fuzz`, and a seeded share in `make test`.

Valid objects are compiled, loaded and run on random frames, and the verdicts are held against the
reference matcher of tests/spec. Broken objects must be refused clearly with nothing touched. How
to run them, and what the last full run found, is in docs/fuzzing.md.
"""
