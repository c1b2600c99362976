/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the preload library learns who the process is: PARTICLE_BIND, the bytes of struct pb_endpoint as
 * hexadecimal digits. Written by the same build that reads it; anything else is refused.
 */
/* NOLINTBEGIN: C, which eBPF objects and a C library include too; names as the kernel spells its own. */
#ifndef PARTICLE_SHIM_CONFIG_H
#define PARTICLE_SHIM_CONFIG_H

#include <stddef.h>

#include "../policy/policy.h"

#define PB_CONFIG_VARIABLE "PARTICLE_BIND"

/* 16 for what is no digit. */
PB_INLINE unsigned int pb_hex_digit(char c) {
  static const char digits[] = "0123456789abcdef";
  unsigned int value = 0;
  while (value < 16 && digits[value] != c) {
    value++;
  }
  return value;
}

/* Returns whether `text` was exactly one endpoint. */
PB_INLINE int pb_parse_config(const char* text, struct pb_endpoint* endpoint) {
  unsigned char bytes[sizeof(*endpoint)];
  size_t i = 0;
  if (text == NULL) {
    return 0;
  }
  for (i = 0; i < sizeof(bytes); i++) {
    const unsigned int high = pb_hex_digit(text[2 * i]);
    const unsigned int low = high > 15 ? 16 : pb_hex_digit(text[2 * i + 1]);
    if (low > 15) {
      return 0;
    }
    bytes[i] = (high << 4 | low) & 0xffU;
  }
  if (text[2 * sizeof(bytes)] != '\0') {
    return 0;
  }
  __builtin_memcpy(endpoint, bytes, sizeof(bytes));
  return 1;
}

#endif
/* NOLINTEND */
