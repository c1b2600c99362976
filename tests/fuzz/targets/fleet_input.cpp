// SPDX-License-Identifier: Apache-2.0
// What agents and clients are sent, and what job files hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <particle_fleet/dag.hpp>
#include <particle_fleet/event.hpp>
#include <particle_fleet/failure.hpp>

#include "agent/member_list.hpp"
#include "model/base64.hpp"
#include "model/job_json.hpp"
#include "wire/address.hpp"
#include "wire/channel.hpp"
#include "wire/error_json.hpp"
#include "wire/secret.hpp"
#include "wire/tls.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace particle::fleet;
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  if (const auto event = parse_event(text)) {
    // What was read is written so that it reads the same.
    const auto again = parse_event(to_json_line(*event));
    if (!again || to_json_line(*again) != to_json_line(*event)) std::abort();
  }
  static_cast<void>(parse_dag(text));
  static_cast<void>(TcpAddress::parse(text));
  if (const auto bytes = decode_base64(text)) {
    if (encode_base64(*bytes) != text) std::abort();
  }
  if (const auto json = parse_json(text, "input")) {
    Faults faults;
    static_cast<void>(read_job(*json, "", faults));
    static_cast<void>(read_instance(*json, "", faults));
    static_cast<void>(error_from_json(*json).message());
  }
  if (const auto names = TlsNames::parse(text)) {
    if (names->to_identity() != text) std::abort();
  }
  if (const auto entry = MemberEntry::parse(text)) {
    if (!MemberEntry::parse(entry->to_text())) std::abort();
  }
  static_cast<void>(find_secret(text));
  for (const std::string& line : last_lines(text, 3)) {
    if (line.find('\n') != std::string::npos) std::abort();
  }
  LineCutter cutter(64);
  static_cast<void>(cutter.feed(text, [](std::string_view line) {
    if (line.size() > 64) std::abort();
  }));
  return 0;
}
