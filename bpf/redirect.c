// SPDX-License-Identifier: GPL-2.0
/*
 * The program of one interface: all rules of all objects on it, in order. rules.h and config.h are
 * rendered by user space (operator/xdpredirect/datapath/assemble.py) and hold data only.
 */
#include "config.h"
#include "abi.h"
#include "kernel.h"
#include "parse.h"
#include "match.h"
#include "addresses.h"
#include "hash.h"
#include "tunnel.h"
#include "action.h"
#include "protect.h"
#include "route.h"

/*
 * Programs of many rules keep what they know of the frame in a map instead of on the stack. The
 * verifier does not track values in maps, so what one rule compared teaches it nothing about the
 * next, and all ways through a rule join at its end; on the stack the ways multiply (from 12 mixed
 * rules on beyond a million instructions), and 512 octets are too few.
 */
#ifdef MAP_SCRATCH
struct scratch {
	struct packet outer;
	struct packet inner;
	struct packet parsed;
	struct tunnel found;
#ifdef MAP_ROUTE
	struct route route;
#endif
};
_Static_assert(sizeof(struct scratch) <= SCRATCH_SIZE, "value of the map");
#define p (scratch->outer)
#define inside (scratch->inner)
#define met (scratch->parsed)
#define tunnel (scratch->found)
#endif

int redirect(struct xdp_md *ctx)
{
#ifdef MAP_SCRATCH
	__u32 first = 0;
	struct scratch *scratch = lookup(MAP(MAP_SCRATCH), &first);
#else
	struct packet p, met;
#endif
	struct counter *hits;
	struct address_entry *source = 0, *destination = 0;
	__u32 spared = 0;
#ifdef FLOW_ONCE
	__u64 flow = 0;
#endif
#ifdef ROUTE_ONCE
	__u32 away_table = 0, away_missed = XDP_PASS;
#endif

#ifdef MAP_SCRATCH
	if (!scratch)
		return XDP_ABORTED;
#endif
	parse(ctx, &p, &met);
	if ((USES & FIELD_IP) && p.malformed)
		count(SLOT_MALFORMED, p.length);
#include "rules.h"
	count(spared ? SLOT_PROTECTED : SLOT_UNMATCHED, p.length);
	return XDP_PASS;
#ifdef ROUTE_ONCE
away:
	{
		ROUTE_ROOM
		int verdict = route_frame(ctx, &p, away_table, hits, room);
		if (verdict >= 0)
			return verdict;
		hits->misses++;
		return away_missed;
	}
#endif
}
