// SPDX-License-Identifier: GPL-2.0
/*
 * The program of one interface: all rules of all objects on it, in order. rules.h and config.h are
 * rendered by user space (operator/xdpredirect/datapath/render.py) and hold data only.
 */
#include "config.h"
#include "abi.h"
#include "kernel.h"
#include "parse.h"
#include "match.h"
#include "addresses.h"
#include "hash.h"
#include "tunnel.h"
#include "action.h"
#include "protect.h"
#include "route.h"

int redirect(struct xdp_md *ctx)
{
	struct packet p;
	struct counter *hits;
	struct address_entry *source = 0, *destination = 0;
	__u32 spared = 0;

	parse(ctx, &p);
	if ((USES & FIELD_IP) && p.malformed)
		count(SLOT_MALFORMED, p.length);
#include "rules.h"
	count(spared ? SLOT_PROTECTED : SLOT_UNMATCHED, p.length);
	return XDP_PASS;
}
