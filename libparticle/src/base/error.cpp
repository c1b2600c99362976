// SPDX-License-Identifier: Apache-2.0
#include <particle/error.hpp>

#include <cerrno>
#include <utility>

namespace particle {
namespace {

const char* words(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid argument";
    case Errc::not_found:
      return "not found";
    case Errc::already_exists:
      return "already exists";
    case Errc::conflict:
      return "conflicts with what exists";
    case Errc::permission_denied:
      return "permission denied";
    case Errc::unsupported:
      return "not supported by this kernel";
    case Errc::busy:
      return "in use";
    case Errc::exhausted:
      return "no resources left";
    case Errc::corrupt_state:
      return "unreadable record";
    case Errc::io:
      return "input/output failed";
    case Errc::interrupted:
      return "interrupted";
    case Errc::protocol:
      return "malformed reply";
    case Errc::unknown_outcome:
      return "the reply was lost";
    case Errc::kernel:
      return "refused by the kernel";
  }
  return "unknown error";
}

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "particle"; }
  [[nodiscard]] std::string message(int value) const override {
    return words(static_cast<Errc>(value));
  }
};

Errc classify_errno(int error) noexcept {
  switch (error) {
    case EINVAL:
    case ERANGE:
    case ENAMETOOLONG:
      return Errc::invalid_argument;
    case ENOENT:
    case ENODEV:
    case ESRCH:
    case ENXIO:
    case EADDRNOTAVAIL:
      return Errc::not_found;
    case EEXIST:
      return Errc::already_exists;
    case EPERM:
    case EACCES:
      return Errc::permission_denied;
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return Errc::unsupported;
    case EBUSY:
    case EADDRINUSE:
    case ETXTBSY:
      return Errc::busy;
    case ENOSPC:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
    case EXFULL:
      return Errc::exhausted;
    case EIO:
    case EROFS:
    case EPIPE:
      return Errc::io;
    case ECANCELED:
      return Errc::interrupted;
    case EBADMSG:
    case EPROTO:
      return Errc::protocol;
    default:
      return Errc::kernel;
  }
}

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

Errc classify(const std::error_code& code) noexcept {
  if (code.category() == error_category()) return static_cast<Errc>(code.value());
  if (code.category() == std::generic_category() || code.category() == std::system_category()) {
    return classify_errno(code.value());
  }
  return Errc::kernel;
}

std::string Error::message() const {
  std::string text = operation;
  if (!text.empty()) text += ": ";
  text += code.message();
  if (!kernel_message.empty()) text += " (" + kernel_message + ")";
  return text;
}

Error Error::of(Errc code, std::string operation, std::string hint) {
  Error error;
  error.code = make_error_code(code);
  error.operation = std::move(operation);
  error.hint = std::move(hint);
  return error;
}

Error Error::from_errno(int error_number, std::string operation, std::string hint) {
  Error error;
  error.code = {error_number, std::generic_category()};
  error.operation = std::move(operation);
  error.hint = std::move(hint);
  return error;
}

}  // namespace particle
