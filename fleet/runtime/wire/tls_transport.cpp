// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <cerrno>
#include <mutex>

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include "wire/tls_link.hpp"

namespace particle::fleet {
namespace {

/// A TLS object is for one thread at a time, and a channel reads and writes at once: all calls are made
/// under one mutex, on a socket that does not block, and whoever has to wait does so without it.
class TlsTransport final : public Transport {
 public:
  explicit TlsTransport(std::unique_ptr<TlsLink> link) : link_(std::move(link)) {}

  Result<std::size_t> read(std::span<char> into) override {
    std::size_t done = 0;
    auto ok = repeat(POLLIN, "read from the connection", [&] {
      return SSL_read_ex(link_->ssl.get(), into.data(), into.size(), &done);
    });
    if (!ok) return fail(std::move(ok.error()));
    return *ok ? done : 0;
  }

  Result<void> write(std::string_view bytes) override {
    while (!bytes.empty()) {
      std::size_t done = 0;
      const auto ok = repeat(POLLOUT, "write to the connection", [&] {
        return SSL_write_ex(link_->ssl.get(), bytes.data(), bytes.size(), &done);
      });
      if (!ok) return fail(ok.error());
      if (!*ok) return fail(Error::of(Errc::io, "the connection is closed"));
      bytes.remove_prefix(done);
    }
    return {};
  }

  void stop() override {
    const std::scoped_lock lock(mutex_);
    // So that the other side can tell an end from a cable that was cut. Not after an error, as OpenSSL
    // demands; whether it arrives is not waited for.
    if (!broken_ && !stopped_) SSL_shutdown(link_->ssl.get());
    stopped_ = true;
    ERR_clear_error();
    ::shutdown(link_->socket.get(), SHUT_RDWR);
  }

 private:
  /// True when `call` succeeded, false at the regular end.
  template <class Call>
  Result<bool> repeat(short usual, const char* what, const Call& call) {
    while (true) {
      int why = SSL_ERROR_NONE;
      {
        const std::scoped_lock lock(mutex_);
        if (broken_) return fail(Error::of(Errc::io, what, "the connection is broken"));
        ERR_clear_error();
        errno = 0;
        if (call() == 1) return true;
        why = SSL_get_error(link_->ssl.get(), 0);
        if (why == SSL_ERROR_ZERO_RETURN) return false;
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
          broken_ = true;
          return fail(describe(what, why, errno));
        }
      }
      wait_for(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, usual);
    }
  }

  /// Who waits for what the other thread may take off the socket first looks again by itself: a writer
  /// that waits for the other side's handshake messages, which come hardly ever.
  void wait_for(short events, short usual) const {
    constexpr int kLookAgain = 20;  // ms
    pollfd wait{link_->socket.get(), events, 0};
    ::poll(&wait, 1, events == usual ? -1 : kLookAgain);
  }

  static Error describe(const char* what, int why, int error) {
    if (why == SSL_ERROR_SYSCALL && error != 0) return Error::from_errno(error, what);
    if (why == SSL_ERROR_SYSCALL || tls_reason() == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      return Error::of(Errc::io, "the agent there was killed, or its connection was cut");
    }
    Error out = Error::of(Errc::io, what);
    out.kernel_message = tls_words("TLS failed");
    return out;
  }

  std::mutex mutex_;
  bool broken_ = false;
  bool stopped_ = false;
  std::unique_ptr<TlsLink> link_;
};

int write_bytes(BIO* bio, const char* bytes, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(bio);
  const auto& link = *static_cast<const TlsLink*>(BIO_get_data(bio));
  const ssize_t n = ::send(link.socket.get(), bytes, size, MSG_NOSIGNAL);
  if (n >= 0) {
    *done = static_cast<std::size_t>(n);
    return 1;
  }
  if (errno == EAGAIN || errno == EINTR) BIO_set_retry_write(bio);
  return 0;
}

int read_bytes(BIO* bio, char* bytes, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(bio);
  const auto& link = *static_cast<const TlsLink*>(BIO_get_data(bio));
  const ssize_t n = ::recv(link.socket.get(), bytes, size, 0);
  if (n > 0) {
    *done = static_cast<std::size_t>(n);
    return 1;
  }
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return 0;
}

long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace

TlsOwned<BIO_METHOD> make_socket_io() {
  TlsOwned<BIO_METHOD> out(
      BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE"));
  if (!out || BIO_meth_set_write_ex(out.get(), &write_bytes) != 1 ||
      BIO_meth_set_read_ex(out.get(), &read_bytes) != 1 ||
      BIO_meth_set_ctrl(out.get(), &control) != 1) {
    return nullptr;
  }
  return out;
}

std::unique_ptr<Transport> make_tls_transport(std::unique_ptr<TlsLink> link) {
  return std::make_unique<TlsTransport>(std::move(link));
}

std::string tls_words(const char* otherwise) {
  const char* words = ERR_reason_error_string(ERR_peek_last_error());
  return words != nullptr ? words : otherwise;
}

int tls_reason() {
  return ERR_GET_REASON(ERR_peek_last_error());
}

}  // namespace particle::fleet
