// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace particle::runtime {
namespace {

// The options of runc 1.1-1.2 and crun that take a value; all others take none.
constexpr std::array<std::string_view, 6> kGlobalWithValue{"root", "log",      "log-format",
                                                           "criu", "rootless", "cgroup-manager"};
constexpr std::array<std::string_view, 13> kVerbWithValue{
    "bundle",     "b",           "console-socket",   "pid-file",    "preserve-fds",
    "image-path", "work-path",   "parent-path",      "page-server", "manage-cgroups-mode",
    "empty-ns",   "lsm-profile", "lsm-mount-context"};
// crun's spelling of a detached run has a -f for its configuration file.
constexpr std::array<std::string_view, 2> kCrunWithValue{"config", "f"};
constexpr std::array<std::string_view, 19> kExecWithValue{"console-socket",
                                                          "cwd",
                                                          "env",
                                                          "e",
                                                          "user",
                                                          "u",
                                                          "additional-gids",
                                                          "g",
                                                          "process",
                                                          "p",
                                                          "pid-file",
                                                          "process-label",
                                                          "apparmor",
                                                          "cap",
                                                          "c",
                                                          "preserve-fds",
                                                          "cgroup",
                                                          "uidmap",
                                                          "gidmap"};

struct Option {
  std::string_view name;
  std::optional<std::string_view> value;
};

/// `--name`, `-name`, `--name=value`; nothing for any other word, a lone dash included.
std::optional<Option> as_option(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return std::nullopt;
  word.remove_prefix(word[1] == '-' ? 2 : 1);
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return Option{word, std::nullopt};
  return Option{word.substr(0, equals), word.substr(equals + 1)};
}

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "true" for an option without a value; Go's flag package also takes --detach=false.
bool is_on(const Option& option) {
  const std::string_view value = option.value.value_or("true");
  return value != "false" && value != "0" && value != "f" && value != "F" && value != "FALSE" &&
         value != "False";
}

/// What the words of a verb amount to.
struct VerbWords {
  bool detach = false;
  bool keep = false;
  bool help = false;
};

class Reader {
 public:
  explicit Reader(const std::vector<std::string>& words) { line_.rest = words; }

  CommandLine read() {
    const std::string_view verb = read_globals();
    if (verb == "exec") return read_exec();
    if (verb != "create" && verb != "run" && verb != "restore" && verb != "delete") return line_;
    const bool creates = verb != "delete";
    const VerbWords found = read_verb(creates);
    if (found.help || line_.id.empty()) return line_;
    if (!creates) {
      line_.verb = Verb::remove;
    } else {
      // With --keep a container that has ended is still there, until `delete`.
      const bool stays = verb == "create" || found.detach || found.keep;
      line_.verb = stays ? Verb::create : Verb::run;
    }
    return line_;
  }

 private:
  /// The value of an option: behind the `=`, or the next word.
  std::string take_value(const Option& option) {
    if (option.value) return std::string(*option.value);
    return at_ < line_.rest.size() ? line_.rest[at_++] : std::string();
  }

  std::string_view read_globals() {
    while (at_ < line_.rest.size()) {
      const std::string& word = line_.rest[at_++];
      const auto option = as_option(word);
      if (!option) return word;
      if (option->name == "help" || option->name == "h" || option->name == "version" ||
          option->name == "v") {
        return {};
      }
      if (!among(kGlobalWithValue, option->name)) continue;
      const std::string value = take_value(*option);
      if (option->name == "root") line_.root = value;
      if (option->name == "log") line_.log = value;
      if (option->name == "log-format") line_.log_json = value == "json";
    }
    return {};
  }

  VerbWords read_verb(bool creates) {
    VerbWords found;
    bool options_ended = false;
    while (at_ < line_.rest.size()) {
      const std::string& word = line_.rest[at_++];
      const auto option = options_ended ? std::nullopt : as_option(word);
      if (!option) {
        if (line_.id.empty()) line_.id = word;
        continue;
      }
      if (word == "--") {
        options_ended = true;
      } else if (option->name == "help" || option->name == "h") {
        found.help = true;
      } else if (creates && (option->name == "detach" || option->name == "d")) {
        found.detach = is_on(*option);
      } else if (creates && option->name == "keep") {
        found.keep = is_on(*option);
      } else if (creates &&
                 (among(kVerbWithValue, option->name) || among(kCrunWithValue, option->name))) {
        const std::string value = take_value(*option);
        if (option->name == "bundle" || option->name == "b") line_.bundle = value;
      }
    }
    return found;
  }

  /// Options end at the container's id: what follows is the command.
  CommandLine read_exec() {
    while (at_ < line_.rest.size()) {
      const std::string& word = line_.rest[at_++];
      const auto option = as_option(word);
      if (!option) {
        line_.id = word;
        line_.verb = Verb::exec;
        break;
      }
      if (option->name == "help" || option->name == "h" || word == "--") break;
      if (!among(kExecWithValue, option->name)) continue;
      const std::string value = take_value(*option);
      if (option->name == "process" || option->name == "p") line_.process = value;
    }
    return line_;
  }

  CommandLine line_;
  std::size_t at_ = 0;
};

}  // namespace

CommandLine read_command_line(const std::vector<std::string>& words) {
  return Reader(words).read();
}

}  // namespace particle::runtime
