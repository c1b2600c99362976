// SPDX-License-Identifier: Apache-2.0
#include "pool/apply.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include <particle/marks.hpp>

#include "files/files.hpp"
#include "netns/pin.hpp"
#include "pool/lease_store.hpp"
#include "pool/nftables.hpp"

namespace particle {
namespace {

using Clock = std::chrono::steady_clock;

/// How long to wait for the kernel to finish removing a VXLAN device that a delete left to it.
constexpr auto kStaleVxlanPatience = std::chrono::seconds(3);

/// Messages of one change. Descriptors of namespaces are filled in here, so that plans stay data.
struct Encoder {
  Places& places;
  const Change& change;
  std::vector<Message>& out;

  Result<void> operator()(const BridgeSpec& spec) const { return put(encode_bridge(spec)); }
  Result<void> operator()(VxlanSpec spec) const {
    auto fd = places.descriptor(change.birthplace);
    if (!fd) return fail(std::move(fd.error()));
    spec.netns_fd = *fd;
    return put(encode_vxlan(spec));
  }
  Result<void> operator()(VethSpec spec) const {
    auto fd = places.descriptor(change.birthplace);
    if (!fd) return fail(std::move(fd.error()));
    spec.peer_netns_fd = *fd;
    return put(encode_veth(spec));
  }
  Result<void> operator()(const LinkChange& spec) const { return put(encode_link_change(spec)); }
  Result<void> operator()(const LinkSync& spec) const { return put(encode_link_query(spec.index)); }
  Result<void> operator()(const LinkRemoval& spec) const {
    return put(encode_link_removal(spec.name));
  }
  Result<void> operator()(const AddrRange& spec) const {
    auto messages = encode_addr_range(spec.device, spec.range, change.verb);
    std::move(messages.begin(), messages.end(), std::back_inserter(out));
    return {};
  }
  Result<void> operator()(const RouteSpec& spec) const {
    return put(encode_route(spec, change.verb));
  }
  Result<void> operator()(const NeighSpec& spec) const {
    return put(encode_neigh(spec, change.verb));
  }
  Result<void> operator()(const FdbSpec& spec) const { return put(encode_fdb(spec, change.verb)); }

 private:
  Result<void> put(Message message) const {
    out.push_back(std::move(message));
    return {};
  }
};

bool means_missing(int error) {
  static constexpr std::array kMissing{ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL};
  return std::find(kMissing.begin(), kMissing.end(), error) != kMissing.end();
}

bool creates_vxlan(const Configure& configure) {
  return configure.changes.size() == 1 &&
         std::holds_alternative<VxlanSpec>(configure.changes.front().object);
}

std::string hint_for(const Verdict& verdict, const Configure& configure) {
  switch (verdict.error) {
    case EPERM:
      return "needs CAP_NET_ADMIN: run as root, or inside `unshare --user --map-root-user --net "
             "--mount`";
    case EOPNOTSUPP:
      return "this kernel lacks the device or option; `particle doctor` says which";
    case EEXIST:
      if (creates_vxlan(configure))
        return "another device of this node has the VNI (`ip -d link show type vxlan`), or a "
               "process "
               "still holds the VTEP namespace of a deleted pool; choose another --vni";
      break;
    case ENOENT:
    case ENODEV:
      return "something Particle made is gone; `particle gc` repairs it";
    default:
      break;
  }
  return {};
}

/// Whether every step is to be over before the next one begins.
bool goes_step_by_step(const ApplyOptions& options) {
  return options.step_by_step || options.after_step;
}

/// A kill between making the file and mounting on it left the file. The planner saw that nothing is
/// pinned there, and the tenant's lock says that nobody is about to.
Result<void> pin_anew(const detail::MountHome& home, const NetNs& netns, const std::string& pin) {
  auto pinned = detail::pin_netns(home, netns, pin);
  if (pinned || pinned.error().kind() != Errc::already_exists) return pinned;
  if (auto cleared = detail::unpin_netns(home, pin); !cleared) return cleared;
  return detail::pin_netns(home, netns, pin);
}

/// The pieces of one apply run that every action needs.
struct Run {
  Places& places;
  const ApplyOptions& options;
  bool undoing = false;

