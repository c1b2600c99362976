// SPDX-License-Identifier: Apache-2.0
// What agents say to each other over TLS, on socket pairs.
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include "wire/channel.hpp"
#include "wire/tls.hpp"

namespace {

using namespace particle;
using namespace particle::fleet;
using namespace std::chrono_literals;

constexpr const char* kSecret = "0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdeffedcba9876543210";
constexpr const char* kOther = "1f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdeffedcba9876543210";

struct Ends {
  UniqueFd a, b;
};
Ends make_ends() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Tls party(const std::string& name, const char* secret = kSecret,
          const std::string& cluster = "default") {
  auto tls = Tls::open(Secret(secret), cluster, name);
  REQUIRE(tls);
  return *tls;
}

struct Accepting {
  Result<std::unique_ptr<fleet::Transport>> transport = fail(Error::of(Errc::busy, "not yet"));
  std::string peer;
};

/// The whole handshake of the accepting side.
Accepting accept_all(const Tls& tls, UniqueFd socket) {
  Accepting out;
  auto handshake = tls.accept(std::move(socket));
  REQUIRE(handshake);
  while (true) {
    const auto step = handshake->advance();
    if (!step) {
      out.transport = fail(step.error());
      return out;
    }
    if (*step == TlsHandshake::Step::done) break;
    const bool reads = *step == TlsHandshake::Step::wants_read;
    pollfd wait{handshake->fd(), static_cast<short>(reads ? POLLIN : POLLOUT), 0};
    ::poll(&wait, 1, 5000);
  }
  out.peer = handshake->peer();
  out.transport = std::move(*handshake).finish();
  return out;
}

struct Met {
  Result<std::unique_ptr<fleet::Transport>> client = fail(Error::of(Errc::busy, "not yet"));
  Accepting server;
};

Met meet(const Tls& client, const std::string& name, const Tls& server) {
  Ends ends = make_ends();
  auto accepting =
      std::async(std::launch::async, [&] { return accept_all(server, std::move(ends.b)); });
  Met out;
  out.client = client.connect(std::move(ends.a), name, 5s);
  out.server = accepting.get();
  return out;
}

std::string read_some(fleet::Transport& transport) {
  std::array<char, 4096> piece{};
  const auto n = transport.read(piece);
  return n ? std::string(piece.data(), *n) : "error: " + n.error().message();
}

bool says(const Error& error, const char* text) {
  const bool found = error.message().find(text) != std::string::npos;
  if (!found) MESSAGE(error.message());
  return found;
}

}  // namespace

TEST_CASE("fleet tls: names are sent so that they read back, and nothing else is taken for them") {
  const TlsNames names{"prod", "n1", "n2"};
  CHECK(TlsNames::parse(names.to_identity()) == names);
  for (const char* wrong : {"", "particle-fleet/1", "particle-fleet/1\nprod\nn1", "x\nprod\nn1\nn2",
                            "particle-fleet/1\nprod\nn1\nn2\n", "particle-fleet/1\nprod\nn1\nn/2",
                            "particle-fleet/1\n\nn1\nn2", "particle-fleet/2\nprod\nn1\nn2"}) {
    CAPTURE(wrong);
    CHECK_FALSE(TlsNames::parse(wrong));
  }
}

TEST_CASE("fleet tls: with one secret both ends are proved, and bytes go both ways") {
  Met met = meet(party("n1"), "n2", party("n2"));
  REQUIRE(met.client);
  REQUIRE(met.server.transport);
  CHECK(met.server.peer == "n1");
  fleet::Transport& client = **met.client;
  fleet::Transport& server = **met.server.transport;
  REQUIRE(client.write("hello"));
  CHECK(read_some(server) == "hello");
  REQUIRE(server.write("and back"));
  CHECK(read_some(client) == "and back");
  client.stop();
  CHECK(read_some(server).empty());  // a regular end
  CHECK_FALSE(server.write(std::string(1 << 20, 'x')));
}

