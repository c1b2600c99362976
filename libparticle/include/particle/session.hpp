// SPDX-License-Identifier: Apache-2.0
/// A conversation with one network namespace's rtnetlink: many requests in, one verdict each out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <particle/message.hpp>
#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle {

/// What the kernel said to one request.
struct Verdict {
  int error = 0;                                  ///< 0, or a positive errno
  std::string kernel_message;                     ///< the extended ack's text, verbatim
  std::optional<std::uint32_t> attribute_offset;  ///< NLMSGERR_ATTR_OFFS
  std::uint32_t sequence = 0;
  [[nodiscard]] bool ok() const noexcept { return error == 0; }
};

/// Where netlink bytes go and come from. The kernel's socket in production, a script in tests.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Sends `bytes` (one or more whole messages) as one datagram. Errors: errno of sendmsg(2).
  virtual Result<void> send(std::span<const std::byte> bytes) = 0;
  /// Receives one datagram. Returns its length, which is at most buffer.size(). A datagram that was
  /// larger is an error (EMSGSIZE); one whose sender is not the kernel is skipped. Does not wait:
  /// rtnetlink answers within send(), and a dump's next part within the receive() before it, so that
  /// an empty queue (EAGAIN) means that nothing more will come.
  virtual Result<std::size_t> receive(std::span<std::byte> buffer) = 0;
  /// SO_RCVBUF as the kernel reports it, in bytes.
  [[nodiscard]] virtual std::size_t receive_buffer_size() const = 0;
};

struct TransactOptions {
  /// Called after each window with the number of requests answered so far.
  std::function<void(std::size_t)> progress;
  /// Checked between windows; requests not sent by then get the verdict ECANCELED.
  std::stop_token stop;
};

/// Threads: one session is used by one thread at a time; sessions are independent of each other.
/// The namespace is that of the thread that opened it and stays so whichever thread uses it.
class Session {
 public:
  /// Opens a NETLINK_ROUTE socket (CLOEXEC, NETLINK_EXT_ACK, NETLINK_CAP_ACK,
  /// NETLINK_GET_STRICT_CHK) in the calling thread's namespace.
  /// Errors: errno of socket(2), bind(2). An option the kernel lacks is passed over.
  static Result<Session> open();
  explicit Session(std::unique_ptr<Transport> transport);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Sends every request, in order, in windows that the receive buffer can answer even when each
  /// one fails, asking for an ack on the last request of a window only. One verdict per request; a
  /// refused request does not stop the rest. After a lost reply (ENOBUFS) the requests without a
  /// verdict are sent again one by one, where EEXIST on a create and ENOENT, ESRCH, ENODEV or
  /// EADDRNOTAVAIL on a removal then mean that the first copy had been applied.
  /// Errors: the socket's errno, or protocol when a reply is malformed.
  /// Kernel: net/netlink/af_netlink.c:netlink_rcv_skb, netlink_ack. NETLINK_CAP_ACK since 4.3,
  /// NETLINK_EXT_ACK since 4.12.
  Result<std::vector<Verdict>> transact(std::span<const Message> requests,
                                        const TransactOptions& options = {});

  /// As transact, but the first refusal becomes the Error (with the request in words). The rest of
  /// the requests were still sent.
  Result<void> apply(std::span<const Message> requests, const TransactOptions& options = {});
  Result<void> apply(const Message& request);

  /// Sends one dump request (NLM_F_DUMP) and hands every answer, header included, to `consume`;
  /// starts over when the kernel marks the dump as inconsistent (NLM_F_DUMP_INTR), at most 16
  /// times; `restart` is called before each new attempt.
  /// Errors: the kernel's errno, protocol, or kernel with EINTR after 16 attempts.
  Result<void> dump(const Message& request,
                    const std::function<void(std::span<const std::byte>)>& consume,
                    const std::function<void()>& restart = {});

  /// How many requests go into one window.
  [[nodiscard]] std::size_t window() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The verdict of a refused request as an Error that names the request.
Error to_error(const Verdict& verdict, const Message& request);

}  // namespace particle
