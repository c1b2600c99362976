// SPDX-License-Identifier: Apache-2.0
#include "etcd/worker.hpp"

#include <algorithm>
#include <utility>

namespace particle::overlay {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
/// etcd chooses ids at random among 2^63; this one would be a strange coincidence.
constexpr std::int64_t kNoLease = 1;

/// As long as a node may stay away without being withdrawn, each may need to come back.
milliseconds settle_time(const EtcdSettings& settings) {
  return settings.lease;
}

/// So that a node that has lost its connection is back before its lease is over.
milliseconds longest_pause(const EtcdSettings& settings) {
  return std::min<milliseconds>(kLongestPause, milliseconds(settings.lease) / 3);
}

}  // namespace

EtcdWorker::EtcdWorker(EtcdShared& shared, EtcdSettings settings, std::stop_token stop)
    : shared_(shared),
      stop_(std::move(stop)),
      settings_(std::move(settings)),
      client_(std::make_unique<EtcdClient>(settings_, stop_)) {
  // Not every node begins with the first server.
  for (auto skip = random_() % settings_.endpoints.size(); skip > 0; --skip)
    client_->next_endpoint();
}

void EtcdWorker::wake() {
  const std::scoped_lock lock(client_mutex_);
  client_->wake();
}

void EtcdWorker::run() {
  while (!stop_.stop_requested()) {
    auto ended = connect();
    if (ended) ended = serve();
    if (stop_.stop_requested()) return;
    if (std::exchange(reload_, false)) continue;  // no outage: we hung up ourselves
    if (ended) continue;
    lost(ended.error());
    pause();
  }
}

void EtcdWorker::lost(const Error& error) {
  ++failures_;
  outage_ = true;
  settle_at_.reset();
  client_->next_endpoint();
  const std::scoped_lock lock(shared_.mutex);
  shared_.trouble = error;
  shared_.settled = false;
  shared_.settling = false;
  shared_.signal();
}

/// Twice as long each time, and somewhere in the upper half of it: a thousand nodes that lose a server
/// at once do not come back at once.
void EtcdWorker::pause() {
  const auto most = std::min<milliseconds>(kFirstPause * (1LL << std::min(failures_, 10U)),
                                           longest_pause(settings_));
  const auto half = most.count() / 2;
  std::uniform_int_distribution<milliseconds::rep> jitter(0, half);
  const auto until = Clock::now() + milliseconds(half + jitter(random_));
  while (!stop_.stop_requested() && Clock::now() < until) {
    client_->wait(std::chrono::ceil<milliseconds>(until - Clock::now()));
    take_settings();
    if (std::exchange(reload_, false)) return;
    std::size_t left = 0;
    (void)next_changes(left);  // for health()
  }
}

void EtcdWorker::take_settings() {
  std::optional<EtcdSettings> fresh;
  {
    const std::scoped_lock lock(shared_.mutex);
    fresh = std::exchange(shared_.new_settings, std::nullopt);
  }
  if (!fresh) return;
  settings_ = *std::move(fresh);
  auto client = std::make_unique<EtcdClient>(settings_, stop_);
  const std::scoped_lock lock(client_mutex_);
  client_ = std::move(client);
  reload_ = true;
}

Result<void> EtcdWorker::connect() {
  if (auto ok = client_->authenticate(); !ok) return ok;
  if (auto ok = list(); !ok) return ok;
  client_->watch(shared_.keys.root(), revision_ + 1);
  if (auto ok = keep_alive(); !ok) return ok;
  if (auto ok = register_node(); !ok) return ok;
  failures_ = 0;
  begin_to_settle();
  return {};
}

void EtcdWorker::begin_to_settle() {
  if (outage_) settle_at_ = Clock::now() + settle_time(settings_);
  const std::scoped_lock lock(shared_.mutex);
  shared_.trouble.reset();
  shared_.settled = !settle_at_;
  shared_.settling = !shared_.settled;
  shared_.signal();
}

Result<void> EtcdWorker::serve() {
  while (!stop_.stop_requested()) {
    take_settings();
    if (reload_) return {};
    if (auto ok = check_contact(); !ok) return ok;
    if (auto ok = hear(); !ok) return ok;
    if (Clock::now() >= next_keep_alive_) {
      if (auto ok = keep_alive(); !ok) return ok;
      if (auto ok = register_node(); !ok) return ok;
    }
    if (auto ok = tell(); !ok) return ok;
    settle_when_due();
    client_->wait(patience());
  }
  return {};
}