TEST_CASE("fleet tls: another secret is refused and both ends say so") {
  const Met met = meet(party("n1"), "n2", party("n2", kOther));
  REQUIRE_FALSE(met.client);
  REQUIRE_FALSE(met.server.transport);
  CHECK(met.client.error().kind() == Errc::permission_denied);
  CHECK(says(met.client.error(), "TLS with node n2"));
  CHECK(says(met.client.error(), "the agent there has another secret"));
  CHECK(met.server.transport.error().kind() == Errc::permission_denied);
  CHECK(says(met.server.transport.error(), "it has another secret than this agent"));
}

TEST_CASE("fleet tls: another name, another cluster and an agent's own hello are refused") {
  struct Case {
    Tls client;
    const char* to;
    Tls server;
    const char* why;
  };
  const Case cases[] = {
      {party("n1"), "n3", party("n2"), "it looks for node n3, and this is n2"},
      {party("n1", kSecret, "test"), "n2", party("n2"),
       "it is of cluster test, this agent of default"},
      {party("n1"), "n1", party("n1"), "it calls itself n1, as this agent does"},
      {party("n1"), "n2", party("n1"), "it looks for node n2, and this is n1"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.why);
    const Met met = meet(one.client, one.to, one.server);
    REQUIRE_FALSE(met.client);
    REQUIRE_FALSE(met.server.transport);
    CHECK(met.client.error().kind() == Errc::permission_denied);
    CHECK(says(met.client.error(), "has another name or is of another cluster"));
    CHECK(met.server.transport.error().kind() == Errc::permission_denied);
    CHECK(says(met.server.transport.error(), one.why));
  }
}

