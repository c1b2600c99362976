// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace particle::trace {

/// Milliseconds inside the programs of an object, all processors together, since the kernel was told
/// to count (BPF_ENABLE_STATS). Kernel: 5.8.
inline double programs_ms(const bpf_object* object) {
  double ns = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    const int fd = bpf_program__fd(program);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
      ns += static_cast<double>(info.run_time_ns);
    }
  }
  return ns / 1e6;
}

}  // namespace particle::trace
