// SPDX-License-Identifier: Apache-2.0
#include "worker/run_worker.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle_sprocket/stage.hpp>

#include "worker/memory_file.hpp"
#include "worker/protocol.hpp"
#include "worker/transfer.hpp"

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

/// A failure, and the item that is to blame when it is not this worker.
struct Failure {
  Error error;
  std::optional<std::uint64_t> unreachable;
};

class Worker {
 public:
  int run() {
    auto task = read_task();
    if (!task) return report({std::move(task.error()), {}});
    task_ = std::move(*task);
    if (auto failure = prepare()) return report(*failure);
    if (auto failure = transfer()) return report(*failure);
    announce("processing");
    const StageKind* kind = find_stage(task_.stage);
    if (kind == nullptr) {
      return report({Error::of(Errc::unsupported, "stage " + task_.stage,
                               "this worker's program is not of the coordinator's version"),
                     {}});
    }
    // A filter may have dropped all frames of a chunk; what is empty stays empty.
    auto ok = task_.frames == 0 ? hand_on_nothing() : kind->run(work_);
    if (!ok) return report({std::move(ok.error()), {}});
    auto done = hand_over();
    if (!done) return report({std::move(done.error()), {}});
    say(encode_done(*done));
    if (server_) wait_for_release();
    return 0;
  }

 private:
  static void say(const std::string& line) {
    // Nobody listens when the coordinator is gone; then this worker is about to be ended.
    (void)write_all(STDOUT_FILENO, line, "standard output");
  }

  static void announce(const char* phase) {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    say(Json{{"phase", phase}, {"at", now.count()}}.dump() + "\n");
  }

  static int report(const Failure& failure) {
    say(encode_error({failure.error.message(), failure.error.hint, failure.unreachable}));
    return 1;
  }

  /// Errors: io when standard input ends before its first line does.
  Result<std::string> read_line() {
    while (true) {
      if (const auto end = pending_.find('\n'); end != std::string::npos) {
        std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        return line;
      }
      char buffer[1 << 16];
      const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return fail(Error::of(Errc::io, "standard input: no task came"));
      pending_.append(buffer, static_cast<std::size_t>(got));
    }
  }

  Result<TaskMessage> read_task() {
    const auto line = read_line();
    if (!line) return fail(line.error());
    const Json json = Json::parse(*line, nullptr, false);
    if (!json.is_object() || !json.contains("task")) {
      return fail(Error::of(Errc::protocol, "standard input: no task",
                            "particle-worker is started by `particle fleet pipeline run`"));
    }
    return parse_task(json["task"]);
  }

  std::optional<Failure> prepare() {
    work_.parameters = task_.parameters;
    work_.stage = task_.stage;
    work_.first = task_.first;
    work_.span = task_.span;
    work_.frames = task_.frames;
    work_.context = task_.context;
    work_.scene = task_.scene;
    bool serves = false;
    for (const TaskOutput& output : task_.outputs) {
      WorkOutput& out = work_.outputs.emplace_back();
      out.port = output.port;
      out.type = output.type;
      serves = serves || output.path.empty();
    }
    if (!serves) return {};
    const char* address = std::getenv("PARTICLE_IP");
    address_ = address != nullptr && *address != '\0' ? address : "127.0.0.1";
    auto server = Server::open(address_);
    if (!server) return Failure{std::move(server.error()), {}};
    server_.emplace(std::move(*server));
    return {};
  }

  std::optional<Failure> transfer() {
    bool says_connected = false;
    const auto connected = [&] {
      if (std::exchange(says_connected, true)) return;
      announce("connected");
      announce("transferring");
    };
    for (const TaskInput& input : task_.inputs) {
      WorkInput& in = work_.inputs.emplace_back();
      in.port = input.port;
      in.type = input.type;
      if (auto failure = fill(input, in, connected)) return failure;
    }
    connected();  // nothing had to be pulled from another worker
    return {};
  }

  std::optional<Failure> fill(const TaskInput& input, WorkInput& in,
                              const std::function<void()>& connected) {
    for (const TaskSlice& slice : input.slices) {
      if (in.format && slice.format != in.format) {
        return Failure{Error::of(Errc::protocol, input.port + ": frames of different formats"), {}};
      }
      in.format = slice.format;
      if (slice.source) {
        in.source = slice.source;
        continue;
      }
      if (auto failure = fetch(slice, in, connected)) return failure;
    }
    const bool raw = in.type != DataType::chunks;
    if (raw && !in.format) {
      return Failure{Error::of(Errc::protocol, input.port + ": frames of unknown format"), {}};
    }
    return {};
  }

