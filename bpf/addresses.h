/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address index: an LPM trie per family says of an address which long lists hold it (a bit
 * each) and what the tables keyed by address make of it. A walk through a large trie costs about
 * 120 ns, so a small direct-mapped cache of this CPU stands in front of it. Entries carry the
 * generation of the index; user space raises it after a change, which empties every cache at once.
 */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include "abi.h"
#include "parse.h"

#ifdef ADDRESS_INDEX

struct address_entry {
	__u64 lists[LIST_WORDS];
	__u32 tables[TABLES]; /* target + 1, or 0 */
};

struct cached4 {
	__be32 address;
	__u32 generation;
	struct address_entry entry;
};

struct cached6 {
	__be32 address[4];
	__u64 generation;
	struct address_entry entry;
};

/* Half of the cache for each side: a destination must not take the entry that `source` names. */
enum { SIDE_SOURCE = 0, SIDE_DESTINATION = 1 << 12, CACHE_SLOTS = 1 << 13 };

inline_fn __u32 cache_slot(__u64 address, __u32 side)
{
	return side | address * 0x9e3779b97f4a7c15ULL >> 52;
}

inline_fn void copy_entry(struct address_entry *to, const struct address_entry *from)
{
	for (int i = 0; i < LIST_WORDS; i++)
		to->lists[i] = from ? from->lists[i] : 0;
	for (int i = 0; i < TABLES; i++)
		to->tables[i] = from ? from->tables[i] : 0;
}

inline_fn struct address_entry *find4(const __be32 *address, __u32 side, __u32 generation)
{
	struct lpm4_key key = { .length = 32 };
	struct cached4 *cached;
	__u32 slot = cache_slot(*address, side);

	cached = lookup(MAP(MAP_CACHE4), &slot);
	if (!cached)
		return 0;
	if (cached->address == *address && cached->generation == generation)
		return &cached->entry;
	__builtin_memcpy(key.address, address, 4);
	copy_entry(&cached->entry, lookup(MAP(MAP_LPM4), &key));
	cached->address = *address;
	cached->generation = generation;
	return &cached->entry;
}

inline_fn struct address_entry *find6(const __be32 *address, __u32 side, __u32 generation)
{
	struct lpm6_key key = { .length = 128 };
	struct cached6 *cached;
	__u64 *halves = (__u64 *)address;
	__u32 slot = cache_slot(halves[0] ^ halves[1] * 0xc2b2ae3d27d4eb4fULL, side);

	cached = lookup(MAP(MAP_CACHE6), &slot);
	if (!cached)
		return 0;
	if (((__u64 *)cached->address)[0] == halves[0] &&
	    ((__u64 *)cached->address)[1] == halves[1] && cached->generation == generation)
		return &cached->entry;
	__builtin_memcpy(key.address, address, 16);
	copy_entry(&cached->entry, lookup(MAP(MAP_LPM6), &key));
	__builtin_memcpy(cached->address, address, 16);
	cached->generation = generation;
	return &cached->entry;
}

/* The entry of an address, or NULL for a frame that is not IP. */
inline_fn struct address_entry *find_address(const __be32 *address, __u32 family, __u32 side)
{
	__u32 zero = 0, *generation = lookup(MAP(MAP_GENERATION), &zero);

	if (!generation)
		return 0;
	if (family == 4)
		return find4(address, side, *generation);
	if (family == 6)
		return find6(address, side, *generation);
	return 0;
}

/* Rendered before the first rule that asks for a list or a table of that side. */
#define FIND_SOURCE source = find_address(p.source, p.family, SIDE_SOURCE);
#define FIND_DESTINATION destination = find_address(p.destination, p.family, SIDE_DESTINATION);

#else

struct address_entry {
	__u64 lists[1];
	__u32 tables[1];
};

#endif
#endif
