// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <linux/rtnetlink.h>

#include <particle/addr.hpp>
#include <particle/link.hpp>
#include <particle/session.hpp>

#include "support/fake_transport.hpp"

using namespace particle;
using namespace particle::test;

namespace {

std::vector<Message> addresses(std::uint64_t count, Verb verb = Verb::create) {
  const auto prefix = IpPrefix::parse("10.0.0.0/16").value();
  return encode_addr_range({2}, IpRange::of(prefix).first_n(count), verb);
}

struct Scripted {
  explicit Scripted(std::size_t receive_buffer = 212992) {
    kernel->receive_buffer = receive_buffer;
    session.emplace(kernel->transport());
  }
  std::shared_ptr<ScriptedKernel> kernel = std::make_shared<ScriptedKernel>();
  std::optional<Session> session;
};

std::size_t refused(const std::vector<Verdict>& verdicts) {
  return static_cast<std::size_t>(
      std::ranges::count_if(verdicts, [](const Verdict& verdict) { return !verdict.ok(); }));
}

void overwrite(Datagram& datagram, std::size_t offset, std::uint32_t value) {
  std::memcpy(datagram.data() + offset, &value, sizeof value);
}

}  // namespace

TEST_CASE("transact: nothing to send sends nothing") {
  Scripted test;
  CHECK(test.session->transact({}).value().empty());
  CHECK(test.kernel->batches().empty());
}

TEST_CASE("transact: one ack answers a whole window") {
  Scripted test;
  const auto verdicts = test.session->transact(addresses(100));
  REQUIRE(verdicts);
  CHECK(verdicts->size() == 100);
  CHECK(refused(*verdicts) == 0);
  CHECK(test.kernel->batches() == std::vector<std::size_t>{100});
  const auto& sent = test.kernel->sent();
  CHECK(std::ranges::count_if(sent, &SentRequest::asks_ack) == 1);
  CHECK(sent.back().asks_ack());
}

TEST_CASE("transact: every request has its own sequence number and keeps its bytes") {
  Scripted test;
  const auto requests = addresses(300);
  REQUIRE(test.session->transact(requests));
  REQUIRE(test.session->transact(requests));
  std::set<std::uint32_t> sequences;
  for (std::size_t i = 0; i < test.kernel->sent().size(); ++i) {
    const SentRequest& sent = test.kernel->sent()[i];
    sequences.insert(sent.header.nlmsg_seq);
    const auto wanted = requests[i % 300].bytes().subspan(sizeof(nlmsghdr));
    CHECK(std::ranges::equal(std::span(sent.bytes).subspan(sizeof(nlmsghdr)), wanted));
  }
  CHECK(sequences.size() == 600);
  CHECK_FALSE(sequences.contains(0));
}

TEST_CASE("transact: a refusal in the middle does not stop the rest") {
  Scripted test;
  test.kernel->refuse(41, {EEXIST, "Address already assigned", 28});
  const auto requests = addresses(100);
  const auto verdicts = test.session->transact(requests);
  REQUIRE(verdicts);
  CHECK(refused(*verdicts) == 1);
  CHECK((*verdicts)[41].error == EEXIST);
  CHECK((*verdicts)[41].attribute_offset == 28U);
  CHECK((*verdicts)[41].sequence == test.kernel->sent()[41].header.nlmsg_seq);
  CHECK(test.kernel->sent().size() == 100);
  const Error error = to_error((*verdicts)[41], requests[41]);
  CHECK(error.message() ==
        "RTM_NEWADDR 10.0.0.41/32 ifindex 2: File exists (Address already assigned)");
  CHECK(error.kind() == Errc::already_exists);
}

TEST_CASE("transact: the refusal of the last request ends its window") {
  Scripted test;
  test.kernel->refuse(9, {EPERM, "", std::nullopt, false});
  const auto verdicts = test.session->transact(addresses(10));
  REQUIRE(verdicts);
  CHECK(refused(*verdicts) == 1);
  CHECK(verdicts->back().error == EPERM);
}

TEST_CASE("transact: every request of every window may be refused") {
  Scripted test;
  for (std::size_t i = 0; i < 1000; ++i) test.kernel->refuse(i, EEXIST, "there");
  const auto verdicts = test.session->transact(addresses(1000));
  REQUIRE(verdicts);
  CHECK(refused(*verdicts) == 1000);
}

TEST_CASE("transact: windows follow the receive buffer, down to one request") {
  struct Row {
    std::size_t receive_buffer;
    std::size_t window;
  };
  for (const Row row : {Row{0, 1}, Row{1024, 1}, Row{2304, 2}, Row{212992, 208},
                        Row{std::size_t{1} << 30U, 4096}}) {
    CAPTURE(row.receive_buffer);
    Scripted test(row.receive_buffer);
    CHECK(test.session->window() == row.window);
    REQUIRE(test.session->transact(addresses(500)));
    std::size_t total = 0;
    for (const std::size_t batch : test.kernel->batches()) {
      CHECK(batch <= row.window);
      total += batch;
    }
    CHECK(total == 500);
  }
}

