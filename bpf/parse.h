/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One pass over the headers of a frame, as far as the rules ask (USES).
 * A field that the frame lacks, or that lies beyond the first buffer, holds a value that no rule
 * can ask for, so a rule needs one comparison and no validity test. docs/matching.md is the text
 * that this file and the reference matcher in tests/spec follow.
 */
#ifndef PARSE_H
#define PARSE_H

#include "packet.h"

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
