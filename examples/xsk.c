// SPDX-License-Identifier: Apache-2.0
/* Receives the frames of a queue and prints them, without any privilege.
 *
 *	cc -O2 -o xsk examples/xsk.c
 *	./xsk /run/xdpredirect/sockets eth0 0
 *
 * Needs the header of libxdp (Debian: libxdp-dev), and nothing to link. docs/protocol.md is what is
 * said here. The socket comes bound, with its UMEM: xsk_umem__create_with_fd() is for one that is
 * neither, and the kernel answers it with EBUSY. So the rings are mapped here, and libxdp's functions
 * work on them with the memory barriers of every architecture.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xdp/xsk.h>

enum { FRAMES = 2048, OCTETS = 2048, RECORD = 512, AGAIN_MS = 100 };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Sends one record, with a descriptor unless it is -1, and reads the answer with its descriptors.
 * Returns the length of the answer, 0 when there is no broker any more. */
static ssize_t ask(int broker, const char *record, int give, char *answer, int got[2])
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr header;
	} control = { 0 };
	struct iovec data = { (void *)record, strlen(record) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (give >= 0) {
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &give, sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int));
	}
	if (sendmsg(broker, &message, MSG_NOSIGNAL) < 0)
		return 0;
	data = (struct iovec){ answer, RECORD };
	message = (struct msghdr){ .msg_iov = &data, .msg_iovlen = 1 };
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	ssize_t length = recvmsg(broker, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	answer[length > 0 ? length : 0] = 0;
	if (length > 0 && rights && rights->cmsg_len == CMSG_LEN(2 * sizeof(int)))
		memcpy(got, CMSG_DATA(rights), 2 * sizeof(int));
	return length > 0 ? length : 0;
}

/* A connection that has said hello, or -1. */
static int greet(const char *directory)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int broker = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), none[2];
	char answer[RECORD + 1] = "";

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/broker.sock", directory);
	if (connect(broker, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    ask(broker, "hello 1 xsk.c", -1, answer, none) && strcmp(answer, "hello 1") == 0)
		return broker;
	fputs(answer, stderr);
	close(broker);
	return -1;
}

static void *map(int fd, size_t octets, off_t page)
{
	void *memory = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

/* Prints what has arrived and gives the memory back; returns how many frames it was. */
static unsigned int receive(struct xsk_ring_cons *rx, struct xsk_ring_prod *fill, const char *umem)
{
	__u32 from = 0, to = 0, count = xsk_ring_cons__peek(rx, 64, &from);

	/* Never full: it has an entry for every frame of the UMEM. */
	xsk_ring_prod__reserve(fill, count, &to);
	for (__u32 i = 0; i < count; i++) {
		const struct xdp_desc *frame = xsk_ring_cons__rx_desc(rx, from + i);

		printf("%u ", frame->len);
		for (__u32 n = 0; n < frame->len; n++)
			printf("%02x", (unsigned char)umem[frame->addr + n]);
		puts("");
		*xsk_ring_prod__fill_addr(fill, to + i) = frame->addr & ~(__u64)(OCTETS - 1);
	}
	xsk_ring_prod__submit(fill, count);
	xsk_ring_cons__release(rx, count);
	return count;
}

/* The broker has said something unasked, or has gone: then the next one gets to know the socket. */
static int attend(int broker, const char *directory, const char *place, int xsk)
{
	char record[RECORD + 1] = "", answer[RECORD + 1];
	int none[2];

	if (broker >= 0 && recv(broker, record, RECORD, 0) > 0) {
		fprintf(stderr, "%s\n", record);
		exit(1);
	}
	close(broker);
	broker = greet(directory);
	snprintf(record, sizeof(record), "return %s", place);
	if (broker >= 0 && ask(broker, record, xsk, answer, none) && strncmp(answer, "kept ", 5)) {
		fprintf(stderr, "%s\n", answer);
		exit(1);
	}
	return broker;
}

int main(int argc, char **argv)
{
	char record[RECORD], place[RECORD / 2], answer[RECORD + 1];
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);
	int got[2] = { -1, -1 };

	if (argc != 4) {
		fprintf(stderr, "usage: %s DIRECTORY INTERFACE QUEUE\n", argv[0]);
		return 2;
	}
	snprintf(place, sizeof(place), "%s %s", argv[2], argv[3]);
	snprintf(record, sizeof(record), "take %s %d %d", place, FRAMES, OCTETS);
	int broker = greet(argv[1]);

	if (broker < 0)
		fail(argv[1]);
	if (!ask(broker, record, -1, answer, got) || got[1] < 0) {
		fprintf(stderr, "%s\n", answer);
		return 1;
	}
	int xsk = got[0];
	char *umem = map(got[1], FRAMES * OCTETS, 0);

	if (getsockopt(xsk, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
		fail("XDP_MMAP_OFFSETS");
	char *r = map(xsk, at.rx.desc + FRAMES * sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	char *f = map(xsk, at.fr.desc + FRAMES * sizeof(__u64), XDP_UMEM_PGOFF_FILL_RING);
	struct xsk_ring_cons rx = { .mask = FRAMES - 1,
				    .size = FRAMES,
				    .ring = r + at.rx.desc,
				    .producer = (__u32 *)(r + at.rx.producer),
				    .consumer = (__u32 *)(r + at.rx.consumer) };
	struct xsk_ring_prod fill = { .mask = FRAMES - 1,
				      .size = FRAMES,
				      .ring = f + at.fr.desc,
				      .producer = (__u32 *)(f + at.fr.producer),
				      .consumer = (__u32 *)(f + at.fr.consumer) };

	/* All of the UMEM is in the fill ring; the kernel may have taken some of it already. */
	fill.cached_prod = *fill.producer;
	fprintf(stderr, "%s\n", answer);
	for (;;) {
		struct pollfd ready[] = { { xsk, POLLIN, 0 }, { broker, POLLIN, 0 } };

		/* A negative descriptor is not waited for, and the next broker is tried soon. */
		if (poll(ready, 2, broker < 0 ? AGAIN_MS : -1) < 0)
			fail("poll");
		if (broker < 0 || ready[1].revents)
			broker = attend(broker, argv[1], place, xsk);
		while (receive(&rx, &fill, umem))
			fflush(stdout);
	}
}
