// SPDX-License-Identifier: Apache-2.0
#include "launcher/streams.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace particle::fleet {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
/// So many pieces of one stream before another one's turn.
constexpr int kPiecesAtOnce = 4;
/// What an instance left in its pipes: no more than a pipe holds, were it not for children elsewhere.
constexpr int kPiecesAtEnd = 64;

/// `ours` does not block.
Result<void> make_pipe(UniqueFd& read_end, UniqueFd& write_end, const UniqueFd& ours) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Error::from_errno(errno, "make a pipe", "raise the limit: ulimit -n"));
  }
  read_end = UniqueFd(ends[0]);
  write_end = UniqueFd(ends[1]);
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) {
    return fail(Error::from_errno(errno, "set up a pipe"));
  }
  return {};
}

/// A process that writes to a closed pipe is sent SIGPIPE; a library must not change who handles that.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;
  ~NoPipeSignal() {
    const timespec none = {};
    const int error = errno;
    while (::sigtimedwait(&set_, nullptr, &none) > 0) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }

 private:
  sigset_t set_{}, before_{};
};

}  // namespace

Result<Streams> Streams::open(std::string_view input, bool more, Ends& ends) {
  Streams streams;
  streams.more_ = more;
  if (auto ok = make_pipe(streams.output_, ends.output, streams.output_); !ok)
    return fail(ok.error());
  if (auto ok = make_pipe(streams.error_, ends.error, streams.error_); !ok) return fail(ok.error());
  if (input.empty() && !more) return streams;
  if (auto ok = make_pipe(ends.input, streams.input_, streams.input_); !ok) return fail(ok.error());
  streams.waiting_ = input;
  streams.write();
  return streams;
}

int Streams::fd(Which which) const {
  if (which == Which::input) return input_.get();
  return (which == Which::output ? output_ : error_).get();
}

void Streams::send(std::string_view bytes) {
  if (!input_.valid()) return;
  waiting_ += bytes;
  write();
}

void Streams::close_input() {
  more_ = false;
  write();
}

void Streams::write() {
  const NoPipeSignal quiet;
  while (has_waiting()) {
    const ssize_t written = ::write(input_.get(), waiting_.data(), waiting_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) {  // nobody reads any more
      waiting_.clear();
      more_ = false;
      break;
    }
    waiting_.erase(0, static_cast<std::size_t>(written));
  }
  if (!more_) input_.reset();
}

bool Streams::read(Which which, const Take& take) {
  UniqueFd& fd = which == Which::output ? output_ : error_;
  static thread_local std::array<char, kPiece> piece;
  for (int i = 0; i < kPiecesAtOnce && fd.valid(); ++i) {
    const ssize_t size = ::read(fd.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) {
      fd.reset();
      break;
    }
    take(which == Which::output ? Stream::output : Stream::error,
         {piece.data(), static_cast<std::size_t>(size)});
    if (static_cast<std::size_t>(size) < piece.size()) return true;
  }
  return fd.valid();
}

void Streams::drain(const Take& take) {
  for (const Which which : {Which::output, Which::error}) {
    bool something = true;
    const Take count = [&](Stream stream, std::string_view bytes) {
      something = true;
      take(stream, bytes);
    };
    for (int i = 0; i < kPiecesAtEnd && something; ++i) {
      something = false;
      if (!read(which, count)) break;
    }
  }
  input_.reset();
  output_.reset();
  error_.reset();
}

}  // namespace particle::fleet
