// SPDX-License-Identifier: Apache-2.0
/// A scripted kernel: error paths that no real one gives on demand.
///
///   auto kernel = std::make_shared<ScriptedKernel>();
///   kernel->refuse(2, EEXIST, "Address already assigned");  // the third request sent
///   Session session(kernel->transport());
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linux/netlink.h>

#include <particle/session.hpp>

namespace particle::test {

using Datagram = std::vector<std::byte>;

/// How the kernel would word an NLMSG_ERROR.
struct Refusal {
  int error = 0;  ///< a positive errno; 0 makes an ack
  std::string text = {};
  std::optional<std::uint32_t> offset = {};
  bool capped = true;  ///< false: the request is echoed whole (no NETLINK_CAP_ACK)
  bool tlvs = true;    ///< false: no extended ack (NLM_F_ACK_TLVS absent)
};

/// One request as the kernel saw it.
struct SentRequest {
  nlmsghdr header{};
  Datagram bytes;
  [[nodiscard]] bool asks_ack() const { return (header.nlmsg_flags & NLM_F_ACK) != 0; }
};

/// A message with a header of the given fields and the right length.
Datagram make_message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                      std::span<const std::byte> payload = {});
Datagram make_reply(const SentRequest& request, const Refusal& refusal);
Datagram make_ack(const SentRequest& request);
/// NLMSG_DONE with an error code (positive errno, 0 for success).
Datagram make_done(std::uint32_t sequence, int error = 0, std::uint16_t flags = NLM_F_MULTI);
Datagram concatenate(std::span<const Datagram> parts);

class ScriptedKernel : public std::enable_shared_from_this<ScriptedKernel> {
 public:
  /// Answers every request in place of the default, which acks what asks for it and refuses what
  /// refuse() named.
  using Responder = std::function<void(ScriptedKernel&, const SentRequest&)>;

  std::size_t receive_buffer = 212992;

  [[nodiscard]] std::unique_ptr<Transport> transport();

  void on_request(Responder responder) { responder_ = std::move(responder); }
  /// The request number `index` (counted over everything sent, from 0) is refused.
  void refuse(std::size_t index, int error, std::string text = {});
  void refuse(std::size_t index, Refusal refusal) { refusals_[index] = std::move(refusal); }
  /// The replies to request `index` vanish, as for want of receive buffer: ENOBUFS comes first.
  void lose(std::size_t index) { lost_[index] = true; }
  /// The next send fails with this errno.
  void fail_send(int error) { send_error_ = error; }

  void queue(Datagram datagram) { queue_.push_back({0, std::move(datagram)}); }
  void queue_error(int error) { queue_.push_back({error, {}}); }
  void answer_by_default(const SentRequest& request);

  [[nodiscard]] const std::vector<SentRequest>& sent() const { return sent_; }
  /// How many requests each send() carried.
  [[nodiscard]] const std::vector<std::size_t>& batches() const { return batches_; }
  [[nodiscard]] const std::vector<std::size_t>& batch_bytes() const { return batch_bytes_; }

  Result<void> take(std::span<const std::byte> bytes);
  Result<std::size_t> give(std::span<std::byte> buffer);

 private:
  struct Waiting {
    int error;
    Datagram datagram;
  };

  Responder responder_;
  std::map<std::size_t, Refusal> refusals_;
  std::map<std::size_t, bool> lost_;
  int send_error_ = 0;
  std::deque<Waiting> queue_;
  std::vector<SentRequest> sent_;
  std::vector<std::size_t> batches_;
  std::vector<std::size_t> batch_bytes_;
};

}  // namespace particle::test
