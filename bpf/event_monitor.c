// SPDX-License-Identifier: GPL-2.0
/*
 * Counts every xdp tracepoint of the machine, whoever's program or map it is about. Runs only as
 * long as `xdpredirect monitor --all-programs` holds its links; drop_monitor.c is what runs always.
 * The EVENT numbers (config.h) come from kernel/events.py.
 *
 * Sources: include/trace/events/xdp.h, kernel/bpf/devmap.c, kernel/bpf/cpumap.c.
 */
#include "config.h"
#include "events.h"

/* TP_PROTO(dev, prog, tgt, err, map_type, map_id, index) of all xdp_redirect* */
inline_fn int redirect(__u64 *args, __u32 event)
{
	__u64 device = LOAD64(args, 0), program = LOAD64(args, 8), map_type = LOAD64(args, 32);
	struct event_key key = { .event = event };
	struct tally *tally;
	__u64 target = 0;
	int fresh;

	key.program = program_id(program);
	key.error = -(int)LOAD64(args, 24);
	key.map = LOAD64(args, 40);
	key.index = LOAD64(args, 48);
	key.from = ifindex_of(device);
	key.netns = netns_of(device);
	if ((__u32)map_type == DEVMAP || (__u32)map_type == DEVMAP_HASH) {
		/* struct bpf_dtab_netdev, known to the verifier as void only. */
		target = LOAD64(args, 16);
		if (target && probe_read(&target, sizeof(target), (void *)target + DTAB_NETDEV_DEV))
			target = 0;
		if (target)
			probe_read(&key.to, sizeof(key.to), (void *)target + NET_DEVICE_IFINDEX);
	}
	tally = tally_of(&key, &fresh);
	if (!tally)
		return 0;
	tally->events++;
	if (fresh) {
		remember_device(device, &key);
		remember(NAME_PROGRAM, key.program, 0,
			 LOAD64(program, BPF_PROG_AUX) + BPF_PROG_AUX_NAME);
		if (key.to)
			remember(NAME_DEVICE, key.to, key.netns, target + NET_DEVICE_NAME);
	}
	return 0;
}

int xdp_redirect(__u64 *args)
{
	return redirect(args, EVENT_XDP_REDIRECT);
}

int xdp_redirect_err(__u64 *args)
{
	return redirect(args, EVENT_XDP_REDIRECT_ERR);
}

int xdp_redirect_map(__u64 *args)
{
	return redirect(args, EVENT_XDP_REDIRECT_MAP);
}

int xdp_redirect_map_err(__u64 *args)
{
	return redirect(args, EVENT_XDP_REDIRECT_MAP_ERR);
}

/* TP_PROTO(dev, prog, act) */
int xdp_exception(__u64 *args)
{
	__u64 device = LOAD64(args, 0), program = LOAD64(args, 8);
	struct event_key key = { .event = EVENT_XDP_EXCEPTION };
	struct tally *tally;
	int fresh;

	key.program = program_id(program);
	key.index = LOAD64(args, 16);
	key.from = ifindex_of(device);
	key.netns = netns_of(device);
	tally = tally_of(&key, &fresh);
	if (!tally)
		return 0;
	tally->events++;
	if (fresh) {
		remember_device(device, &key);
		remember(NAME_PROGRAM, key.program, 0,
			 LOAD64(program, BPF_PROG_AUX) + BPF_PROG_AUX_NAME);
	}
	return 0;
}

inline_fn void bulk(struct event_key *key, __u64 from, __u64 to, __s32 sent, __s32 drops)
{
	struct tally *tally;
	int fresh;

	key->from = ifindex_of(from);
	key->to = ifindex_of(to);
	key->netns = netns_of(from);
	tally = tally_of(key, &fresh);
	if (!tally)
		return;
	tally->events++;
	if (sent > 0)
		tally->packets += sent;
	if (drops > 0)
		tally->drops += drops;
	if (fresh) {
		remember_device(from, key);
		remember_device(to, key);
	}
}

/* TP_PROTO(from_dev, to_dev, sent, drops, err) */
int xdp_devmap_xmit(__u64 *args)
{
	struct event_key key = { .event = EVENT_XDP_DEVMAP_XMIT };

	key.error = -(int)LOAD64(args, 32);
	bulk(&key, LOAD64(args, 0), LOAD64(args, 8), LOAD64(args, 16), LOAD64(args, 24));
	return 0;
}

/* TP_PROTO(dev, sent, drops, err) */
int xdp_bulk_tx(__u64 *args)
{
	struct event_key key = { .event = EVENT_XDP_BULK_TX };
	__u64 device = LOAD64(args, 0);

	key.error = -(int)LOAD64(args, 24);
	bulk(&key, device, device, LOAD64(args, 8), LOAD64(args, 16));
	return 0;
}

/* TP_PROTO(map_id, processed, drops, to_cpu) */
int xdp_cpumap_enqueue(__u64 *args)
{
	struct event_key key = { .event = EVENT_XDP_CPUMAP_ENQUEUE };
	struct tally *tally;
	int fresh;

	key.map = LOAD64(args, 0);
	key.from = this_cpu();
	key.to = LOAD64(args, 24);
	tally = tally_of(&key, &fresh);
	if (!tally)
		return 0;
	tally->events++;
	tally->packets += (__u32)LOAD64(args, 8);
	tally->drops += (__u32)LOAD64(args, 16);
	return 0;
}

/* TP_PROTO(map_id, processed, drops, sched, xdp_stats) */
int xdp_cpumap_kthread(__u64 *args)
{
	struct event_key key = { .event = EVENT_XDP_CPUMAP_KTHREAD };
	__u64 stats = LOAD64(args, 32);
	struct tally *tally;
	int fresh;

	key.map = LOAD64(args, 0);
	key.from = key.to = this_cpu();
	tally = tally_of(&key, &fresh);
	if (!tally)
		return 0;
	tally->events++;
	tally->packets += (__u32)LOAD64(args, 8);
	tally->drops += (__u32)LOAD64(args, 16);
	tally->scheduled += (__u32)LOAD64(args, 24);
	tally->passed += LOAD32(stats, CPUMAP_STATS_PASS);
	tally->refused += LOAD32(stats, CPUMAP_STATS_DROP);
	tally->redirected += LOAD32(stats, CPUMAP_STATS_REDIRECT);
	return 0;
}

#define COUNTED(name, number)                                                                      \
	int name(__u64 *args)                                                                      \
	{                                                                                          \
		count_event(number);                                                               \
		return 0;                                                                          \
	}

COUNTED(mem_connect, EVENT_MEM_CONNECT)
COUNTED(mem_disconnect, EVENT_MEM_DISCONNECT)
COUNTED(mem_return_failed, EVENT_MEM_RETURN_FAILED)
COUNTED(bpf_xdp_link_attach_failed, EVENT_BPF_XDP_LINK_ATTACH_FAILED)
