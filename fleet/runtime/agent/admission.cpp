// SPDX-License-Identifier: Apache-2.0
#include "agent/admission.hpp"

#include <algorithm>

namespace particle::fleet {
namespace {

std::string reason_of(const Error& error) {
  return error.kernel_message.empty() ? error.message() : error.kernel_message;
}

}  // namespace

void Admission::log(const TcpAddress& from, const std::string& why) {
  if (const auto line = refusals_.take(from.ip, why, Clock::now())) refused_(*line);
}

void Admission::refuse(Pending& one, const std::string& why) {
  one.over = true;
  log(one.from, why);
}

void Admission::take(Accepted connection) {
  const TcpAddress from = connection.from.value_or(TcpAddress{});
  if (!tls_) {
    admitted_.push_back(
        {make_plain_transport(std::move(connection.socket)), "whoever is at " + from.to_string()});
    return;
  }
  if (pending_.size() >= kMost) {
    refuse(pending_.front(), "it had not proved who it is when others came");
    pending_.pop_front();
  }
  auto handshake = tls_->accept(std::move(connection.socket));
  if (!handshake) return log(from, reason_of(handshake.error()));
  pending_.push_back({std::move(*handshake), from, Clock::now() + kPatience});
}

void Admission::add_to(std::vector<pollfd>& to) const {
  for (const Pending& one : pending_) to.push_back({one.handshake.fd(), one.events, 0});
}

std::chrono::milliseconds Admission::patience(std::chrono::milliseconds most) const {
  if (pending_.empty()) return most;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(pending_.front().until - Clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), most);
}

void Admission::advance(Pending& one) {
  const auto step = one.handshake.advance();
  if (!step) return refuse(one, reason_of(step.error()));
  if (*step != TlsHandshake::Step::done) {
    one.events = *step == TlsHandshake::Step::wants_read ? POLLIN : POLLOUT;
    return;
  }
  one.over = true;
  const std::string who = "agent " + one.handshake.peer() + " at " + one.from.to_string();
  admitted_.push_back({std::move(one.handshake).finish(), who});
}

void Admission::serve(const std::vector<pollfd>& events) {
  const auto now = Clock::now();
  for (Pending& one : pending_) {
    const bool ready = std::any_of(events.begin(), events.end(), [&](const pollfd& event) {
      return event.fd == one.handshake.fd() && event.revents != 0;
    });
    if (ready) advance(one);
    if (!one.over && one.until <= now) {
      refuse(one, "it has not proved who it is within " + std::to_string(kPatience.count()) +
                      " seconds");
    }
  }
  pending_.remove_if([](const Pending& one) { return one.over; });
}

std::vector<Admitted> Admission::take_admitted() {
  return std::exchange(admitted_, {});
}

}  // namespace particle::fleet
