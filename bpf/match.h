/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The words in which rules are written. User space renders one line per question, so a rule reads
 *
 *	RULE(9)
 *	ANY(DESTINATION_PORT(53, 53) DESTINATION_PORT(853, 853))
 *	ANY(PROTOCOL(17) PROTOCOL(6))
 *	DROP(9)
 *	END
 *
 * and the compiler turns it into a few compare-and-branch instructions. ANY holds alternatives;
 * the next rule begins where one question is answered with no. `p` is the parsed frame.
 */
#ifndef MATCH_H
#define MATCH_H

#include "abi.h"
#include "parse.h"

#ifdef MAP_SCRATCH
/*
 * Every rule reads its fields again, so that no register carries knowledge over, and finds them
 * again: the addresses of 25 fields, kept for all rules, took 200 octets of the stack.
 */
#define RULE(slot)                                                                                 \
	do {                                                                                       \
		asm volatile("" : "+r"(scratch) : : "memory");
#else
#define RULE(slot) do {
#endif
#define ANY(alternatives)                                                                          \
	if (__builtin_expect(!(0 alternatives), 1))                                                \
		break;
#define END                                                                                        \
	}                                                                                          \
	while (0)                                                                                  \
		;

#define WITHIN(value, first, last)                                                                 \
	((first) == (last) ? (value) == (first) : (value) - (first) <= (last) - (first) + 0ULL)

#define ETHER_TYPE(type) || p.ether_type == (type)
#define TAGS(count) || p.tags == (count)
#define VLAN_ID(first, last) || WITHIN(p.vid, first, last)
#define INNER_VLAN_ID(first, last) || WITHIN(p.inner_vid, first, last)
#define SOURCE_MAC(mac) || p.source_mac == (mac)
#define DESTINATION_MAC(mac) || p.destination_mac == (mac)
#define PROTOCOL(number) || p.protocol == (number)
#define DSCP(value) || p.dscp == (value)
#define FRAGMENT(state) || p.fragment == (state)
#define SOURCE_PORT(first, last) || WITHIN(p.source_port, first, last)
#define DESTINATION_PORT(first, last) || WITHIN(p.destination_port, first, last)
#define TCP_FLAGS(set, unset)                                                                      \
	|| (p.tcp_flags & ((set) | (unset) | TCP_FLAGS_VALID)) == ((set) | TCP_FLAGS_VALID)
#define ICMP(type, code) || p.icmp == ((type) << 8 | (code))
#define ICMP_TYPE(type) || p.icmp >> 8 == (type)
#define LENGTH(first, last) || WITHIN(p.length, first, last)
#define RX_QUEUE(first, last) || WITHIN(p.rx_queue, first, last)

/* Networks, word by word; a word whose mask is 0 costs nothing. */
#define WORD(word, mask, value) (!(mask) || ((word) & BE32(mask)) == BE32(value))
#define NET4(side, value, mask) || (WORD(p.side[0], mask, value) && p.family == 4)
#define NET6(side, v0, m0, v1, m1, v2, m2, v3, m3)                                                 \
	|| (WORD(p.side[0], m0, v0) && WORD(p.side[1], m1, v1) && WORD(p.side[2], m2, v2) &&       \
	    WORD(p.side[3], m3, v3) && p.family == 6)
#define SOURCE_NET4(...) NET4(source, __VA_ARGS__)
#define SOURCE_NET6(...) NET6(source, __VA_ARGS__)
#define DESTINATION_NET4(...) NET4(destination, __VA_ARGS__)
#define DESTINATION_NET6(...) NET6(destination, __VA_ARGS__)

/* Membership in long lists: one bit each in the entry that the address index returned. */
#define SOURCE_LIST(word, bit) || (source && source->lists[word] & (1ULL << (bit)))
#define DESTINATION_LIST(word, bit) || (destination && destination->lists[word] & (1ULL << (bit)))

#endif
