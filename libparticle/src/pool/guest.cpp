// SPDX-License-Identifier: Apache-2.0
#include "pool/guest.hpp"

#include <algorithm>

#include "files/files.hpp"
#include "pool/node_state.hpp"

namespace particle {
namespace {

/// A guest's plan is an endpoint's, with another device. These put it in.
struct Retarget {
  const GuestRecord& guest;
  IfIndex index;
  Mac endpoint_mac;
  bool inside = false;  ///< the batch goes to the guest's namespace

  void operator()(VethSpec& veth) const {
    veth.peer_name = guest.device;
    veth.peer_index = index;
    veth.peer_mac = guest.mac;
  }
  void operator()(LinkChange& change) const { swap(change.index); }
  void operator()(LinkSync& sync) const { swap(sync.index); }
  void operator()(AddrRange& addresses) const { swap(addresses.device); }
  void operator()(RouteSpec& route) const { swap(route.device); }
  void operator()(FdbSpec& entry) const {
    if (entry.mac == endpoint_mac) entry.mac = guest.mac;
  }
  void operator()(LinkRemoval& removal) const {
    if (inside && removal.name == kGuestDevice) removal.name = guest.device;
  }
  template <class Other>
  void operator()(Other& /*object*/) const {}

 private:
  void swap(IfIndex& device) const {
    if (inside && device == kGuestIndex) device = index;
  }
};

void retarget(Action& action, const GuestRecord& guest, IfIndex index, const Mac& endpoint_mac) {
  auto* configure = std::get_if<Configure>(&action);
  if (configure == nullptr) return;
  const Retarget swap{guest, index, endpoint_mac, configure->place.kind == Place::Kind::endpoint};
  for (auto& change : configure->changes) std::visit(swap, change.object);
}

/// Whether the container has a default route of its own, through another device. It keeps that; the
/// rest of the tenant's subnet is then routed instead of everything.
bool has_other_default(const ObservedNamespace& have, const ObservedLink* own, Family family) {
  return std::any_of(have.routes.begin(), have.routes.end(), [&](const RouteSpec& route) {
    return route.kind == RouteKind::unicast && route.destination.length() == 0 &&
           route.destination.family() == family && (own == nullptr || route.device != own->index);
  });
}

bool is_default(const RouteSpec& route, Family family) {
  return route.kind == RouteKind::unicast && route.destination.length() == 0 &&
         route.destination.family() == family;
}

/// Takes the default route of a family out of the steps, or narrows it to the tenant's subnet where
/// the pool owns only a part of that.
void narrow_default(Action& action, const EndpointBlock& block) {
  auto* configure = std::get_if<Configure>(&action);
  if (configure == nullptr) return;
  const bool owns_all =
      std::find(block.owned.begin(), block.owned.end(), block.asked.prefix) != block.owned.end();
  auto& changes = configure->changes;
  std::erase_if(changes, [&](const Change& change) {
    const auto* route = std::get_if<RouteSpec>(&change.object);
    return owns_all && route != nullptr && is_default(*route, block.endpoints.family());
  });
  for (auto& change : changes) {
    auto* route = std::get_if<RouteSpec>(&change.object);
    if (route != nullptr && is_default(*route, block.endpoints.family()))
      route->destination = block.asked.prefix;
  }
}

/// What an endpoint's namespace would look like: only the pool's device counts, by the name that
/// endpoints have.
ObservedNamespace as_endpoint(const ObservedNamespace& have, const PoolRecord& pool,
                              const ObservedLink* own) {
  ObservedNamespace seen = have;
  seen.exists = true;
  seen.links.clear();
  if (own == nullptr) return seen;
  seen.links.push_back(*own);
  seen.links.back().name = kGuestDevice;
  for (const auto& block : pool.blocks) {
    const bool narrowed = has_other_default(have, own, block.endpoints.family()) &&
                          have.route(block.asked.prefix, RouteKind::unicast) != nullptr;
    if (!narrowed) continue;
    RouteSpec route;
    route.destination = IpPrefix::containing(block.primary(), 0);
    route.gateway = block.primary();
    seen.routes.push_back(route);
  }
  return seen;
}

/// The namespace's own settings are the container's business; these are of the pool's device alone.
std::vector<Sysctl> device_sysctls(const PoolRecord& pool, const std::string& device) {
  const std::string base = "net/ipv6/conf/" + device;
  if (pool.block(Family::v6) == nullptr) return {{base + "/disable_ipv6", "1", true}};
  return {{base + "/disable_ipv6", "0", true},
          {base + "/accept_ra", "0", false},
          {base + "/addr_gen_mode", "1", false}};
}

/// The container goes on with what else it has. A namespace that is not pinned has been let go.
Result<void> take_device_out(const std::string& pin, const PoolRecord& pool, std::uint64_t index,
                             const GuestRecord& guest) {
  auto container = open_pinned_netns(pin);
  if (!container) {
    if (container.error().kind() == Errc::not_found) return {};
    return fail(std::move(container.error()));
  }
  auto have = observe_links(*container);
  if (!have) return fail(std::move(have.error()));
  auto session = container->open_session();
  if (!session) return fail(std::move(session.error()));
  const auto v6 = index < pool.capacity ? pool.endpoint(index).v6 : std::nullopt;
  if (v6) {
    RouteSpec local;
    local.destination = IpPrefix::host(*v6);
    local.device = kLoopbackIndex;
    local.kind = RouteKind::local;
    (void)session->apply(encode_route(local, Verb::remove));  // on lo, if it was entered at all
  }
  if (find_guest_link(*have, pool, guest) == nullptr) return {};
  return session->apply(encode_link_removal(guest.device));
}

}  // namespace

std::string to_text(const GuestRecord& guest) {
  return guest.device + " " + guest.mac.to_string() + "\n";
}

Result<GuestRecord> parse_guest(std::string_view text, const std::string& path) {
  const auto space = text.find(' ');
  const auto end = text.find('\n');
  if (space != std::string_view::npos && space != 0 && end == text.size() - 1 && space < end) {
    auto mac = Mac::parse(text.substr(space + 1, end - space - 1));
    if (mac) return GuestRecord{std::string(text.substr(0, space)), *mac};
  }
  return fail(Error::of(Errc::corrupt_state, path + " is not \"DEVICE MAC\"",
                        "release the lease: the device goes with its veth"));
}

Result<std::optional<GuestRecord>> load_guest(const Layout& layout, const std::string& pool,
                                              std::uint64_t index) {
  const std::string path = layout.guest_record(pool, index);
  auto text = read_file(path);
  if (!text) return fail(std::move(text.error()));
  if (!*text) return std::optional<GuestRecord>{};
  auto guest = parse_guest(**text, path);
  if (!guest) return fail(std::move(guest.error()));
  return std::optional<GuestRecord>(*std::move(guest));
}

const ObservedLink* find_guest_link(const ObservedNamespace& have, const PoolRecord& pool,
                                    const GuestRecord& guest) {
  const ObservedLink* link = have.link(guest.device);
  if (link == nullptr || link->kind != "veth") return nullptr;
  return link->alias == link_alias(pool) || link->mac == guest.mac ? link : nullptr;
}

void plan_guest(Plan& plan, const Layout& layout, const PoolRecord& pool, std::uint64_t index,
                const GuestRecord& guest, const GuestPorts& ports, const ObservedNamespace& have,
                const std::string& source, bool pinned) {
  const Place place = Place::of_endpoint(pool.name, index);
  if (!pinned) {
    const std::string pin = layout.endpoint_pin(pool.name, index);
    const std::string record = layout.guest_record(pool.name, index);
    plan.steps.push_back({.name = "guest.record",
                          .stage = Stage::record,
                          .what = "note that endpoint " + std::to_string(index) + " is " +
                                  guest.device + " of a container",
                          .action = WriteFile{record, to_text(guest)},
                          .undo = {RemoveFile{record}}});
    plan.steps.push_back({.name = "guest.pin",
                          .stage = Stage::s1_namespace,
                          .what = "pin " + source + " at " + pin,
                          .action = AdoptNamespace{place, source, pin},
                          .undo = {RemoveNamespace{place, pin}}});
  }
  Plan own;
  const ObservedLink* link = find_guest_link(have, pool, guest);
  plan_endpoint(own, layout, pool, index, ports.near, as_endpoint(have, pool, link));
  const Mac usual = endpoint_mac(pool, index);
  for (auto& step : own.steps) {
    retarget(step.action, guest, ports.far, usual);
    for (const auto& block : pool.blocks) {
      if (has_other_default(have, link, block.endpoints.family()))
        narrow_default(step.action, block);
    }
    for (auto& undo : step.undo) retarget(undo, guest, ports.far, usual);
    if (step.name != "pool.up") {
      plan.steps.push_back(std::move(step));
      continue;
    }
    // Before up: a device that is down has sent nothing yet.
    plan.steps.push_back({.name = "guest.settings",
                          .stage = Stage::s2_veth,
                          .what = "IPv6 settings of " + guest.device,
                          .action = WriteSysctls{place, device_sysctls(pool, guest.device)},
                          .undo = {}});
    plan.steps.push_back(std::move(step));
  }
}

Result<Plan> NodeState::guest_plan(const PoolRecord& pool, std::uint64_t index,
                                   const Guest& guest) const {
  const std::string operation = "connect " + guest.netns_path + " to pool " + pool.name;
  const GuestRecord record{guest.device, guest.mac.value_or(endpoint_mac(pool, index))};
  const std::string pin = layout.endpoint_pin(pool.name, index);
  // A repair names the pin itself, which may be in another mount namespace.
  auto container =
      guest.netns_path == pin ? open_pinned_netns(pin) : NetNs::open_path(guest.netns_path);
  if (!container) return fail(std::move(container.error()));
  const auto pinned = open_pinned_netns(pin);
  if (pinned) {
    const auto there = pinned->inode();
    const auto here = container->inode();
    if (!there || !here || *there != *here)
      return fail(
          Error::of(Errc::already_exists,
                    operation + ": endpoint " + std::to_string(index) + " is another namespace's"));
  }
  auto have = observe(*container);
  if (!have) return fail(std::move(have.error()));
  if (have->link(guest.device) != nullptr && find_guest_link(*have, pool, record) == nullptr)
    return fail(Error::of(Errc::already_exists,
                          operation + ": it has a device " + guest.device + " already",
                          "choose another name for the pool's device"));
  const auto far = static_cast<std::uint32_t>(0x10000U + (random_bits() & 0xFFFFFU));
  Plan plan;
  plan_guest(plan, layout, pool, index, record,
             {make_port_identity(pool.name, random_bits()), IfIndex{far}}, *have, guest.netns_path,
             pinned.has_value());
  return plan;
}

Result<void> NodeState::remove_endpoint(const PoolRecord& pool, std::uint64_t index) const {
  const std::string pin = layout.endpoint_pin(pool.name, index);
  const std::string path = layout.guest_record(pool.name, index);
  auto guest = load_guest(layout, pool.name, index);
  // A record that cannot be read keeps nothing: without its name the device stays, without the pin
  // it goes with the container.
  const bool known = guest && *guest;
  if (known) {
    if (auto taken = take_device_out(pin, pool, index, **guest); !taken) return taken;
  }
  if (auto done = unpin_netns(pin); !done) return done;
  return remove_file(path);
}

}  // namespace particle
