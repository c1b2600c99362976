// SPDX-License-Identifier: Apache-2.0
// What the command line says to wrong input, to --help and to a completing shell. Needs no
// privileges: nothing here gets as far as the kernel.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "e2e/cli_program.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

using Words = std::vector<std::string>;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// A valid create-pool with some options replaced or added; a key alone in `without` is left out.
Words create_pool(const std::vector<std::pair<std::string, std::string>>& with,
                  const std::string& without = {}) {
  std::vector<std::pair<std::string, std::string>> options = {
      {"--tenant", "acme"}, {"--vni", "100"}, {"--prefix", "10.1.0.0/24"}};
  for (const auto& [name, value] : with) {
    const auto found = std::find_if(options.begin(), options.end(),
                                    [&](const auto& option) { return option.first == name; });
    if (found != options.end()) {
      found->second = value;
    } else {
      options.emplace_back(name, value);
    }
  }
  Words words = {"create-pool", "web"};
  for (const auto& [name, value] : options) {
    if (name != without) words.insert(words.end(), {name, value});
  }
  return words;
}

/// Exit code 2, nothing on stdout, one message that names the verb and `named`, nothing made.
void check_refused(Words words, const std::string& named) {
  const TempRunDir dir;
  const std::string run_dir = dir.file("run");
  words.insert(words.end(), {"--run-dir", run_dir});
  const CommandResult result = run_particle(words);
  CAPTURE(words);
  CAPTURE(result.err);
  CHECK(result.exit_code == 2);
  CHECK(result.out.empty());
  CHECK(result.err.starts_with("particle: " + words.front() + (words.size() > 3 ? "" : ": ")));
  CHECK(contains(result.err, named));
  const auto lines = lines_of(result.err);
  CHECK(std::count_if(lines.begin(), lines.end(),
                      [](const std::string& line) { return line.starts_with("particle:"); }) == 1);
  CHECK_FALSE(std::filesystem::exists(run_dir));

  words.emplace_back("--json");
  const CommandResult json = run_particle(words);
  CHECK(json.exit_code == 2);
  CHECK(json.err.empty());
  const auto document = parse_output(json);
  CHECK(schema_violations(document, "error") == Words{});
  CHECK(document["error"]["exit_code"] == 2);
  CHECK(document["error"]["kind"] == "invalid_argument");
  CHECK(contains(document.dump(), nlohmann::json(named).dump().substr(1, named.size())));
}

/// Every verb as the program describes it: name, options, texts.
nlohmann::json described_verbs() {
  return parse_output(run_particle({"__describe"}))["verbs"];
}

Words verbs() {
  Words names;
  for (const auto& verb : described_verbs()) names.push_back(verb["name"]);
  return names;
}

}  // namespace

TEST_CASE("cli: each wrong value of create-pool is refused and named") {
  check_refused(create_pool({{"--vni", "0"}}), "--vni 0");
  check_refused(create_pool({{"--vni", "16777216"}}), "--vni 16777216");
  check_refused(create_pool({{"--vni", "-5"}}), "--vni -5");
  check_refused(create_pool({{"--vni", "0x10"}}), "--vni 0x10");
  check_refused(create_pool({{"--vni", ""}}), "--vni ''");
  check_refused(create_pool({{"--vni", "99999999999999999999"}}), "--vni 99999999999999999999");
  check_refused(create_pool({{"--prefix", "10.1.0.0"}}), "--prefix 10.1.0.0");
  check_refused(create_pool({{"--prefix", "10.1.0.0/33"}}), "--prefix 10.1.0.0/33");
  check_refused(create_pool({{"--prefix", "10.1.0.5/24"}}), "the network is 10.1.0.0/24");
  check_refused(create_pool({{"--prefix", "10.1.0.256/24"}}), "--prefix 10.1.0.256/24");
  check_refused(create_pool({{"--prefix", "fd00:::/64"}}), "--prefix fd00:::/64");
  check_refused(create_pool({{"--prefix", "224.0.0.0/24"}}), "224.0.0.0/24");
  check_refused(create_pool({{"--mtu", "67"}}), "--mtu 67");
  check_refused(create_pool({{"--mtu", "65536"}}), "--mtu 65536");
  check_refused(create_pool({{"--mtu", "big"}}), "--mtu big");
  check_refused(create_pool({{"--mtu", ""}}), "--mtu ''");
  check_refused(create_pool({{"--count", "0"}}), "--count 0");
  check_refused(create_pool({{"--count", "1.5"}}), "--count 1.5");
  check_refused(create_pool({{"--count", "300"}}), "count 300");
  check_refused(create_pool({{"--mode", "fast"}}), "--mode fast");
  check_refused(create_pool({{"--isolation", "vm"}}), "--isolation vm");
  check_refused(create_pool({{"--cooldown", "-1"}}), "--cooldown -1");
  check_refused(create_pool({{"--cooldown", "1.2345"}}), "--cooldown 1.2345");
  check_refused(create_pool({{"--cooldown", "soon"}}), "--cooldown soon");
  check_refused(create_pool({{"--underlay-ip", "here"}}), "--underlay-ip here");
  check_refused(create_pool({{"--underlay-dev", "a-name-that-is-too-long"}}),
                "a-name-that-is-too-long");
  check_refused(create_pool({{"--tenant", "a b"}}), "a b");
  check_refused(create_pool({{"--tenant", ""}}), "tenant");
  check_refused(create_pool({{"--tenant", std::string(64, 'x')}}), "63");
}