  Result<void> operator()(const Configure& configure);
  Result<void> operator()(const MakeNamespace& make);
  Result<void> operator()(const AdoptNamespace& adopt);
  Result<void> operator()(const WriteSysctls& write) {
    auto netns = places.netns(write.place);
    if (!netns) return fail(std::move(netns.error()));
    return (*netns)->write_sysctls(write.sysctls);
  }
  Result<void> operator()(const ReplaceRules& replace) {
    auto netns = places.netns(replace.place);
    const bool gone = !netns && netns.error().kind() == Errc::not_found;
    if (gone && replace.rules.empty()) return {};
    if (!netns) return fail(std::move(netns.error()));
    return (*netns)->run([&] { return replace_table_here(replace.table, replace.rules); });
  }
  Result<void> operator()(const RemoveNamespace& remove) const;
  Result<void> operator()(const MakeDirectory& make) {
    return make_directory_with_file(make.path, make.file, make.content);
  }
  Result<void> operator()(const RemoveDirectory& remove) {
    return remove_flat_directory(remove.path);
  }
  Result<void> operator()(const WriteFile& write) {
    return write_file_atomically(write.path, write.content);
  }
  Result<void> operator()(const RenameFile& rename) { return rename_file(rename.from, rename.to); }
  Result<void> operator()(const RemoveFile& remove) { return remove_file(remove.path); }
  Result<void> operator()(const MakeSymlink& make) { return make_symlink(make.target, make.path); }
  Result<void> operator()(const ForgetLeases& forget) const;

 private:
  Result<void> pin_meanwhile(const MakeNamespace& make, FreshNetNs fresh);
  Result<void> judge(const std::vector<Verdict>& verdicts, const std::vector<Message>& messages,
                     const Configure& configure);
};

Result<void> Run::judge(const std::vector<Verdict>& verdicts, const std::vector<Message>& messages,
                        const Configure& configure) {
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& verdict = verdicts[i];
    if (verdict.ok() || (configure.missing_is_fine && means_missing(verdict.error))) continue;
    if (verdict.error == ECANCELED) return fail(Error::of(Errc::interrupted, "interrupted"));
    Error error = to_error(verdict, messages[i]);
    error.operation += " in the namespace of " + configure.place.to_string();
    error.hint = hint_for(verdict, configure);
    return fail(std::move(error));
  }
  return {};
}

Result<void> Run::operator()(const Configure& configure) {
  auto session = places.session(configure.place);
  if (!session) {
    // The namespace went with everything in it: nothing is left to take off.
    if (configure.missing_is_fine && session.error().kind() == Errc::not_found) return {};
    return fail(std::move(session.error()));
  }
  std::vector<Message> messages;
  for (const auto& change : configure.changes) {
    if (auto ok = std::visit(Encoder{places, change, messages}, change.object); !ok) return ok;
  }
  TransactOptions transact;
  if (!undoing) transact.stop = options.stop;
  if (options.progress && !undoing) {
    transact.progress = [&](std::size_t done) { options.progress(done, messages.size()); };
  }
  auto verdicts = (*session)->transact(messages, transact);
  const auto deadline = Clock::now() + kStaleVxlanPatience;
  while (verdicts && creates_vxlan(configure) && verdicts->front().error == EEXIST &&
         Clock::now() < deadline && !options.stop.stop_requested()) {
    // A delete returns before the kernel has taken the old device down (about 50 ms); until then
    // its VNI is taken in the node's namespace.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    verdicts = (*session)->transact(messages, transact);
  }
  if (!verdicts) return fail(std::move(verdicts.error()));
  return judge(*verdicts, messages, configure);
}

Result<void> Run::operator()(const MakeNamespace& make) {
  std::optional<FreshNetNs> fresh;
  detail::find_home(places.home(), make.pin);  // while the head start is at work
  if (make.place.kind == Place::Kind::pool) fresh = places.take_ready_made(make.sysctls);
  // One that is to know its node (attachment direct) must do so before it can be found.
  if (fresh && make.node_id == 0 && !goes_step_by_step(options))
    return pin_meanwhile(make, *std::move(fresh));
  if (!fresh) {
    auto made = create_netns(make.sysctls);
    if (!made) return fail(std::move(made.error()));
    fresh = *std::move(made);
  }
  if (make.node_id != 0) {
    // Before the pin: gc takes a pinned namespace that does not know its node for a dead node's.
    auto node = places.descriptor(Place::node());
    if (!node) return fail(std::move(node.error()));
    auto entered = fresh->session.apply(encode_netns_id(*node, make.node_id));
    if (!entered) return entered;
  }
  if (auto pinned = pin_anew(places.home(), fresh->netns, make.pin); !pinned) return pinned;
  places.put(make.place, *std::move(fresh));
  return {};
}

/// A pool's namespace is pinned while its devices are made. Until it is, they go with this process.
Result<void> Run::pin_meanwhile(const MakeNamespace& make, FreshNetNs fresh) {
  places.put(make.place, std::move(fresh));
  auto netns = places.netns(make.place);
  if (!netns) return fail(std::move(netns.error()));
  places.do_meanwhile([&home = places.home(), netns = *netns, pin = make.pin] {
    return pin_anew(home, *netns, pin);
  });
  return {};
}

Result<void> Run::operator()(const AdoptNamespace& adopt) {
  auto netns = NetNs::open_path(adopt.source);
  if (!netns) return fail(std::move(netns.error()));
  places.forget(adopt.place);
  return pin_anew(places.home(), *netns, adopt.pin);
}

Result<void> Run::operator()(const RemoveNamespace& remove) const {
  places.forget(remove.place);
  return detail::unpin_netns(places.home(), remove.pin);
}

Result<void> Run::operator()(const ForgetLeases& forget) const {
  auto store = LeaseStore::open_existing(places.layout().leases());
  if (!store) return fail(std::move(store.error()));
  if (!*store) return {};
  auto forgotten = (*store)->forget(forget.pool, forget.from_index);
  if (!forgotten) return fail(std::move(forgotten.error()));
  return {};
}

/// Undoes steps [0, count) in reverse, going on past failures.
void undo(const Plan& plan, std::size_t count, Places& places, const ApplyOptions& options,
          Error& error) {
  Run run{places, options, true};
  for (std::size_t i = count; i-- > 0;) {
    for (const auto& action : plan.steps[i].undo) {
      if (auto done = std::visit(run, action); !done) {
        error.details.push_back("could not be undone (" + plan.steps[i].name +
                                "): " + done.error().message() + "; `particle gc` removes it");
      }
    }
  }
}

/// Where the steps from `begin` on that go to the kernel as one batch end.
std::size_t end_of_batch(const Plan& plan, std::size_t begin, const ApplyOptions& options) {
  if (goes_step_by_step(options)) return begin + 1;
  const auto* first = std::get_if<Configure>(&plan.steps[begin].action);
  std::size_t end = begin + 1;
  // One that may have to be sent again stays alone.
  if (first == nullptr || creates_vxlan(*first)) return end;
  for (; end < plan.steps.size(); ++end) {
    const auto* next = std::get_if<Configure>(&plan.steps[end].action);
    if (next == nullptr || next->place != first->place || creates_vxlan(*next) ||
        next->missing_is_fine != first->missing_is_fine)
      break;
  }
  return end;
}

/// Runs steps [begin, end), which are one step or one batch.
Result<void> run_steps(const Plan& plan, std::size_t begin, std::size_t end, Run& run) {
  const Step& first = plan.steps[begin];
  if (run.options.stop.stop_requested())
    return fail(Error::of(Errc::interrupted, "interrupted before step " + first.name));
  if (!std::holds_alternative<Configure>(first.action)) {
    // What is recorded as made is pinned.
    if (auto finished = run.places.finish_meanwhile(); !finished) return finished;
  }
  if (end == begin + 1) return std::visit(run, first.action);
  Configure batch = std::get<Configure>(first.action);
  for (std::size_t i = begin + 1; i < end; ++i) {
    const auto& changes = std::get<Configure>(plan.steps[i].action).changes;
    batch.changes.insert(batch.changes.end(), changes.begin(), changes.end());
  }
  return run(batch);
}

}  // namespace

