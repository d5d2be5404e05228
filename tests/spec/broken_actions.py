"""Actions that no validator may accept, each for one reason. Called by `mutate`."""

from tests.spec.broken import Json

_DEVICE: Json = {"type": "Device", "device": {"name": "eth1"}}
_MAC = "02:00:00:00:00:01"
_USERS: Json = {"type": "Users", "users": ["0"]}
_PODS: Json = {"namespace": "ids", "podSelector": {}}

_WRONG_PODS: tuple[Json, ...] = (
    {"namespace": ""},
    {"namespace": "*"},
    {"namespace": "Ids"},
    {"namespace": ["ids"]},
    {"podSelector": None},
    {"podSelector": {"app": "ids"}},
    {"podSelector": {"matchLabels": {"not a key": "x"}}},
    {"podSelector": {"matchLabels": {"app": 1}}},
    {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In"}]}},
    {"namespaceSelector": {}},
)

_WRONG_SOCKETS: tuple[Json, ...] = (
    {"queues": ""},
    {"queues": "3-0"},
    {"queues": "1000"},
    {"queues": 0},
    {"clients": []},
    {"clients": [_USERS] * 9},
    {"clients": [{"type": "Users"}]},
    {"clients": [{"users": ["0"]}]},
    {"clients": [{"type": "Pods", "users": ["0"]}]},
    {"clients": [{"type": "Pods"}]},
    {"clients": [{**_USERS, "pods": _PODS}]},
    {"clients": [{"type": "Pods", "pods": _PODS, "users": ["0"]}]},
    *({"clients": [{"type": "Pods", "pods": {**_PODS, **wrong}}]} for wrong in _WRONG_PODS),
    {"clients": [{"type": "Pods", "pods": {"namespace": "ids"}}]},
    {"clients": [{"type": "Pods", "pods": {"podSelector": {}}}]},
    {"clients": [{"type": "Users", "users": []}]},
    {"clients": [{"type": "Users", "users": ["0"] * 17}]},
    {"clients": [{"type": "Users", "users": [0]}]},
    {"clients": [{"type": "Users", "users": ["Root"]}]},
    {"clients": [{"type": "Users", "users": ["007"]}]},
    {"clients": [{"type": "Users", "users": ["4294967295"]}]},
    {"access": "Transmit"},
    {"copyMode": "auto"},
    {"protocol": "devicePlugin"},
)

ACTIONS: tuple[Json, ...] = (
    {},
    {"type": "Tunnel"},
    {"type": "drop"},
    {"type": "Sockets"},
    {"type": None},
    {"type": ["Drop"]},
    {"type": "TX"},
    {"type": "Device"},
    {"type": "CPUs"},
    {"type": "Drop", "device": {"name": "eth1"}},
    {**_DEVICE, "tx": {}},
    {**_DEVICE, "onMiss": "Ignore"},
    {"type": "Drop", "onMiss": "Pass"},
    {"type": "Pass", "onMiss": "Continue"},
    {"type": "TX", "tx": {}, "onMiss": "Drop"},
    {"type": "Device", "device": {"name": "eth*"}},
    {"type": "Device", "device": {"name": ""}},
    {"type": "Device", "device": "eth1"},
    {"type": "TX", "tx": {"rewrite": {}}},
    {"type": "TX", "tx": {"rewrite": {"swapMACs": False}}},
    {"type": "TX", "tx": {"rewrite": {"swapMACs": True, "sourceMAC": _MAC}}},
    {"type": "TX", "tx": {"rewrite": {"vlan": {"operation": "Push"}}}},
    {"type": "TX", "tx": {"rewrite": {"vlan": {"operation": "Pop", "id": 1}}}},
    {"type": "TX", "tx": {"rewrite": {"vlan": {"operation": "Replace", "id": 4095}}}},
    {"type": "DeviceGroup", "deviceGroup": {"members": []}},
    {"type": "DeviceGroup", "deviceGroup": {"members": [{"name": "a", "weight": 0}]}},
    {"type": "DeviceGroup", "deviceGroup": {"members": [{"name": "a"}, {"name": "a"}]}},
    {
        "type": "DeviceGroup",
        "deviceGroup": {"members": [{"name": "a"}], "spreadBy": "RoundRobin"},
    },
    {"type": "DeviceTable", "deviceTable": {"keyBy": "VLAN", "entries": []}},
    *(
        {"type": "CPUTable", "cpuTable": {"keyBy": key_by, "entries": [{"key": key, "cpu": 1}]}}
        for key_by, key in (
            ("VLAN", "abc"),
            ("VLAN", 100),
            ("VLAN", "4095"),
            ("VNI", "016"),
            ("VNI", "16777216"),
            ("TEID", "4294967296"),
            ("DSCP", "-1"),
            ("SourceIP", "10.0.0"),
            ("SourceIP", "10.0.0.1/8"),
            ("DestinationIP", "tier-a"),
            ("SourceMAC", "02:00:00:00:00"),
            ("DestinationMAC", "02:00:00:00:00:0g"),
            ("IngressInterface", "eth*"),
            ("Port", "1"),
        )
    ),
    {
        "type": "CPUTable",
        "cpuTable": {"keyBy": "VLAN", "entries": [{"key": "1", "cpu": 1}, {"key": "1", "cpu": 2}]},
    },
    {
        "type": "CPUTable",
        "cpuTable": {
            "keyBy": "VLAN",
            "addressSet": {"name": "tiers"},
            "entries": [{"key": "1", "cpu": 1}],
        },
    },
    {"type": "CPUTable", "cpuTable": {"keyBy": "VLAN", "entries": [{"key": "1"}]}},
    {"type": "Broadcast", "broadcast": {"devices": []}},
    {"type": "Broadcast", "broadcast": {"devices": [{"name": "a"}, {"name": "a"}]}},
    {"type": "Broadcast", "broadcast": {"devices": [{"name": "a"}], "ingressDevice": "Both"}},
    *(
        {"type": "CPUs", "cpus": cpus}
        for cpus in (
            {},
            {"spreadBy": "Flow"},
            {"set": "1", "auto": {"count": 2}},
            {"set": ""},
            {"set": "02-5"},
            {"set": "5-2"},
            {"set": 2},
            {"set": "1,"},
            {"set": "1", "queueSize": 16385},
            {"set": "1", "queueSize": 0},
            {"set": "1", "spreadBy": "flow"},
            {"set": "1", "then": {"type": "Device"}},
            {"set": "1", "then": {"type": "Drop", "device": {"name": "a"}}},
            {"auto": {"count": 0}},
            {"auto": {"avoid": ["irq"]}},
        )
    ),
    *(
        {"type": "Sockets", "sockets": {"queues": "0", "clients": [_USERS], **wrong}}
        for wrong in _WRONG_SOCKETS
    ),
    {"type": "Sockets"},
    {"type": "Sockets", "sockets": {"queues": "0"}},
    {"type": "Sockets", "sockets": {"clients": [_USERS]}},
    {"type": "Drop", "sockets": {"queues": "0", "clients": [_USERS]}},
    {"type": "Route", "route": {"table": 0}},
    {"type": "Drop", "route": {"table": 1}},
)
