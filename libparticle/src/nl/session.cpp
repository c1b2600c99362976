// SPDX-License-Identifier: Apache-2.0
#include <particle/session.hpp>

#include <cerrno>
#include <utility>

#include "nl/conversation.hpp"
#include "nl/dump.hpp"
#include "nl/kernel_transport.hpp"
#include "nl/transaction.hpp"

namespace particle {

struct Session::Impl {
  nl::Conversation conversation;
};

Session::Session(std::unique_ptr<Transport> transport)
    : impl_(std::make_unique<Impl>(Impl{nl::Conversation(std::move(transport))})) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open() {
  auto transport = nl::open_kernel_transport();
  if (!transport) return fail(std::move(transport.error()));
  return Session(std::move(*transport));
}

std::size_t Session::window() const noexcept {
  return impl_->conversation.window();
}

Result<std::vector<Verdict>> Session::transact(std::span<const Message> requests,
                                               const TransactOptions& options) {
  return nl::Transaction(impl_->conversation, requests).run(options);
}

Result<void> Session::apply(std::span<const Message> requests, const TransactOptions& options) {
  auto verdicts = transact(requests, options);
  if (!verdicts) return fail(std::move(verdicts.error()));
  for (std::size_t i = 0; i < verdicts->size(); ++i) {
    if (!(*verdicts)[i].ok()) return fail(to_error((*verdicts)[i], requests[i]));
  }
  return {};
}

Result<void> Session::apply(const Message& request) {
  return apply(std::span(&request, 1));
}

Result<void> Session::dump(const Message& request,
                           const std::function<void(std::span<const std::byte>)>& consume,
                           const std::function<void()>& restart) {
  return nl::dump(impl_->conversation, request, consume, restart);
}

namespace {

std::string hint_for(int error) {
  switch (error) {
    case EPERM:
      return "CAP_NET_ADMIN is needed in the user namespace that owns this network namespace";
    case EOPNOTSUPP:
      return "this kernel lacks the feature; see its configuration or load the module";
    case ECANCELED:
      return "the request was not sent";
    default:
      return {};
  }
}

}  // namespace

Error to_error(const Verdict& verdict, const Message& request) {
  Error error = Error::from_errno(verdict.error, request.describe(), hint_for(verdict.error));
  error.kernel_message = verdict.kernel_message;
  error.attribute_offset = verdict.attribute_offset;
  error.sequence = verdict.sequence;
  return error;
}

}  // namespace particle
