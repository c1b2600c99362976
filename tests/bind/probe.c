/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One deed of a program that knows nothing of Particle, and what came of it as one line on stdout: an
 * address, or the name of an errno. tests/e2e/bind_matrix.cpp runs it under every mechanism.
 *
 *   bind-probe ROW [SIBLING]     SIBLING runs `bind-probe serve`
 *
 * Built three times: dynamic, static, and with every socket call as a bare system call (PROBE_RAW).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT 7777
#define LOCAL_PORT 6379
#define ARRAY(a) (sizeof(a) / sizeof((a)[0]))

#ifdef PROBE_RAW
#define socket(a, b, c) (int)syscall(SYS_socket, a, b, c)
#define bind(a, b, c) (int)syscall(SYS_bind, a, b, c)
#define connect(a, b, c) (int)syscall(SYS_connect, a, b, c)
#define listen(a, b) (int)syscall(SYS_listen, a, b)
#define getsockname(a, b, c) (int)syscall(SYS_getsockname, a, b, c)
#define getpeername(a, b, c) (int)syscall(SYS_getpeername, a, b, c)
#define sendto(a, b, c, d, e, f) syscall(SYS_sendto, a, b, c, d, e, f)
#define sendmsg(a, b, c) syscall(SYS_sendmsg, a, b, c)
#define sendmmsg(a, b, c, d) (int)syscall(SYS_sendmmsg, a, b, c, d)
#define recvfrom(a, b, c, d, e, f) syscall(SYS_recvfrom, a, b, c, d, e, f)
#endif

union name {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un un;
};

static const char* sibling = "127.0.0.1";

static int result(const char* text) {
  puts(text);
  fflush(stdout);
  return 0;
}
static int failed(void) {
  return result(strerrorname_np(errno));
}

static socklen_t make(union name* name, const char* address, int port) {
  memset(name, 0, sizeof(*name));
  if (strchr(address, ':') != NULL) {
    name->v6.sin6_family = AF_INET6;
    name->v6.sin6_port = htons((in_port_t)port);
    inet_pton(AF_INET6, address, &name->v6.sin6_addr);
    return sizeof(name->v6);
  }
  name->v4.sin_family = AF_INET;
  name->v4.sin_port = htons((in_port_t)port);
  inet_pton(AF_INET, address, &name->v4.sin_addr);
  return sizeof(name->v4);
}

static const char* text_of(const union name* name) {
  static char text[4][INET6_ADDRSTRLEN];
  static int next;
  char* out = text[next++ % 4];
  inet_ntop(name->any.sa_family,
            name->any.sa_family == AF_INET6 ? (const void*)&name->v6.sin6_addr
                                            : (const void*)&name->v4.sin_addr,
            out, INET6_ADDRSTRLEN);
  return out;
}

static int print_name(int fd) {
  union name name;
  socklen_t size = sizeof(name);
  return getsockname(fd, &name.any, &size) != 0 ? failed() : result(text_of(&name));
}

static int open_for(const char* address, int type, int protocol) {
  const int fd = socket(strchr(address, ':') != NULL ? AF_INET6 : AF_INET, type, protocol);
  const int on = 1;
  /* The rows follow each other faster than TIME_WAIT ends. */
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return fd;
}

static int bind_and_print(const char* address, int type, int protocol, int v6only) {
  union name name;
  const socklen_t size = make(&name, address, PORT);
  const int fd = open_for(address, type, protocol);
  if (fd < 0) return failed();
  if (v6only) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
  if (bind(fd, &name.any, size) != 0) return failed();
  return print_name(fd);
}

/* A server on loopback and its client in one process: what both are shown. */
static int loopback(const char* address) {
  union name name;
  union name shown[3];
  socklen_t size = make(&name, address, LOCAL_PORT);
  socklen_t sizes[3] = {sizeof(name), sizeof(name), sizeof(name)};
  const int server = open_for(address, SOCK_STREAM, 0);
  const int client = open_for(address, SOCK_STREAM, 0);
  int accepted = -1;
  if (bind(server, &name.any, size) != 0 || listen(server, 4) != 0) return failed();
  if (connect(client, &name.any, size) != 0) return failed();
  accepted = accept(server, NULL, NULL);
  if (getsockname(server, &shown[0].any, &sizes[0]) != 0 ||
      getpeername(client, &shown[1].any, &sizes[1]) != 0 ||
      getsockname(accepted, &shown[2].any, &sizes[2]) != 0)
    return failed();
  printf("%s %s %s\n", text_of(&shown[0]), text_of(&shown[1]), text_of(&shown[2]));
  fflush(stdout);
  return 0;
}