TEST_CASE("cli: a range must lie in the prefix of its family, once per family") {
  check_refused(create_pool({{"--range", "10.1.0.9-10.1.0.3"}}), "--range 10.1.0.9-10.1.0.3");
  check_refused(create_pool({{"--range", "10.1.0.1-10.2.0.1"}}), "10.1.0.1-10.2.0.1");
  check_refused(create_pool({{"--range", "10.1.0.1-fd00::1"}}), "--range 10.1.0.1-fd00::1");
  check_refused(create_pool({{"--range", "fd00::1-fd00::9"}}), "an IPv6 one");
  Words twice = create_pool({{"--range", "10.1.0.1-10.1.0.9"}});
  twice.insert(twice.end(), {"--range", "10.1.0.11-10.1.0.19"});
  check_refused(twice, "one range per family");
  check_refused(create_pool({{"--range", "10.1.0.1-10.1.0.9"}, {"--count", "10"}}), "count 10");
}

TEST_CASE("cli: a missing option is named") {
  for (const char* option : {"--tenant", "--vni", "--prefix"}) {
    check_refused(create_pool({}, option), std::string(option) + " is missing");
  }
  check_refused({"create-pool"}, "NAME, --tenant, --vni and --prefix are missing");
  check_refused({"show-pool"}, "NAME is missing");
  check_refused({"lease", "web"}, "--holder is missing");
  check_refused({"exec", "web"}, "no command is given");
  check_refused({"add-peer"}, "--tenant, --vtep, --mac and --prefix are missing");
  check_refused({"remove-peer"}, "--tenant and --vtep are missing");
  check_refused({"resize-pool", "web"}, "nothing to change");
}

TEST_CASE("cli: everything that is wrong is said at once") {
  const CommandResult result = run_particle(
      {"create-pool", "we b", "--vni", "0", "--prefix", "10.1.0.5/24", "--prefix", "nonsense",
       "--mtu", "9", "--count", "x", "--mode", "fast", "--cooldown", "soon"});
  CHECK(result.exit_code == 2);
  for (const char* part :
       {"--tenant is missing", "we b", "--vni 0", "--prefix 10.1.0.5/24", "--prefix nonsense",
        "--mtu 9", "--count x", "--mode fast", "--cooldown soon"}) {
    CAPTURE(part);
    CHECK(contains(result.err, part));
  }
}

