// SPDX-License-Identifier: GPL-2.0
/*
 * Counts frames that a redirect lost, at the tracepoints that say so. Loaded as BTF tracepoint
 * programs (struct arguments may be read directly), pinned as links, so they count on while no
 * agent runs. Offsets into kernel structures come from the running kernel's BTF (config.h).
 *
 * Sources: include/trace/events/xdp.h, kernel/bpf/devmap.c, kernel/bpf/cpumap.c.
 */
#include "config.h"
#include "abi.h"
#include "traced.h"

#define SLOT_OVERFLOW 0

/* `add` frames more for `key`; the map is full of causes when not even a new entry fits. */
inline_fn void lost(struct loss_key *key, __u64 add)
{
	__u64 *count = lookup(MAP(MAP_LOSSES), key);
	__u32 slot = SLOT_OVERFLOW;

	if (count) {
		*count += add;
		return;
	}
	if (!update(MAP(MAP_LOSSES), key, &add, 0))
		return;
	count = lookup(MAP(MAP_OVERFLOW), &slot);
	if (count)
		__sync_fetch_and_add(count, add);
}

typedef __u64 __attribute__((may_alias)) word;

inline_fn int same(const struct loss_key *a, const struct loss_key *b)
{
	const word *x = (const word *)a, *y = (const word *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (a->error ^ b->error));
}

/*
 * The same for one frame at a time: half of the cost was hashing the key. The cause that comes first
 * to a slot of this array keeps it, so nothing ever moves while user space reads. The count comes
 * after the key: whoever sees it sees the key that it belongs to.
 */
inline_fn void lost_frame(struct loss_key *key)
{
	__u32 slot = (key->index + key->to * 5 + key->from * 11 + key->program * 23) % LOSS_SLOTS;
	struct loss_slot *there = lookup(MAP(MAP_SLOTS), &slot);

	if (there && there->packets && same(&there->key, key)) {
		there->packets++;
	} else if (there && !there->packets) {
		there->key = *key;
		asm volatile("" ::: "memory");
		there->packets = 1;
	} else {
		lost(key, 1);
	}
}

/* Whether the device lives in the network namespace that this monitor serves. */
inline_fn int ours(__u64 device)
{
#ifdef NETNS
	__u64 net = LOAD64(device, NET_DEVICE_NET);

	return (__u32)LOAD32(net, NET_INUM) == NETNS;
#else
	return 1;
#endif
}

/*
 * The device of a struct bpf_dtab_netdev, which the tracepoint passes as a pointer to void. A cast
 * (kernel function bpf_rdonly_cast, Linux 6.2) allows plain loads in the place of two probe reads.
 */
inline_fn __u32 target_ifindex(__u64 target)
{
#ifdef DTAB_NETDEV
	static void *(*rdonly_cast)(__u64 pointer, __u32 type) = (void *)KFUNC_RDONLY_CAST;
	void *typed = rdonly_cast(target, DTAB_NETDEV);

	return ifindex_of(LOAD64(typed, DTAB_NETDEV_DEV));
#else
	__u32 ifindex = 0;

	if (!probe_read(&target, sizeof(target), (void *)target + DTAB_NETDEV_DEV))
		probe_read(&ifindex, sizeof(ifindex), (void *)target + NET_DEVICE_IFINDEX);
	return ifindex;
#endif
}

/* TP_PROTO(dev, prog, tgt, err, map_type, map_id, index) */
int xdp_redirect_err(__u64 *args)
{
	__u64 device = LOAD64(args, 0), map_type = LOAD64(args, 32);
	struct loss_key __attribute__((aligned(8))) key = { .event = EVENT_REDIRECT_ERR };
	__u64 target = 0;

	if (!ours(device))
		return 0;
	key.program = program_id(LOAD64(args, 8));
	key.error = -(int)LOAD64(args, 24);
	key.map = LOAD64(args, 40);
	key.index = LOAD64(args, 48);
	key.from = ifindex_of(device);
	if ((__u32)map_type == DEVMAP || (__u32)map_type == DEVMAP_HASH) {
		target = LOAD64(args, 16);
		if (target)
			key.to = target_ifindex(target);
	}
	lost_frame(&key);
	return 0;
}

/* TP_PROTO(dev, prog, act) */
int xdp_exception(__u64 *args)
{
	__u64 device = LOAD64(args, 0);
	struct loss_key __attribute__((aligned(8))) key = { .event = EVENT_EXCEPTION };

	if (!ours(device))
		return 0;
	key.program = program_id(LOAD64(args, 8));
	key.index = LOAD64(args, 16);
	key.from = ifindex_of(device);
	lost_frame(&key);
	return 0;
}

/* TP_PROTO(from_dev, to_dev, sent, drops, err) */
int xdp_devmap_xmit(__u64 *args)
{
	__u64 from = LOAD64(args, 0), to = LOAD64(args, 8);
	__s32 drops = LOAD64(args, 24);
	struct loss_key key = { .event = EVENT_DEVMAP_XMIT };

	if (drops <= 0 || !ours(from))
		return 0;
	key.error = -(int)LOAD64(args, 32);
	key.from = ifindex_of(from);
	key.to = ifindex_of(to);
	lost(&key, drops);
	return 0;
}

/* TP_PROTO(dev, sent, drops, err) */
int xdp_bulk_tx(__u64 *args)
{
	__u64 device = LOAD64(args, 0);
	__s32 drops = LOAD64(args, 16);
	struct loss_key key = { .event = EVENT_BULK_TX };

	if (drops <= 0 || !ours(device))
		return 0;
	key.error = -(int)LOAD64(args, 24);
	key.from = key.to = ifindex_of(device);
	lost(&key, drops);
	return 0;
}

/* TP_PROTO(map_id, processed, drops, to_cpu) */
int xdp_cpumap_enqueue(__u64 *args)
{
	__u32 drops = LOAD64(args, 16);
	struct loss_key key = { .event = EVENT_CPUMAP_ENQUEUE };

	if (!drops)
		return 0;
	key.map = LOAD64(args, 0);
	key.to = LOAD64(args, 24);
	lost(&key, drops);
	return 0;
}

/* TP_PROTO(map_id, processed, drops, sched, xdp_stats) */
int xdp_cpumap_kthread(__u64 *args)
{
	__u32 drops = LOAD64(args, 16), refused;
	__u64 stats = LOAD64(args, 32);
	struct loss_key key = { .event = EVENT_CPUMAP_KTHREAD };

	refused = LOAD32(stats, CPUMAP_STATS_DROP);
	if (!drops && !refused)
		return 0;
	key.map = LOAD64(args, 0);
	key.to = this_cpu();
	if (drops)
		lost(&key, drops);
	key.event = EVENT_CPUMAP_PROGRAM;
	if (refused)
		lost(&key, refused);
	return 0;
}