/// What arrives after a long silence (a partition that healed, a machine that slept) may tell of many
/// leases that ended meanwhile, though nobody died: then it counts as an outage.
Result<void> EtcdWorker::check_contact() const {
  const auto silence = Clock::now() - last_contact_;
  if (silence < milliseconds(settings_.lease) * 2 / 3) return {};
  return fail(Error::of(
      Errc::io, "etcd at " + client_->endpoint() + ": no contact for " +
                    std::to_string(std::chrono::ceil<std::chrono::seconds>(silence).count()) +
                    " s"));
}

milliseconds EtcdWorker::patience() const {
  auto until = next_keep_alive_;
  if (settle_at_) until = std::min(until, *settle_at_);
  return std::max(std::chrono::ceil<milliseconds>(until - Clock::now()), milliseconds(0));
}

void EtcdWorker::settle_when_due() {
  if (!settle_at_ || Clock::now() < *settle_at_) return;
  settle_at_.reset();
  outage_ = false;
  const std::scoped_lock lock(shared_.mutex);
  shared_.before.reset();
  shared_.settled = true;
  shared_.settling = false;
  shared_.signal();
}

Result<void> EtcdWorker::list() {
  auto listing = client_->list(shared_.keys.root());
  if (!listing) return fail(std::move(listing.error()));
  adopt(*listing);
  return {};
}

void EtcdWorker::adopt(const Listing& listing) {
  Directory fresh(shared_.keys);
  for (const KeyValue& entry : listing.keys) fresh.put(entry);
  // What etcd says of this node's pools is compared with what is wanted, whatever was told before.
  told_.clear();
  for (const auto& [key, entry] : fresh.pools()) {
    if (key.first == shared_.node)
      told_.insert_or_assign(key.second, Told{entry.text, entry.lease, entry.modified});
  }
  const bool another = cluster_ != 0 && listing.cluster != cluster_;
  const bool went_back = listing.revision < revision_ || another;
  cluster_ = listing.cluster;
  revision_ = listing.revision;
  const std::scoped_lock lock(shared_.mutex);
  if (went_back && shared_.listed && !shared_.before) shared_.before = std::move(shared_.known);
  outage_ = outage_ || went_back;
  shared_.known = std::move(fresh);
  shared_.listed = true;
  shared_.signal();
}

Result<void> EtcdWorker::grant_lease() {
  const auto sent = Clock::now();
  auto lease = client_->grant(settings_.lease);
  if (!lease) return fail(std::move(lease.error()));
  lease_ = *lease;
  last_contact_ = sent;
  return {};
}

Result<void> EtcdWorker::keep_alive() {
  const auto now = Clock::now();
  next_keep_alive_ = now + milliseconds(settings_.lease) / 3;
  // Whoever has no lease asks for one that nobody has: the answer is a sign of life, too.
  auto ok = client_->keep_alive(lease_ != 0 ? lease_ : kNoLease);
  if (!ok && ok.error().kind() != Errc::not_found) return ok;
  if (!ok) lease_ = 0;  // it is over: register_node() gets another
  last_contact_ = now;
  return {};
}

void EtcdWorker::set_standing(Standing standing, const std::string& named_by) {
  const std::scoped_lock lock(shared_.mutex);
  if (shared_.standing == standing && shared_.named_by == named_by) return;
  shared_.standing = standing;
  shared_.named_by = named_by;
  shared_.signal();
}

/// The name belongs to whoever registered it first, for as long as that one's lease lasts.
Result<void> EtcdWorker::register_node() {
  std::optional<NodeEntry> holder;
  {
    const std::scoped_lock lock(shared_.mutex);
    const NodeEntry* found = shared_.known.find_node(shared_.node);
    if (found != nullptr) holder = *found;
  }
  if (holder && holder->node_id != shared_.node_id) {
    set_standing(Standing::name_taken, holder->node_id);
    return {};
  }
  if (holder && lease_ != 0 && holder->lease == lease_) {
    set_standing(Standing::registered);
    return {};
  }
  if (lease_ == 0) {
    if (auto ok = grant_lease(); !ok) return ok;
  }
  const std::string key = shared_.keys.node(shared_.node);
  const Condition unchanged = holder ? Condition{key, Condition::What::modified, holder->modified}
                                     : Condition{key, Condition::What::created, 0};
  const std::string value = node_value(shared_.node_id);
  const auto sent = Clock::now();
  auto done = client_->commit({unchanged}, {{key, value, lease_}});
  if (!done) return fail(std::move(done.error()));
  last_contact_ = sent;
  if (!done->done) {
    // Somebody was faster. The watch will tell who; until then the next keep-alive asks again.
    set_standing(Standing::unregistered);
    next_keep_alive_ = Clock::now() + kFirstPause;
    return {};
  }
  revision_ = std::max(revision_, done->revision);
  const std::scoped_lock lock(shared_.mutex);
  shared_.known.put({key, value, done->revision, done->revision, lease_});
  shared_.standing = Standing::registered;
  shared_.named_by.clear();
  shared_.signal();
  return {};
}

