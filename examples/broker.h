// SPDX-License-Identifier: Apache-2.0
/* A socket from the agent's broker, with its rings: docs/protocol.md in C. Used by xsk.c, and yours
 * to take along. Needs the header of libxdp (Debian: libxdp-dev), and nothing to link.
 *
 * xsk_umem__create_with_fd() of libxdp is no help here: it gives a socket its memory and fill ring,
 * and for one that is bound the kernel answers EBUSY. The broker's are bound, because whoever has
 * an unbound one may choose any queue of the machine. So the rings are mapped here, and libxdp's
 * functions work on them, with the memory barriers of every architecture.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xdp/xsk.h>

#ifndef XDP_PKT_CONTD /* Linux 6.6 */
#define XDP_PKT_CONTD 1
#endif

enum { RECORD = 512 };

struct queue {
	int fd;
	const char *umem;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void end(const char *record)
{
	fprintf(stderr, "%s\n", record);
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

/* The socket and the memfd that `bound` came with, ready to receive `frames` of `octets`. */
static struct queue map_queue(const int got[2], __u32 frames, __u32 octets)
{
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);

	if (getsockopt(got[0], SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
		fail("XDP_MMAP_OFFSETS");
	char *r = map(got[0], at.rx.desc + frames * sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	char *f = map(got[0], at.fr.desc + frames * sizeof(__u64), XDP_UMEM_PGOFF_FILL_RING);
	struct queue made = { .fd = got[0], .umem = map(got[1], (size_t)frames * octets, 0) };

	made.rx = (struct xsk_ring_cons){ .mask = frames - 1,
					  .size = frames,
					  .ring = r + at.rx.desc,
					  .producer = (__u32 *)(r + at.rx.producer),
					  .consumer = (__u32 *)(r + at.rx.consumer) };
	made.fill = (struct xsk_ring_prod){ .mask = frames - 1,
					    .size = frames,
					    .ring = f + at.fr.desc,
					    .producer = (__u32 *)(f + at.fr.producer),
					    .consumer = (__u32 *)(f + at.fr.consumer) };
	/* All of the UMEM is in the fill ring; the kernel may have taken some of it already. */
	made.fill.cached_prod = *made.fill.producer;
	close(got[1]);
	return made;
}
