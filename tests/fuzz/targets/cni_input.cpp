// SPDX-License-Identifier: Apache-2.0
// Bytes as particle-cni's configuration, previous result and attachment record: what is accepted is
// usable and prints; what is not is an error of the documented kinds, never an exception.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "attachment.hpp"
#include "netconf.hpp"
#include "result.hpp"

namespace {

using namespace particle::cni;

void require(bool condition) {
  if (!condition) std::abort();
}

void read_configuration(std::string_view text) {
  const auto conf = parse_netconf(text);
  require(find_version(version_for_errors(text)).has_value());
  if (!conf) {
    const Code code = conf.error().code;
    require(code == Code::decoding || code == Code::incompatible_version ||
            code == Code::invalid_config || code == Code::unsupported_field);
    require(nlohmann::json::accept(to_text(conf.error(), kNewestVersion)));
    return;
  }
  require(particle::check_name("name", conf->name, 255).has_value());
  require(conf->run_dir.starts_with('/'));
  if (conf->fault) {
    require(nlohmann::json::accept(to_text(*conf->fault, kNewestVersion)));
    return;
  }
  require(particle::check(conf->spec).empty());
  AddResult added;
  added.ifname = "eth0";
  const auto printed = to_text(added, conf->prev_result, conf->version);
  require(!printed || nlohmann::json::accept(*printed));
}

void read_record(std::string_view text) {
  const auto record = parse_attachment(text, "record.json");
  if (!record) {
    const auto kind = record.error().kind();
    require(kind == particle::Errc::corrupt_state || kind == particle::Errc::unsupported);
    require(record.error().operation.find("record.json") != std::string::npos);
    return;
  }
  const std::string printed = to_text(*record);
  const auto again = parse_attachment(printed, "record.json");
  require(again.has_value() && to_text(*again) == printed);
}

void read_holder(std::string_view text) {
  const auto key = AttachmentKey::from_holder(text);
  if (!key) return;
  const auto holder = key->holder();
  if (holder) require(AttachmentKey::from_holder(*holder) == key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_configuration(text);
  read_record(text);
  read_holder(text);
  (void)parse_previous(std::string(text));
  return 0;
}
