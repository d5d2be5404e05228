/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs on the xdp tracepoints share: reads from kernel structures. Offsets come from the
 * running kernel's BTF (config.h).
 */
#ifndef TRACED_H
#define TRACED_H

#include "config.h"
#include "kernel.h"

#define DEVMAP 14
#define DEVMAP_HASH 25

static long (*update)(void *map, const void *key, const void *value,
		      __u64 flags) = (void *)BPF_FUNC_map_update_elem;
static long (*probe_read)(void *to, __u32 size,
			  const void *from) = (void *)BPF_FUNC_probe_read_kernel;
static __u32 (*this_cpu)(void) = (void *)BPF_FUNC_get_smp_processor_id;

/* Loads from kernel structures, which bcc must not turn into probe reads. */
#define LOAD32(pointer, offset)                                                                    \
	({                                                                                         \
		__u64 loaded;                                                                      \
		asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(loaded) : "r"(pointer), "i"(offset)); \
		loaded;                                                                            \
	})
#define LOAD64(pointer, offset)                                                                    \
	({                                                                                         \
		__u64 loaded;                                                                      \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(loaded) : "r"(pointer), "i"(offset)); \
		loaded;                                                                            \
	})

inline_fn __u32 ifindex_of(__u64 device)
{
	return LOAD32(device, NET_DEVICE_IFINDEX);
}

inline_fn __u32 program_id(__u64 program)
{
	__u64 aux = LOAD64(program, BPF_PROG_AUX);

	return LOAD32(aux, BPF_PROG_AUX_ID);
}

#endif
