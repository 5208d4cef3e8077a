/* SPDX-License-Identifier: Apache-2.0 */
/* Words that come from outside, and the service manager: what needs no server. */
#include "attest/serve_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/digest.h"

static int parse_port(const char *text, uint16_t *ret)
{
	unsigned v = 0;

	if (text[0] == '\0' || strlen(text) > 5)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		v = 10 * v + (unsigned)(*text - '0');
	}
	if (v > UINT16_MAX)
		return -1;
	*ret = (uint16_t)v;
	return 0;
}

int assay_serve_address(const char *text, bool any, struct sockaddr_storage *ret, size_t *ret_len,
			struct assay_err *err)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	bool loopback = false;
	uint16_t port = 0;

	const size_t len = colon ? (size_t)(colon - text) : 0;
	if (len == 0 || len >= sizeof(host) || parse_port(colon + 1, &port) < 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "'%s' is not ADDRESS:PORT", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1) {
			ss.ss_family = AF_INET6;
			v6->sin6_port = htons(port);
			loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
			*ret_len = sizeof(*v6);
		}
	} else if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		ss.ss_family = AF_INET;
		v4->sin_port = htons(port);
		loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
		*ret_len = sizeof(*v4);
	}
	if (ss.ss_family == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "'%s': neither an IPv4 address nor an IPv6 address in brackets", text);
	if (!loopback && !any)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "'%s' is not an address of the loopback interface", text);
	*ret = ss;
	return 0;
}

int assay_serve_query(const char *query, uint8_t ret[ASSAY_SERVE_NONCE_MAX], size_t *ret_len, struct assay_err *err)
{
	static const char name[] = "nonce=";
	const char *hex = query + sizeof(name) - 1;

	if (strncmp(query, name, sizeof(name) - 1) != 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "the one parameter there is: nonce=HEX");
	const size_t len = strlen(hex);
	if (len < 16 || len > 2 * (size_t)ASSAY_SERVE_NONCE_MAX || len % 2 != 0 || !assay_unhex(hex, len, ret, len / 2))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "nonce: 16 to %d hex digits, an even number of them", 2 * ASSAY_SERVE_NONCE_MAX);
	*ret_len = len / 2;
	return 0;
}

int assay_serve_notify(const char *state, struct assay_err *err)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (!where || where[0] == '\0')
		return 0;
	const size_t len = strlen(where);
	if ((where[0] != '/' && where[0] != '@') || len >= sizeof(to.sun_path))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "NOTIFY_SOCKET is neither a path nor an abstract name");
	memcpy(to.sun_path, where, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return assay_fail_sys(err, "NOTIFY_SOCKET");
	const size_t size = offsetof(struct sockaddr_un, sun_path) + len + (where[0] == '@' ? 0 : 1);
	const ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, (socklen_t)size);
	const int r = n < 0 ? assay_fail_sys(err, "NOTIFY_SOCKET %s", where) : 0;
	close(fd);
	return r;
}
