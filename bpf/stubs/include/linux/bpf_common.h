/* SPDX-License-Identifier: GPL-2.0 */
/* Instruction classes that the BPF interface header names; the programs use none of them. */
#ifndef STUB_BPF_COMMON_H
#define STUB_BPF_COMMON_H

#define BPF_CLASS(code) ((code) & 0x07)
#define BPF_SIZE(code) ((code) & 0x18)
#define BPF_MODE(code) ((code) & 0xe0)
#define BPF_OP(code) ((code) & 0xf0)
#define BPF_SRC(code) ((code) & 0x08)

#endif
