// SPDX-License-Identifier: Apache-2.0
/// What a plugin tells its runtime when it fails: a code, a sentence, details. One JSON object on
/// standard output, with a non-zero exit status.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::cni {

/// 1-99 are the specification's, 100 and up Particle's own. docs/cni.md lists them.
enum class Code : unsigned {
  incompatible_version = 1,
  unsupported_field = 2,
  unknown_container = 3,
  invalid_environment = 4,
  io = 5,
  decoding = 6,
  invalid_config = 7,
  try_again = 11,
  not_available = 50,
  limited_connectivity = 51,
  kernel = 100,           ///< the kernel refused; the message has its words
  permission = 101,       ///< a capability or a file permission is missing
  kernel_lacks = 102,     ///< this kernel or this way of attaching cannot do it
  interface_taken = 103,  ///< CNI_IFNAME exists, or the attachment does
  later_state = 104,      ///< a later release wrote the state
  not_as_added = 105,     ///< CHECK: something that ADD made is missing or altered
  internal = 199,         ///< a bug
};

struct CniError {
  Code code = Code::internal;
  std::string message;
  std::string details;
};

/// A value or what to tell the runtime.
template <class T>
using Answer = tl::expected<T, CniError>;

inline tl::unexpected<CniError> refuse(Code code, std::string message, std::string details = {}) {
  return tl::unexpected<CniError>(CniError{code, std::move(message), std::move(details)});
}
inline tl::unexpected<CniError> refuse(CniError error) {
  return tl::unexpected<CniError>(std::move(error));
}

/// libparticle's error in CNI's terms; `doing` reads like "ADD of c1 to network web".
CniError translate(const Error& error, std::string_view doing);

/// The object that goes to standard output. Pure.
std::string to_text(const CniError& error, std::string_view cni_version);

}  // namespace particle::cni
