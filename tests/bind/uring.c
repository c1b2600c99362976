/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring's own socket calls: connects to SIBLING's port 7777 without connect(2), and prints what the
 * sibling saw, or the name of an errno.
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

static int failed(int error) {
  puts(strerrorname_np(error));
  return 0;
}

static int submit(struct io_uring* ring) {
  struct io_uring_cqe* done = NULL;
  int result = io_uring_submit(ring);
  if (result < 0 || (result = io_uring_wait_cqe(ring, &done)) < 0) return result;
  result = done->res;
  io_uring_cqe_seen(ring, done);
  return result;
}

int main(int argc, char** argv) {
  struct io_uring ring;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7777)};
  char text[64] = {0};
  int fd = -1;
  int error = io_uring_queue_init(4, &ring, 0);
  if (argc != 2) return 2;
  if (error < 0) return failed(-error);
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  io_uring_prep_socket(io_uring_get_sqe(&ring), AF_INET, SOCK_STREAM, 0, 0);
  fd = submit(&ring);
  if (fd < 0) return failed(-fd);
  io_uring_prep_connect(io_uring_get_sqe(&ring), fd, (struct sockaddr*)&to, sizeof(to));
  error = submit(&ring);
  if (error < 0) return failed(-error);
  if (read(fd, text, sizeof(text) - 1) < 0) return failed(errno);
  puts(text);
  return 0;
}
