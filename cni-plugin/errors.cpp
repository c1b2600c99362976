// SPDX-License-Identifier: Apache-2.0
#include "errors.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>

namespace particle::cni {
namespace {

bool is_about_files(const Error& error) {
  const int number = error.code.category() == std::generic_category() ||
                             error.code.category() == std::system_category()
                         ? error.code.value()
                         : 0;
  return number == ENOSPC || number == EDQUOT || number == EROFS || number == EIO;
}

Code code_of(const Error& error) {
  switch (error.kind()) {
    case Errc::invalid_argument:
    case Errc::conflict:
    case Errc::already_exists:
      return Code::invalid_config;
    case Errc::busy:
    case Errc::interrupted:
    case Errc::unknown_outcome:
      return Code::try_again;
    case Errc::exhausted:
      return is_about_files(error) ? Code::io : Code::try_again;
    case Errc::corrupt_state:
    case Errc::io:
      return Code::io;
    case Errc::permission_denied:
      return Code::permission;
    case Errc::unsupported:
      return Code::kernel_lacks;
    case Errc::not_found:
    case Errc::protocol:
    case Errc::kernel:
      break;
  }
  return is_about_files(error) ? Code::io : Code::kernel;
}

}  // namespace

CniError translate(const Error& error, std::string_view doing) {
  std::string details;
  for (const auto& line : error.details) details += (details.empty() ? "" : "; ") + line;
  if (!error.hint.empty()) details += (details.empty() ? "" : "; ") + error.hint;
  return {code_of(error), std::string(doing) + ": " + error.message(), std::move(details)};
}

std::string to_text(const CniError& error, std::string_view cni_version) {
  using Json = nlohmann::ordered_json;
  Json json = {{"cniVersion", cni_version},
               {"code", static_cast<unsigned>(error.code)},
               {"msg", error.message}};
  if (!error.details.empty()) json["details"] = error.details;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace particle::cni
