// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle/unique_fd.hpp>
#include <particle/version.hpp>

#include "command_process.hpp"
#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "harness/result_file.hpp"
#include "input.hpp"
#include "output.hpp"
#include "signals.hpp"
#include "trace/table.hpp"
#include "trace/tracer.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Args {
  Value process, seconds, hertz, functions, out, flame;
};

struct Request {
  std::optional<int> process;
  std::optional<std::chrono::milliseconds> limit;
  unsigned hertz = 3999;
  trace::FunctionWay functions = trace::FunctionWay::automatic;
  std::optional<bench::ResultFile> out;
  std::optional<bench::ResultFile> flame;
};

Result<std::uint64_t> parse_hertz(std::string_view text) {
  auto value = parse_count(text);
  if (value && (*value == 0 || *value > 50000)) {
    return fail(Error::of(Errc::invalid_argument, "hertz", "1 to 50000"));
  }
  return value;
}

Result<trace::FunctionWay> parse_functions(std::string_view text) {
  using trace::FunctionWay;
  for (const FunctionWay way :
       {FunctionWay::automatic, FunctionWay::fentry, FunctionWay::kprobe, FunctionWay::none}) {
    if (text == to_string(way)) return way;
  }
  return fail(Error::of(Errc::invalid_argument, "functions", "auto, fentry, kprobe or none"));
}

std::optional<bench::ResultFile> take_file(Input& input, const char* option, const Value& value) {
  if (!value) return std::nullopt;
  auto file = bench::ResultFile::open(value.text);
  if (file) return std::move(*file);
  input.invalid(option, value.text, file.error());
  return std::nullopt;
}

Result<Request> read_request(const Context& context, const Args& args) {
  Input input;
  Request request;
  request.process = input.take<int>("-p", args.process, parse_process);
  request.limit = input.take<std::chrono::milliseconds>("--seconds", args.seconds, parse_seconds);
  request.hertz = static_cast<unsigned>(
      input.take<std::uint64_t>("--hertz", args.hertz, parse_hertz).value_or(request.hertz));
  request.functions = input.take<trace::FunctionWay>("--functions", args.functions, parse_functions)
                          .value_or(request.functions);
  request.out = take_file(input, "--out", args.out);
  request.flame = take_file(input, "--flame", args.flame);
  if (args.process && !context.command.empty()) {
    input.invalid("-p and a command", "trace the one or the other");
  } else if (!args.process && context.command.empty()) {
    input.invalid("nothing to trace", "give a command after `--`, or a process with -p");
  } else if (args.seconds && !args.process) {
    input.invalid("--seconds without -p", "a command is traced until it ends");
  }
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  return request;
}

/// The file that execvp(3) would run, or the word itself.
std::string find_program(const std::string& word) {
  if (word.find('/') != std::string::npos) return word;
  const char* path = std::getenv("PATH");
  std::string_view folders = path == nullptr ? "/usr/bin:/bin" : path;
  while (!folders.empty()) {
    const auto colon = folders.find(':');
    const std::string candidate = std::string(folders.substr(0, colon)) + "/" + word;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    folders.remove_prefix(colon == std::string_view::npos ? folders.size() : colon + 1);
  }
  return word;
}

/// What may hold step marks: what is traced.
std::vector<std::string> marked_programs(const Context& context, const Request& request) {
  std::error_code error;
  const std::string link =
      request.process ? "/proc/" + std::to_string(*request.process) + "/exe" : "";
  const auto path = request.process ? std::filesystem::read_symlink(link, error)
                                    : std::filesystem::path(find_program(context.command.front()));
  return error ? std::vector<std::string>{} : std::vector<std::string>{path.string()};
}