/* A server on "any" is found at 127.0.0.1, as alone on a machine. */
static int any_by_loopback(const char* any, const char* local) {
  union name name;
  socklen_t size = make(&name, any, LOCAL_PORT);
  const int server = open_for(any, SOCK_STREAM, 0);
  const int client = open_for(local, SOCK_STREAM, 0);
  if (bind(server, &name.any, size) != 0 || listen(server, 4) != 0) return failed();
  size = make(&name, local, LOCAL_PORT);
  return connect(client, &name.any, size) != 0 ? failed() : result("connected");
}

static int listen_unbound(const char* family) {
  const int fd = open_for(family, SOCK_STREAM, 0);
  return listen(fd, 4) != 0 ? failed() : print_name(fd);
}

/* Is such a listener reached, at whatever address it says it has? */
static int listen_unbound_reached(void) {
  union name name;
  socklen_t size = sizeof(name);
  const int fd = open_for("0.0.0.0", SOCK_STREAM, 0);
  const int client = open_for("0.0.0.0", SOCK_STREAM, 0);
  if (listen(fd, 4) != 0 || getsockname(fd, &name.any, &size) != 0) return failed();
  return connect(client, &name.any, size) != 0 ? failed() : result("connected");
}

/* What the sibling saw: it answers with the source address. */
static int hear(int fd) {
  char text[INET6_ADDRSTRLEN + 1] = {0};
  struct pollfd ready = {fd, POLLIN, 0};
  if (poll(&ready, 1, 2000) != 1) return result("nothing heard");
  return recvfrom(fd, text, sizeof(text) - 1, 0, NULL, NULL) < 0 ? failed() : result(text);
}

static int connect_and_hear(int type, int protocol, int v6) {
  union name name;
  char mapped[64];
  socklen_t size = 0;
  int fd = -1;
  snprintf(mapped, sizeof(mapped), "%s%s", v6 ? "::ffff:" : "", sibling);
  size = make(&name, mapped, PORT);
  fd = open_for(mapped, type, protocol);
  if (fd < 0 || connect(fd, &name.any, size) != 0 || write(fd, "?", 1) != 1) return failed();
  return hear(fd);
}

static int send_and_hear(int how) {
  union name name;
  const socklen_t size = make(&name, sibling, PORT);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  char byte = '?';
  struct iovec part = {&byte, 1};
  struct mmsghdr message = {{&name, size, &part, 1, NULL, 0, 0}, 0};
  ssize_t sent = 0;
  if (how == 0) {
    sent = sendto(fd, &byte, 1, 0, &name.any, size);
  } else if (how == 1) {
    sent = sendmsg(fd, &message.msg_hdr, 0);
  } else {
    sent = sendmmsg(fd, &message, 1, 0);
  }
  return sent < 0 ? failed() : hear(fd);
}

/* The kernel takes an int from the lower half of an argument, a filter sees both halves. Always a bare
 * call: the C library's socket() takes ints. */
static int send_from_wide(void) {
  union name name;
  const socklen_t size = make(&name, sibling, PORT);
  char byte = '?';
  struct iovec part = {&byte, 1};
  const struct msghdr message = {&name, size, &part, 1, NULL, 0, 0};
  const long fd = syscall(SYS_socket, 1L << 32 | AF_INET, SOCK_DGRAM, 0);
  return fd < 0 || sendmsg((int)fd, &message, 0) < 0 ? failed() : hear((int)fd);
}

/* IP_PKTINFO asks for a source address: here the sibling's own. */
static int spoof(void) {
  union name name;
  union name from;
  const socklen_t size = make(&name, sibling, PORT);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  char byte = '?';
  char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {&name, size, &part, 1, control, sizeof(control), 0};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  struct in_pktinfo wanted = {0};
  make(&from, sibling, 0);
  wanted.ipi_spec_dst = from.v4.sin_addr;
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(wanted));
  memcpy(CMSG_DATA(header), &wanted, sizeof(wanted));
  return sendmsg(fd, &message, 0) < 0 ? failed() : hear(fd);
}

static int open_only(int family, int type, int protocol) {
  return socket(family, type, protocol) < 0 ? failed() : result("opened");
}