std::vector<Change> EtcdWorker::next_changes(std::size_t& left) {
  const std::scoped_lock lock(shared_.mutex);
  std::vector<Change> out;
  left = 0;
  const auto add = [&](const std::string& pool, std::optional<std::string> value) {
    if (out.size() < kMostChanges) {
      const std::int64_t lease = value ? lease_ : 0;
      out.push_back({shared_.keys.pool(shared_.node, pool), std::move(value), lease});
    }
    ++left;
  };
  for (const auto& [pool, text] : shared_.wanted) {
    const auto told = told_.find(pool);
    if (told == told_.end() || told->second.value != text || told->second.lease != lease_)
      add(pool, text);
  }
  for (const auto& [pool, told] : told_) {
    const bool ours = shared_.wanted.contains(pool);
    if (told.value && !ours && (shared_.told_all || shared_.withdrawn.contains(pool)))
      add(pool, std::nullopt);
  }
  if (shared_.pending != left) shared_.signal();
  shared_.pending = left;
  return out;
}

Result<void> EtcdWorker::tell() {
  std::size_t left = 0;
  for (std::vector<Change> changes = next_changes(left); left > 0; changes = next_changes(left)) {
    {
      const std::scoped_lock lock(shared_.mutex);
      if (shared_.standing != Standing::registered) return {};
    }
    const Condition ours{shared_.keys.node(shared_.node), Condition::What::lease, lease_};
    const auto sent = Clock::now();
    auto done = client_->commit({ours}, changes);
    if (!done && done.error().kind() == Errc::not_found) done = Committed{};  // no such lease
    if (!done) return fail(std::move(done.error()));
    last_contact_ = sent;  // a slow server is none that is gone
    if (!done->done) {
      // The lease ended, and perhaps somebody else has the name now.
      set_standing(Standing::unregistered);
      next_keep_alive_ = Clock::now() + kFirstPause;
      return {};
    }
    const std::string prefix = shared_.keys.pool(shared_.node, "");
    for (Change& change : changes) {
      told_.insert_or_assign(change.key.substr(prefix.size()),
                             Told{std::move(change.value), change.lease, done->revision});
    }
  }
  return {};
}

Result<void> EtcdWorker::hear() {
  auto news = client_->news();
  if (!news) return fail(std::move(news.error()));
  for (const WatchNews& one : *news) {
    if (one.refused) {
      Error error = Error::of(Errc::io, "etcd watch of " + shared_.keys.root());
      error.kernel_message = *one.refused;
      return fail(std::move(error));
    }
    if (one.compacted) {  // what was missed is found by listing
      if (auto ok = list(); !ok) return ok;
      client_->watch(shared_.keys.root(), revision_ + 1);
      begin_to_settle();
      return {};
    }
    const std::scoped_lock lock(shared_.mutex);
    for (const KeyValue& entry : one.put) hear_of(entry, false);
    for (const KeyValue& entry : one.deleted) hear_of(entry, true);
    if (!one.put.empty() || !one.deleted.empty()) shared_.signal();
  }
  return {};
}

/// The caller holds the mutex.
void EtcdWorker::hear_of(const KeyValue& entry, bool deleted) {
  revision_ = std::max(revision_, entry.modified);
  for (Directory* directory : {&shared_.known, shared_.before ? &*shared_.before : nullptr}) {
    if (directory == nullptr) continue;
    deleted ? directory->erase(entry.key) : directory->put(entry);
  }
  const auto parts = shared_.keys.split(entry.key);
  if (!parts || parts->first != shared_.node) return;
  // The name is free, or taken: ask at once.
  if (parts->kind == "nodes" && (deleted || entry.lease != lease_)) next_keep_alive_ = Clock::now();
  if (parts->kind != "pools") return;
  const auto told = told_.find(parts->rest);
  if (told != told_.end() && told->second.revision >= entry.modified) return;
  const auto value = deleted ? std::nullopt : std::optional(entry.value);
  told_.insert_or_assign(parts->rest, Told{value, deleted ? 0 : entry.lease, entry.modified});
}

}  // namespace particle::overlay
