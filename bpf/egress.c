// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a DEVMAP entry on the way out, once for each copy of a broadcast frame: members may want
 * different headers. One program for all devices, because the kernel's bulk queue of a device
 * keeps the program of its first frame.
 */
#include "config.h"
#include "abi.h"
#include "kernel.h"
#include "parse.h"
#include "rewrite.h"

int egress(struct xdp_md *ctx)
{
	struct egress_key key = { ctx->ingress_ifindex, ctx->egress_ifindex };
	struct rewrite *r = lookup(MAP(MAP_EGRESS), &key);

	if (r && rewrite_frame(ctx, r))
		return XDP_DROP;
	return XDP_PASS;
}