/* Binds the name given by SIBLING, and reports; a second endpoint does the same. */
static int abstract_name(void) {
  union name name = {.un = {.sun_family = AF_UNIX}};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(sibling));
  memcpy(name.un.sun_path + 1, sibling, strlen(sibling));
  return connect(fd, &name.any, size) != 0 ? failed() : result("connected");
}
static int abstract_serve(void) {
  union name name = {.un = {.sun_family = AF_UNIX}};
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(sibling));
  memcpy(name.un.sun_path + 1, sibling, strlen(sibling));
  if (bind(fd, &name.any, size) != 0 || listen(fd, 4) != 0) return failed();
  result("serving");
  for (;;) pause();
}
static int unix_path(void) {
  union name name = {.un = {.sun_family = AF_UNIX}};
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  int ok = 0;
  snprintf(name.un.sun_path, sizeof(name.un.sun_path), "/tmp/particle-test-probe-%d",
           (int)getpid());
  ok = bind(server, &name.any, sizeof(name.un)) == 0 && listen(server, 4) == 0 &&
       connect(client, &name.any, sizeof(name.un)) == 0;
  unlink(name.un.sun_path);
  return ok ? result("connected") : failed();
}

/* Ports below 1024 by the program's own rights. */
static int low_port_as_nobody(void) {
  union name name;
  const socklen_t size = make(&name, "0.0.0.0", 80);
  int fd = -1;
  if (setgid(65534) != 0 || setuid(65534) != 0) return failed();
  fd = socket(AF_INET, SOCK_STREAM, 0);
  return bind(fd, &name.any, size) != 0 ? failed() : print_name(fd);
}

/* Answers every TCP connection and every datagram with the address it came from. */
static int serve(void) {
  union name name;
  struct pollfd ready[3];
  const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_DGRAM};
  const int protocols[] = {0, 0, IPPROTO_UDPLITE};
  for (size_t i = 0; i < ARRAY(ready); i++) {
    const socklen_t size = make(&name, "0.0.0.0", PORT);
    ready[i].fd = open_for("0.0.0.0", types[i], protocols[i]);
    ready[i].events = POLLIN;
    if (ready[i].fd >= 0 && bind(ready[i].fd, &name.any, size) != 0) return failed();
  }
  if (listen(ready[0].fd, 64) != 0) return failed();
  result("serving");
  while (poll(ready, ARRAY(ready), -1) > 0) {
    for (size_t i = 0; i < ARRAY(ready); i++) {
      socklen_t size = sizeof(name);
      char byte = 0;
      if ((ready[i].revents & POLLIN) == 0) continue;
      if (i == 0) {
        const int fd = accept(ready[0].fd, &name.any, &size);
        const char* text = text_of(&name);
        if (write(fd, text, strlen(text)) < 0) return failed();
        close(fd);
      } else if (recvfrom(ready[i].fd, &byte, 1, 0, &name.any, &size) >= 0) {
        const char* text = text_of(&name);
        if (sendto(ready[i].fd, text, strlen(text), 0, &name.any, size) < 0) return failed();
      }
    }
  }
  return 1;
}

