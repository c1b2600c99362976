// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bundle.hpp"
#include "call.hpp"
#include "child.hpp"
#include "endpoint.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

/// Where a container's endpoint comes from.
enum class Source {
  none,     ///< it has none: the real runtime gets the bundle as it is
  lease,    ///< leased here
  cni,      ///< leased by CNI before the container was made
  sandbox,  ///< its pod's sandbox has it
};

class Creation {
 public:
  explicit Creation(const Call& call)
      : call_(call),
        place_(call.place()),
        holder_(call.holder()),
        bundle_(absolute(call.line.bundle)) {}

  int run() {
    // A second container of the same id: the real runtime refuses it in its own words.
    if (!read_bundle() || source() == Source::none || call_.container_exists()) {
      return report_failure(call_.line, become(call_.runtime, call_.line.rest));
    }
    if (call_.settings.problem) return report_failure(call_.line, *call_.settings.problem);
    const auto node = Node::open({call_.settings.run_dir});
    if (!node) return report_failure(call_.line, node.error());
    return run_on(*node);
  }

 private:
  int run_on(const Node& node) {
    const auto lock = claim(node);
    if (!lock) return report_failure(call_.line, lock.error());
    if (auto done = prepare(node); !done) {
      undo(node, *lock);
      return report_failure(call_.line, done.error());
    }
    const auto status = run_to_end(call_.runtime, call_.line.rest);
    if (!call_.container_exists()) undo(node, *lock);
    return status ? *status : report_failure(call_.line, status.error());
  }

  /// False when there is no bundle to be read, which the real runtime says better.
  bool read_bundle() {
    auto text = read_file(config_path());
    if (!text || !*text) return false;
    auto config = JsonText::parse(std::move(**text));
    if (!config) return false;
    config_ = std::move(*config);
    facts_ = read_facts(config_, call_.settings.pool_from_environment);
    return true;
  }

  [[nodiscard]] std::string config_path() const { return bundle_ + "/config.json"; }
  /// What CNI calls the container.
  [[nodiscard]] std::string cni_id() const {
    return facts_.sandbox.empty() ? call_.line.id : facts_.sandbox;
  }
  [[nodiscard]] std::string sandbox_holder() const {
    return holder_name(call_.root, facts_.sandbox);
  }

  [[nodiscard]] Source source() const {
    if (facts_.role != Role::member) {
      if (exists(call_.settings.run_dir + "/cni/" + call_.node_id + "/attachments/" + cni_id())) {
        return Source::cni;
      }
      return facts_.pool ? Source::lease : Source::none;
    }
    return exists(call_.place_of(sandbox_holder()).record()) ? Source::sandbox : Source::none;
  }

  /// Makes the container's directory and locks it. What a killed wrapper left there is undone first,
  /// and the bundle is read again, because that restores it.
  Result<DirectoryLock> claim(const Node& node) {
    auto lock = DirectoryLock::try_make(place_.directory);
    if (!lock) return fail(std::move(lock.error()));
    if (!*lock) {
      return fail(Error::of(Errc::busy, "create", "another call is making or deleting it"));
    }
    if (!exists(place_.record())) return std::move(**lock);
    if (auto done = discard(node, place_, holder_, **lock, call_.enforcement); !done) {
      return fail(std::move(done.error()));
    }
    lock = DirectoryLock::try_make(place_.directory);
    if (!lock) return fail(std::move(lock.error()));
    if (!*lock || !read_bundle()) {
      return fail(Error::of(Errc::busy, "create", "another call is making it"));
    }
    return std::move(**lock);
  }

  Result<void> prepare(const Node& node) {
    record_ = {.id = call_.line.id,
               .root = call_.root,
               .bundle = bundle_,
               .node = node.id(),
               .pool = facts_.pool.value_or(""),
               .holder = holder_,
               .rewritten = ""};
    // Before the lease: whatever a kill cuts off, `delete` finds the record.
    if (auto done = write_record(place_, record_); !done) return done;
    const auto held = take_endpoint(node);
    if (!held) return fail(held.error());
    record_.pool = held->pool;
    record_.holder = held->holder;
    return change_bundle(*held);
  }

  Result<HeldEndpoint> take_endpoint(const Node& node) {
    if (source() == Source::sandbox) return endpoint_of_sandbox(node);
    if (source() == Source::cni) {
      auto attached = attached_by_cni(node, cni_id());
      if (!attached) return fail(std::move(attached.error()));
      if (*attached) return std::move(**attached);
    }
    if (facts_.pool) return lease_endpoint(node, *facts_.pool, holder_, facts_.ip);
    return fail(Error::of(Errc::not_found, "CNI attachment of " + cni_id(),
                          "its ADD was cut off; delete the container and make it again"));
  }

  Result<HeldEndpoint> endpoint_of_sandbox(const Node& node) {
    const auto sandbox = read_record(call_.place_of(sandbox_holder()));
    if (!sandbox) return fail(sandbox.error());
    auto held = held_by(node, *sandbox ? (*sandbox)->holder : sandbox_holder());
    if (!held) return fail(std::move(held.error()));
    if (*held) return std::move(**held);
    return fail(Error::of(Errc::not_found, "endpoint of sandbox " + facts_.sandbox,
                          "its lease was released; remove the pod and make it again"));
  }

  Result<BundleChanges> changes_for(const HeldEndpoint& held) {
    BundleChanges changes;
    changes.environment = environment_of(held);
    // A pod's containers join their sandbox's namespace by themselves, and share its hosts file.
    if (facts_.role == Role::member) return changes;
    if (!held.in_place) changes.netns_path = held.netns_path;
    if (facts_.hosts_source) {
      if (auto done = write_hosts(held.endpoint); !done) return fail(std::move(done.error()));
      changes.hosts_path = place_.hosts();
    }
    return changes;
  }

  /// The engine's hosts file with the container's own name at its address.
  Result<void> write_hosts(const Endpoint& endpoint) {
    auto text = read_file(*facts_.hosts_source);
    if (!text) return fail(std::move(text.error()));
    std::string hosts = text->value_or("");
    if (!hosts.empty() && hosts.back() != '\n') hosts += '\n';
    const std::string name = facts_.hostname.empty() ? call_.line.id : facts_.hostname;
    for (const auto& address : {endpoint.v4, endpoint.v6}) {
      if (address) hosts += address->to_string() + "\t" + name + "\n";
    }
    return replace_file(place_.hosts(), hosts, 0644);
  }

  Result<void> change_bundle(const HeldEndpoint& held) {
    auto changes = changes_for(held);
    if (!changes) return fail(changes.error());
    if (call_.enforcement != nullptr) {
      auto done = call_.enforcement->prepare(*changes, {held, facts_, config_, place_.directory});
      if (!done) return done;
    }
    const auto text = rewrite(config_, *changes);
    if (!text) return fail(text.error());
    record_.rewritten = checksum(*text);
    if (auto done = replace_file(place_.original(), config_.text()); !done) return done;
    if (auto done = write_record(place_, record_); !done) return done;
    return replace_file(config_path(), *text);
  }

  void undo(const Node& node, const DirectoryLock& lock) {
    if (auto done = discard(node, place_, holder_, lock, call_.enforcement); !done) {
      report_warning(call_.line, done.error());
    }
  }

  const Call& call_;
  RecordPlace place_;
  std::string holder_;
  std::string bundle_;
  JsonText config_;
  BundleFacts facts_;
  Record record_;
};

}  // namespace

int make_container(const Call& call) {
  return Creation(call).run();
}

}  // namespace particle::runtime