TEST_CASE("transact: one send stays well below the send buffer") {
  Scripted test(std::size_t{16} << 20U);
  LinkChange change;
  change.index = {2};
  change.alias = std::string(255, 'a');
  const std::vector<Message> requests(1000, encode_link_change(change));
  REQUIRE(test.session->transact(requests));
  CHECK(test.kernel->sent().size() == 1000);
  CHECK(test.kernel->batches().size() > 1);
  CHECK(std::ranges::max(test.kernel->batch_bytes()) <= 65536);
}

TEST_CASE("transact: progress counts the answered requests after each window") {
  Scripted test;
  std::vector<std::size_t> seen;
  TransactOptions options;
  options.progress = [&](std::size_t answered) { seen.push_back(answered); };
  REQUIRE(test.session->transact(addresses(500), options));
  CHECK(seen == std::vector<std::size_t>{208, 416, 500});
}

TEST_CASE("transact: a stop between windows leaves the rest unsent, with ECANCELED") {
  Scripted test;
  std::stop_source stop;
  TransactOptions options;
  options.stop = stop.get_token();
  options.progress = [&](std::size_t) { stop.request_stop(); };
  const auto requests = addresses(500);
  const auto verdicts = test.session->transact(requests, options);
  REQUIRE(verdicts);
  CHECK(test.kernel->sent().size() == 208);
  CHECK((*verdicts)[207].ok());
  CHECK((*verdicts)[208].error == ECANCELED);
  CHECK(verdicts->back().error == ECANCELED);
  CHECK(to_error(verdicts->back(), requests.back()).kind() == Errc::interrupted);
}

TEST_CASE("transact: replies with foreign sequence numbers are passed over") {
  Scripted test;
  test.kernel->on_request([](ScriptedKernel& kernel, const SentRequest& request) {
    SentRequest late = request;
    for (const std::uint32_t sequence :
         {0U, request.header.nlmsg_seq - 100U, request.header.nlmsg_seq + 100U, 0xffffffffU}) {
      late.header.nlmsg_seq = sequence;
      kernel.queue(make_reply(late, {EPERM, "not yours"}));
    }
    kernel.queue(make_message(NLMSG_NOOP, 0, request.header.nlmsg_seq));
    kernel.queue(make_message(RTM_NEWADDR, 0, request.header.nlmsg_seq));
    kernel.answer_by_default(request);
  });
  const auto verdicts = test.session->transact(addresses(3));
  REQUIRE(verdicts);
  CHECK(refused(*verdicts) == 0);
}

TEST_CASE("transact: several replies may share a datagram") {
  Scripted test;
  test.kernel->on_request([](ScriptedKernel& kernel, const SentRequest& request) {
    if (!request.asks_ack()) return;
    const auto& sent = kernel.sent();
    const std::vector<Datagram> parts{make_reply(sent[0], {EEXIST, "odd", 3}), make_ack(sent[2])};
    kernel.queue(concatenate(parts));
  });
  const auto verdicts = test.session->transact(addresses(3));
  REQUIRE(verdicts);
  CHECK((*verdicts)[0].error == EEXIST);
  CHECK((*verdicts)[1].ok());
  CHECK((*verdicts)[2].ok());
}

TEST_CASE("transact: after a lost reply the unanswered are sent again one by one") {
  Scripted test;
  test.kernel->refuse(1, EINVAL, "seen before the loss");
  test.kernel->lose(2);
  test.kernel->refuse(4, EPERM, "kept after the loss");
  // The second copies of requests 0, 2 and 3; request 5 was acked.
  test.kernel->refuse(6, EEXIST);
  test.kernel->refuse(7, EEXIST);
  const auto verdicts = test.session->transact(addresses(6));
  REQUIRE(verdicts);
  CHECK(test.kernel->batches() == std::vector<std::size_t>{6, 1, 1, 1});
  CHECK((*verdicts)[0].ok());
  CHECK((*verdicts)[1].error == EINVAL);
  CHECK((*verdicts)[2].ok());
  CHECK((*verdicts)[3].ok());
  CHECK((*verdicts)[4].error == EPERM);
  CHECK((*verdicts)[5].ok());
  for (std::size_t i = 6; i < 9; ++i) CHECK(test.kernel->sent()[i].asks_ack());
}

TEST_CASE("transact: a second copy's other refusals are kept") {
  Scripted test;
  test.kernel->lose(0);
  test.kernel->refuse(1, ENOSPC, "full");
  const auto verdicts = test.session->transact(addresses(1));
  REQUIRE(verdicts);
  CHECK((*verdicts)[0].error == ENOSPC);
  CHECK((*verdicts)[0].kernel_message == "full");
}

