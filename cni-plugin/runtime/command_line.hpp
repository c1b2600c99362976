// SPDX-License-Identifier: Apache-2.0
/// An OCI runtime's command line, as far as the wrapper has to understand it. Pure.
///
/// It is read the way runc (urfave/cli) and crun (argp) read it: options in any place, with one dash
/// or two, with `=` or the value in the next word. What is not known is the real runtime's business.
#pragma once

#include <string>
#include <vector>

namespace particle::runtime {

enum class Verb {
  create,  ///< create, and run or restore with --detach: the container outlives the runtime
  run,     ///< run or restore in the foreground: the container ends before the runtime does
  remove,  ///< delete
  exec,    ///< a further process in a container
  other,   ///< any other verb, none at all, or a call for help
};

struct CommandLine {
  Verb verb = Verb::other;
  std::string root;               ///< --root; empty: the runtime's default
  std::string log;                ///< --log; empty: standard error
  bool log_json = false;          ///< --log-format json
  std::string bundle;             ///< --bundle; empty: the current directory
  std::string process;            ///< --process of exec; empty: the command line says what to run
  std::string id;                 ///< the container's id; empty: none was given
  std::vector<std::string> rest;  ///< every word after the program's name, as given
};

/// `words` without the program's name.
CommandLine read_command_line(const std::vector<std::string>& words);

}  // namespace particle::runtime
