// SPDX-License-Identifier: Apache-2.0
#include "invocation.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

namespace particle::cni {
namespace {

constexpr std::array<std::pair<std::string_view, Verb>, 6> kVerbs{{{"ADD", Verb::add},
                                                                   {"DEL", Verb::del},
                                                                   {"CHECK", Verb::check},
                                                                   {"GC", Verb::gc},
                                                                   {"STATUS", Verb::status},
                                                                   {"VERSION", Verb::version}}};
constexpr std::size_t kLongestIfname = 15;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_device_name(std::string_view name) {
  if (name.size() > kLongestIfname || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '/' || c == ':' || std::isspace(byte) != 0 || std::iscntrl(byte) != 0;
  });
}

/// Notes everything that is wrong, for one error.
class Complaints {
 public:
  void missing(std::string_view variable) {
    missing_ += (missing_.empty() ? "" : ", ") + std::string(variable);
  }
  void wrong(const std::string& what) { wrong_ += (wrong_.empty() ? "" : "; ") + what; }
  [[nodiscard]] bool none() const { return missing_.empty() && wrong_.empty(); }
  [[nodiscard]] CniError verdict() const {
    std::string message = missing_.empty() ? "" : "missing in the environment: " + missing_;
    if (!wrong_.empty()) message += (message.empty() ? "" : "; ") + wrong_;
    return {Code::invalid_environment, std::move(message), {}};
  }

 private:
  std::string missing_;
  std::string wrong_;
};

void read_ips(std::string_view value, Arguments& arguments, Complaints& faults) {
  for (const auto part : split(value, ',')) {
    // A prefix length is the pool's business; ipam plugins take one, so it is tolerated here.
    auto address = IpAddress::parse(part.substr(0, part.find('/')));
    if (address)
      arguments.ips.push_back(*address);
    else
      faults.wrong("CNI_ARGS: IP=" + std::string(value) + " is not an address");
  }
}

Arguments read_arguments(std::string_view text, Complaints& faults) {
  Arguments arguments;
  std::string unknown;
  bool ignore_unknown = false;
  for (const auto pair : split(text, ';')) {
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      faults.wrong("CNI_ARGS: \"" + std::string(pair) + "\" is not KEY=VALUE");
      continue;
    }
    const auto key = pair.substr(0, equals);
    const auto value = pair.substr(equals + 1);
    if (key == "IP")
      read_ips(value, arguments, faults);
    else if (key == "K8S_POD_NAMESPACE")
      arguments.pod.space = value;
    else if (key == "K8S_POD_NAME")
      arguments.pod.name = value;
    else if (key == "K8S_POD_UID")
      arguments.pod.uid = value;
    else if (key == "IgnoreUnknown")
      ignore_unknown = value == "1" || value == "true" || value == "True" || value == "TRUE";
    else if (!key.starts_with("K8S_POD_"))
      unknown += (unknown.empty() ? "" : ", ") + std::string(pair);
  }
  if (!unknown.empty() && !ignore_unknown)
    faults.wrong("CNI_ARGS: unknown arguments " + unknown + " (IgnoreUnknown=1 passes them over)");
  return arguments;
}

struct Needs {
  bool container = false;
  bool netns = false;
  bool ifname = false;
};

Needs needs_of(Verb verb) {
  switch (verb) {
    case Verb::add:
    case Verb::check:
      return {true, true, true};
    case Verb::del:
      return {true, false, true};
    case Verb::gc:
    case Verb::status:
    case Verb::version:
      break;
  }
  return {};
}

}  // namespace

std::string_view to_string(Verb verb) noexcept {
  for (const auto& [name, candidate] : kVerbs) {
    if (candidate == verb) return name;
  }
  return "?";
}

Environment read_environment() {
  const auto get = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  return {get("CNI_COMMAND"), get("CNI_CONTAINERID"), get("CNI_NETNS"),
          get("CNI_IFNAME"),  get("CNI_ARGS"),        get("CNI_PATH")};
}

Answer<Verb> parse_verb(std::string_view command) {
  if (command.empty())
    return refuse(Code::invalid_environment, "missing in the environment: CNI_COMMAND",
                  "particle-cni is a CNI plugin: a container runtime calls it; see docs/cni.md");
  for (const auto& [name, verb] : kVerbs) {
    if (name == command) return verb;
  }
  return refuse(Code::invalid_environment,
                "CNI_COMMAND \"" + std::string(command) + "\" is unknown",
                "one of ADD, DEL, CHECK, GC, STATUS, VERSION");
}

Answer<Invocation> check_environment(Verb verb, const Environment& environment) {
  Complaints faults;
  const Needs needs = needs_of(verb);
  Invocation out;
  out.verb = verb;
  if (needs.container && environment.container.empty()) faults.missing("CNI_CONTAINERID");
  if (needs.netns && environment.netns.empty()) faults.missing("CNI_NETNS");
  if (needs.ifname && environment.ifname.empty()) faults.missing("CNI_IFNAME");
  if (needs.container && !environment.container.empty() &&
      !check_name("container id", environment.container, 255)) {
    faults.wrong("CNI_CONTAINERID \"" + environment.container +
                 "\": a letter or digit, then letters, digits, '_', '.', '-'");
  }
  if (needs.ifname && !environment.ifname.empty() && !is_device_name(environment.ifname)) {
    faults.wrong("CNI_IFNAME \"" + environment.ifname +
                 "\": at most 15 characters, not '.' or '..', without '/', ':' and white space");
  }
  // DEL has no use for them, and what made an ADD fail must not keep its DEL from succeeding.
  if (needs.netns) out.arguments = read_arguments(environment.args, faults);
  if (!faults.none()) return refuse(faults.verdict());
  out.container = environment.container;
  out.netns = environment.netns;
  out.ifname = environment.ifname;
  for (const auto directory : split(environment.path, ':')) {
    if (!directory.empty()) out.path.emplace_back(directory);
  }
  return out;
}

}  // namespace particle::cni