/// A child that waits until it is told to become the command.
class Held {
 public:
  static Result<Held> start(const Context& context, const SignalRelay& signals) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Error::from_errno(errno, "make a pipe"));
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) return fail(Error::from_errno(errno, "start a process"));
    if (child == 0) be_the_command(context, signals, read_end, write_end);
    return Held(child, std::move(write_end));
  }
  [[nodiscard]] pid_t process() const { return process_; }
  void let_go() { gate_ = UniqueFd(); }

 private:
  Held(pid_t process, UniqueFd gate) : process_(process), gate_(std::move(gate)) {}

  [[noreturn]] static void be_the_command(const Context& context, const SignalRelay& signals,
                                          UniqueFd& read_end, UniqueFd& write_end) {
    write_end = UniqueFd();
    char nothing = 0;
    while (::read(read_end.get(), &nothing, 1) < 0 && errno == EINTR) {
    }
    // stdout is the JSON document's alone.
    if (context.json) ::dup2(STDERR_FILENO, STDOUT_FILENO);
    signals.restore();
    Context plain = context;
    plain.json = false;
    const Result<int> code = become_command(plain);
    static_cast<void>(flush_output());
    ::_exit(*code);
  }

  pid_t process_;
  UniqueFd gate_;
};

/// The tracer, or none with the reason: then only the time is measured.
std::optional<trace::Tracer> try_start(const Context& context, const Request& request,
                                       trace::Observations& seen) {
  auto tracer =
      trace::Tracer::start({request.hertz, marked_programs(context, request), request.functions});
  if (tracer) return std::move(*tracer);
  const Error& error = tracer.error();
  seen.missing.push_back("eBPF: " + error.message() + "; " + error.hint +
                         ". Without it only the time is known.");
  return std::nullopt;
}

/// A namespace of process ids of our own: the programs see other numbers than we do.
void note_if_blind(trace::Observations& seen) {
  if (!seen.entries.empty() || !seen.missing.empty()) return;
  seen.missing.emplace_back(
      "any thread: in a pid namespace of its own the tracer does not find them; run it in the "
      "initial one");
}

Result<trace::Trace> trace_command(const Context& context, const Request& request) {
  trace::Trace result;
  result.command = context.command;
  const auto signals = SignalRelay::open();
  if (!signals) return fail(signals.error());
  auto child = Held::start(context, *signals);
  if (!child) return fail(child.error());
  auto tracer = try_start(context, request, result.seen);
  if (tracer) {
    if (auto done = tracer->follow(child->process()); !done) {
      result.seen.missing.push_back(done.error().message());
      tracer.reset();
    }
  }
  const auto start = Clock::now();
  child->let_go();
  const auto status = signals->wait(child->process(), -1, [] {});
  const double wall = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  if (!status) return fail(status.error());
  result.exit_code = *status;
  if (tracer) {
    auto seen = tracer->finish();
    if (!seen) return fail(seen.error());
    result.seen = std::move(*seen);
    note_if_blind(result.seen);
  }
  result.seen.wall_ms = wall;
  return result;
}

/// Until the process ends, the time is up, or Ctrl-C.
Result<void> wait_for(int process, const Request& request, const std::stop_token& stop) {
  const UniqueFd watched(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!watched.valid()) {
    return fail(Error::from_errno(errno, "process " + std::to_string(process)));
  }
  const auto deadline = Clock::now() + request.limit.value_or(std::chrono::hours(24 * 365));
  while (!stop.stop_requested() && Clock::now() < deadline) {
    pollfd ended{watched.get(), POLLIN, 0};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    constexpr long long kGlance = 200;
    if (::poll(&ended, 1, static_cast<int>(std::clamp<long long>(left, 0, kGlance))) > 0) break;
  }
  return {};
}

Result<trace::Trace> trace_process(const Context& context, const Request& request) {
  const int process = *request.process;
  auto tracer =
      trace::Tracer::start({request.hertz, marked_programs(context, request), request.functions});
  if (!tracer) return fail(tracer.error());
  if (auto done = tracer->follow(process); !done) return fail(done.error());
  const auto stop = stop_on_signals();
  if (auto done = wait_for(process, request, stop); !done) return fail(done.error());
  trace::Trace result;
  result.process = process;
  auto seen = tracer->finish();
  if (!seen) return fail(seen.error());
  result.seen = std::move(*seen);
  note_if_blind(result.seen);
  return result;
}