TEST_CASE("cli: wrong input to the other verbs is refused and named") {
  check_refused({"show-pool", "no/such"}, "no/such");
  check_refused({"delete-pool", "-", "--force"}, "-");
  check_refused({"lease", "web", "--holder", "a/b"}, "a/b");
  check_refused({"lease", "web", "--holder", "c", "--ip", "10.1"}, "--ip 10.1");
  check_refused({"lease", "web", "--holder", "c", "--count", "0"}, "--count 0");
  check_refused({"lease", "web", "--holder", "c", "--ip", "10.1.0.1", "--count", "2"}, "--count 2");
  check_refused({"lease", "web", "--holder", "c", "--pid", "0"}, "--pid 0");
  check_refused({"lease", "web", "--holder", "c", "--wait", "x"}, "--wait x");
  check_refused({"release", "web", "--holder", "c", "--ip", "::g"}, "--ip ::g");
  check_refused({"resize-pool", "web", "--count", "-1"}, "--count -1");
  check_refused({"resize-pool", "web", "--range", "10.1.0.1-10.1.0.2"}, "--prefix");
  const Words peer = {"add-peer",  "--tenant", "acme",        "--vtep",
                      "192.0.2.2", "--prefix", "10.2.0.0/24", "--mac"};
  for (const char* mac :
       {"02:00:00:00:00", "02-00-00-00-00-01", "03:00:00:00:00:01", "00:00:00:00:00:00", "x"}) {
    Words words = peer;
    words.emplace_back(mac);
    check_refused(words, std::string("--mac ") + mac);
  }
  check_refused({"remove-peer", "--tenant", "acme", "--vtep", "node-b"}, "--vtep node-b");
  check_refused({"completion", "tcsh"}, "tcsh");
}

TEST_CASE("cli: usage errors name the option and suggest the nearest word") {
  check_refused({"delete-pool", "web", "--forse"}, "did you mean --force?");
  check_refused({"list-pools", "extra"}, "unexpected argument extra");
  check_refused({"create-pool", "web", "--vni", "1", "--vni", "2"},
                "--vni is given 2 times: 1 and 2");
  const CommandResult typo = run_particle({"crate-pool", "web"});
  CHECK(typo.exit_code == 2);
  CHECK(contains(typo.err, "unknown verb crate-pool"));
  CHECK(contains(typo.err, "did you mean `particle create-pool`?"));
  const CommandResult json = run_particle({"--json", "crate-pool", "web"});
  CHECK(json.exit_code == 2);
  CHECK(schema_violations(parse_output(json), "error") == Words{});
  CHECK(run_particle({}).exit_code == 2);
  CHECK(run_particle({"--nonsense", "list-pools"}).exit_code == 2);
  const CommandResult no_value = run_particle({"create-pool", "web", "--vni"});
  CHECK(no_value.exit_code == 2);
  CHECK(contains(no_value.err, "--vni needs a value"));
}

TEST_CASE("cli: a peer file that is none is refused, with everything that is wrong with it") {
  const TempRunDir dir;
  const auto from = [&](const std::string& content) {
    const std::string path = dir.file("peer.json");
    std::filesystem::remove(path);
    run_command({"sh", "-c", "printf %s \"$1\" > \"$2\"", "sh", content, path});
    return run_particle({"add-peer", "--from", path, "--run-dir", dir.file("run")});
  };
  CHECK(contains(from("").err, "is empty"));
  CHECK(contains(from("{").err, "is not a JSON object"));
  CHECK(contains(from("[]").err, "is not a JSON object"));
  CHECK(contains(from(R"({"error":{}})").err, "holds an error message"));
  const CommandResult all =
      from(R"({"tenant":"acme","vtep":7,"mac":"zz","prefixes":["10.0.0.1/8"],"vni":0})");
  CHECK(all.exit_code == 2);
  for (const char* part : {"vtep: ", "mac: ", "prefixes: ", "vni: ", "mtu: "}) {
    CAPTURE(part);
    CHECK(contains(all.err, part));
  }
  const CommandResult absent = run_particle({"add-peer", "--from", dir.file("none.json")});
  CHECK(absent.exit_code == 3);
  CHECK(contains(absent.err, "none.json"));
  CHECK_FALSE(std::filesystem::exists(dir.file("run")));
}

