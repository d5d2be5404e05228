/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What event_monitor.c counts, and the names that it notes on the way. The other side of the
 * structures is kernel/events.py; tests/unit/cli/test_monitor_abi.py holds the two together.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "traced.h"

/* What happened, between whom. `from` and `to` are ifindexes, or CPUs. */
struct event_key {
	__u32 event;
	__u32 program; /* id */
	__u32 map; /* id */
	__u32 index; /* map key; the verdict for xdp_exception */
	__u32 from;
	__u32 to;
	__u32 error; /* errno */
	__u32 netns; /* inode number of the network namespace of `from` */
};

struct tally {
	__u64 events;
	__u64 packets; /* sent, or processed */
	__u64 drops;
	__u64 passed; /* verdicts of programs in a CPUMAP */
	__u64 refused;
	__u64 redirected;
	__u64 scheduled; /* times that the thread of a CPUMAP went to sleep and woke */
};

/* Names as they were when first seen: a device of another namespace cannot be asked later. */
struct name_key {
	__u32 kind;
	__u32 id; /* ifindex or program id */
	__u32 netns;
};

struct name {
	char text[16];
};

enum { NAME_DEVICE = 1, NAME_PROGRAM = 2 };

inline_fn void remember(__u32 kind, __u32 id, __u32 netns, __u64 text)
{
	struct name_key key = { .kind = kind, .id = id, .netns = netns };
	struct name name = {};

	if (!probe_read(&name, sizeof(name), (void *)text))
		update(MAP(MAP_NAMES), &key, &name, 0);
}

inline_fn void remember_device(__u64 device, struct event_key *key)
{
	remember(NAME_DEVICE, ifindex_of(device), key->netns, device + NET_DEVICE_NAME);
}

inline_fn __u32 netns_of(__u64 device)
{
	__u64 net = LOAD64(device, NET_DEVICE_NET);

	return LOAD32(net, NET_INUM);
}

/* The counts of `key` on this CPU, made when they are not there; `fresh` says so. */
inline_fn struct tally *tally_of(struct event_key *key, int *fresh)
{
	struct tally *there = lookup(MAP(MAP_EVENTS), key);
	struct tally none = {};
	__u64 *unlisted;
	__u32 slot = 0;

	*fresh = !there || !there->events;
	if (there)
		return there;
	update(MAP(MAP_EVENTS), key, &none, 0);
	there = lookup(MAP(MAP_EVENTS), key);
	if (there)
		return there;
	unlisted = lookup(MAP(MAP_UNLISTED), &slot);
	if (unlisted)
		__sync_fetch_and_add(unlisted, 1);
	return 0;
}

inline_fn void count_event(__u32 event)
{
	struct event_key key = { .event = event };
	struct tally *tally;
	int fresh;

	tally = tally_of(&key, &fresh);
	if (tally)
		tally->events++;
}

#endif
