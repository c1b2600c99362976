// SPDX-License-Identifier: Apache-2.0
/// Marks that tracers see: USDT probes of the provider `particle`, one no-op instruction each while
/// nobody looks. `particle trace` reads them, and so does anything that knows USDT (bpftrace, perf).
/// Built without systemtap's sys/sdt.h they are nothing at all.
///
///     step_begin(const char* name)   a step of figure 3.1 begins on this thread: "S1", "VTEP" ...
///     step_end(const char* name)     it ended, however it ended
///
/// Steps that go to the kernel as one batch are marked as one, by the first one's name; with
/// ApplyOptions::step_by_step (`create-pool --timings`) each has its own marks.
///
/// Threads: any; a thread is in one step at a time.
#pragma once

#if __has_include(<sys/sdt.h>)
// Arguments in registers: libbpf cannot read those that the compiler leaves at base + index * scale.
#ifndef STAP_SDT_ARG_CONSTRAINT
#define STAP_SDT_ARG_CONSTRAINT r
#endif
#include <sys/sdt.h>
#define PARTICLE_MARK(probe, argument) DTRACE_PROBE1(particle, probe, argument)
#else
#define PARTICLE_MARK(probe, argument) static_cast<void>(argument)
#endif

namespace particle {

inline void mark_step_begin(const char* name) noexcept {
  PARTICLE_MARK(step_begin, name);
}

inline void mark_step_end(const char* name) noexcept {
  PARTICLE_MARK(step_end, name);
}

}  // namespace particle

#undef PARTICLE_MARK
