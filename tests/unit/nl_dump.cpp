// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <ostream>
#include <utility>
#include <vector>

#include <linux/rtnetlink.h>

#include <particle/session.hpp>

#include "nl/wire.hpp"
#include "nl/writer.hpp"
#include "support/fake_transport.hpp"

using namespace particle;
using namespace particle::test;

namespace {

Message get_links() {
  nl::MessageWriter writer(RTM_GETLINK, NLM_F_REQUEST);
  writer.family_header<ifinfomsg>();
  return writer.finish();
}

Datagram link(std::uint32_t sequence, unsigned flags = 0) {
  const std::array<std::byte, sizeof(ifinfomsg)> payload{};
  return make_message(RTM_NEWLINK, static_cast<std::uint16_t>(NLM_F_MULTI | flags), sequence,
                      payload);
}

/// A dump, and what came of it.
struct Dumped {
  explicit Dumped(ScriptedKernel::Responder responder) {
    kernel->on_request(std::move(responder));
    Session session(kernel->transport());
    result = session.dump(
        get_links(),
        [this](nl::Bytes message) {
          ++answers;
          bytes = message.size();
        },
        [this] {
          ++restarts;
          answers = 0;
        });
  }
  std::shared_ptr<ScriptedKernel> kernel = std::make_shared<ScriptedKernel>();
  Result<void> result;
  int answers = 0;
  int restarts = 0;
  std::size_t bytes = 0;
};

}  // namespace

TEST_CASE("dump: every answer of every part arrives, header included") {
  const Dumped dumped([](ScriptedKernel& kernel, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    CHECK((request.header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP);
    kernel.queue(concatenate(std::vector{link(sequence), link(sequence)}));
    kernel.queue(concatenate(std::vector{link(sequence), make_done(sequence)}));
  });
  REQUIRE(dumped.result);
  CHECK(dumped.answers == 3);
  CHECK(dumped.bytes == sizeof(nlmsghdr) + sizeof(ifinfomsg));
  CHECK(dumped.restarts == 0);
}

TEST_CASE("dump: an empty table is no error") {
  const Dumped dumped([](ScriptedKernel& kernel, const SentRequest& request) {
    kernel.queue(make_done(request.header.nlmsg_seq));
  });
  CHECK(dumped.result);
  CHECK(dumped.answers == 0);
}

TEST_CASE("dump: answers to somebody else are passed over") {
  const Dumped dumped([](ScriptedKernel& kernel, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    kernel.queue(link(sequence + 1));
    kernel.queue(make_done(sequence + 1));
    kernel.queue(make_message(NLMSG_NOOP, 0, sequence));
    kernel.queue(concatenate(std::vector{link(sequence), make_done(sequence)}));
  });
  CHECK(dumped.result);
  CHECK(dumped.answers == 1);
}

TEST_CASE("dump: an inconsistent dump starts over") {
  int attempt = 0;
  const Dumped dumped([&](ScriptedKernel& kernel, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    kernel.queue(link(sequence));
    kernel.queue(link(sequence, ++attempt < 3 ? NLM_F_DUMP_INTR : 0));
    kernel.queue(make_done(sequence));
  });
  REQUIRE(dumped.result);
  CHECK(dumped.answers == 2);
  CHECK(dumped.restarts == 2);
}

TEST_CASE("dump: the mark of inconsistency may come with the end alone") {
  int attempt = 0;
  const Dumped dumped([&](ScriptedKernel& kernel, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    const unsigned mark = ++attempt < 2 ? NLM_F_DUMP_INTR : 0;
    kernel.queue(make_done(sequence, 0, static_cast<std::uint16_t>(NLM_F_MULTI | mark)));
  });
  CHECK(dumped.result);
  CHECK(dumped.restarts == 1);
}

TEST_CASE("dump: one that stays inconsistent gives up after 16 attempts") {
  const Dumped dumped([](ScriptedKernel& kernel, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    kernel.queue(concatenate(std::vector{link(sequence, NLM_F_DUMP_INTR), make_done(sequence)}));
  });
  REQUIRE_FALSE(dumped.result);
  CHECK(dumped.result.error().code == std::errc::interrupted);
  CHECK(dumped.result.error().kind() == Errc::kernel);
  CHECK(dumped.kernel->sent().size() == 16);
  CHECK(dumped.restarts == 15);
}

TEST_CASE("dump: a lost part starts over, after the queue was emptied") {
  int attempt = 0;
  const Dumped dumped([&](ScriptedKernel& kernel, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    if (++attempt == 1) kernel.queue_error(ENOBUFS);
    kernel.queue(link(sequence));
    if (attempt != 2) kernel.queue(make_done(sequence));  // the second attempt has no end
  });
  REQUIRE(dumped.result);
  CHECK(dumped.answers == 1);
  CHECK(dumped.restarts == 2);
}

TEST_CASE("dump: the kernel's refusal is an error in words, at the start and at the end") {
  for (const bool at_end : {false, true}) {
    const Dumped dumped([&](ScriptedKernel& kernel, const SentRequest& request) {
      if (at_end) {
        kernel.queue(make_done(request.header.nlmsg_seq, EOPNOTSUPP));
      } else {
        kernel.queue(make_reply(request, {EOPNOTSUPP, "no such table"}));
      }
    });
    REQUIRE_FALSE(dumped.result);
    CHECK(dumped.result.error().kind() == Errc::unsupported);
    CHECK(dumped.result.error().operation.starts_with("RTM_GETLINK"));
  }
}

TEST_CASE("dump: malformed answers are protocol errors") {
  for (const std::uint32_t length : {0U, 15U, 4096U, 0xffffffffU}) {
    CAPTURE(length);
    const Dumped dumped([&](ScriptedKernel& kernel, const SentRequest& request) {
      Datagram answer = link(request.header.nlmsg_seq);
      std::memcpy(answer.data(), &length, sizeof length);
      kernel.queue(answer);
      kernel.queue(make_done(request.header.nlmsg_seq));
    });
    REQUIRE_FALSE(dumped.result);
    CHECK(dumped.result.error().kind() == Errc::protocol);
  }
}

TEST_CASE("dump: a session serves again after a failed dump") {
  auto kernel = std::make_shared<ScriptedKernel>();
  bool first = true;
  kernel->on_request([&](ScriptedKernel& self, const SentRequest& request) {
    const auto sequence = request.header.nlmsg_seq;
    if (std::exchange(first, false)) self.queue(make_message(NLMSG_ERROR, 0, sequence));
    self.queue(link(sequence));
    self.queue(make_done(sequence));
  });
  Session session(kernel->transport());
  int answers = 0;
  const auto count = [&](nl::Bytes) { ++answers; };
  CHECK_FALSE(session.dump(get_links(), count));
  CHECK(session.dump(get_links(), count));
  CHECK(answers == 1);
}
