/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Layout of everything that crosses between the programs and user space. The other side is
 * operator/xdpredirect/datapath/abi.py; tests/unit/datapath/test_abi.py holds the two together.
 */
#ifndef ABI_H
#define ABI_H

#include <linux/types.h>

/* One slot of the per-CPU counters map. The first slots are not rules. */
struct counter {
	__u64 packets;
	__u64 octets;
	__u64 misses;
	__u64 errors;
};

enum {
	SLOT_UNMATCHED = 0,
	SLOT_PROTECTED = 1,
	SLOT_MALFORMED = 2,
	SLOT_FIRST_RULE = 8,
};

/* What is changed in a frame on its way out; `flags` says which fields count. */
enum {
	REWRITE_DESTINATION = 1,
	REWRITE_SOURCE = 2,
	REWRITE_SWAP = 4,
	REWRITE_PUSH = 8,
	REWRITE_POP = 16,
	REWRITE_REPLACE = 32,
};

struct rewrite {
	__u8 destination[6];
	__u8 source[6];
	__u16 vid;
	__u16 flags;
};

/* Frames to `egress` that arrived on `ingress`, for programs in a DEVMAP. */
struct egress_key {
	__u32 ingress;
	__u32 egress;
};

/* Key of the LPM tries; `length` counts bits. */
struct lpm4_key {
	__u32 length;
	__u8 address[4];
};

struct lpm6_key {
	__u32 length;
	__u8 address[16];
};

/* VLAN devices above a port, and the way back. */
struct upper_key {
	__u32 port;
	__u32 vid;
};

struct lower {
	__u32 port;
	__u32 vid;
};

/* Which frames were lost: one key of the drop monitor. Fields that an event lacks are 0. */
struct loss_key {
	__u32 event;
	__u32 program; /* id */
	__u32 map; /* id */
	__u32 index; /* map key; the verdict for EVENT_EXCEPTION */
	__u32 from; /* ifindex */
	__u32 to; /* ifindex, or CPU */
	__u32 error; /* errno */
};

/* Slot of a per-CPU array that belongs to the cause that came first, for good; 0: it is free. */
struct loss_slot {
	__u64 packets;
	struct loss_key key;
	__u32 unused;
};

enum {
	EVENT_REDIRECT_ERR = 1,
	EVENT_EXCEPTION = 2,
	EVENT_DEVMAP_XMIT = 3,
	EVENT_BULK_TX = 4,
	EVENT_CPUMAP_ENQUEUE = 5,
	EVENT_CPUMAP_KTHREAD = 6,
	EVENT_CPUMAP_PROGRAM = 7,
	EVENT_UNLISTED = 8, /* in no key: the count in the map of overflows */
};

#endif
