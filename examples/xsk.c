// SPDX-License-Identifier: Apache-2.0
/* Receives the frames of a queue and prints them, without any privilege.
 *
 *	cc -O2 -o xsk examples/xsk.c
 *	./xsk /run/xdpredirect/sockets eth0 0
 *
 * Needs the header of libxdp (Debian: libxdp-dev), and nothing to link. broker.h has what is said to
 * the broker, how the rings come into memory, and why libxdp does not map them.
 */
#include <poll.h>

#include "broker.h"

enum { FRAMES = 2048, OCTETS = 2048, BATCH = 64, AGAIN_MS = 100 };

/* Prints a frame after its last piece. One that fits into a place of the UMEM is a single piece. */
static void piece(const char *octets, __u32 count, int more)
{
	static unsigned char whole[1 << 18];
	static size_t length;

	if (length + count > sizeof(whole))
		end("a frame without an end");
	memcpy(whole + length, octets, count);
	length += count;
	if (more)
		return;
	printf("%zu ", length);
	for (size_t n = 0; n < length; n++)
		printf("%02x", whole[n]);
	puts("");
	length = 0;
}

/* Takes what has arrived and gives the memory back; returns how many pieces it was. */
static __u32 receive(struct queue *queue)
{
	__u32 from = 0, to = 0, count = xsk_ring_cons__peek(&queue->rx, BATCH, &from);

	/* Never full: it has an entry for every frame of the UMEM. */
	xsk_ring_prod__reserve(&queue->fill, count, &to);
	for (__u32 i = 0; i < count; i++) {
		const struct xdp_desc *at = xsk_ring_cons__rx_desc(&queue->rx, from + i);

		piece(queue->umem + at->addr, at->len, at->options & XDP_PKT_CONTD);
		/* It points behind the headroom of its place in the UMEM. */
		*xsk_ring_prod__fill_addr(&queue->fill, to + i) = at->addr & -(__u64)OCTETS;
	}
	xsk_ring_prod__submit(&queue->fill, count);
	xsk_ring_cons__release(&queue->rx, count);
	return count;
}

/* The broker has said something unasked, or has gone: then the next one gets to know the socket. */
static int attend(int broker, const char *directory, const char *place, int fd)
{
	char record[RECORD + 1] = "", answer[RECORD + 1];
	int none[2];

	if (broker >= 0 && recv(broker, record, RECORD, 0) > 0)
		end(record);
	close(broker);
	broker = greet(directory);
	snprintf(record, sizeof(record), "return %s", place);
	if (broker >= 0 && ask(broker, record, fd, answer, none) && strncmp(answer, "kept ", 5))
		end(answer);
	return broker;
}

int main(int argc, char **argv)
{
	char record[RECORD], place[RECORD / 2], answer[RECORD + 1] = "";
	int got[2] = { -1, -1 };

	if (argc != 4) {
		fprintf(stderr, "usage: %s DIRECTORY INTERFACE QUEUE\n", argv[0]);
		return 2;
	}
	int broker = greet(argv[1]);

	if (broker < 0)
		fail(argv[1]);
	snprintf(place, sizeof(place), "%s %s", argv[2], argv[3]);
	snprintf(record, sizeof(record), "take %s %d %d multi-buffer", place, FRAMES, OCTETS);
	if (!ask(broker, record, -1, answer, got) || got[1] < 0)
		end(answer);
	fprintf(stderr, "%s\n", answer);
	struct queue queue = map_queue(got, FRAMES, OCTETS);

	/* Until a signal, or the broker, ends the process; the kernel then gives the queue back. */
	for (;;) {
		struct pollfd ready[] = { { queue.fd, POLLIN, 0 }, { broker, POLLIN, 0 } };

		/* A negative descriptor is not waited for, and the next broker is tried soon. */
		if (poll(ready, 2, broker < 0 ? AGAIN_MS : -1) < 0)
			fail("poll");
		if (broker < 0 || ready[1].revents)
			broker = attend(broker, argv[1], place, queue.fd);
		while (receive(&queue))
			fflush(stdout);
	}
}