TEST_CASE("cli: every verb's help has its options, examples and exit codes, and fits 100 columns") {
  const Words names = verbs();
  CHECK(names.size() >= 16);
  for (const std::string& verb : names) {
    CAPTURE(verb);
    const CommandResult help = run_particle({verb, "--help"});
    CHECK(help.exit_code == 0);
    CHECK(help.err.empty());
    CHECK(help.out.starts_with("Usage: particle " + verb));
    for (const char* part : {"\nExamples:\n", "\nExit codes:\n", "--json", "--run-dir DIR"}) {
      CHECK(contains(help.out, part));
    }
    CHECK(contains(help.out.substr(help.out.find("Examples:")), "particle "));
    for (const std::string& line : lines_of(help.out)) CHECK(line.size() <= 100);
    CHECK(run_particle({"help", verb}).out == help.out);
  }
  const CommandResult overview = run_particle({"--help"});
  CHECK(overview.exit_code == 0);
  for (const std::string& verb : names) CHECK(contains(overview.out, "\n  " + verb + " "));
}

TEST_CASE("cli: `fleet --help` names its verbs, and a word that is none is still refused") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"fleet", "--help"}, {"fleet", "-h"}, {"help", "fleet"}}) {
    const CommandResult help = run_particle(words);
    CHECK(help.exit_code == 0);
    CHECK(help.err.empty());
    for (const char* verb : {"run ", "pipeline ", "agent ", "ps ", "logs ", "kill ", "nodes "})
      CHECK_MESSAGE(contains(help.out, std::string("\n  ") + verb), verb);
  }
  CHECK(run_particle({"fleet"}).exit_code == 2);
  CHECK(run_particle({"fleet", "nonsense", "--help"}).exit_code == 2);
}

TEST_CASE("cli: create-pool's help shows how to make two nodes talk") {
  const std::string help = run_particle({"create-pool", "--help"}).out;
  for (const char* part : {"On node A", "On node B", "add-peer --from b.json",
                           "add-peer --from a.json", "particle lease", "particle exec"}) {
    CAPTURE(part);
    CHECK(contains(help, part));
  }
}

TEST_CASE("cli: --json and --run-dir stand before or after the verb") {
  const auto before = parse_output(run_particle({"--json", "version"}));
  const auto after = parse_output(run_particle({"version", "--json"}));
  CHECK(before == after);
  CHECK(schema_violations(before, "version") == Words{});
  const CommandResult relative = run_particle({"--run-dir", "relative", "list-pools"});
  CHECK(relative.exit_code == 2);
  CHECK(run_particle({"list-pools", "--run-dir", "relative"}).exit_code == 2);
  CHECK(run_particle({"list-pools", "--run-dir=relative"}).exit_code == 2);
  CHECK(run_particle({"list-pools"}, nullptr, {"PARTICLE_RUN_DIR=relative"}).exit_code == 2);
  CHECK(run_particle({"--version"}).out == run_particle({"version"}).out);
}

TEST_CASE("cli: a pool may be called like a verb") {
  const TempRunDir dir;
  const CommandResult result = run_particle({"--run-dir", dir.path(), "show-pool", "lease"});
  CHECK(result.exit_code == 3);
  CHECK(contains(result.err, "particle: show-pool lease: "));
}

TEST_CASE("cli: no colours where they are not wanted, and a full disk is noticed") {
  CHECK_FALSE(contains(run_particle({"list-pools"}).out, "\x1b["));
  const CommandResult full =
      run_command({"sh", "-c", "exec \"$0\" version > /dev/full", particle_program()});
  CHECK(full.exit_code == 8);
  CHECK(contains(full.err, "write the result to stdout"));
}

TEST_CASE("cli: the manual, docs/cli.md and the completions say what --help says") {
  const CommandResult check =
      run_command({"python3", PARTICLE_TEST_SOURCE_DIR "/../cli/tools/reference.py",
                   particle_program(), "--check"});
  CAPTURE(check.out);
  CHECK(check.exit_code == 0);
}

TEST_CASE("cli: the manual pages format without a warning") {
  if (run_command({"sh", "-c", "command -v man"}).exit_code != 0) {
    return skip_component("man", "not installed");
  }
  for (const auto& page :
       std::filesystem::directory_iterator(PARTICLE_TEST_SOURCE_DIR "/../cli/man")) {
    const CommandResult result = run_command(
        {"env", "LC_ALL=C.UTF-8", "man", "--warnings", "-l", "-Tutf8", page.path().string()});
    CAPTURE(page.path().string());
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    CHECK(contains(result.out, "\n       " + page.path().stem().string() + " "));
  }
}

