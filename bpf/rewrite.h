/* SPDX-License-Identifier: GPL-2.0 */
/* Changes to a frame on its way out: MAC addresses and the outer VLAN tag. */
#ifndef REWRITE_H
#define REWRITE_H

#include "abi.h"
#include "parse.h"

inline_fn int is_tag(__u32 type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ;
}

/* Makes room for a tag behind the MAC addresses; priority bits of the new tag are 0. */
inline_fn int push_tag(struct xdp_md *ctx, __u16 vid)
{
	__u8 macs[12], *frame;

	if (adjust_head(ctx, -VLAN_TAG))
		return -1;
	frame = at(ctx, 0, ETHER_HEADER + VLAN_TAG);
	if (!frame)
		return -1;
	__builtin_memcpy(macs, frame + VLAN_TAG, 12);
	__builtin_memcpy(frame, macs, 12);
	*(__be16 *)(frame + 12) = BE16(ETHERTYPE_VLAN);
	*(__be16 *)(frame + 14) = __builtin_bswap16(vid);
	return 0;
}

/* Removes the outer tag; a frame without one stays as it is. */
inline_fn int pop_tag(struct xdp_md *ctx)
{
	__u8 macs[12], *frame = at(ctx, 0, ETHER_HEADER + VLAN_TAG);

	if (!frame || !is_tag(read16(frame + 12)))
		return 0;
	__builtin_memcpy(macs, frame, 12);
	__builtin_memcpy(frame + VLAN_TAG, macs, 12);
	return adjust_head(ctx, VLAN_TAG) ? -1 : 0;
}

/* Replaces the VLAN ID of the outer tag and keeps its priority bits. */
inline_fn int replace_tag(struct xdp_md *ctx, __u16 vid)
{
	__u8 *frame = at(ctx, 0, ETHER_HEADER + VLAN_TAG);
	__be16 *tag;

	if (!frame || !is_tag(read16(frame + 12)))
		return 0;
	tag = (__be16 *)(frame + 14);
	*tag = (*tag & BE16(0xf000)) | __builtin_bswap16(vid);
	return 0;
}

inline_fn int rewrite_macs(struct xdp_md *ctx, const struct rewrite *r)
{
	__u8 *frame = at(ctx, 0, ETHER_HEADER), mac[6];

	if (!frame)
		return -1;
	if (r->flags & REWRITE_SWAP) {
		__builtin_memcpy(mac, frame, 6);
		__builtin_memcpy(frame, frame + 6, 6);
		__builtin_memcpy(frame + 6, mac, 6);
	}
	if (r->flags & REWRITE_DESTINATION)
		__builtin_memcpy(frame, r->destination, 6);
	if (r->flags & REWRITE_SOURCE)
		__builtin_memcpy(frame + 6, r->source, 6);
	return 0;
}

/* 0, or -1 when the driver left no headroom for a tag: the frame must then be dropped. */
inline_fn int rewrite_frame(struct xdp_md *ctx, const struct rewrite *r)
{
	if (r->flags & (REWRITE_DESTINATION | REWRITE_SOURCE | REWRITE_SWAP) &&
	    rewrite_macs(ctx, r))
		return -1;
	if (r->flags & REWRITE_PUSH)
		return push_tag(ctx, r->vid);
	if (r->flags & REWRITE_POP)
		return pop_tag(ctx);
	if (r->flags & REWRITE_REPLACE)
		return replace_tag(ctx, r->vid);
	return 0;
}

#endif
