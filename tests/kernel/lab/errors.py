"""The laboratory's own failure, so that it is never mistaken for the product's."""


class LabError(Exception):
    """The laboratory could not do what it promises: frames lost on the wire, processes left."""
