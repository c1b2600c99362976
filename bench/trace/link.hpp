// SPDX-License-Identifier: Apache-2.0
/// What attaches an eBPF program, until it goes.
#pragma once

#include <memory>

#include <bpf/libbpf.h>

namespace particle::trace {

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

}  // namespace particle::trace
