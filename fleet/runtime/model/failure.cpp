// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/failure.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>

namespace particle::fleet {
namespace {

constexpr std::size_t kMostLastWords = 5;
constexpr std::size_t kLongestLastWord = 200;
// What shells end with for what happened to a command of theirs.
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kSignalled = 128;

std::string size_in_words(std::uint64_t bytes) {
  constexpr std::uint64_t kKib = 1024;
  constexpr std::uint64_t kMib = kKib * kKib;
  if (bytes % kMib == 0) return std::to_string(bytes / kMib) + " MiB";
  if (bytes % kKib == 0) return std::to_string(bytes / kKib) + " KiB";
  return std::to_string(bytes) + " bytes";
}

std::string time_in_words(std::chrono::milliseconds time) {
  if (time.count() % 1000 == 0) return std::to_string(time.count() / 1000) + " s";
  return std::to_string(time.count()) + " ms";
}

std::string exit_in_words(int status) {
  std::string out = "exited with status " + std::to_string(status);
  if (status == kNotExecutable) return out + " (of a shell: a command cannot be executed)";
  if (status == kNotFound) return out + " (of a shell: a command was not found)";
  if (status > kSignalled && status < kSignalled + NSIG) {
    return out + " (of a shell: a command was ended by " + signal_name(status - kSignalled) + ")";
  }
  return out;
}

/// "node n2 is lost: WHY" without the beginning, where it is that.
std::string why_lost(const Event& done) {
  const std::string usual = "node " + done.node + " is lost: ";
  const std::string why =
      done.detail.starts_with(usual) ? done.detail.substr(usual.size()) : done.detail;
  return why.empty() ? "" : ": " + why;
}

std::string tries(const FailureFacts& facts) {
  // What was refused anew did not run again.
  const bool ran = facts.done.ended != Ended::refused;
  if (facts.before.empty()) return ran ? "; tried once" : "";
  std::string list;
  const auto add = [&](const Event& done) {
    list += (list.empty() ? "" : ", ") + done.node + ": " + end_in_short(done);
  };
  std::for_each(facts.before.begin(), facts.before.end(), add);
  if (ran) add(facts.done);
  const std::size_t count = facts.before.size() + (ran ? 1 : 0);
  return "; tried " + (count == 1 ? std::string("once") : std::to_string(count) + " times") + " (" +
         list + ")";
}

std::string where(const Event& done) {
  std::string out = "instance " + std::to_string(done.instance) + " of job " + done.job;
  if (!done.node.empty()) out += " on node " + done.node;
  return out;
}

std::string after_refusal(const FailureFacts& facts) {
  if (facts.done.detail.starts_with("exec ")) {
    const std::string image = facts.function->image.empty() ? "the node's own root (no --image)"
                                                            : "image " + facts.function->image;
    return "look whether " + image +
           " has this command and what it needs to run; a path is looked for there, a bare name in "
           "its PATH";
  }
  return "`particle fleet nodes --pool " + facts.pool + "` says which nodes have the pool and live";
}

std::string after_signal(const FailureFacts& facts) {
  switch (facts.done.status) {
    case SIGKILL:
      return "no limit of the job ended it: the command itself did, somebody on the node, or the "
             "kernel when the whole node ran out of memory (`dmesg` there says)";
    case SIGSYS:
      return "it made a system call that the seccomp filter of instances does not allow "
             "(docs/fleet-instances.md)";
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGABRT:
      return "it crashed: that is the command's own fault, or its input's";
    default:
      return "somebody on the node, or the command itself, sent that signal";
  }
}

std::string what_next(const FailureFacts& facts) {
  switch (facts.done.ended.value_or(Ended::lost)) {
    case Ended::refused:
      return after_refusal(facts);
    case Ended::signalled:
      return after_signal(facts);
    case Ended::timed_out:
      return "give it more time (--timeout), or find out what it waits for";
    case Ended::out_of_memory:
      return "give it more memory (--memory)";
    case Ended::lost:
      return "`particle fleet nodes` says which nodes live; " +
             std::string(facts.function->retries == 0 ? "--retries starts it anew on another"
                                                      : "more --retries, or more nodes, help");
    case Ended::failed:
      return facts.errors.empty()
                 ? "it wrote nothing to stderr: its own manual says what the status "
                   "means"
                 : "its own words say why";
    case Ended::ok:
    case Ended::killed:
      break;
  }
  return {};
}

}  // namespace

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

std::string end_in_short(const Event& done) {
  switch (done.ended.value_or(Ended::lost)) {
    case Ended::ok:
      return "ok";
    case Ended::failed:
      return "status " + std::to_string(done.status);
    case Ended::signalled:
      return signal_name(done.status);
    case Ended::timed_out:
      return "timed out";
    case Ended::out_of_memory:
      return "out of memory";
    case Ended::killed:
      return "killed";
    case Ended::lost:
      return "lost";
    case Ended::refused:
      return "not started";
  }
  return "lost";
}

std::string end_in_words(const Event& done, const Function& function) {
  switch (done.ended.value_or(Ended::lost)) {
    case Ended::ok:
      return "ended well";
    case Ended::failed:
      return exit_in_words(done.status);
    case Ended::signalled:
      return "was ended by signal " + std::to_string(done.status) + " (" +
             signal_name(done.status) + ")";
    case Ended::timed_out:
      return "was ended when its time was over" +
             (function.limits.wall_time.count() > 0
                  ? ": " + time_in_words(function.limits.wall_time)
                  : "");
    case Ended::out_of_memory:
      return "was ended by the kernel: it needed more memory than " +
             (function.limits.memory ? "its " + size_in_words(*function.limits.memory)
                                     : "its limit");
    case Ended::killed:
      return "was killed, as somebody asked";
    case Ended::lost:
      return "was lost with its node" + why_lost(done);
    case Ended::refused:
      return (done.attempt == 0 ? "was not started: " : "was not started again: ") + done.detail;
  }
  return "was lost";
}

std::vector<std::string> last_lines(std::string_view text, std::size_t most) {
  std::vector<std::string> out;
  while (out.size() < most && !text.empty()) {
    const std::size_t end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) break;
    text = text.substr(0, end + 1);
    const std::size_t begin = text.rfind('\n') + 1;  // npos + 1 is 0
    std::string line(text.substr(begin, kLongestLastWord));
    std::erase_if(line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
    if (text.size() - begin > kLongestLastWord) line += " ...";
    out.push_back(std::move(line));
    text = text.substr(0, begin);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Failure describe_failure(const FailureFacts& facts) {
  Failure out;
  out.what = where(facts.done) + " " + end_in_words(facts.done, *facts.function) + tries(facts);
  out.last_words = last_lines(facts.errors, kMostLastWords);
  out.next = what_next(facts);
  const bool ran = facts.done.ended != Ended::refused || !facts.before.empty();
  if (facts.has_agent && ran) {
    out.next += (out.next.empty() ? "" : "; ") + std::string("`particle fleet logs ") +
                facts.done.job + " --instance " + std::to_string(facts.done.instance) +
                "` has all that it wrote";
  }
  return out;
}

std::string Failure::to_text() const {
  std::string out = what + "\n";
  if (!last_words.empty()) out += "  the end of its stderr:\n";
  for (const std::string& line : last_words) out += "    " + line + "\n";
  if (!next.empty()) out += "  next: " + next + "\n";
  return out;
}

}  // namespace particle::fleet
