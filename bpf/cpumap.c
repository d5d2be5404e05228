// SPDX-License-Identifier: GPL-2.0
/*
 * Runs on the CPU that a frame was redirected to, out of the value of a CPUMAP entry: drops the
 * frame (THEN_DROP) or sends it on to a device (THEN_DEVICE, an index of MAP_DEVICES). The
 * network stack takes frames that find no device.
 */
#include "config.h"
#include "abi.h"
#include "kernel.h"
#include "parse.h"
#include "rewrite.h"

int cpumap(struct xdp_md *ctx)
{
#ifdef THEN_DEVICE
	__u32 index = THEN_DEVICE;

	if (redirect_map(MAP(MAP_DEVICES), index, 0) != XDP_REDIRECT)
		return XDP_PASS;
#ifdef MAP_REWRITES
	struct rewrite *r = lookup(MAP(MAP_REWRITES), &index);

	if (r && rewrite_frame(ctx, r))
		return XDP_DROP;
#endif
	return XDP_REDIRECT;
#else
	return XDP_DROP;
#endif
}
