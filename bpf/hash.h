/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flow hash that spreads frames over 256 slots. It is part of the interface: docs/spread.md
 * defines it, tests/spec/flowhash.py is the reference. Both directions of a flow get one hash.
 */
#ifndef HASH_H
#define HASH_H

#include "parse.h"

#define K1 0x9e3779b97f4a7c15ULL
#define K2 0xc2b2ae3d27d4eb4fULL

inline_fn __u64 mix(__u64 x)
{
	x ^= x >> 32;
	x *= K1;
	x ^= x >> 29;
	x *= K2;
	return x ^ x >> 32;
}

inline_fn __u64 half(const __be32 *words)
{
	return (__u64)__builtin_bswap32(words[0]) << 32 | __builtin_bswap32(words[1]);
}

inline_fn __u64 hash_pair4(__u32 a, __u32 b)
{
	return (__u64)(__u32)(a + b) << 32 | (a ^ b);
}

inline_fn __u64 hash_pair6(const __be32 *source, const __be32 *destination)
{
	__u64 s = half(source), d = half(destination);
	__u64 key = mix(s + d ^ mix(s ^ d));

	s = half(source + 2);
	d = half(destination + 2);
	return key ^ mix(s + d ^ mix((s ^ d) + 1));
}

inline_fn __u64 hash_macs(const struct packet *p)
{
	__u64 s = p->source_mac, d = p->destination_mac;

	if (s == NO_MAC)
		return 0;
	return mix(d + s ^ (d ^ s) << 16 ^ mix(p->ether_type));
}

/* Ports of a whole packet, or the SPI of ESP; 0 for every fragment, the first one too. */
inline_fn __u64 hash_ports(const struct packet *p)
{
	if (p->fragment != WHOLE)
		return 0;
	if (p->source_port != NO_PORT)
		return ((p->source_port + p->destination_port) & 0xffff) << 16 |
		       (p->source_port ^ p->destination_port);
	return p->spi;
}

inline_fn __u64 hash_flow(const struct packet *p)
{
	__u64 key, ports = hash_ports(p);
	__u64 protocol = p->protocol == NO_PROTOCOL ? 0 : p->protocol;

	if (p->family == 4)
		key = hash_pair4(__builtin_bswap32(p->source[0]),
				 __builtin_bswap32(p->destination[0]));
	else if (p->family == 6)
		key = hash_pair6(p->source, p->destination);
	else
		return hash_macs(p);
	return mix(key ^ mix(ports << 8 | protocol));
}

inline_fn __u64 hash_address(const struct packet *p, const __be32 *address)
{
	if (p->family == 4)
		return mix(__builtin_bswap32(address[0]));
	return mix(half(address) ^ mix(half(address + 2)));
}

/* Where many rules spread, the hash is computed once, before them: 128 copies are too long to jump. */
#ifdef FLOW_ONCE
#define FIND_FLOW flow = hash_flow(&p);
#define FLOW flow
#else
#define FIND_FLOW
#define FLOW hash_flow(&p)
#endif

#define SPREAD_FLOW (FLOW >> 56)
#define SPREAD_SOURCE_IP ((p.family ? hash_address(&p, p.source) : FLOW) >> 56)
#define SPREAD_DESTINATION_IP ((p.family ? hash_address(&p, p.destination) : FLOW) >> 56)
#define SPREAD_RX_QUEUE (p.rx_queue & 255)
/* The packet count of this CPU takes turns without a counter of its own. */
#define SPREAD_ROUND_ROBIN (hits->packets & 255)

#endif
