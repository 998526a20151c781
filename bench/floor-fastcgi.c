/*
 * The floor for FastCGI: an epoll loop that finds the end of each request on kept connections and answers with a
 * constant. No variable is decoded, nothing is allocated for a request. What a server costs above this is what it does.
 *
 *     floor-fastcgi SOCKET
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER = 8, FCGI_STDIN = 5, MAX_CONNECTIONS = 4096, BUFFER = 131072 };

#define BODY                                                                                                           \
	"Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!"

/* A connection between two reads: what is left of the record that the last read ended in. */
struct connection {
	uint8_t header[HEADER];
	size_t header_length;
	size_t skip;
};

static struct connection connections[MAX_CONNECTIONS];
static uint8_t input[BUFFER];
static uint8_t answer[HEADER + sizeof(BODY) - 1 + 7 + HEADER + HEADER];
static size_t answer_length;

static void put_record(uint8_t type, const void *content, size_t length) {
	size_t padding = (8 - length % 8) % 8;
	uint8_t *at = answer + answer_length;
	memset(at, 0, HEADER + length + padding);
	at[0] = 1;
	at[1] = type;
	at[3] = 1;
	at[4] = (uint8_t)(length >> 8);
	at[5] = (uint8_t)length;
	at[6] = (uint8_t)padding;
	memcpy(at + HEADER, content, length);
	answer_length += HEADER + length + padding;
}

/* Counts the requests that end in these bytes: each ends with an empty STDIN record. */
static int feed(struct connection *c, const uint8_t *bytes, size_t length) {
	int ended = 0;
	while (length > 0) {
		if (c->skip > 0) {
			size_t skipped = c->skip < length ? c->skip : length;
			c->skip -= skipped;
			bytes += skipped;
			length -= skipped;
			continue;
		}
		c->header[c->header_length++] = *bytes++;
		length--;
		if (c->header_length < HEADER) continue;
		size_t content = (size_t)c->header[4] << 8 | c->header[5];
		c->skip = content + c->header[6];
		if (c->header[1] == FCGI_STDIN && content == 0) ended++;
		c->header_length = 0;
	}
	return ended;
}

static void fail(const char *what) {
	perror(what);
	exit(1);
}

int main(int count, char **arguments) {
	if (count != 2) {
		fprintf(stderr, "floor-fastcgi SOCKET\n");
		return 2;
	}
	static const uint8_t end_request[8];
	put_record(6, BODY, sizeof(BODY) - 1);
	put_record(3, end_request, sizeof(end_request));

	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(arguments[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "the path of the socket is too long\n");
		return 2;
	}
	strcpy(address.sun_path, arguments[1]);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0) fail("bind");
	if (listen(listener, 2048) < 0) fail("listen");

	int poll = epoll_create1(0);
	struct epoll_event watched = { .events = EPOLLIN, .data.fd = listener };
	if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &watched) < 0) fail("epoll");

	for (;;) {
		struct epoll_event events[64];
		int ready = epoll_wait(poll, events, 64, -1);
		if (ready < 0 && errno != EINTR) fail("epoll_wait");
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				if (client < 0) continue;
				if (client >= MAX_CONNECTIONS) {
					close(client);
					continue;
				}
				memset(&connections[client], 0, sizeof(connections[client]));
				watched.data.fd = client;
				if (epoll_ctl(poll, EPOLL_CTL_ADD, client, &watched) < 0) fail("epoll_ctl");
				continue;
			}
			ssize_t length = read(fd, input, sizeof(input));
			if (length < 0 && errno == EAGAIN) continue;
			if (length <= 0) {
				close(fd);
				continue;
			}
			for (int left = feed(&connections[fd], input, (size_t)length); left > 0; left--) {
				/* A front server that left is seen by the next read. */
				if (send(fd, answer, answer_length, MSG_NOSIGNAL) < 0) break;
			}
		}
	}
}
