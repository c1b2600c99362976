/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring's own socket calls. Prints the name of an errno where there is no ring, or the ring refuses.
 *
 *   bind-uring connect SIBLING   what SIBLING's port 7777 saw of a TCP connection
 *   bind-uring send SIBLING      the same of a datagram from an unbound socket
 *   bind-uring bind              where a bind to any address ended up
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.11; newer than Debian 12's liburing. */
#define OP_BIND 56

static struct io_uring ring;

static int failed(int error) {
  puts(strerrorname_np(error));
  return 0;
}

static int submit(void) {
  struct io_uring_cqe* done = NULL;
  int result = io_uring_submit(&ring);
  if (result < 0 || (result = io_uring_wait_cqe(&ring, &done)) < 0) return result;
  result = done->res;
  io_uring_cqe_seen(&ring, done);
  return result;
}

static int open_by_ring(int type) {
  io_uring_prep_socket(io_uring_get_sqe(&ring), AF_INET, type, 0, 0);
  return submit();
}

static int print_answer(int fd) {
  char text[64] = {0};
  if (read(fd, text, sizeof(text) - 1) < 0) return failed(errno);
  puts(text);
  return 0;
}

static int connect_to(struct sockaddr_in* to) {
  const int fd = open_by_ring(SOCK_STREAM);
  int error = 0;
  if (fd < 0) return failed(-fd);
  io_uring_prep_connect(io_uring_get_sqe(&ring), fd, (struct sockaddr*)to, sizeof(*to));
  error = submit();
  return error < 0 ? failed(-error) : print_answer(fd);
}

static int send_to(struct sockaddr_in* to) {
  const int fd = open_by_ring(SOCK_DGRAM);
  struct iovec part = {"?", 1};
  struct msghdr message = {
      .msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = &part, .msg_iovlen = 1};
  int error = 0;
  if (fd < 0) return failed(-fd);
  io_uring_prep_sendmsg(io_uring_get_sqe(&ring), fd, &message, 0);
  error = submit();
  return error < 0 ? failed(-error) : print_answer(fd);
}

static int bind_to_any(void) {
  struct sockaddr_in name = {.sin_family = AF_INET};
  socklen_t size = sizeof(name);
  const int fd = open_by_ring(SOCK_STREAM);
  int error = 0;
  if (fd < 0) return failed(-fd);
  io_uring_prep_rw(OP_BIND, io_uring_get_sqe(&ring), fd, &name, 0, sizeof(name));
  error = submit();
  if (error < 0) return failed(-error);
  if (getsockname(fd, (struct sockaddr*)&name, &size) != 0) return failed(errno);
  puts(inet_ntoa(name.sin_addr));
  return 0;
}

int main(int argc, char** argv) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7777)};
  const int error = io_uring_queue_init(4, &ring, 0);
  if (error < 0) return failed(-error);
  if (argc == 2 && strcmp(argv[1], "bind") == 0) return bind_to_any();
  if (argc != 3 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) return 2;
  return strcmp(argv[1], "send") == 0 ? send_to(&to) : connect_to(&to);
}
