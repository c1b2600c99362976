// SPDX-License-Identifier: Apache-2.0
#include "evpn/frr_watch.hpp"

#include <algorithm>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "evpn/vtysh.hpp"

namespace particle::overlay::evpn {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kInterval{500};
/// Between a session's coming up and its routes having reached the kernel, where the neighbour does not say
/// when it has told all.
constexpr std::chrono::milliseconds kSettle{1500};
/// Where it does: from its word to the kernel, through zebra.
constexpr std::chrono::milliseconds kEntered{500};

Error not_understood(const char* command) {
  return Error::of(Errc::protocol, std::string("FRR's answer to `") + command + "`",
                   "developed with FRR 8.4; is this a much older or newer one?");
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

bool FrrState::all_established() const {
  return !neighbours.empty() &&
         std::all_of(neighbours.begin(), neighbours.end(),
                     [](const BgpNeighbour& n) { return n.state == "Established"; });
}

bool FrrState::some_established() const {
  return std::any_of(neighbours.begin(), neighbours.end(),
                     [](const BgpNeighbour& n) { return n.state == "Established"; });
}

Result<std::vector<BgpNeighbour>> parse_summary(const std::string& text) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(not_understood("show bgp l2vpn evpn summary json"));
  std::vector<BgpNeighbour> out;
  const auto peers = document.find("peers");
  if (peers == document.end() || !peers->is_object()) return out;  // no neighbour
  for (const auto& [name, peer] : peers->items())
    out.push_back({name, text_of(peer, "state"), text_of(peer, "peerState"), {}});
  return out;
}

Result<std::set<Vni>> parse_vnis(const std::string& text) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(not_understood("show evpn vni json"));
  std::set<Vni> out;
  for (const auto& [key, value] : document.items()) {
    if (auto vni = Vni::parse(key)) out.insert(*vni);
  }
  return out;
}

void add_details(const std::string& text, std::vector<BgpNeighbour>& neighbours) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return;
  static const Json none = Json::object();
  const auto part = [](const Json& object, const char* key) -> const Json& {
    const auto found = object.find(key);
    return found != object.end() && found->is_object() ? *found : none;
  };
  for (BgpNeighbour& neighbour : neighbours) {
    const Json& details = part(document, neighbour.name.c_str());
    if (neighbour.state != "Established") {
      const std::string why = text_of(details, "lastResetDueTo");
      if (!why.empty()) neighbour.why = why;
      continue;
    }
    // Only who has said that it can restart gracefully marks the end of what it tells.
    const auto capability = text_of(part(details, "neighborCapabilities"), "gracefulRestart");
    if (capability != "advertisedAndReceived" && capability != "received") continue;
    const Json& ended = part(part(details, "gracefulRestartInfo"), "endOfRibRecv");
    const auto evpn = ended.find("l2VpnEvpn");
    neighbour.told_all = evpn != ended.end() && evpn->is_boolean() && evpn->get<bool>();
  }
}

FrrWatch::FrrWatch(FrrSettings settings)
    : settings_(std::move(settings)),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

FrrWatch::~FrrWatch() = default;  // jthread asks to stop and joins; each question has a time limit

FrrState FrrWatch::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool FrrWatch::complete_after(Clock::time_point when) const {
  const std::lock_guard lock(mutex_);
  return complete_ && asked_ >= when;
}

void FrrWatch::acknowledge() const {
  std::uint64_t count = 0;
  (void)::read(event_.get(), &count, sizeof count);
}

void FrrWatch::hurry() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
  wake_.notify_all();
}

FrrState FrrWatch::ask() const {
  FrrState out;
  const auto summary =
      ask_vtysh(settings_.vtysh, settings_.vty_sockets, "show bgp l2vpn evpn summary json");
  if (!summary) {
    out.problem = summary.error().message();
    return out;
  }
  auto neighbours = parse_summary(*summary);
  const auto vnis = ask_vtysh(settings_.vtysh, settings_.vty_sockets, "show evpn vni json");
  auto known = vnis ? parse_vnis(*vnis) : Result<std::set<Vni>>(fail(vnis.error()));
  if (!neighbours || !known) {
    out.problem = (neighbours ? known.error() : neighbours.error()).message();
    return out;
  }
  out.neighbours = *std::move(neighbours);
  out.vnis = *std::move(known);
  const auto details = ask_vtysh(settings_.vtysh, settings_.vty_sockets, "show bgp neighbors json");
  if (details) add_details(*details, out.neighbours);
  return out;
}

/// Whether those that are there have had their say: by their own word, else by the time.
bool FrrWatch::has_settled(const FrrState& now) {
  const auto time = Clock::now();
  bool told = true;
  bool silent = false;
  for (const auto& neighbour : now.neighbours) {
    if (neighbour.state != "Established") continue;
    silent = silent || !neighbour.told_all;
    told = told && neighbour.told_all.value_or(true);
  }
  if (!told) {
    told_since_ = {};
    // One that never says so is not waited for longer than for one that never comes.
    return time - settled_since_ >= settings_.grace;
  }
  if (told_since_ == Clock::time_point{}) told_since_ = time;
  return silent ? time - settled_since_ >= kSettle : time - told_since_ >= kEntered;
}

/// Whether what is entered can be taken for all there is.
bool FrrWatch::judge(const FrrState& now) {
  std::set<std::string> established;
  for (const auto& neighbour : now.neighbours) {
    if (neighbour.state == "Established") established.insert(neighbour.name);
  }
  const auto time = Clock::now();
  // A zebra that has started anew knows no VNI before bgpd has found it, and enters nothing till then.
  if (established != established_ || now.vnis != state_.vnis) {
    settled_since_ = time;
    told_since_ = {};
  }
  established_ = std::move(established);
  if (now.all_established()) {
    missing_since_ = {};
  } else if (missing_since_ == Clock::time_point{}) {
    missing_since_ = time;
  }
  if (!now.some_established() || !has_settled(now)) return false;
  return now.all_established() || time - missing_since_ >= settings_.grace;
}

void FrrWatch::run(const std::stop_token& stop) {
  bool hurried = false;
  while (!stop.stop_requested()) {
    const auto asked = Clock::now();
    FrrState now = ask();
    std::unique_lock lock(mutex_);
    const bool complete = judge(now);
    const auto words = [](const FrrState& state) {
      std::string text = state.problem;
      for (const auto& n : state.neighbours) text += "|" + n.name + " " + n.state + " " + n.why;
      for (const auto& vni : state.vnis) text += "|" + std::to_string(vni.value());
      return text;
    };
    if (hurried || complete != complete_ || words(now) != words(state_)) {
      const std::uint64_t one = 1;
      (void)::write(event_.get(), &one, sizeof one);
    }
    complete_ = complete;
    state_ = std::move(now);
    asked_ = asked;
    hurried =
        wake_.wait_for(lock, stop, kInterval, [this] { return std::exchange(hurry_, false); });
  }
}

}  // namespace particle::overlay::evpn
