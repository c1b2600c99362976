// SPDX-License-Identifier: Apache-2.0
/// Errors as values: what was attempted, what the kernel said, what to do next.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace particle {

/// What kind of failure it is; programs map these to exit codes and CNI codes.
enum class Errc {
  invalid_argument = 1,  ///< the caller's input is wrong; nothing was attempted
  not_found,             ///< the named pool, tenant, device, holder or path does not exist
  already_exists,        ///< the name or object is taken
  conflict,              ///< contradicts what exists: other spec, overlapping range, taken VNI
  permission_denied,     ///< CAP_NET_ADMIN, CAP_SYS_ADMIN or a file permission is missing
  unsupported,           ///< this kernel lacks the feature
  busy,                  ///< in use: leases held, an endpoint cooling down, a lock held
  exhausted,             ///< no free endpoint, no memory, no descriptor, no disk space
  corrupt_state,         ///< a record under the run directory cannot be read
  io,                    ///< reading or writing a file failed
  interrupted,           ///< cancelled on request; everything done so far was undone
  protocol,              ///< the kernel's (or a forged) reply is malformed
  unknown_outcome,       ///< the request was sent and its verdict was lost
  kernel,                ///< any other refusal of the kernel
};

/// The category of `Errc` codes; its name is "particle".
const std::error_category& error_category() noexcept;
std::error_code make_error_code(Errc code) noexcept;

/// Sorts any error code, an errno included, into an `Errc`.
/// `EEXIST` becomes `already_exists`, `EPERM`/`EACCES` `permission_denied`, `EOPNOTSUPP`
/// `unsupported`, `ENOSPC`/`ENOMEM`/`EMFILE` `exhausted`, and so on; the rest is `kernel`.
Errc classify(const std::error_code& code) noexcept;

/// A failure. `operation` reads like `RTM_NEWADDR 10.0.0.7/32 dev eth0`.
struct Error {
  std::error_code code;
  std::string operation;       ///< what was attempted, on which object
  std::string kernel_message;  ///< the extended ack's text, verbatim; may be empty
  std::optional<std::uint32_t>
      attribute_offset;              ///< the offending attribute's offset in the request
  std::uint32_t sequence = 0;        ///< netlink sequence number, 0 where none
  std::string hint;                  ///< what the user can do
  std::vector<std::string> details;  ///< further lines, e.g. every invalid field

  /// One line: operation, reason, the kernel's own words. Without hint and details.
  [[nodiscard]] std::string message() const;
  [[nodiscard]] Errc kind() const noexcept { return classify(code); }

  static Error of(Errc code, std::string operation, std::string hint = {});
  static Error from_errno(int error, std::string operation, std::string hint = {});
};

}  // namespace particle

template <>
struct std::is_error_code_enum<particle::Errc> : std::true_type {};
