/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A parsed frame: its fields, the values that stand for "the frame has none", and how to read octets
 * within the bounds of its first buffer. Numbers are 64 bits wide because the compiler has no 32-bit
 * arithmetic here: each would cost shifts.
 */
#ifndef PACKET_H
#define PACKET_H

#include "kernel.h"

#define ETHER_HEADER 14
#define VLAN_TAG 4
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define IPV6_EXTENSIONS 8
#define USUAL_LENGTH 1522

/*
 * USES, a sum of these, comes with the rules. FIELD_IP goes with every field above it,
 * FIELD_TRANSPORT with ports, flags, ICMP and SPI.
 */
enum {
	FIELD_ETHER_TYPE = 1,
	FIELD_MACS = 2,
	FIELD_VLAN = 4,
	FIELD_IP = 8,
	FIELD_SOURCE = 16,
	FIELD_DESTINATION = 32,
	FIELD_PROTOCOL = 64,
	FIELD_DSCP = 128,
	FIELD_FRAGMENT = 256,
	FIELD_TRANSPORT = 512,
	FIELD_PORTS = 1024,
	FIELD_TCP_FLAGS = 2048,
	FIELD_ICMP = 4096,
	FIELD_SPI = 8192,
	FIELD_LENGTH = 16384,
};

/* Values that no rule can ask for. */
#define NO_ETHERTYPE 0x10000
#define NO_VID 0xffff
#define NO_TAGS 0xff
#define NO_PROTOCOL 0x100
#define NO_PORT 0x10000
#define NO_DSCP 0xff
#define NO_FRAGMENT 3
#define NO_ICMP 0x10000
#define NO_MAC (1ULL << 48)
#define TCP_FLAGS_VALID 0x100

enum { WHOLE = 0, FIRST_FRAGMENT = 1, LATER_FRAGMENT = 2 };

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_ESP = 50,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_MOBILITY = 135
};

/* Only what is used is written; the condition is a constant. */
#define SET(field, variable, value)                                                                \
	do {                                                                                       \
		if (USES & (field))                                                                \
			(variable) = (value);                                                      \
	} while (0)
#define TAKE(field, member)                                                                        \
	do {                                                                                       \
		if (USES & (field)) {                                                              \
			p->member = met->member;                                                   \
			FORGET(p->member, zero);                                                   \
		}                                                                                  \
	} while (0)

struct packet {
	__u64 source_mac;
	__u64 destination_mac;
	__u64 length; /* whole frame */
	__u64 rx_queue;
	__u64 ingress; /* ifindex */
	__u64 ether_type;
	__u64 tags;
	__u64 vid;
	__u64 inner_vid;
	__u64 family; /* 4, 6 or 0 */
	__u64 protocol;
	__u64 dscp;
	__u64 fragment;
	__u64 source_port;
	__u64 destination_port;
	__u64 tcp_flags;
	__u64 icmp; /* type << 8 | code */
	__u64 spi; /* ESP */
	__u64 l3; /* offset; 0 when there is no valid IP header */
	__u64 l4; /* offset of the transport header, which may be cut; 0 when not found */
	__u64 malformed;
	__be32 source[4];
	__be32 destination[4];
};

/* A bounds-checked pointer into the first buffer, or NULL. */
inline_fn void *at(struct xdp_md *ctx, __u64 offset, __u64 size)
{
	OPAQUE(ctx);
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *here = data + (offset & 0x7fff);

	return here + size > end ? 0 : here;
}

inline_fn __u64 read_mac(const __u8 *mac)
{
	return (__u64)mac[0] << 40 | (__u64)mac[1] << 32 | (__u64)mac[2] << 24 |
	       (__u64)mac[3] << 16 | (__u64)mac[4] << 8 | mac[5];
}

inline_fn __u64 read16(const void *from)
{
	return __builtin_bswap16(*(__be16 *)from);
}

inline_fn __u64 read32(const void *from)
{
	return __builtin_bswap32(*(__be32 *)from);
}

/*
 * Every way out of the parser leaves other fields at their defaults. In registers the compiler would
 * set all of them again on every branch (20 ns); in memory they are set once, so it must not see
 * through the address.
 */
#define IN_MEMORY(pointer) asm volatile("" : : "r"(pointer) : "memory")

inline_fn void clear(struct packet *p)
{
	IN_MEMORY(p);
	SET(FIELD_MACS, p->source_mac, NO_MAC);
	SET(FIELD_MACS, p->destination_mac, NO_MAC);
	SET(FIELD_ETHER_TYPE, p->ether_type, NO_ETHERTYPE);
	SET(FIELD_VLAN, p->tags, NO_TAGS);
	SET(FIELD_VLAN, p->vid, NO_VID);
	SET(FIELD_VLAN, p->inner_vid, NO_VID);
	p->family = 0;
	SET(FIELD_PROTOCOL, p->protocol, NO_PROTOCOL);
	SET(FIELD_DSCP, p->dscp, NO_DSCP);
	SET(FIELD_FRAGMENT, p->fragment, NO_FRAGMENT);
	SET(FIELD_PORTS, p->source_port, NO_PORT);
	SET(FIELD_PORTS, p->destination_port, NO_PORT);
	SET(FIELD_TCP_FLAGS, p->tcp_flags, 0);
	SET(FIELD_ICMP, p->icmp, NO_ICMP);
	SET(FIELD_SPI, p->spi, 0);
	p->l3 = 0;
	SET(FIELD_TRANSPORT, p->l4, 0);
	p->malformed = 0;
	for (int i = 0; i < 4; i++) {
		SET(FIELD_SOURCE, p->source[i], 0);
		SET(FIELD_DESTINATION, p->destination[i], 0);
	}
}

/* Takes over what the parser `met`, joining its paths for the verifier; unused fields cost nothing. */
inline_fn void settle(struct packet *p, const struct packet *met, __u64 zero)
{
	TAKE(FIELD_MACS, source_mac);
	TAKE(FIELD_MACS, destination_mac);
	TAKE(FIELD_ETHER_TYPE, ether_type);
	TAKE(FIELD_VLAN, tags);
	TAKE(FIELD_VLAN, vid);
	TAKE(FIELD_VLAN, inner_vid);
	TAKE(FIELD_IP, family);
	TAKE(FIELD_IP, l3);
	TAKE(FIELD_IP, malformed);
	TAKE(FIELD_DSCP, dscp);
	TAKE(FIELD_FRAGMENT, fragment);
	TAKE(FIELD_PROTOCOL, protocol);
	TAKE(FIELD_PORTS, source_port);
	TAKE(FIELD_PORTS, destination_port);
	TAKE(FIELD_TRANSPORT, l4);
	TAKE(FIELD_TCP_FLAGS, tcp_flags);
	TAKE(FIELD_ICMP, icmp);
	TAKE(FIELD_SPI, spi);
	/* Of addresses the verifier knows too little to tell many paths apart. */
	for (int i = 0; i < 4; i++) {
		SET(FIELD_SOURCE, p->source[i], met->source[i]);
		SET(FIELD_DESTINATION, p->destination[i], met->destination[i]);
	}
}

#endif
