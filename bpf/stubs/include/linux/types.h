/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for the kernel's header of this name, so that no kernel headers are needed on a node.
 * Holds what bcc's own helpers.h and the programs of this project use.
 */
#ifndef STUB_TYPES_H
#define STUB_TYPES_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef signed short __s16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
typedef signed long long __s64;
typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u16 __le16;
typedef __u32 __be32;
typedef __u32 __le32;
typedef __u64 __be64;
typedef __u64 __le64;
typedef __u16 __sum16;
typedef __u32 __wsum;
typedef unsigned long size_t;
typedef long ssize_t;
typedef unsigned long uintptr_t;
typedef int pid_t;
typedef __u64 __aligned_u64 __attribute__((aligned(8)));
typedef _Bool bool;

#define NULL ((void *)0)
#define __bitwise
#define __always_inline inline __attribute__((always_inline))
#define htons(x) __builtin_bswap16(x)
#define htonl(x) __builtin_bswap32(x)
#define ntohs(x) __builtin_bswap16(x)
#define ntohl(x) __builtin_bswap32(x)

struct pt_regs {
	unsigned long regs[31];
};

#endif
