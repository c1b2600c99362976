// SPDX-License-Identifier: Apache-2.0
#include "libbpf/bpf_error.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include <bpf/libbpf.h>

namespace particle::bpf {
namespace {

thread_local std::string last_words;

int keep(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) {
    return 0;
  }
  std::array<char, 512> line{};
  std::vsnprintf(line.data(), line.size(), format, arguments);
  last_words = line.data();
  while (!last_words.empty() && last_words.back() == '\n') {
    last_words.pop_back();
  }
  return 0;
}

}  // namespace

void listen_to_libbpf() {
  libbpf_set_print(keep);
}

std::string take_last_words() {
  return std::exchange(last_words, {});
}

Error bpf_error(int error, std::string operation, std::string hint) {
  Error out = Error::from_errno(error, std::move(operation), std::move(hint));
  out.kernel_message = take_last_words();
  return out;
}

}  // namespace particle::bpf