namespace {

/// What bash offers when the last of `words` is completed.
Words complete_in_bash(const Words& words) {
  std::string script = "source <(\"$0\" completion bash); COMP_WORDS=(\"$0\"";
  for (const std::string& word : words) script += " '" + word + "'";
  script +=
      "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _particle; printf '%s\\n' \"${COMPREPLY[@]}\"";
  const CommandResult result = run_command({"bash", "--norc", "-c", script, particle_program()});
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  Words offered = lines_of(result.out);
  std::erase(offered, "");
  std::sort(offered.begin(), offered.end());
  return offered;
}

bool offers(const Words& offered, const std::string& word) {
  return std::find(offered.begin(), offered.end(), word) != offered.end();
}

}  // namespace

TEST_CASE("completion: bash completes verbs, options and choices") {
  CHECK(complete_in_bash({"create-"}) == Words{"create-pool"});
  Words all = verbs();
  std::sort(all.begin(), all.end());
  CHECK(complete_in_bash({""}) == all);
  CHECK(complete_in_bash({"--run-dir", "/tmp", "resi"}) == Words{"resize-pool"});
  CHECK(complete_in_bash({"create-pool", "web", "--mo"}) == Words{"--mode"});
  CHECK(complete_in_bash({"create-pool", "web", "--mode", ""}) ==
        Words{"anyip", "auto", "secondary"});
  CHECK(complete_in_bash({"create-pool", "web", "--mode", "=", "sec"}) == Words{"secondary"});
  CHECK(complete_in_bash({"completion", ""}) == Words{"bash", "fish", "zsh"});
  CHECK(complete_in_bash({"create-pool", "web", "--vni", ""}).empty());
  CHECK(complete_in_bash({"bench", ""}) == Words{"compare", "list", "report"});
  CHECK(complete_in_bash({"bench", "re"}) == Words{"report"});
  CHECK(complete_in_bash({"bench", "report", "--cs"}) == Words{"--csv"});
  CHECK(complete_in_bash({"bench", "--design", "cons"}) == Words{"consolidated"});
  CHECK(complete_in_bash({"bench", "--quick", ""}).empty());
  CHECK(offers(complete_in_bash({"create-pool", "web", "--underlay-dev", ""}), "lo"));
  CHECK(offers(complete_in_bash({"exec", "web", "--", "tru"}), "true"));
  for (const auto& verb : described_verbs()) {
    const Words offered = complete_in_bash({verb["name"], "--"});
    for (const auto& option : verb["options"]) {
      for (const std::string name : option["names"]) {
        CAPTURE(name);
        if (name.starts_with("--")) CHECK(offers(offered, name));
      }
    }
    CHECK(offers(offered, "--json"));
  }
}

TEST_CASE("completion: zsh and fish accept their scripts and complete verbs") {
  if (run_command({"sh", "-c", "command -v zsh"}).exit_code != 0) {
    skip_component("zsh", "not installed");
  } else {
    const CommandResult zsh =
        run_command({"sh", "-c", "\"$0\" completion zsh | zsh -n /dev/stdin", particle_program()});
    CAPTURE(zsh.err);
    CHECK(zsh.exit_code == 0);
    CHECK(zsh.err.empty());
  }
  if (run_command({"sh", "-c", "command -v fish"}).exit_code != 0) {
    return skip_component("fish", "not installed");
  }
  const TempRunDir home;
  const CommandResult fish =
      run_command({"env", "HOME=" + home.path(), "XDG_CONFIG_HOME=" + home.path(),
                   "XDG_DATA_HOME=" + home.path(), "fish", "--no-config", "-c",
                   "source (" + particle_program() +
                       " completion fish | psub); complete -C 'particle create-'; "
                       "complete -C 'particle create-pool web --mode '; complete -C 'particle "
                       "delete-pool web --fo'; complete -C 'particle bench comp'; complete -C "
                       "'particle bench report --cs'"});
  CAPTURE(fish.err);
  CHECK(fish.exit_code == 0);
  for (const char* word : {"create-pool\t", "anyip", "secondary", "--force", "compare", "--csv"})
    CHECK(contains(fish.out, word));
}

}  // namespace particle::test
