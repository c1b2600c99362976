// SPDX-License-Identifier: Apache-2.0
#include "peer_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle/unique_fd.hpp>

#include "text.hpp"

namespace particle::cli {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kLargestFile = 1U << 20U;

/// Reads fields of one JSON object and notes every one that is missing or wrong.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  std::string text(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_string()) {
      problems.push_back(std::string(key) + ": a string is missing");
      return {};
    }
    return found->get<std::string>();
  }

  std::optional<std::uint64_t> number(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_number_unsigned()) {
      problems.push_back(std::string(key) + ": a number is missing");
      return std::nullopt;
    }
    return found->get<std::uint64_t>();
  }

  template <class T>
  T valid(const char* key, Result<T> value) {
    if (value) {
      return *std::move(value);
    }
    problems.push_back(std::string(key) + ": " + value.error().operation +
                       (value.error().hint.empty() ? "" : ": " + value.error().hint));
    return T{};
  }

  template <class T>
  T parsed(const char* key, Result<T> (*parse)(std::string_view)) {
    const std::size_t before = problems.size();
    const std::string value = text(key);
    return problems.size() == before ? valid(key, parse(value)) : T{};
  }

  std::vector<IpPrefix> prefixes(const char* key) {
    std::vector<IpPrefix> out;
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_array() || found->empty()) {
      problems.push_back(std::string(key) + ": a list of prefixes is missing");
      return out;
    }
    for (const Json& item : *found) {
      const std::string prefix = item.is_string() ? item.get<std::string>() : item.dump();
      out.push_back(valid(key, IpPrefix::parse(prefix)));
    }
    return out;
  }

  std::vector<std::string> problems;

 private:
  const Json& object_;
};

Error not_a_pool(const std::string& source, std::string why) {
  return Error::of(Errc::invalid_argument, source + " " + std::move(why),
                   "expected the output of `particle show-pool NAME --json` on the other node");
}

}  // namespace

Result<PeerFile> parse_peer(const std::string& source, const std::string& text) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object()) {
    return fail(not_a_pool(source, text.empty() ? "is empty" : "is not a JSON object"));
  }
  if (document.contains("error")) {
    return fail(not_a_pool(source, "holds an error message, not a pool"));
  }
  // create-pool --json wraps the pool in its outcome.
  const bool wrapped = document.contains("pool") && document["pool"].is_object();
  Fields fields(wrapped ? document["pool"] : document);
  PeerFile file;
  file.peer.tenant = fields.text("tenant");
  file.peer.vtep = fields.parsed<IpAddress>("vtep", &IpAddress::parse);
  file.peer.mac = fields.parsed<Mac>("mac", &Mac::parse);
  file.peer.prefixes = fields.prefixes("prefixes");
  if (const auto vni = fields.number("vni")) {
    file.vni = fields.valid("vni", Vni::from(*vni));
  }
  if (const auto mtu = fields.number("mtu")) {
    file.mtu = fields.valid("mtu", Mtu::from(*mtu));
  }
  if (!fields.problems.empty()) {
    Error error = not_a_pool(source, "does not describe a pool");
    error.details = std::move(fields.problems);
    return fail(std::move(error));
  }
  return file;
}

Result<std::string> read_text_file(const std::string& path) {
  const bool from_stdin = path == "-";
  const UniqueFd file(from_stdin ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  const std::string name = from_stdin ? "stdin" : shown(path);
  if (!file.valid()) {
    return fail(Error::from_errno(errno, "open " + name));
  }
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return fail(errno == EISDIR ? Error::of(Errc::invalid_argument, name + " is a directory")
                                  : Error::from_errno(errno, "read " + name));
    }
    if (got == 0) {
      return text;
    }
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kLargestFile) {
      return fail(Error::of(Errc::invalid_argument, name + " is larger than 1 MiB"));
    }
  }
}

Result<PeerFile> read_peer_file(const std::string& path) {
  const Result<std::string> text = read_text_file(path);
  if (!text) {
    return fail(text.error());
  }
  return parse_peer(path == "-" ? "stdin" : "file " + shown(path), *text);
}

}  // namespace particle::cli