TEST_CASE("fleet tls: garbage, plain text and a closed connection end the handshake") {
  const Tls tls = party("n2");
  const std::string inputs[] = {"{\"id\":1,\"do\":\"status\",\"pool\":\"\"}\n",
                                "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                std::string(100'000, '\0'),
                                std::string(70'000, '\xff'),
                                std::string("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc", 9),
                                "\x16",
                                ""};
  for (const std::string& input : inputs) {
    Ends ends = make_ends();
    std::thread scanner([&] {
      static_cast<void>(::send(ends.a.get(), input.data(), input.size(), MSG_NOSIGNAL));
      ::shutdown(ends.a.get(), SHUT_WR);
    });
    const Accepting accepting = accept_all(tls, std::move(ends.b));
    scanner.join();
    CAPTURE(input.substr(0, 20));
    REQUIRE_FALSE(accepting.transport);
    const Errc kind = accepting.transport.error().kind();
    CHECK((kind == Errc::protocol || kind == Errc::io));
    CHECK_FALSE(accepting.transport.error().message().empty());
  }
}

TEST_CASE("fleet tls: a silent server is given up in time") {
  Ends ends = make_ends();
  const auto before = std::chrono::steady_clock::now();
  const auto transport = party("n1").connect(std::move(ends.a), "n2", 200ms);
  REQUIRE_FALSE(transport);
  CHECK(transport.error().code == std::errc::timed_out);
  CHECK(std::chrono::steady_clock::now() - before < 2s);
}

TEST_CASE("fleet tls: who knows the wire sees no word of it, and changing a bit ends it") {
  // Somebody in between: passes bytes on, keeps them, and may change one.
  Ends near = make_ends();
  Ends far = make_ends();
  std::string seen;
  std::atomic<bool> spoil = false;
  std::thread middle([&] {
    std::array<char, 4096> piece{};
    pollfd wait[] = {{near.b.get(), POLLIN, 0}, {far.a.get(), POLLIN, 0}};
    while (::poll(wait, 2, 5000) > 0) {
      for (const int i : {0, 1}) {
        if (wait[i].revents == 0) continue;
        const ssize_t n = ::recv(wait[i].fd, piece.data(), piece.size(), MSG_DONTWAIT);
        if (n <= 0) return;
        if (spoil) piece[static_cast<std::size_t>(n) - 1] ^= 1;
        seen.append(piece.data(), static_cast<std::size_t>(n));
        static_cast<void>(
            ::send(wait[1 - i].fd, piece.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL));
      }
    }
  });
  const Tls one = party("n1");
  const Tls two = party("n2");
  auto accepting =
      std::async(std::launch::async, [&] { return accept_all(two, std::move(far.b)); });
  auto client = one.connect(std::move(near.a), "n2", 5s);
  const Accepting server = accepting.get();
  REQUIRE(client);
  REQUIRE(server.transport);
  REQUIRE((*client)->write("rm -rf /tmp/secret-command"));
  CHECK(read_some(**server.transport) == "rm -rf /tmp/secret-command");
  spoil = true;
  REQUIRE((*client)->write("another command"));
  CHECK(read_some(**server.transport).find("error: ") == 0);
  CHECK(read_some(**server.transport).find("error: ") == 0);  // and goes on failing
  (*client)->stop();
  (*server.transport)->stop();
  middle.join();
  CHECK(seen.size() > 500);
  CHECK(seen.find("command") == std::string::npos);
  CHECK(seen.find(kSecret) == std::string::npos);
}

TEST_CASE("fleet tls: a connection that is cut off is told from one that ends") {
  Met met = meet(party("n1"), "n2", party("n2"));
  REQUIRE(met.client);
  REQUIRE(met.server.transport);
  met.client->reset();  // without a word: as when its process is killed
  CHECK(read_some(**met.server.transport).find("was cut") != std::string::npos);
}

namespace {

constexpr std::size_t kLines = 2000;

/// kLines lines with their number; one has three megabytes.
bool write_lines(Channel& channel) {
  for (std::size_t i = 0; i < kLines; ++i) {
    const std::string tail = i == kLines / 2 ? std::string(3U << 20, 'x') : "";
    if (!channel.write(std::to_string(i) + tail)) return false;
  }
  return true;
}

/// Returns how many came in order.
std::size_t read_lines(Channel& channel, const std::function<void()>& all_there) {
  std::size_t count = 0;
  static_cast<void>(channel.read_lines([&](std::string_view line) {
    if (line.substr(0, line.find('x')) == std::to_string(count)) ++count;
    if (count == kLines) all_there();
  }));
  return count;
}

}  // namespace

TEST_CASE("fleet tls: a channel carries lines both ways at once, long ones, too") {
  Met met = meet(party("n1"), "n2", party("n2"));
  REQUIRE(met.client);
  REQUIRE(met.server.transport);
  Channel a(std::move(*met.client));
  Channel b(std::move(*met.server.transport));
  std::atomic<int> complete = 0;
  const auto all_there = [&] {
    if (++complete == 2) a.stop();  // from a reader's thread; ends both
  };
  auto read_a = std::async(std::launch::async, [&] { return read_lines(a, all_there); });
  auto read_b = std::async(std::launch::async, [&] { return read_lines(b, all_there); });
  auto write_a = std::async(std::launch::async, [&] { return write_lines(a); });
  CHECK(write_lines(b));
  CHECK(write_a.get());
  CHECK(read_a.get() == kLines);
  CHECK(read_b.get() == kLines);
}

TEST_CASE("fleet tls: stopping a channel ends a reader that waits and a writer that is stuck") {
  Met met = meet(party("n1"), "n2", party("n2"));
  REQUIRE(met.client);
  REQUIRE(met.server.transport);
  Channel a(std::move(*met.client));
  auto reading = std::async(std::launch::async, [&] { return a.read_lines([](auto) {}); });
  // Nobody reads at the other end: the socket's buffers are full after a while.
  for (int i = 0; i < 40; ++i) REQUIRE(a.write(std::string(1U << 20, 'x')));
  std::this_thread::sleep_for(100ms);
  a.stop();
  CHECK(reading.wait_for(5s) == std::future_status::ready);
  CHECK_FALSE(a.write("late"));
}
