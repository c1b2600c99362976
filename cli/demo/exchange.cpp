// SPDX-License-Identifier: Apache-2.0
#include "demo/exchange.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <system_error>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/sockets.hpp"

namespace particle::cli::demo {
namespace {

using Clock = std::chrono::steady_clock;

/// Calls in flight at once: three descriptors each stay far below any limit on open files.
constexpr std::size_t kBatch = 200;
constexpr std::chrono::seconds kExchangePatience{5};

std::string greeting(const std::string& pool, const std::string& server, const std::string& seen) {
  return "pool " + pool + ", endpoint " + server + ", sees you as " + seen;
}

/// One call in flight.
struct Conversation {
  const Call* call = nullptr;
  UniqueFd listener;
  UniqueFd client;
  std::string heard;
  std::string problem;
  bool over = false;

  [[nodiscard]] std::string wanted() const {
    return greeting(call->to->info.name, call->target.to_string(), call->source.to_string());
  }
  [[nodiscard]] std::string describe() const {
    return call->from->info.name + " " + call->source.to_string() + " -> " + call->to->info.name +
           " " + call->target.to_string();
  }
  void end(std::string why) {
    problem = std::move(why);
    over = true;
    listener.reset();
    client.reset();
  }
};

/// Serves and calls a batch at a time on one thread; only opening sockets enters namespaces.
class Batch {
 public:
  explicit Batch(std::span<const Call> calls) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (const auto& call : calls) {
      conversations_.emplace_back();
      conversations_.back().call = &call;
    }
  }

  Result<void> run(const std::stop_token& stop) {
    if (!epoll_.valid()) return fail(Error::from_errno(errno, "epoll_create1"));
    if (auto done = open_all(); !done) return done;
    const auto deadline = Clock::now() + kExchangePatience;
    while (open_ > 0 && Clock::now() < deadline) {
      if (stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the connections"));
      wait_once();
    }
    for (auto& conversation : conversations_) {
      if (!conversation.over) conversation.end("no answer in 5 s");
    }
    return {};
  }

  void report(Traffic& traffic) const {
    constexpr std::size_t kShown = 5;
    for (const auto& conversation : conversations_) {
      ++traffic.wanted;
      if (conversation.problem.empty()) {
        ++traffic.reached;
      } else if (traffic.problems.size() < kShown) {
        traffic.problems.push_back(conversation.describe() + ": " + conversation.problem);
      }
    }
  }

 private:
  using ByPool = std::map<const Pool*, std::vector<std::size_t>>;

  /// Every listener first, pool by pool, then every client.
  Result<void> open_all() {
    ByPool servers;
    ByPool clients;
    for (std::size_t i = 0; i < conversations_.size(); ++i) {
      servers[conversations_[i].call->to].push_back(i);
      clients[conversations_[i].call->from].push_back(i);
    }
    open_ = conversations_.size();
    if (auto done = open_in(servers, &Batch::open_server); !done) return done;
    return open_in(clients, &Batch::open_client);
  }

  Result<void> open_in(const ByPool& pools, void (Batch::*open)(std::size_t)) {
    for (const auto& [pool, members] : pools) {
      auto done = pool->netns.run([&]() -> Result<void> {
        for (const auto i : members) (this->*open)(i);
        return {};
      });
      if (!done) return done;
    }
    return {};
  }

  void open_server(std::size_t i) {
    auto listener = open_listener(conversations_[i].call->target, kPort);
    if (!listener) {
      end(i, listener.error().message());
      return;
    }
    conversations_[i].listener = std::move(*listener);
    watch(conversations_[i].listener, i, Role::server);
  }

  void open_client(std::size_t i) {
    auto& conversation = conversations_[i];
    if (conversation.over) return;
    auto client = open_connection(&conversation.call->source, conversation.call->target, kPort);
    if (!client) {
      end(i, client.error().message());
      return;
    }
    conversation.client = std::move(*client);
    watch(conversation.client, i, Role::client);
  }

  enum class Role : std::uint64_t { server, client };

  void watch(const UniqueFd& fd, std::size_t i, Role role) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i * 2 + static_cast<std::uint64_t>(role);
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event);
  }

  void wait_once() {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
    for (int e = 0; e < count; ++e) {
      const auto data = events.at(static_cast<std::size_t>(e)).data.u64;
      const auto i = static_cast<std::size_t>(data / 2);
      if (conversations_[i].over) continue;
      data % 2 == static_cast<std::uint64_t>(Role::server) ? serve(i) : listen_to_answer(i);
    }
  }

  /// Tells the client what its connection looks like from here, and hangs up.
  void serve(std::size_t i) {
    const auto& conversation = conversations_[i];
    const UniqueFd connection = accept_connection(conversation.listener);
    if (!connection.valid()) return;
    const auto seen = peer_address(connection);
    const auto own = local_address(connection);
    if (!seen || !own) return;
    const std::string line =
        greeting(conversation.call->to->info.name, own->to_string(), seen->to_string());
    // A fresh connection's send buffer always has room for one line.
    (void)!send(connection.get(), line.data(), line.size(), MSG_NOSIGNAL);
  }

  void listen_to_answer(std::size_t i) {
    auto& conversation = conversations_[i];
    std::array<char, 512> buffer{};
    const ssize_t size = read(conversation.client.get(), buffer.data(), buffer.size());
    if (size > 0) {
      conversation.heard.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (size == 0) {
      const bool right = conversation.heard == conversation.wanted();
      end(i, right ? "" : "heard \"" + conversation.heard + "\"");
    } else if (errno != EAGAIN && errno != EINTR) {
      end(i, std::system_category().message(errno));
    }
  }

  void end(std::size_t i, std::string why) {
    conversations_[i].end(std::move(why));
    --open_;
  }

  UniqueFd epoll_;
  std::vector<Conversation> conversations_;
  std::size_t open_ = 0;
};

}  // namespace

Result<void> exchange(std::span<const Call> calls, Traffic& traffic, const Watch& watch) {
  const auto start = Clock::now();
  const std::size_t all = calls.size();
  for (std::size_t first = 0; first < all; first += kBatch) {
    watch.tell("connecting " + traffic.what, first, all);
    Batch batch(calls.subspan(first, std::min(kBatch, all - first)));
    if (auto done = batch.run(watch.stop); !done) return done;
    batch.report(traffic);
  }
  traffic.took += Clock::now() - start;
  return {};
}

}  // namespace particle::cli::demo