static int do_serve(void) {
  return serve();
}
static int do_bind_any4(void) {
  return bind_and_print("0.0.0.0", SOCK_STREAM, 0, 0);
}
static int do_bind_any4_udp(void) {
  return bind_and_print("0.0.0.0", SOCK_DGRAM, 0, 0);
}
static int do_bind_any6(void) {
  return bind_and_print("::", SOCK_STREAM, 0, 0);
}
static int do_bind_any6_udp(void) {
  return bind_and_print("::", SOCK_DGRAM, 0, 0);
}
static int do_bind_any6_only(void) {
  return bind_and_print("::", SOCK_STREAM, 0, 1);
}
static int do_bind_sibling(void) {
  return bind_and_print(sibling, SOCK_STREAM, 0, 0);
}
static int do_bind_foreign(void) {
  return bind_and_print("192.0.2.99", SOCK_STREAM, 0, 0);
}
static int do_bind_group(void) {
  return bind_and_print("224.0.0.251", SOCK_DGRAM, 0, 0);
}
static int do_bind_mptcp(void) {
  return bind_and_print("0.0.0.0", SOCK_STREAM, IPPROTO_MPTCP, 0);
}
static int do_loopback4(void) {
  return loopback("127.0.0.1");
}
static int do_loopback6(void) {
  return loopback("::1");
}
static int do_any_by_loopback(void) {
  return any_by_loopback("0.0.0.0", "127.0.0.1");
}
static int do_any6_by_loopback(void) {
  return any_by_loopback("::", "::1");
}
static int do_listen_unbound4(void) {
  return listen_unbound("0.0.0.0");
}
static int do_listen_unbound6(void) {
  return listen_unbound("::");
}
static int do_connect_tcp(void) {
  return connect_and_hear(SOCK_STREAM, 0, 0);
}
static int do_connect_tcp_mapped(void) {
  return connect_and_hear(SOCK_STREAM, 0, 1);
}
static int do_connect_udp(void) {
  return connect_and_hear(SOCK_DGRAM, 0, 0);
}
static int do_connect_udplite(void) {
  return connect_and_hear(SOCK_DGRAM, IPPROTO_UDPLITE, 0);
}
static int do_connect_mptcp(void) {
  return connect_and_hear(SOCK_STREAM, IPPROTO_MPTCP, 0);
}
static int do_sendto(void) {
  return send_and_hear(0);
}
static int do_sendmsg(void) {
  return send_and_hear(1);
}
static int do_sendmmsg(void) {
  return send_and_hear(2);
}
static int do_pktinfo_spoof(void) {
  return spoof();
}
static int do_raw(void) {
  return open_only(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int do_raw6(void) {
  return open_only(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
}
static int do_packet(void) {
  return open_only(AF_PACKET, SOCK_RAW, 0);
}
static int do_netlink(void) {
  return open_only(AF_NETLINK, SOCK_RAW, 0);
}
static int do_unix_path(void) {
  return unix_path();
}
static int do_abstract(void) {
  return abstract_name();
}
static int do_abstract_serve(void) {
  return abstract_serve();
}
static int do_low_port(void) {
  return low_port_as_nobody();
}

struct row {
  const char* name;
  int (*deed)(void);
  int in_all; /* part of "all" */
};

static const struct row rows[] = {
    {"serve", do_serve, 0},
    {"bind-any4", do_bind_any4, 1},
    {"bind-any4-udp", do_bind_any4_udp, 1},
    {"bind-any6", do_bind_any6, 1},
    {"bind-any6-udp", do_bind_any6_udp, 1},
    {"bind-any6-only", do_bind_any6_only, 1},
    {"bind-sibling", do_bind_sibling, 1},
    {"bind-foreign", do_bind_foreign, 1},
    {"bind-group", do_bind_group, 1},
    {"bind-mptcp", do_bind_mptcp, 1},
    {"loopback4", do_loopback4, 1},
    {"loopback6", do_loopback6, 1},
    {"any-by-loopback", do_any_by_loopback, 1},
    {"any6-by-loopback", do_any6_by_loopback, 1},
    {"listen-unbound4", do_listen_unbound4, 1},
    {"listen-unbound6", do_listen_unbound6, 1},
    {"listen-unbound-reached", listen_unbound_reached, 0},
    {"connect-tcp", do_connect_tcp, 1},
    {"connect-tcp-mapped", do_connect_tcp_mapped, 1},
    {"connect-udp", do_connect_udp, 1},
    {"connect-udplite", do_connect_udplite, 1},
    {"connect-mptcp", do_connect_mptcp, 1},
    {"sendto", do_sendto, 1},
    {"sendmsg", do_sendmsg, 1},
    {"sendmmsg", do_sendmmsg, 1},
    {"wide-socket", send_from_wide, 1},
    {"pktinfo-spoof", do_pktinfo_spoof, 1},
    {"raw", do_raw, 1},
    {"raw6", do_raw6, 1},
    {"packet", do_packet, 1},
    {"netlink", do_netlink, 1},
    {"unix-path", do_unix_path, 1},
    {"abstract", do_abstract, 0},
    {"abstract-serve", do_abstract_serve, 0},
    {"low-port", do_low_port, 1},
};

/* Every row in a process of its own, as "ROW RESULT" lines. */
static int run_all(void) {
  for (size_t i = 0; i < ARRAY(rows); i++) {
    int status = 0;
    if (!rows[i].in_all) continue;
    printf("%s ", rows[i].name);
    fflush(stdout);
    if (fork() == 0) _exit(rows[i].deed());
    if (wait(&status) < 0 || !WIFEXITED(status)) puts("died");
  }
  return 0;
}

static int run(const char* name) {
  if (strcmp(name, "all") == 0) return run_all();
  for (size_t i = 0; i < ARRAY(rows); i++) {
    if (strcmp(name, rows[i].name) == 0) return rows[i].deed();
  }
  fprintf(stderr, "bind-probe: no row %s\n", name);
  return 2;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  if (argc > 2) sibling = argv[2];
  return run(argv[1]);
}
