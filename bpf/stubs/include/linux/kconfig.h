/* SPDX-License-Identifier: GPL-2.0 */
/* Read by bcc before anything else; marks this directory as a kernel tree. */
#define CONFIG_BPF 1
#define CONFIG_BPF_SYSCALL 1
