// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <sys/socket.h>

#include "wire/transport.hpp"

namespace particle::fleet {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(UniqueFd socket) : socket_(std::move(socket)) {}

  Result<std::size_t> read(std::span<char> into) override {
    while (true) {
      const ssize_t n = ::recv(socket_.get(), into.data(), into.size(), 0);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return fail(Error::from_errno(errno, "read from the connection"));
    }
  }

  Result<void> write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno != EINTR) {
        return fail(Error::from_errno(errno, "write to the connection"));
      }
    }
    return {};
  }

  void stop() override { ::shutdown(socket_.get(), SHUT_RDWR); }

 private:
  UniqueFd socket_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(UniqueFd socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace particle::fleet
