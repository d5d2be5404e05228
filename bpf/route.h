/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Forwarding by the host's routing table (bpf_fib_lookup, net/core/filter.c). Frames that the
 * kernel cannot forward this way go to the network stack, which answers them properly: no
 * neighbour yet, TTL used up, larger than the path, local, blackholes. Netfilter, conntrack and
 * qdiscs are bypassed.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "abi.h"
#include "parse.h"
#include "rewrite.h"

#ifdef MAP_ROUTE

#define AF_INET 2
#define AF_INET6 10
#define FIB_TBID (1U << 3) /* BPF_FIB_LOOKUP_TBID, Linux 6.5 */

/* struct bpf_fib_lookup of include/uapi/linux/bpf.h; bcc's copy may lack `table`. */
struct fib_query {
	__u8 family;
	__u8 protocol;
	__be16 source_port;
	__be16 destination_port;
	__u16 length; /* in: IP total length; out: MTU */
	__u32 ifindex; /* in: arrival device; out: departure device */
	union {
		__u8 tos;
		__be32 flow;
	};
	__be32 source[4];
	__be32 destination[4];
	__u32 table;
	__u8 source_mac[6];
	__u8 destination_mac[6];
};

_Static_assert(sizeof(struct fib_query) == 64, "struct bpf_fib_lookup");

/* What one lookup needs besides registers: every copy of it would take this much of the stack. */
struct route {
	struct fib_query query;
	struct rewrite change;
	struct upper_key upper;
	__u32 port;
};

inline_fn void decrement_ttl(__u8 *ip)
{
	__u32 sum = *(__be16 *)(ip + 10);

	/* RFC 1141: the TTL is the high octet of its word, so the checksum rises by 0x0100. */
	sum += BE16(0x0100);
	*(__be16 *)(ip + 10) = sum + (sum >= 0xffff);
	ip[8]--;
}

/* 0 when the frame may be forwarded; its TTL is not touched yet. */
inline_fn int fib_ask(struct xdp_md *ctx, const struct packet *p, struct fib_query *q)
{
	__u8 *ip;

	if (p->family == 4) {
		ip = at(ctx, p->l3, IPV4_HEADER);
		if (!ip || ip[8] <= 1 || (ip[0] & 15) != 5)
			return -1;
		q->family = AF_INET;
		q->tos = ip[1];
		q->length = read16(ip + 2);
		q->source[0] = p->source[0];
		q->destination[0] = p->destination[0];
	} else if (p->family == 6) {
		ip = at(ctx, p->l3, IPV6_HEADER);
		if (!ip || ip[7] <= 1)
			return -1;
		q->family = AF_INET6;
		q->flow = *(__be32 *)ip & BE32(0x0fffffff);
		q->length = read16(ip + 4) + IPV6_HEADER;
		for (int i = 0; i < 4; i++) {
			q->source[i] = p->source[i];
			q->destination[i] = p->destination[i];
		}
	} else {
		return -1;
	}
	q->protocol = p->protocol;
	if (p->source_port != NO_PORT) {
		q->source_port = __builtin_bswap16(p->source_port);
		q->destination_port = __builtin_bswap16(p->destination_port);
	}
	return 0;
}

/* The device that the lookup starts from: a VLAN device above the port, where there is one. */
inline_fn __u32 arrival(const struct packet *p, struct upper_key *key)
{
	__u32 *upper;

	if (p->tags == 0)
		return p->ingress;
	key->port = p->ingress;
	key->vid = p->vid;
	upper = p->tags == 1 ? lookup(MAP(MAP_UPPERS), key) : 0;
	return upper ? *upper : 0;
}

/*
 * Sends the frame on, or returns -1 and leaves it as it is. Headers are written only after the
 * map said that the departure device is one that can transmit.
 */
inline_fn int route_frame(struct xdp_md *ctx, const struct packet *p, __u32 table,
			  struct counter *hits, struct route *room)
{
	struct fib_query *q = &room->query;
	struct rewrite *change = &room->change;
	struct lower *lower;
	__u8 *ip;

	__builtin_memset(q, 0, sizeof(*q));
	q->ifindex = arrival(p, &room->upper);
	if (!q->ifindex || fib_ask(ctx, p, q))
		return -1;
	q->table = table;
	if (fib_lookup(ctx, q, sizeof(*q), table ? FIB_TBID | 1 : 0))
		return -1;
	change->flags = REWRITE_SOURCE | REWRITE_DESTINATION;
	room->port = q->ifindex;
	lower = lookup(MAP(MAP_LOWERS), &room->port);
	if (lower) {
		room->port = lower->port;
		change->vid = lower->vid;
	}
	if (redirect_map(MAP(MAP_ROUTE), room->port, 0) != XDP_REDIRECT)
		return -1;
	ip = at(ctx, p->l3, IPV4_HEADER);
	if (!ip)
		return -1;
	if (p->family == 4)
		decrement_ttl(ip);
	else
		ip[7]--;
	if (lower)
		change->flags |= p->tags ? REWRITE_REPLACE : REWRITE_PUSH;
	else if (p->tags)
		change->flags |= REWRITE_POP;
	__builtin_memcpy(change->source, q->source_mac, 6);
	__builtin_memcpy(change->destination, q->destination_mac, 6);
	if (rewrite_frame(ctx, change)) {
		hits->errors++;
		return XDP_DROP;
	}
	return XDP_REDIRECT;
}

#ifdef MAP_SCRATCH
#define ROUTE_ROOM struct route *room = &scratch->route;
#else
#define ROUTE_ROOM struct route here, *room = &here;
#endif

/* `miss` decides about frames that the routing table cannot send on. */
#define ROUTE_HERE(table, miss)                                                                    \
	{                                                                                          \
		ROUTE_ROOM                                                                         \
		int verdict = route_frame(ctx, &p, table, hits, room);                             \
		if (verdict < 0) {                                                                 \
			miss                                                                       \
		}                                                                                  \
		return verdict;                                                                    \
	}

#ifdef ROUTE_ONCE
/* One copy at the end of the program; what goes on with the next rule cannot leave for it. */
#define ROUTE_AWAY(table, verdict)                                                                 \
	away_table = table;                                                                        \
	away_missed = verdict;                                                                     \
	goto away;
#define ROUTE_MISS_PASS(table) ROUTE_AWAY(table, XDP_PASS)
#define ROUTE_MISS_DROP(table) ROUTE_AWAY(table, XDP_DROP)
#define ROUTE_MISS_TX(table) ROUTE_AWAY(table, XDP_TX)
#define ROUTE_MISS_ABORT(table) ROUTE_AWAY(table, XDP_ABORTED)
#define ROUTE_MISS_CONTINUE(table) ROUTE_HERE(table, MISS_CONTINUE)
#define ROUTE(slot, table, miss)                                                                   \
	HIT(slot)                                                                                  \
	ROUTE_##miss(table)
#else
#define ROUTE(slot, table, miss)                                                                   \
	HIT(slot)                                                                                  \
	ROUTE_HERE(table, miss)
#endif

#endif
#endif
