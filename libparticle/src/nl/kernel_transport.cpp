// SPDX-License-Identifier: Apache-2.0
#include "nl/kernel_transport.hpp"

#include <cerrno>
#include <utility>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace particle::nl {
namespace {

class KernelTransport final : public Transport {
 public:
  KernelTransport(UniqueFd socket, std::size_t receive_buffer)
      : socket_(std::move(socket)), receive_buffer_(receive_buffer) {}

  Result<void> send(std::span<const std::byte> bytes) override;
  Result<std::size_t> receive(std::span<std::byte> buffer) override;
  [[nodiscard]] std::size_t receive_buffer_size() const override { return receive_buffer_; }

 private:
  UniqueFd socket_;
  std::size_t receive_buffer_;
};

Result<void> KernelTransport::send(std::span<const std::byte> bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = -1;
  do {
    sent = ::sendto(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail(Error::from_errno(errno, "send to rtnetlink"));
  return {};
}

Result<std::size_t> KernelTransport::receive(std::span<std::byte> buffer) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    // rtnetlink answers while send() runs, and a dump's next part while the one before is read:
    // what is not there now will never come, so waiting for it would hang.
    const ssize_t length = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return fail(Error::from_errno(errno, "receive from rtnetlink"));
    // Any process may send to this socket; the kernel alone has port 0.
    if (message.msg_namelen != sizeof sender || sender.nl_pid != 0) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0)
      return fail(Error::from_errno(EMSGSIZE, "receive from rtnetlink"));
    return static_cast<std::size_t>(length);
  }
}

/// Best effort: an older kernel answers with less detail.
void try_enable(int socket, int option) {
  const int on = 1;
  (void)::setsockopt(socket, SOL_NETLINK, option, &on, sizeof on);
}

}  // namespace

Result<std::unique_ptr<Transport>> open_kernel_transport() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return fail(Error::from_errno(errno, "open a NETLINK_ROUTE socket"));
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) < 0) {
    return fail(Error::from_errno(errno, "bind a NETLINK_ROUTE socket"));
  }
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK})
    try_enable(socket.get(), option);
  int size = 0;
  socklen_t length = sizeof size;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &size, &length) < 0 || size < 0) {
    return fail(Error::from_errno(errno, "read SO_RCVBUF"));
  }
  return std::make_unique<KernelTransport>(std::move(socket), static_cast<std::size_t>(size));
}

}  // namespace particle::nl
