/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's 32-bit entry from a 64-bit program: binds 0.0.0.0 by i386 system calls and prints where
 * the socket is, or the name of an errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define I386_SOCKET 359
#define I386_BIND 361

static int call32(int number, uint32_t a, uint32_t b, uint32_t c) {
  int result = 0;
#ifdef __x86_64__
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(a), "c"(b), "d"(c)
                   : "memory", "r8", "r9", "r10", "r11");
#else
  (void)number, (void)a, (void)b, (void)c;
  result = -ENOSYS;
#endif
  return result;
}

static int failed(int error) {
  puts(strerrorname_np(error));
  return 0;
}

int main(void) {
  /* Where 32 bits can point to. */
  struct sockaddr_in* name =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  struct sockaddr_in bound;
  socklen_t size = sizeof(bound);
  char text[INET_ADDRSTRLEN];
  int result = 0;
  const int fd = call32(I386_SOCKET, AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return failed(-fd);
  name->sin_family = AF_INET;
  result = call32(I386_BIND, (uint32_t)fd, (uint32_t)(uintptr_t)name, sizeof(*name));
  if (result < 0) return failed(-result);
  if (getsockname(fd, (struct sockaddr*)&bound, &size) != 0) return failed(errno);
  puts(inet_ntop(AF_INET, &bound.sin_addr, text, sizeof(text)));
  return 0;
}
