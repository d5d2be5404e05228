/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a rule does, in the words in which user space renders it. Every action counts the frame in
 * the rule's slot first. A redirect helper only notes the target, so frames are rewritten after it
 * said that there is one: a frame that misses goes on unchanged.
 */
#ifndef ACTION_H
#define ACTION_H

#include "abi.h"
#include "parse.h"
#include "rewrite.h"

inline_fn struct counter *count(__u32 slot, __u64 length)
{
	struct counter *c = lookup(MAP(MAP_COUNTERS), &slot);

	if (c) {
		c->packets++;
		c->octets += length;
	}
	return c;
}

#define HIT(slot)                                                                                  \
	hits = count(slot, p.length);                                                              \
	if (!hits)                                                                                 \
		return XDP_ABORTED;

/* Verdict of a frame whose map has no entry for it. */
#define MISS_ABORT                                                                                 \
	hits->misses++;                                                                            \
	return XDP_ABORTED;
#define MISS_DROP                                                                                  \
	hits->misses++;                                                                            \
	return XDP_DROP;
#define MISS_PASS                                                                                  \
	hits->misses++;                                                                            \
	return XDP_PASS;
#define MISS_TX                                                                                    \
	hits->misses++;                                                                            \
	return XDP_TX;
#define MISS_CONTINUE                                                                              \
	hits->misses++;                                                                            \
	break;

/* `result` of redirect_map; frames without a target take the rule's miss verdict. */
#define REDIRECTED(result, miss)                                                                   \
	if ((result) != XDP_REDIRECT) {                                                            \
		miss                                                                               \
	}

/* The rewrite of target `index`; the frame is dropped when the driver has no room for a tag. */
#define REWRITE(index)                                                                             \
	{                                                                                          \
		__u32 target = (index);                                                            \
		struct rewrite *r = lookup(MAP(MAP_REWRITES), &target);                            \
		if (r && rewrite_frame(ctx, r)) {                                                  \
			hits->errors++;                                                            \
			return XDP_DROP;                                                           \
		}                                                                                  \
	}
#define NO_REWRITE(index)

#define PASS(slot)                                                                                 \
	HIT(slot)                                                                                  \
	return XDP_PASS;

#define DROP(slot)                                                                                 \
	HIT(slot)                                                                                  \
	return XDP_DROP;

#define TX(slot, target, rewrite)                                                                  \
	HIT(slot)                                                                                  \
	rewrite(target) return XDP_TX;

#define DEVICE(slot, index, rewrite, miss)                                                         \
	HIT(slot)                                                                                  \
	REDIRECTED(redirect_map(MAP(MAP_DEVICES), index, 0), miss)                                 \
	rewrite(index) return XDP_REDIRECT;

#define GROUP(slot, base, spread, rewrite, miss)                                                   \
	HIT(slot)                                                                                  \
	{                                                                                          \
		__u32 index = (base) + (__u32)(spread);                                            \
		REDIRECTED(redirect_map(MAP(MAP_DEVICES), index, 0), miss)                         \
		rewrite(index) return XDP_REDIRECT;                                                \
	}

#define BROADCAST(slot, map, live, flags, miss)                                                    \
	HIT(slot)                                                                                  \
	{                                                                                          \
		/* The helper says "redirected" even when no member is left. */                    \
		__u32 index = (live), *members = lookup(MAP(MAP_LIVE), &index);                    \
		if (!members || !*members) {                                                       \
			miss                                                                       \
		}                                                                                  \
		return redirect_map(MAP(map), 0, flags);                                           \
	}

#define CPUS(slot, map, base, spread, miss)                                                        \
	HIT(slot)                                                                                  \
	{                                                                                          \
		__u32 index = (base) + (__u32)(spread), *cpu = lookup(MAP(MAP_SPREAD), &index);    \
		REDIRECTED(cpu ? redirect_map(MAP(map), *cpu, 0) : XDP_ABORTED, miss)              \
		return XDP_REDIRECT;                                                               \
	}

/* An AF_XDP socket takes frames only of the device and queue that it is bound to. */
#define SOCKETS(slot, map, queues, miss)                                                           \
	HIT(slot)                                                                                  \
	REDIRECTED((0 queues) ? redirect_map(MAP(map), p.rx_queue, 0) : XDP_ABORTED, miss)         \
	return XDP_REDIRECT;

/*
 * Tables. A key is a number, or -1 when the frame has none, which is a miss. `found` becomes the
 * target: an index of MAP_DEVICES, or a CPU.
 */
#define TABLE_BEGIN(slot, miss)                                                                    \
	HIT(slot)                                                                                  \
	{                                                                                          \
		__u64 found;
#define FOUND_KEY(rule, value, miss)                                                               \
	{                                                                                          \
		__s64 number = (value);                                                            \
		__u64 key = (__u64)(rule) << 48 | (__u64)number;                                   \
		__u32 *target = number < 0 ? 0 : lookup(MAP(MAP_KEYS), &key);                      \
		if (!target) {                                                                     \
			miss                                                                       \
		}                                                                                  \
		found = *target;                                                                   \
	}
#define FOUND_ADDRESS(side, table, miss)                                                           \
	if (!side || !side->tables[table]) {                                                       \
		miss                                                                               \
	}                                                                                          \
	found = side->tables[table] - 1;
#define TO_FOUND_DEVICE(rewrite, miss)                                                             \
	REDIRECTED(redirect_map(MAP(MAP_DEVICES), found, 0), miss)                                 \
	rewrite(found) return XDP_REDIRECT;                                                        \
	}
#define TO_FOUND_CPU(map, miss)                                                                    \
	REDIRECTED(redirect_map(MAP(map), found, 0), miss)                                         \
	return XDP_REDIRECT;                                                                       \
	}
/* DEVMAP_HASH takes sparse keys of up to 24 bits by itself, below the number of the rule. */
#define TO_DEVICE_BY_KEY(rule, value, miss)                                                        \
	{                                                                                          \
		__s64 number = (value);                                                            \
		if (number < 0) {                                                                  \
			miss                                                                       \
		}                                                                                  \
		found = (__u64)(rule) << 24 | (__u64)number;                                       \
		REDIRECTED(redirect_map(MAP(MAP_TABLE), found, 0), miss)                           \
		return XDP_REDIRECT;                                                               \
	}                                                                                          \
	}

#define KEY_VLAN (p.vid == NO_VID ? -1 : (__s64)p.vid)
#define KEY_DSCP (p.dscp == NO_DSCP ? -1 : (__s64)p.dscp)
#define KEY_RX_QUEUE ((__s64)p.rx_queue)
#define KEY_INGRESS_INTERFACE ((__s64)p.ingress)
#define KEY_SOURCE_MAC (p.source_mac == NO_MAC ? -1 : (__s64)p.source_mac)
#define KEY_DESTINATION_MAC (p.destination_mac == NO_MAC ? -1 : (__s64)p.destination_mac)

#endif
