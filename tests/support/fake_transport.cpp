// SPDX-License-Identifier: Apache-2.0
#include "support/fake_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace particle::test {
namespace {

template <class T>
void append(Datagram& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void pad(Datagram& out) {
  out.resize((out.size() + 3) & ~std::size_t{3});
}

void append_attribute(Datagram& out, std::uint16_t type, std::span<const std::byte> payload) {
  nlattr header{};
  header.nla_len = static_cast<std::uint16_t>(sizeof header + payload.size());
  header.nla_type = type;
  append(out, header);
  out.insert(out.end(), payload.begin(), payload.end());
  pad(out);
}

void append_extended_ack(Datagram& out, const Refusal& refusal) {
  if (!refusal.text.empty()) {
    append_attribute(out, NLMSGERR_ATTR_MSG,
                     std::as_bytes(std::span(refusal.text.c_str(), refusal.text.size() + 1)));
  }
  if (refusal.offset) {
    append_attribute(out, NLMSGERR_ATTR_OFFS, std::as_bytes(std::span(&*refusal.offset, 1)));
  }
}

class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(std::shared_ptr<ScriptedKernel> kernel) : kernel_(std::move(kernel)) {}
  Result<void> send(std::span<const std::byte> bytes) override { return kernel_->take(bytes); }
  Result<std::size_t> receive(std::span<std::byte> buffer) override {
    return kernel_->give(buffer);
  }
  [[nodiscard]] std::size_t receive_buffer_size() const override { return kernel_->receive_buffer; }

 private:
  std::shared_ptr<ScriptedKernel> kernel_;
};

}  // namespace

Datagram make_message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                      std::span<const std::byte> payload) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  header.nlmsg_seq = sequence;
  Datagram out;
  append(out, header);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

Datagram make_reply(const SentRequest& request, const Refusal& refusal) {
  Datagram payload;
  append(payload, -refusal.error);
  append(payload, request.header);
  std::uint16_t flags = 0;
  if (refusal.error == 0 || refusal.capped) {
    flags |= NLM_F_CAPPED;
  } else {
    payload.insert(payload.end(), request.bytes.begin() + sizeof(nlmsghdr), request.bytes.end());
    pad(payload);
  }
  if (refusal.tlvs && (!refusal.text.empty() || refusal.offset)) {
    flags |= NLM_F_ACK_TLVS;
    append_extended_ack(payload, refusal);
  }
  return make_message(NLMSG_ERROR, flags, request.header.nlmsg_seq, payload);
}

Datagram make_ack(const SentRequest& request) {
  return make_reply(request, {});
}

Datagram make_done(std::uint32_t sequence, int error, std::uint16_t flags) {
  Datagram payload;
  append(payload, -error);
  return make_message(NLMSG_DONE, flags, sequence, payload);
}

Datagram concatenate(std::span<const Datagram> parts) {
  Datagram whole;
  for (const Datagram& part : parts) {
    whole.insert(whole.end(), part.begin(), part.end());
    pad(whole);
  }
  return whole;
}

std::unique_ptr<Transport> ScriptedKernel::transport() {
  return std::make_unique<FakeTransport>(shared_from_this());
}

void ScriptedKernel::refuse(std::size_t index, int error, std::string text) {
  Refusal refusal;
  refusal.error = error;
  refusal.text = std::move(text);
  refuse(index, std::move(refusal));
}

void ScriptedKernel::answer_by_default(const SentRequest& request) {
  const std::size_t index = sent_.size() - 1;
  if (lost_.contains(index)) {
    queue_error(ENOBUFS);
  } else if (const auto refusal = refusals_.find(index); refusal != refusals_.end()) {
    queue(make_reply(request, refusal->second));
  } else if (request.asks_ack()) {
    queue(make_ack(request));
  }
}

Result<void> ScriptedKernel::take(std::span<const std::byte> bytes) {
  if (const int error = std::exchange(send_error_, 0); error != 0) {
    return fail(Error::from_errno(error, "send"));
  }
  batches_.push_back(0);
  batch_bytes_.push_back(bytes.size());
  while (bytes.size() >= sizeof(nlmsghdr)) {
    SentRequest request;
    std::memcpy(&request.header, bytes.data(), sizeof request.header);
    const std::size_t length = std::min<std::size_t>(request.header.nlmsg_len, bytes.size());
    if (length < sizeof(nlmsghdr)) {
      return fail(Error::from_errno(EINVAL, "send"));
    }
    request.bytes.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    bytes = bytes.subspan(std::min((length + 3) & ~std::size_t{3}, bytes.size()));
    ++batches_.back();
    sent_.push_back(request);
    if (responder_) {
      responder_(*this, request);
    } else {
      answer_by_default(request);
    }
  }
  return {};
}

Result<std::size_t> ScriptedKernel::give(std::span<std::byte> buffer) {
  if (queue_.empty()) {
    return fail(Error::from_errno(EAGAIN, "receive"));
  }
  const Waiting waiting = std::move(queue_.front());
  queue_.pop_front();
  if (waiting.error != 0) {
    return fail(Error::from_errno(waiting.error, "receive"));
  }
  if (waiting.datagram.size() > buffer.size()) {
    return fail(Error::from_errno(EMSGSIZE, "receive"));
  }
  std::ranges::copy(waiting.datagram, buffer.begin());
  return waiting.datagram.size();
}

}  // namespace particle::test
