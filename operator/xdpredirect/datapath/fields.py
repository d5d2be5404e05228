"""Header fields that a program parses: the other side of the FIELD_ constants of bpf/packet.h."""

from enum import IntFlag


class Field(IntFlag):
    """What a question or an action reads. Groups name everything that goes with a field."""

    ETHER_TYPE = 1
    MACS = 2
    VLAN = 4
    IP = 8
    SOURCE = 16
    DESTINATION = 32
    PROTOCOL = 64
    DSCP = 128
    FRAGMENT = 256
    TRANSPORT = 512
    PORTS = 1024
    TCP_FLAGS = 2048
    ICMP = 4096
    SPI = 8192
    LENGTH = 16384


NOTHING = Field(0)
SOURCE = Field.IP | Field.SOURCE
DESTINATION = Field.IP | Field.DESTINATION
PROTOCOL = Field.IP | Field.PROTOCOL
TRANSPORT = PROTOCOL | Field.TRANSPORT
PORTS = TRANSPORT | Field.PORTS
ICMP = TRANSPORT | Field.ICMP
FLOW = SOURCE | DESTINATION | PORTS | Field.FRAGMENT | Field.SPI | Field.MACS | Field.ETHER_TYPE
TUNNEL = FLOW | Field.VLAN
ROUTE = SOURCE | DESTINATION | PORTS | Field.VLAN
"""FLOW: what the flow hash reads. TUNNEL: what finding and hashing an inner packet reads."""
