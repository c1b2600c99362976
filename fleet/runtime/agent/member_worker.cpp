// SPDX-License-Identifier: Apache-2.0
#include "agent/member_worker.hpp"

#include <algorithm>
#include <utility>

namespace particle::fleet {
namespace {

using overlay::Condition;
using std::chrono::milliseconds;

constexpr milliseconds kFirstMemberPause{100};
constexpr milliseconds kLongestMemberPause{10'000};
/// etcd chooses ids at random among 2^63; this one would be a strange coincidence.
constexpr std::int64_t kNoLease = 1;

std::string fleet_prefix(const std::string& cluster) {
  return overlay::EtcdKeys(cluster).fleet_node("");
}

}  // namespace

MemberWorker::MemberWorker(MembersOptions options, overlay::EtcdSettings settings,
                           std::stop_token stop)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      stop_(std::move(stop)),
      prefix_(fleet_prefix(settings_.cluster)),
      key_(prefix_ + options_.name),
      owner_(options_.node_id + " " + options_.address),
      client_(settings_, stop_) {
  // Not every node begins with the first server.
  for (auto skip = random_() % settings_.endpoints.size(); skip > 0; --skip)
    client_.next_endpoint();
}

void MemberWorker::log(LogLevel level, const std::string& text) const {
  if (options_.log) options_.log(level, text);
}

void MemberWorker::run() {
  while (!stop_.stop_requested()) {
    auto ended = connect();
    if (ended) ended = serve();
    if (stop_.stop_requested()) break;
    if (!ended) {
      lost(ended.error());
      pause();
    }
  }
  withdraw();
}

Result<void> MemberWorker::connect() {
  if (auto ok = client_.authenticate(); !ok) return ok;
  if (auto ok = list(); !ok) return ok;
  client_.watch(prefix_, revision_ + 1);
  if (auto ok = keep_alive(); !ok) return ok;
  if (auto ok = register_node(); !ok) return ok;
  if (std::exchange(failures_, 0) > 0) log(LogLevel::info, "etcd answers again");
  return {};
}

Result<void> MemberWorker::serve() {
  while (!stop_.stop_requested()) {
    if (auto ok = check_contact(); !ok) return ok;
    if (auto ok = hear(); !ok) return ok;
    if (Clock::now() >= next_keep_alive_) {
      if (auto ok = keep_alive(); !ok) return ok;
      if (auto ok = register_node(); !ok) return ok;
    }
    const auto left = std::chrono::ceil<milliseconds>(next_keep_alive_ - Clock::now());
    client_.wait(std::max(left, milliseconds(0)));
  }
  return {};
}

/// What arrives after a long silence (a partition that healed, a machine that slept) may tell of many
/// leases that ended meanwhile, though nobody died: then it counts as an outage.
Result<void> MemberWorker::check_contact() const {
  if (Clock::now() - last_contact_ < milliseconds(settings_.lease) * 2 / 3) return {};
  return fail(Error::of(Errc::io, "etcd at " + client_.endpoint() + ": no contact for a while"));
}

void MemberWorker::lost(const Error& error) {
  if (failures_++ == 0) {
    log(LogLevel::warning, "etcd is out of reach: " + error.message() +
                               (listed_ ? "; the nodes that were known before are used" : ""));
  }
  client_.next_endpoint();
  const std::scoped_lock lock(mutex_);
  if (standing_ == Standing::unknown) standing_ = Standing::unreachable;
  changed_.notify_all();
}

/// Twice as long each time, and somewhere in the upper half of it, so that many nodes that lose a server
/// at once do not come back at once; short enough that a lease survives a server's restart.
void MemberWorker::pause() {
  const auto longest =
      std::min<milliseconds>(kLongestMemberPause, milliseconds(settings_.lease) / 3);
  const auto most =
      std::min<milliseconds>(kFirstMemberPause * (1LL << std::min(failures_, 10U)), longest);
  std::uniform_int_distribution<milliseconds::rep> jitter(0, most.count() / 2);
  const auto until = Clock::now() + milliseconds(most.count() / 2 + jitter(random_));
  while (!stop_.stop_requested() && Clock::now() < until) {
    client_.wait(std::chrono::ceil<milliseconds>(until - Clock::now()));
  }
}

Result<void> MemberWorker::list() {
  auto listing = client_.list(prefix_);
  if (!listing) return fail(std::move(listing.error()));
  revision_ = listing->revision;
  holder_.reset();
  std::map<std::string, std::string> entries;
  for (const overlay::KeyValue& entry : listing->keys) {
    entries.emplace(entry.key.substr(prefix_.size()), entry.value);
    note_holder(entry, false);
  }
  // Who is missing after an outage may have lost its lease to it, and needs as long as a lease to return.
  const bool outage = std::exchange(listed_, true) && failures_ > 0;
  const std::scoped_lock lock(mutex_);
  list_.replace(entries, outage ? std::optional(Clock::now() + settings_.lease) : std::nullopt);
  return {};
}

Result<void> MemberWorker::hear() {
  auto news = client_.news();
  if (!news) return fail(std::move(news.error()));
  for (const overlay::WatchNews& one : *news) {
    if (one.refused) {
      Error error = Error::of(Errc::io, "etcd watch of " + prefix_);
      error.kernel_message = *one.refused;
      return fail(std::move(error));
    }
    if (one.compacted) {  // what was missed is found by listing
      if (auto ok = list(); !ok) return ok;
      client_.watch(prefix_, revision_ + 1);
      return {};
    }
    for (const overlay::KeyValue& entry : one.put) take(entry, false);
    for (const overlay::KeyValue& entry : one.deleted) take(entry, true);
  }
  return {};
}

void MemberWorker::take(const overlay::KeyValue& entry, bool deleted) {
  revision_ = std::max(revision_, entry.modified);
  if (!entry.key.starts_with(prefix_)) return;
  const std::string name = entry.key.substr(prefix_.size());
  note_holder(entry, deleted);
  std::optional<std::string> wrong;
  {
    const std::scoped_lock lock(mutex_);
    if (deleted) {
      list_.erase(name);
    } else {
      wrong = list_.put(name, entry.value);
    }
  }
  if (wrong) log(LogLevel::warning, "etcd key " + entry.key + ": " + *wrong);
}

void MemberWorker::note_holder(const overlay::KeyValue& entry, bool deleted) {
  if (entry.key != key_) return;
  if (deleted) {
    holder_.reset();
    next_keep_alive_ = Clock::now();  // the name is free: ask at once
    return;
  }
  const auto read = MemberEntry::parse(entry.value);
  holder_ = Holder{read ? read->owner : entry.value, read ? read->address : "", entry.modified,
                   entry.lease};
  if (entry.lease != lease_) next_keep_alive_ = Clock::now();
}

Result<void> MemberWorker::keep_alive() {
  next_keep_alive_ = Clock::now() + milliseconds(settings_.lease) / 3;
  const auto sent = Clock::now();
  // Whoever has no lease asks for one that nobody has: the answer is a sign of life, too.
  auto ok = client_.keep_alive(lease_ != 0 ? lease_ : kNoLease);
  if (!ok && ok.error().kind() != Errc::not_found) return ok;
  if (!ok) lease_ = 0;  // it is over: register_node() gets another
  last_contact_ = sent;
  return {};
}

/// The name belongs to whoever registered it first, for as long as that one's lease lasts.
Result<void> MemberWorker::register_node() {
  if (holder_ && holder_->owner != owner_) {
    set_standing(Standing::name_taken,
                 "node name " + options_.name + " is registered by the agent at " +
                     (holder_->address.empty() ? "another node" : holder_->address) +
                     ", which lives or was heard of within the last " +
                     std::to_string(settings_.lease.count()) + " s");
    return {};
  }
  if (holder_ && lease_ != 0 && holder_->lease == lease_) {
    set_standing(Standing::registered, "");
    return {};
  }
  if (lease_ == 0) {
    auto lease = client_.grant(settings_.lease);
    if (!lease) return fail(std::move(lease.error()));
    lease_ = *lease;
  }
  const Condition unchanged = holder_
                                  ? Condition{key_, Condition::What::modified, holder_->modified}
                                  : Condition{key_, Condition::What::created, 0};
  const MemberEntry entry{options_.address, owner_};
  auto done = write_entry(unchanged, entry.to_text());
  if (!done) return fail(std::move(done.error()));
  if (*done) {
    set_standing(Standing::registered, "");
  } else {
    // Somebody was faster. The watch will tell who; until then the next keep-alive asks again.
    next_keep_alive_ = Clock::now() + kFirstMemberPause;
  }
  return {};
}

Result<bool> MemberWorker::write_entry(const Condition& condition,
                                       std::optional<std::string> value) {
  const std::int64_t lease = value ? lease_ : 0;
  auto done = client_.commit({condition}, {{key_, value, lease}});
  if (!done && done.error().kind() == Errc::not_found) {  // the lease has ended meanwhile
    lease_ = 0;
    return false;
  }
  if (!done) return fail(std::move(done.error()));
  if (done->done && value) take({key_, *value, done->revision, done->revision, lease_}, false);
  return done->done;
}

void MemberWorker::withdraw() {
  if (lease_ == 0 || failures_ > 0) return;
  // Who stops on purpose is gone at once. A client that was told to stop does not do it.
  overlay::EtcdClient last(settings_, {});
  if (!last.authenticate()) return;
  static_cast<void>(
      last.commit({{key_, Condition::What::lease, lease_}}, {{key_, std::nullopt, 0}}));
}

void MemberWorker::set_standing(Standing standing, const std::string& why) {
  {
    const std::scoped_lock lock(mutex_);
    if (standing_ == standing && why_ == why) return;
    standing_ = standing;
    why_ = why;
    changed_.notify_all();
  }
  if (standing == Standing::registered) {
    log(LogLevel::info, "registered with etcd as " + options_.name + " at " + options_.address);
  } else {
    log(LogLevel::error, why);
  }
}

std::vector<AgentPeer> MemberWorker::peers() const {
  const std::scoped_lock lock(mutex_);
  return list_.peers(Clock::now());
}

Result<void> MemberWorker::wait_for_standing(milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return standing_ != Standing::unknown; });
  if (standing_ != Standing::name_taken) return {};
  return fail(Error::of(Errc::conflict, why_,
                        "give each node a name of its own (--name); after a node has died its name "
                        "is free when its lease ends"));
}

}  // namespace particle::fleet