/// Of a command the results go to stderr, since stdout is the command's.
void show(const Context& context, const trace::Trace& result) {
  if (context.json) {
    print_json(trace::to_json(result));
    return;
  }
  if (result.command.empty()) {
    print(trace_to_text(result, Style::of_stdout(context)));
    return;
  }
  const std::string text = "\n" + trace_to_text(result, Style(false));
  static_cast<void>(flush_output());
  std::fwrite(text.data(), 1, text.size(), stderr);
}

Result<void> write_files(const Request& request, const trace::Trace& result) {
  if (request.out) {
    if (auto done = request.out->save(trace::to_json(result).dump() + "\n"); !done) return done;
  }
  if (!request.flame) return {};
  const std::string title = result.command.empty() ? "particle trace" : result.command.front();
  const std::string graph = trace::flame_graph(result.seen.entries, title, true);
  if (graph.empty()) {
    return fail(Error::of(Errc::unsupported, "write " + request.flame->path(),
                          "nothing was traced that a flame graph could show"));
  }
  return request.flame->save(graph);
}

Result<int> run(Context& context, const Args& args) {
  auto request = read_request(context, args);
  if (!request) return fail(std::move(request.error()));
  auto result =
      request->process ? trace_process(context, *request) : trace_command(context, *request);
  if (!result) return fail(std::move(result.error()));
  result->program = std::string("particle ") + kVersion;
  show(context, *result);
  if (auto done = write_files(*request, *result); !done) {
    Context plain = context;
    plain.json = false;  // stdout has the trace
    return print_error(plain, done.error());
  }
  return result->exit_code.value_or(kExitOk);
}

}  // namespace

void add_trace(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"trace",
       "[--hertz N] [--functions WAY] [--out FILE] [--flame FILE] -- COMMAND [ARGUMENT...]\n"
       "-p PID [--seconds S] [--hertz N] [--functions WAY] [--out FILE] [--flame FILE]",
       "Runs a command and says where its time went, in the kernel and out of it: creating "
       "namespaces, creating and moving devices, inserting addresses, starting helper programs; "
       "and "
       "how the time passed: running, waiting for RCU grace periods, for the rtnl lock, for "
       "anything "
       "else, for a processor. It follows everything the command starts, and works with any "
       "command: a container runtime, somebody's CNI plugin. Of libparticle's programs it also "
       "shows "
       "each step of figure 3.1.\n\n"
       "It samples kernel stacks while threads run and takes exact times with stacks while they do "
       "not, by eBPF: BTF tracepoints, perf events and USDT; where the kernel has fentry or "
       "kprobes, single kernel functions are timed call by call, too. It needs root (CAP_BPF, "
       "CAP_PERFMON) and Linux 5.5; without, the command runs all the same, and what is missing is "
       "said. Its own cost is measured and stated.\n\n"
       "The report goes to stderr, since stdout is the command's; with --json the document has "
       "stdout and the command's output goes to stderr. With -p it ends with the process, after "
       "--seconds, or at Ctrl-C. Returns the command's status.",
       "particle trace -- ip netns exec blue true\n"
       "\n"
       "# The paper's baseline, with a flame graph:\n"
       "particle trace --flame flame.svg -- particle bench --design ip-commands --endpoints 20 "
       "--repeats 1\n"
       "\n"
       "# Somebody's daemon, for ten seconds:\n"
       "particle trace -p $(pidof containerd) --seconds 10 --out trace.json\n"
       "\n"
       "# In the report of a run:\n"
       "particle bench report results.json --trace trace.json\n"});
  add_value(verb, "-p,--pid", args->process, "PID", "Trace a process that runs already");
  add_value(verb, "--seconds", args->seconds, "S", "With -p: for so long");
  add_value(verb, "--hertz", args->hertz, "N", "Samples each second and processor (default: 3999)");
  add_value(verb, "--functions", args->functions, "WAY",
            "How single kernel functions are timed: fentry, kprobe, none, or auto (default), which "
            "takes the first that this kernel has");
  add_value(verb, "--out", args->out, "FILE", "Write the whole trace there, as JSON");
  add_value(verb, "--flame", args->flame, "FILE", "Write a flame graph there, as SVG");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