  std::optional<Failure> fetch(const TaskSlice& slice, WorkInput& in,
                               const std::function<void()>& connected) {
    if (!in.data.valid()) {
      auto file = open_memory_file("input");
      if (!file) return Failure{std::move(file.error()), {}};
      in.data = std::move(*file);
    }
    const std::uint64_t each = slice.format ? slice.format->frame_bytes : 0;
    const std::uint64_t offset = slice.whole ? 0 : slice.offset * each;
    const std::uint64_t bytes = slice.whole ? slice.place.bytes : slice.frames * each;
    const auto begin = Clock::now();
    auto pulled = pull(slice.place, offset, bytes, in.data.get(), connected);
    pulled_ += Clock::now() - begin;
    if (!pulled) {
      const bool upstream = pulled.error().kind() == Errc::busy;
      return Failure{std::move(pulled.error()),
                     upstream ? std::optional(slice.item) : std::nullopt};
    }
    in.bytes += bytes;
    return {};
  }

  Result<void> hand_on_nothing() {
    auto nothing = open_memory_file("nothing");
    if (!nothing) return fail(std::move(nothing.error()));
    return work_.fill_all(std::move(*nothing), 0, work_.inputs.front().format);
  }

  Result<DoneMessage> hand_over() {
    const auto begin = Clock::now();
    DoneMessage done;
    std::vector<int> blobs;
    for (std::size_t i = 0; i < work_.outputs.size(); ++i) {
      WorkOutput& output = work_.outputs[i];
      auto finished = complete(output);
      if (!finished) return fail(std::move(finished.error()));
      const std::string& path = task_.outputs[i].path;
      if (!path.empty()) {
        if (auto ok = store(output, path); !ok) return fail(std::move(ok.error()));
      }
      for (DoneItem& item : finished->items) {
        item.place.path = path;
        item.place.address = address_;
        item.place.port = server_ ? server_->port() : std::uint16_t{0};
        item.place.blob = blobs.size();
      }
      blobs.push_back(output.data.get());
      done.outputs.push_back(std::move(*finished));
    }
    if (server_) server_->start(std::move(blobs));
    done.pulled = pulled_;
    done.handed = Clock::now() - begin;
    return done;
  }

  Result<DoneOutput> complete(WorkOutput& output) const {
    DoneOutput out{output.port, output.format, {}};
    if (output.items.empty()) {
      const auto size = size_of(output.data.get());
      if (!size) return fail(size.error());
      output.items = {{.first = task_.first,
                       .span = task_.span,
                       .frames = output.frames,
                       .start = 0,
                       .bytes = *size}};
    }
    for (const WorkItem& item : output.items) {
      if (output.type != DataType::chunks && output.format && output.format->frame_bytes != 0 &&
          item.bytes != item.frames * output.format->frame_bytes) {
        return fail(Error::of(Errc::protocol, "stage " + task_.stage + ": " +
                                                  std::to_string(item.bytes) + " bytes are not " +
                                                  std::to_string(item.frames) + " frames"));
      }
      const auto crc = checksum(output.data.get(), item.start, item.bytes);
      if (!crc) return fail(crc.error());
      DoneItem& each = out.items.emplace_back();
      each.item = item;
      each.place.start = item.start;
      each.place.bytes = item.bytes;
      each.place.checksum = *crc;
    }
    return out;
  }

  /// All of it or nothing: the file gets its name when it is whole.
  static Result<void> store(const WorkOutput& output, const std::string& path) {
    const std::string part = path + ".part";
    UniqueFd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.valid()) return fail(Error::from_errno(errno, "create " + part));
    auto written = copy(output.data.get(), file.get(), path);
    if (written && ::rename(part.c_str(), path.c_str()) != 0) {
      written = fail(Error::from_errno(errno, "rename " + part));
    }
    if (!written) ::unlink(part.c_str());
    return written;
  }

  static Result<void> copy(int from, int to, const std::string& path) {
    const auto size = size_of(from);
    if (!size) return fail(size.error());
    std::vector<char> buffer(std::min<std::uint64_t>(*size, 1 << 18));
    for (std::uint64_t at = 0; at < *size;) {
      const std::size_t piece = std::min<std::uint64_t>(buffer.size(), *size - at);
      if (auto ok = read_at(from, {buffer.data(), piece}, at, "output"); !ok) return ok;
      if (auto ok = write_all(to, {buffer.data(), piece}, path); !ok) return ok;
      at += piece;
    }
    return {};
  }

  void wait_for_release() {
    while (const auto line = read_line()) {
      const Json json = Json::parse(*line, nullptr, false);
      if (json.is_object() && json.contains("release")) return;
    }
  }

  std::string pending_;
  TaskMessage task_;
  Work work_;
  std::string address_;
  std::optional<Server> server_;
  std::chrono::nanoseconds pulled_{0};
};

}  // namespace

int run_worker() {
  std::signal(SIGPIPE, SIG_IGN);
  return Worker().run();
}

}  // namespace particle::sprocket
