/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One pass over the headers of a frame, as far as the rules ask (USES).
 * A field that the frame lacks, or that lies beyond the first buffer, holds a value that no rule
 * can ask for, so a rule needs one comparison and no validity test. docs/matching.md is the text
 * that this file and the reference matcher in tests/spec follow.
 */
#ifndef PARSE_H
#define PARSE_H

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

/* Numbers are 64 bits wide because the compiler has no 32-bit arithmetic here: each would cost shifts. */
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

inline_fn void parse_transport(struct packet *p, void *l4, void *end, __u64 offset, __u64 protocol,
			       __u64 fragment)
{
	SET(FIELD_TRANSPORT, p->l4, offset);
	if (protocol == PROTO_TCP) {
		if (l4 + 20 > end)
			return;
		SET(FIELD_TCP_FLAGS, p->tcp_flags, TCP_FLAGS_VALID | ((__u8 *)l4)[13]);
	} else if (protocol == PROTO_UDP) {
		if (l4 + 8 > end)
			return;
	} else if (protocol == PROTO_SCTP) {
		if (l4 + 12 > end)
			return;
	} else if (protocol == PROTO_ICMP || protocol == PROTO_ICMPV6) {
		if (l4 + 4 > end)
			return;
		SET(FIELD_ICMP, p->icmp, read16(l4));
		return;
	} else {
		if (protocol == PROTO_ESP && fragment == WHOLE && l4 + 8 <= end)
			SET(FIELD_SPI, p->spi, read32(l4));
		return;
	}
	SET(FIELD_PORTS, p->source_port, read16(l4));
	SET(FIELD_PORTS, p->destination_port, read16(l4 + 2));
}

inline_fn void parse_ipv4(struct packet *p, void *l3, void *end, __u64 offset)
{
	__u8 *ip = l3;
	__u64 fragment, header;

	if (l3 + IPV4_HEADER > end || ip[0] >> 4 != 4)
		goto malformed;
	header = (ip[0] & 15) * 4;
	if (header < IPV4_HEADER || l3 + header > end)
		goto malformed;
	p->family = 4;
	p->l3 = offset;
	SET(FIELD_PROTOCOL, p->protocol, ip[9]);
	SET(FIELD_DSCP, p->dscp, ip[1] >> 2);
	SET(FIELD_SOURCE, p->source[0], *(__be32 *)(ip + 12));
	SET(FIELD_DESTINATION, p->destination[0], *(__be32 *)(ip + 16));
	fragment = read16(ip + 6);
	fragment = fragment & 0x1fff ? LATER_FRAGMENT : fragment >> 13 & FIRST_FRAGMENT;
	SET(FIELD_FRAGMENT, p->fragment, fragment);
	if ((USES & FIELD_TRANSPORT) && fragment != LATER_FRAGMENT)
		parse_transport(p, l3 + header, end, offset + header, ip[9], fragment);
	return;
malformed:
	p->malformed = 1;
}

/*
 * Walks the extension headers. Returns the offset of the transport header behind `l3`, or 0 when
 * the chain is cut, too long or belongs to a later fragment.
 */
inline_fn __u64 ipv6_extensions(struct packet *p, void *l3, void *end, __u64 zero)
{
	__u64 next = ((__u8 *)l3)[6], offset = IPV6_HEADER, size;

#pragma unroll
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		__u8 *header = l3 + offset;

		if (next != PROTO_HOPOPTS && next != PROTO_ROUTING && next != PROTO_DSTOPTS &&
		    next != PROTO_FRAGMENT && next != PROTO_AH && next != PROTO_MOBILITY)
			break;
		if ((void *)header + 8 > end)
			return 0;
		size = next == PROTO_AH ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
		if (next == PROTO_FRAGMENT) {
			__u64 bits = read16(header + 2);

			size = 8;
			if (bits & 0xfff8) {
				p->fragment = LATER_FRAGMENT;
				p->protocol = header[0];
				return 0;
			}
			p->fragment |= bits & FIRST_FRAGMENT;
		}
		if ((void *)header + size > end)
			return 0;
		next = header[0];
		offset += size;
		/* One range for every way through a header, or the paths would multiply. */
		FORGET(offset, zero);
		offset &= 0x3fff;
	}
	if (next == PROTO_HOPOPTS || next == PROTO_ROUTING || next == PROTO_DSTOPTS ||
	    next == PROTO_FRAGMENT || next == PROTO_AH || next == PROTO_MOBILITY)
		return 0;
	p->protocol = next;
	return offset;
}

