/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies inside a tunnel: the VNI of VXLAN and Geneve, the TEID of GTP-U, and the flow hash of
 * the inner packet of one tunnel (these and GRE, PPPoE sessions, MPLS). Found once per frame,
 * before the first rule that asks; a frame that is no tunnel costs a few comparisons.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include "hash.h"
#include "parse.h"

#define PORT_VXLAN 4789
#define PORT_GENEVE 6081
#define PORT_GTPU 2152
#define PROTO_GRE 47
#define ETHERTYPE_TEB 0x6558
#define ETHERTYPE_PPPOE 0x8864
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_MULTICAST 0x8848
#define MPLS_LABELS 4

struct tunnel {
	__s64 vni; /* -1: none */
	__s64 teid; /* -1: none */
	__u64 hash; /* of the inner flow, when `reached` */
	__u64 reached;
	__u64 offset; /* of the inner packet */
	__u64 type; /* EtherType of the inner packet, ETHERTYPE_TEB for a frame, 0 for none */
};

inline_fn void open_vxlan(struct xdp_md *ctx, struct tunnel *t, __u64 offset)
{
	__u8 *header = at(ctx, offset, 8);

	if (!header || !(header[0] & 0x08))
		return;
	t->vni = read32(header + 4) >> 8;
	t->offset = offset + 8;
	t->type = ETHERTYPE_TEB;
}

inline_fn void open_geneve(struct xdp_md *ctx, struct tunnel *t, __u64 offset)
{
	__u8 *header = at(ctx, offset, 8);

	if (!header || header[0] >> 6)
		return;
	t->vni = read32(header + 4) >> 8;
	t->offset = offset + 8 + (header[0] & 0x3f) * 4;
	t->type = read16(header + 2);
}

inline_fn void open_gtpu(struct xdp_md *ctx, struct tunnel *t, __u64 offset)
{
	__u8 *header = at(ctx, offset, 8);

	if (!header || header[0] >> 5 != 1)
		return;
	t->teid = read32(header + 4);
	t->hash = mix(t->teid ^ mix(0x677470));
	t->reached = 1;
}

inline_fn void open_gre(struct xdp_md *ctx, struct tunnel *t, __u64 offset)
{
	__u8 *header = at(ctx, offset, 4);
	__u64 flags;

	if (!header)
		return;
	flags = read16(header);
	if (flags & 0x4007) /* source routing, or a version other than 0 */
		return;
	t->offset = offset + 4 + (flags >> 15) * 4 + (flags >> 13 & 1) * 4 + (flags >> 12 & 1) * 4;
	t->type = read16(header + 2);
}

inline_fn void open_pppoe(struct xdp_md *ctx, struct tunnel *t, __u64 offset)
{
	__u8 *header = at(ctx, offset, 8);
	__u64 protocol;

	if (!header)
		return;
	protocol = read16(header + 6);
	t->offset = offset + 8;
	t->type = protocol == 0x0021 ? ETHERTYPE_IPV4 : protocol == 0x0057 ? ETHERTYPE_IPV6 : 0;
}

inline_fn void open_mpls(struct xdp_md *ctx, struct tunnel *t, __u64 offset)
{
	__u8 *header;

#pragma unroll
	for (int i = 0; i < MPLS_LABELS; i++) {
		header = at(ctx, offset, 4);
		if (!header)
			return;
		offset += 4;
		if (header[2] & 1)
			goto bottom;
	}
	return;
bottom:
	header = at(ctx, offset, 1);
	if (!header)
		return;
	t->offset = offset;
	t->type = *header >> 4 == 4 ? ETHERTYPE_IPV4 : *header >> 4 == 6 ? ETHERTYPE_IPV6 : 0;
}

inline_fn void hash_inner(struct xdp_md *ctx, struct tunnel *t, struct packet *inner,
			  struct packet *met, __u64 zero)
{
	void *here = at(ctx, t->offset, ETHER_HEADER);
	void *end;

	if (!here)
		return;
	OPAQUE(ctx);
	end = (void *)(long)ctx->data_end;
	clear(met);
	if (t->type == ETHERTYPE_TEB)
		parse_ethernet(met, here, end, zero);
	else if (t->type == ETHERTYPE_IPV4)
		parse_ipv4(met, here, end, t->offset);
	else if (t->type == ETHERTYPE_IPV6)
		parse_ipv6(met, here, end, t->offset, zero);
	settle(inner, met, zero);
	if (!inner->family && inner->source_mac == NO_MAC)
		return;
	t->hash = hash_flow(inner);
	t->reached = 1;
}

inline_fn void forget_tunnel(struct tunnel *t, __u64 zero)
{
	FORGET(t->offset, zero);
	FORGET(t->type, zero);
	FORGET(t->hash, zero);
	FORGET(t->reached, zero);
	FORGET(t->vni, zero);
	FORGET(t->teid, zero);
}

inline_fn void find_tunnel(struct xdp_md *ctx, const struct packet *p, struct tunnel *t,
			   struct packet *inner, struct packet *met)
{
	__u64 link = ETHER_HEADER + (p->tags & 3) * VLAN_TAG;
	__u64 zero;

	t->vni = t->teid = -1;
	t->hash = t->reached = t->offset = t->type = 0;
	if (p->protocol == PROTO_UDP && p->fragment == WHOLE && p->l4) {
		if (p->destination_port == PORT_VXLAN)
			open_vxlan(ctx, t, p->l4 + 8);
		else if (p->destination_port == PORT_GENEVE)
			open_geneve(ctx, t, p->l4 + 8);
		else if (p->destination_port == PORT_GTPU)
			open_gtpu(ctx, t, p->l4 + 8);
	} else if (p->protocol == PROTO_GRE && p->fragment == WHOLE && p->l4) {
		open_gre(ctx, t, p->l4);
	} else if (p->ether_type == ETHERTYPE_PPPOE) {
		open_pppoe(ctx, t, link);
	} else if (p->ether_type == ETHERTYPE_MPLS || p->ether_type == ETHERTYPE_MPLS_MULTICAST) {
		open_mpls(ctx, t, link);
	}
	UNKNOWN_ZERO(zero, p->rx_queue);
	forget_tunnel(t, zero);
#ifdef INNER_FLOW
	if (t->type) {
		hash_inner(ctx, t, inner, met, zero);
		forget_tunnel(t, zero);
	}
#endif
}

/* Rendered before the first rule that asks for something of a tunnel. */
#ifdef MAP_SCRATCH
#define FIND_TUNNEL find_tunnel(ctx, &p, &tunnel, &inside, &met);
#else
#define FIND_TUNNEL                                                                                \
	struct tunnel tunnel;                                                                      \
	struct packet inside;                                                                      \
	find_tunnel(ctx, &p, &tunnel, &inside, &met);
#endif

#define SPREAD_INNER_FLOW ((tunnel.reached ? tunnel.hash : FLOW) >> 56)
#define KEY_VNI tunnel.vni
#define KEY_TEID tunnel.teid

#endif
