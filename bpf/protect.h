/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames that `protect` keeps away from the rules of an object: a catch-all on the uplink must not
 * cut the node off. Few local addresses are constants (LOCAL4, LOCAL6 lines), many a hash map.
 */
#ifndef PROTECT_H
#define PROTECT_H

#include "hash.h"
#include "parse.h"

#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_SLOW 0x8809 /* LACP */
#define ETHERTYPE_LLDP 0x88cc

inline_fn int protected_link(const struct packet *p)
{
	return p->ether_type == ETHERTYPE_SLOW || p->ether_type == ETHERTYPE_LLDP;
}

/* DHCP towards either side, and neighbour discovery. */
inline_fn int protected_service(const struct packet *p)
{
	if (p->protocol == PROTO_UDP)
		return p->family == 4 ? WITHIN(p->destination_port, 67, 68)
				      : WITHIN(p->destination_port, 546, 547);
	return p->protocol == PROTO_ICMPV6 && p->family == 6 && WITHIN(p->icmp >> 8, 133, 137);
}

#define LOCAL4(address) || (p->destination[0] == BE32(address) && p->family == 4)
#define LOCAL6(a, b, c, d)                                                                         \
	|| (p->destination[3] == BE32(d) && p->destination[2] == BE32(c) &&                        \
	    p->destination[1] == BE32(b) && p->destination[0] == BE32(a) && p->family == 6)

#ifdef LOCAL_ADDRESSES
inline_fn int protected_address(const struct packet *p)
{
#ifdef MAP_LOCAL
	struct {
		__be32 address[4];
		__u32 family;
	} key = { { p->destination[0], p->destination[1], p->destination[2], p->destination[3] },
		  p->family };

	/* A hash map costs 25 ns; one bit of an array turns nearly every foreign address away. */
	__u64 hash = (half(p->destination) ^ half(p->destination + 2) * K2) * K1;
	__u32 word = hash >> 58;
	__u64 *bits = lookup(MAP(MAP_LOCAL_BITS), &word);

	if (!bits || !(*bits >> (hash >> 52 & 63) & 1))
		return 0;
	return p->family && lookup(MAP(MAP_LOCAL), &key);
#else
	return 0 LOCAL_ADDRESSES;
#endif
}

inline_fn int protected_node(const struct packet *p)
{
	return p->ether_type == ETHERTYPE_ARP || protected_link(p) || protected_address(p) ||
	       protected_service(p);
}
#endif

/* Skips the rules up to UNPROTECT for frames that the object must leave alone. */
#define PROTECT(kind)                                                                              \
	if (protected_##kind(&p)) {                                                                \
		spared = 1;                                                                        \
	} else {
#define UNPROTECT }

#endif