inline_fn void parse_ipv6(struct packet *p, void *l3, void *end, __u64 offset, __u64 zero)
{
	__be32 *ip = l3;
	__u64 transport;

	if (l3 + IPV6_HEADER > end || *(__u8 *)l3 >> 4 != 6) {
		p->malformed = 1;
		return;
	}
	p->family = 6;
	p->l3 = offset;
	SET(FIELD_DSCP, p->dscp, read16(l3) >> 6 & 0x3f);
	p->fragment = WHOLE;
	for (int i = 0; i < 4; i++) {
		SET(FIELD_SOURCE, p->source[i], ip[2 + i]);
		SET(FIELD_DESTINATION, p->destination[i], ip[6 + i]);
	}
	if (!(USES & (FIELD_PROTOCOL | FIELD_FRAGMENT | FIELD_TRANSPORT)))
		return;
	transport = ipv6_extensions(p, l3, end, zero);
	if ((USES & FIELD_TRANSPORT) && transport)
		parse_transport(p, l3 + transport, end, offset + transport, p->protocol,
				p->fragment);
}

inline_fn void parse_ethernet(struct packet *p, void *data, void *end, __u64 zero)
{
	__u64 offset = ETHER_HEADER, type = read16(data + 12), tags = 0;

#pragma unroll
	for (int i = 0; i < 2; i++) {
		__u8 *tag = data + offset;

		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			break;
		if ((void *)tag + VLAN_TAG > end) {
			SET(FIELD_VLAN, p->vid, NO_VID);
			p->malformed = 1;
			return;
		}
		if (i)
			SET(FIELD_VLAN, p->inner_vid, read16(tag) & 0xfff);
		else
			SET(FIELD_VLAN, p->vid, read16(tag) & 0xfff);
		type = read16(tag + 2);
		offset += VLAN_TAG;
		tags++;
	}
	SET(FIELD_VLAN, p->tags, tags);
	SET(FIELD_ETHER_TYPE, p->ether_type, type);
	SET(FIELD_MACS, p->source_mac, read_mac(data + 6));
	SET(FIELD_MACS, p->destination_mac, read_mac(data));
	if (!(USES & FIELD_IP))
		return;
	/* Tagged or not, the IP headers are followed once. */
	FORGET(offset, zero);
	offset &= 0x1f;
	if (type == ETHERTYPE_IPV4)
		parse_ipv4(p, data + offset, end, offset);
	else if (type == ETHERTYPE_IPV6)
		parse_ipv6(p, data + offset, end, offset, zero);
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

/*
 * Octets of the whole frame. The helper costs 9 ns where returns are guarded against speculation, so
 * it is not asked about an untagged IP packet that ends within a first buffer of the usual size. Only
 * padding behind such a packet, in further buffers, is then not counted; rules about lengths ask.
 */
inline_fn __u64 frame_length(struct xdp_md *ctx, void *data, void *end)
{
#ifdef FRAGS
	__u64 first = end - data, type;

	if (!(USES & FIELD_LENGTH) && first <= USUAL_LENGTH &&
	    data + ETHER_HEADER + IPV4_HEADER <= end) {
		type = read16(data + 12);
		if (type == ETHERTYPE_IPV4 && ETHER_HEADER + read16(data + 16) <= first)
			return first;
		if (type == ETHERTYPE_IPV6 &&
		    ETHER_HEADER + IPV6_HEADER + read16(data + 18) <= first)
			return first;
	}
	return buff_len(ctx);
#else
	return end - data;
#endif
}

/* `met` is room for the way through. */
inline_fn void parse(struct xdp_md *ctx, struct packet *p, struct packet *met)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 zero;

	UNKNOWN_ZERO(zero, ctx->rx_queue_index);
	p->rx_queue = ctx->rx_queue_index;
	p->ingress = ctx->ingress_ifindex;
	p->length = frame_length(ctx, data, end);
	FORGET(p->length, zero);
	if (USES & ~FIELD_LENGTH) {
		clear(met);
		if (data + ETHER_HEADER > end)
			met->malformed = 1;
		else
			parse_ethernet(met, data, end, zero);
		settle(p, met, zero);
	}
}

#endif