Result<Outcome> apply(const Plan& plan, Places& places, const ApplyOptions& options) {
  Outcome outcome;
  Run run{places, options};
  const auto give_up = [&](Error error, std::size_t count) {
    places.drop_head_start();  // undoing needs descriptors, whose lack may be what failed
    undo(plan, count, places, options, error);
    return fail(std::move(error));
  };
  const auto begin = Clock::now();
  auto last = begin;
  for (std::size_t i = 0, end = 0; i < plan.steps.size(); i = end) {
    end = end_of_batch(plan, i, options);
    const char* stage = to_string(plan.steps[i].stage).data();  // a literal
    mark_step_begin(stage);
    auto done = run_steps(plan, i, end, run);
    mark_step_end(stage);
    if (!done) {
      // A batch may have been applied in part; every other action is all or nothing, and undoing
      // one that failed could take away what belongs to somebody else.
      const bool partly_done = std::holds_alternative<Configure>(plan.steps[i].action);
      return give_up(std::move(done.error()), partly_done ? end : i);
    }
    const auto now = Clock::now();
    for (std::size_t k = i; k < end; ++k) {
      const Step& step = plan.steps[k];
      const bool is_last = k + 1 == end;
      outcome.steps.push_back(
          {step.name, step.stage, step.what, is_last ? now - last : Clock::duration::zero()});
    }
    last = now;
    if (options.after_step) options.after_step(end, plan.steps.size(), plan.steps[i]);
  }
  if (auto finished = places.finish_meanwhile(); !finished)
    return give_up(std::move(finished.error()), plan.steps.size());
  outcome.changed = !plan.steps.empty();
  outcome.total = Clock::now() - begin;
  return outcome;
}

std::string_view to_string(Stage stage) noexcept {
  switch (stage) {
    case Stage::record:
      return "record";
    case Stage::vtep:
      return "VTEP";
    case Stage::s1_namespace:
      return "S1";
    case Stage::s2_veth:
      return "S2";
    case Stage::s5_attach:
      return "S5";
    case Stage::s6_addresses:
      return "S6";
    case Stage::teardown:
      return "teardown";
  }
  return "?";
}

}  // namespace particle
