// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/event.hpp>

#include "model/event_json.hpp"
#include "model/names.hpp"

namespace particle::fleet {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

Json endpoint_to_json(const Endpoint& endpoint) {
  Json out = {{"index", endpoint.index}};
  if (endpoint.v4) out["v4"] = endpoint.v4->to_string();
  if (endpoint.v6) out["v6"] = endpoint.v6->to_string();
  return out;
}

void read_address(ObjectReader& reader, const char* key, std::optional<IpAddress>& out) {
  std::string text;
  reader.text(key, text);
  if (text.empty()) return;
  const Result<IpAddress> address = IpAddress::parse(text);
  if (address) {
    out = *address;
  } else {
    reader.fault(key, in_quotes(text) + " is no IP address");
  }
}

void read_endpoint(ObjectReader& reader, Event& event) {
  const Json* value = reader.find("endpoint");
  if (value == nullptr) return;
  Endpoint endpoint;
  ObjectReader part(*value, reader.path("endpoint."), reader.faults());
  endpoint.index = part.number("index").value_or(0);
  read_address(part, "v4", endpoint.v4);
  read_address(part, "v6", endpoint.v6);
  part.no_more();
  event.endpoint = endpoint;
}

void read_names(ObjectReader& reader, Event& event) {
  std::string phase;
  reader.need_text("phase", phase);
  if (const auto found = find_phase(phase)) {
    event.phase = *found;
  } else if (!phase.empty()) {
    reader.fault("phase", in_quotes(phase) + " is no phase");
  }
  std::string ended;
  reader.text("ended", ended);
  event.ended = find_ended(ended);
  if (!ended.empty() && !event.ended) reader.fault("ended", in_quotes(ended) + " is no way to end");
}

}  // namespace

Json event_to_json(const Event& event) {
  Json out = {
      {"job", event.job},
      {"instance", event.instance},
      {"attempt", event.attempt},
      {"node", event.node},
      {"phase", to_string(event.phase)},
      {"at_us", duration_cast<microseconds>(event.at.time_since_epoch()).count()},
  };
  if (event.endpoint) out["endpoint"] = endpoint_to_json(*event.endpoint);
  if (event.ended) {
    out["ended"] = to_string(*event.ended);
    out["status"] = event.status;
  }
  if (!event.detail.empty()) out["detail"] = event.detail;
  return out;
}

Result<Event> event_from_json(const Json& value) {
  Faults faults;
  Event event;
  ObjectReader reader(value, "", faults);
  reader.need_text("job", event.job);
  reader.need("instance");
  event.instance = reader.number("instance").value_or(0);
  event.attempt = static_cast<std::uint32_t>(reader.number("attempt", UINT32_MAX).value_or(0));
  reader.text("node", event.node);
  read_names(reader, event);
  reader.need("at_us");
  // What system_clock can hold, in nanoseconds.
  constexpr std::int64_t kFarthest = INT64_MAX / 1000;
  const std::int64_t at = reader.integer("at_us").value_or(0);
  if (at < -kFarthest || at > kFarthest) {
    reader.fault("at_us", "out of range");
  } else {
    event.at = std::chrono::system_clock::time_point(microseconds(at));
  }
  read_endpoint(reader, event);
  const std::int64_t status = reader.integer("status").value_or(0);
  if (status < INT32_MIN || status > INT32_MAX) reader.fault("status", "out of range");
  event.status = static_cast<int>(status);
  reader.text("detail", event.detail);
  reader.no_more();
  if (auto ok = faults.verdict("event"); !ok) return fail(std::move(ok.error()));
  return event;
}

bool is_last(const Event& event, std::uint32_t retries) noexcept {
  if (event.phase != Phase::done) return false;
  const Ended ended = event.ended.value_or(Ended::lost);
  const bool for_good = ended == Ended::ok || ended == Ended::killed || ended == Ended::refused;
  return for_good || event.attempt >= retries;
}

std::string to_json_line(const Event& event) {
  return dump(event_to_json(event));
}

Result<Event> parse_event(std::string_view line) {
  auto value = parse_json(line, "event");
  if (!value) return fail(std::move(value.error()));
  return event_from_json(*value);
}

}  // namespace particle::fleet