TEST_CASE("transact: what is gone at the second copy of a removal was removed by the first") {
  struct Row {
    Verb verb;
    int error;
    bool applied;
  };
  for (const Row row : {Row{Verb::remove, ENOENT, true}, Row{Verb::remove, ESRCH, true},
                        Row{Verb::remove, ENODEV, true}, Row{Verb::remove, EADDRNOTAVAIL, true},
                        Row{Verb::remove, EPERM, false}, Row{Verb::remove, EEXIST, false},
                        Row{Verb::create, EEXIST, true}, Row{Verb::create, ENODEV, false},
                        Row{Verb::replace, EEXIST, false}}) {
    CAPTURE(row.error);
    Scripted test;
    test.kernel->lose(0);
    test.kernel->refuse(1, row.error);
    const auto verdicts = test.session->transact(addresses(1, row.verb));
    REQUIRE(verdicts);
    CHECK((*verdicts)[0].ok() == row.applied);
  }
}

TEST_CASE("transact: EEXIST at the first copy stays a refusal") {
  Scripted test;
  test.kernel->refuse(0, EEXIST);
  CHECK((*test.session->transact(addresses(1)))[0].error == EEXIST);
}

TEST_CASE("transact: an ack that never comes is asked for again, then reported as unknown") {
  Scripted test;
  test.kernel->on_request([](ScriptedKernel&, const SentRequest&) {});
  const auto verdicts = test.session->transact(addresses(2));
  REQUIRE_FALSE(verdicts);
  CHECK(verdicts.error().kind() == Errc::unknown_outcome);
  CHECK(verdicts.error().operation == "RTM_NEWADDR 10.0.0.0/32 ifindex 2");
  CHECK(test.kernel->sent().size() == 2 + 3);
}

TEST_CASE("transact: an overrun message counts as a loss") {
  Scripted test;
  bool first = true;
  test.kernel->on_request([&](ScriptedKernel& kernel, const SentRequest& request) {
    if (std::exchange(first, false)) kernel.queue(make_message(NLMSG_OVERRUN, 0, 0));
    kernel.answer_by_default(request);
  });
  REQUIRE(test.session->transact(addresses(3)));
  CHECK(test.kernel->sent().size() == 5);
}

TEST_CASE("transact: forged and truncated replies are protocol errors") {
  const auto fails = [](const std::function<void(Datagram&)>& damage) {
    Scripted test;
    test.kernel->on_request([&](ScriptedKernel& kernel, const SentRequest& request) {
      Datagram reply = make_reply(request, {EINVAL, "some text", 8, false});
      damage(reply);
      kernel.queue(reply);
    });
    const auto verdicts = test.session->transact(addresses(1));
    REQUIRE_FALSE(verdicts);
    CHECK(verdicts.error().kind() == Errc::protocol);
  };
  fails([](Datagram& reply) { reply.pop_back(); });
  fails([](Datagram& reply) { reply.resize(3); });
  fails([](Datagram& reply) { reply.push_back(std::byte{0}); });
  fails([](Datagram& reply) { overwrite(reply, 0, 0); });
  fails([](Datagram& reply) { overwrite(reply, 0, 0xffffffffU); });
  fails([](Datagram& reply) { overwrite(reply, sizeof(nlmsghdr), 0x80000000U); });
  fails([](Datagram& reply) { overwrite(reply, sizeof(nlmsghdr) + 4, 0xfffffff0U); });
}

TEST_CASE("transact: the socket's errors are passed on") {
  Scripted sending;
  sending.kernel->fail_send(ENOMEM);
  CHECK(sending.session->transact(addresses(1)).error().code == std::errc::not_enough_memory);
  Scripted receiving;
  receiving.kernel->on_request(
      [](ScriptedKernel& kernel, const SentRequest&) { kernel.queue_error(EMSGSIZE); });
  CHECK(receiving.session->transact(addresses(1)).error().code == std::errc::message_size);
}

TEST_CASE("transact: an empty message is refused before anything is sent") {
  Scripted test;
  auto requests = addresses(2);
  requests.emplace_back();
  const auto verdicts = test.session->transact(requests);
  REQUIRE_FALSE(verdicts);
  CHECK(verdicts.error().kind() == Errc::invalid_argument);
  CHECK(test.kernel->sent().empty());
}

TEST_CASE("apply: the first refusal becomes the error, the rest was sent") {
  Scripted test;
  test.kernel->refuse(3, EPERM, "no");
  test.kernel->refuse(5, EEXIST, "later");
  const auto applied = test.session->apply(addresses(10));
  REQUIRE_FALSE(applied);
  CHECK(applied.error().message() ==
        "RTM_NEWADDR 10.0.0.3/32 ifindex 2: Operation not permitted (no)");
  CHECK_FALSE(applied.error().hint.empty());
  CHECK(applied.error().sequence == test.kernel->sent()[3].header.nlmsg_seq);
  CHECK(test.kernel->sent().size() == 10);
  CHECK(test.session->apply(addresses(1).front()));
}
