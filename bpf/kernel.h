/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the kernel's BPF interface that the programs use. bcc prepends its own helpers.h
 * (enum bpf_func_id, struct xdp_md, struct bpf_fib_lookup), so only what it lacks is declared.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <linux/types.h>

#define MAP(number) ((void *)bpf_pseudo_fd(1, number))

static long (*redirect_map)(void *map, __u64 key, __u64 flags) = (void *)BPF_FUNC_redirect_map;
static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*adjust_head)(struct xdp_md *ctx, int delta) = (void *)BPF_FUNC_xdp_adjust_head;
static long (*fib_lookup)(void *ctx, void *params, int size,
			  __u32 flags) = (void *)BPF_FUNC_fib_lookup;
/* bpf_xdp_get_buff_len: Linux 5.18, newer than the headers of some bcc packages. */
static __u64 (*buff_len)(struct xdp_md *ctx) = (void *)188;

#define inline_fn static __always_inline

/*
 * The verifier follows every path through the parser with what it knows of each variable; many
 * paths times many rules would pass its limit. Adding an "unknown zero" (t - t, which it does not
 * fold) makes it forget a value, so all paths join before the first rule.
 */
#define UNKNOWN_ZERO(zero, seed)                                                                   \
	do {                                                                                       \
		__u64 other = (seed);                                                              \
		asm volatile("%0 = %1\n\t%0 -= %1" : "=&r"(zero) : "r"(other));                    \
	} while (0)
#define FORGET(variable, zero)                                                                     \
	do {                                                                                       \
		__u64 value = (variable);                                                          \
		asm volatile("%0 += %1" : "+r"(value) : "r"(zero));                                \
		(variable) = value;                                                                \
	} while (0)

/*
 * Keeps the compiler from sharing "context + offset" between uses: the verifier takes a load from
 * the context only with a constant offset from its start.
 */
#define OPAQUE(pointer) asm volatile("" : "+r"(pointer))

#define BE16(x) ((__be16)__builtin_bswap16(x))
#define BE32(x) ((__be32)__builtin_bswap32(x))

#endif
