// SPDX-License-Identifier: Apache-2.0
// Bytes as the kernel's replies to a transaction and to a dump, and as a request to describe.
//
// An input is a list of datagrams, each after its length (two bytes, little endian). The length
// 0xffff stands for a lost reply (ENOBUFS) and has no bytes. Both conversations start at
// sequence 1.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include <linux/rtnetlink.h>

#include <particle/addr.hpp>
#include <particle/session.hpp>

#include "nl/writer.hpp"

namespace {

using particle::Error;
using particle::Result;
using Bytes = std::span<const std::byte>;

constexpr std::size_t kLost = 0xffff;

/// Replays the datagrams of an input, whatever is sent.
class Replay final : public particle::Transport {
 public:
  explicit Replay(Bytes script) : rest_(script) {}
  Result<void> send(Bytes) override { return {}; }
  [[nodiscard]] std::size_t receive_buffer_size() const override { return 212992; }

  Result<std::size_t> receive(std::span<std::byte> buffer) override {
    if (rest_.size() < 2) return particle::fail(Error::from_errno(EAGAIN, "receive"));
    const auto length =
        std::to_integer<std::size_t>(rest_[0]) | std::to_integer<std::size_t>(rest_[1]) << 8U;
    rest_ = rest_.subspan(2);
    if (length == kLost) return particle::fail(Error::from_errno(ENOBUFS, "receive"));
    const Bytes datagram = rest_.first(std::min({length, rest_.size(), buffer.size()}));
    rest_ = rest_.subspan(datagram.size());
    std::ranges::copy(datagram, buffer.begin());
    return datagram.size();
  }

 private:
  Bytes rest_;
};

void require(bool condition) {
  if (!condition) std::abort();
}

void transact(Bytes script) {
  const auto first = particle::IpAddress::parse("10.0.0.1").value();
  const auto range = particle::IpRange::make(first, first.plus(3).value()).value();
  const auto requests = particle::encode_addr_range({2}, range);
  particle::Session session(std::make_unique<Replay>(script));
  const auto verdicts = session.transact(requests);
  require(!verdicts || verdicts->size() == requests.size());
  if (!verdicts) return;
  for (const auto& verdict : *verdicts) require(verdict.error >= 0 && verdict.error <= 4095);
}

void dump(Bytes script) {
  particle::nl::MessageWriter writer(RTM_GETLINK, NLM_F_REQUEST);
  writer.family_header<ifinfomsg>();
  particle::Session session(std::make_unique<Replay>(script));
  (void)session.dump(writer.finish(), [](Bytes answer) {
    require(answer.size() >= sizeof(nlmsghdr));
    const particle::Message message(std::vector<std::byte>(answer.begin(), answer.end()));
    require(!message.describe().empty());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes script = std::as_bytes(std::span(data, size));
  transact(script);
  dump(script);
  const particle::Message raw(std::vector<std::byte>(script.begin(), script.end()));
  require(!raw.describe().empty());
  return 0;
}
